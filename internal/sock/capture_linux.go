package sock

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Capture watches the packets of TCP connections with the given port at either
// end, on all interfaces, until ctx is done. The kernel leaves everything else
// alone. It needs CAP_NET_RAW. Each packet is handed to took, one after the
// other; done is called at the end.
func Capture(ctx context.Context, port int, took func(Frame), done func()) error {
	// SOCK_DGRAM: the kernel takes the link's own header off, whatever it is.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("watching packets: %w", err)
	}
	// The filter first, and only then the packets.
	filter := portFilter(uint32(port))
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}); err != nil {
		unix.Close(fd)
		return fmt.Errorf("watching packets: %w", err)
	}
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 1<<20) // as much as the machine allows
	every := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: every}); err != nil {
		unix.Close(fd)
		return fmt.Errorf("watching packets: %w", err)
	}
	file := os.NewFile(uintptr(fd), "packets")
	stop := context.AfterFunc(ctx, func() { file.SetReadDeadline(time.Unix(1, 0)) })
	go func() {
		defer done()
		defer file.Close()
		defer stop()
		receive(file, took)
	}()
	return nil
}

// receive reads packets until the file is closed or its deadline has come.
func receive(file *os.File, took func(Frame)) {
	raw, err := file.SyscallConn()
	if err != nil {
		return
	}
	buf := make([]byte, snap)
	for {
		var n int
		var from unix.Sockaddr
		var failed error
		if raw.Read(func(fd uintptr) bool {
			n, from, failed = unix.Recvfrom(int(fd), buf, 0)
			return failed != unix.EAGAIN
		}) != nil || failed != nil && failed != unix.EINTR && failed != unix.ENETDOWN {
			return
		}
		at, ok := from.(*unix.SockaddrLinklayer)
		if failed != nil || !ok || at.Hatype == unix.ARPHRD_LOOPBACK && at.Pkttype == unix.PACKET_OUTGOING {
			continue // on loopback each packet comes twice, going out and coming in
		}
		took(Frame{At: time.Now(), Interface: at.Ifindex, Raw: append([]byte(nil), buf[:n]...)})
	}
}

// portFilter lets pass the TCP segments of a port, of IPv4 and IPv6, without
// IPv6 extension headers and later fragments. The packet begins with IP.
func portFilter(port uint32) []unix.SockFilter {
	const (
		loadByte  = unix.BPF_LD | unix.BPF_B | unix.BPF_ABS
		loadHalf  = unix.BPF_LD | unix.BPF_H | unix.BPF_ABS
		loadHead  = unix.BPF_LDX | unix.BPF_B | unix.BPF_MSH
		loadAfter = unix.BPF_LD | unix.BPF_H | unix.BPF_IND
		equal     = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		anyBit    = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
		shift     = unix.BPF_ALU | unix.BPF_RSH | unix.BPF_K
		end       = unix.BPF_RET | unix.BPF_K
	)
	return []unix.SockFilter{
		{Code: loadByte, K: 0},
		{Code: shift, K: 4},
		{Code: equal, K: 4, Jf: 9}, // IPv4
		{Code: loadByte, K: 9},
		{Code: equal, K: unix.IPPROTO_TCP, Jf: 14},
		{Code: loadHalf, K: 6},
		{Code: anyBit, K: 0x1fff, Jt: 12},
		{Code: loadHead, K: 0},
		{Code: loadAfter, K: 0},
		{Code: equal, K: port, Jt: 10},
		{Code: loadAfter, K: 2},
		{Code: equal, K: port, Jt: 8, Jf: 7},
		{Code: equal, K: 6, Jf: 6}, // IPv6
		{Code: loadByte, K: 6},
		{Code: equal, K: unix.IPPROTO_TCP, Jf: 4},
		{Code: loadHalf, K: 40},
		{Code: equal, K: port, Jt: 3},
		{Code: loadHalf, K: 42},
		{Code: equal, K: port, Jt: 1},
		{Code: end, K: 0},
		{Code: end, K: snap},
	}
}
