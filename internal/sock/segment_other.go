//go:build !linux

package sock

import (
	"errors"
	"net"
	"net/netip"
	"time"
)

var past = time.Unix(1, 0)

func writeSegment(*net.TCPConn, []byte) error { return errors.ErrUnsupported }

func connectThenMSS(int, netip.AddrPort, *net.TCPAddr, int) error { return errors.ErrUnsupported }
