//go:build unix && !linux

package sock

import (
	"errors"
	"net"

	"golang.org/x/sys/unix"
)

func setMSS(fd, n int, _ bool) error {
	return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_MAXSEG, n)
}

func setTOS(fd, n int, v4 bool) error {
	if v4 {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TOS, n)
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_TCLASS, n)
}

func setTTL(fd, n int, v4 bool) error {
	if v4 {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TTL, n)
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, n)
}

func setMinTTL(int, int, bool) error { return errors.ErrUnsupported }

func setError(int, int, bool) error { return errors.ErrUnsupported }

// InfoOf asks the kernel about a connection.
func InfoOf(*net.TCPConn) (Info, error) { return Info{}, errors.ErrUnsupported }
