package probe

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// minimumRTT is the shortest round trip that the kernel saw on a TCP
// connection, or 0 where the connection is something else. The smoothed one
// would count the time in which a peer holds its acknowledgements back.
func minimumRTT(conn net.Conn) time.Duration {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return 0
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0
	}
	var rtt time.Duration
	raw.Control(func(fd uintptr) {
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			rtt = time.Duration(info.Min_rtt) * time.Microsecond
		}
	})
	return rtt
}
