package sock

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// past is a deadline that ends every waiting at once.
var past = time.Unix(1, 0)

// writeSegment hands one segment to the kernel; MSG_EOR marks its end.
func writeSegment(c *net.TCPConn, segment []byte) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		for len(segment) > 0 {
			n, err := unix.SendmsgN(int(fd), segment, nil, nil, unix.MSG_EOR|unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
			if errors.Is(err, unix.EAGAIN) {
				return false
			}
			if failed = err; err != nil {
				return true
			}
			segment = segment[n:]
		}
		return true
	})
	return errors.Join(err, failed)
}

// connectThenMSS begins to connect and sets TCP_MAXSEG while the SYN is on its
// way: it has told the other side of full segments, and the kernel looks at the
// option again, for what we send, when the answer comes.
func connectThenMSS(fd int, to netip.AddrPort, local *net.TCPAddr, n int) error {
	if local != nil {
		if err := unix.Bind(fd, sockaddr(local.AddrPort())); err != nil {
			return err
		}
	}
	if err := unix.Connect(fd, sockaddr(to)); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return err
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_MAXSEG, n)
}
