package sock

import (
	"encoding/binary"
	"net"

	"golang.org/x/sys/unix"
)

// tcpNLATTL is the attribute of SCM_TIMESTAMPING_OPT_STATS with the hop limit
// of the acknowledgement (Linux 5.12).
const tcpNLATTL = 26

// stamps asks for the kernel's statistics about each write that the other side
// acknowledges, without a copy of what was written.
const stamps = unix.SOF_TIMESTAMPING_SOFTWARE | unix.SOF_TIMESTAMPING_TX_ACK |
	unix.SOF_TIMESTAMPING_OPT_ID | unix.SOF_TIMESTAMPING_OPT_TSONLY | unix.SOF_TIMESTAMPING_OPT_STATS

// WatchTTL has the kernel note with which hop limit the other side's
// acknowledgements of later writes arrive: see [ReceivedTTL].
func WatchTTL(c *net.TCPConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	return control(raw, func(fd int) error {
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPING, stamps)
	})
}

// ReceivedTTL is the hop limit of the last acknowledgement that was noted
// since the last call, and 0 when there was none. It does not wait.
func ReceivedTTL(c *net.TCPConn) (int, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	ttl := 0
	err = control(raw, func(fd int) error {
		oob := make([]byte, 1024)
		for range mostStamps {
			_, n, _, _, err := unix.Recvmsg(fd, nil, oob, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
			if err != nil {
				return nil // the queue is empty
			}
			if t := ttlIn(oob[:n]); t > 0 {
				ttl = t
			}
		}
		return nil
	})
	return ttl, err
}

// mostStamps bounds what is taken from the queue at once.
const mostStamps = 256

// ttlIn finds the hop limit in the control messages of one notice, or 0.
func ttlIn(oob []byte) int {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0
	}
	for _, m := range messages {
		if m.Header.Level != unix.SOL_SOCKET || m.Header.Type != unix.SCM_TIMESTAMPING_OPT_STATS {
			continue
		}
		// Netlink attributes: length with header, type, value, padded to 4.
		for d := m.Data; len(d) > 4; {
			length := int(binary.NativeEndian.Uint16(d))
			if length < 4 || length > len(d) {
				break
			}
			if binary.NativeEndian.Uint16(d[2:]) == tcpNLATTL && length > 4 {
				return int(d[4])
			}
			d = d[min((length+3)&^3, len(d)):]
		}
	}
	return 0
}
