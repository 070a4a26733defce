package sock

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What linux/inet_diag.h and linux/sock_diag.h call these. Structures of the
// interface have fixed sizes and are in the machine's byte order, but for
// ports and addresses.
const (
	diagByFamily   = 20 // SOCK_DIAG_BY_FAMILY
	diagInfo       = 2  // INET_DIAG_INFO
	diagRequest    = 56 // struct inet_diag_req_v2
	diagMessage    = 72 // struct inet_diag_msg
	groupTCP4Ended = 1  // SKNLGRP_INET_TCP_DESTROY
	groupTCP6Ended = 3  // SKNLGRP_INET6_TCP_DESTROY

	// Connections that have counters: neither listeners nor what the kernel
	// keeps of a handshake or of an end.
	diagStates = 1<<unix.BPF_TCP_ESTABLISHED | 1<<unix.BPF_TCP_SYN_SENT | 1<<unix.BPF_TCP_FIN_WAIT1 | 1<<unix.BPF_TCP_FIN_WAIT2 |
		1<<unix.BPF_TCP_CLOSE_WAIT | 1<<unix.BPF_TCP_LAST_ACK | 1<<unix.BPF_TCP_CLOSING

	// dumpTime is for one question to the kernel, dumpBuffer the longest part
	// of its answer, and mostFlows what is kept of it.
	dumpTime   = 2 * time.Second
	dumpBuffer = 64 << 10
	mostFlows  = 100000
)

// diag opens a netlink socket for questions about sockets.
func diag(groups uint32) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, fmt.Errorf("netlink: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("netlink: %w", err)
	}
	return os.NewFile(uintptr(fd), "sock_diag"), nil
}

func flowsTo(ctx context.Context, port uint16) ([]Flow, error) {
	f, err := diag(0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	end := time.Now().Add(dumpTime)
	if d, ok := ctx.Deadline(); ok && d.Before(end) {
		end = d
	}
	if err := f.SetDeadline(end); err != nil {
		return nil, err
	}
	var all []Flow
	// An IPv6 socket may speak IPv4.
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		if all, err = dump(f, family, port, all); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// dump asks for the connections of one family and adds them to all.
func dump(f *os.File, family uint8, port uint16, all []Flow) ([]Flow, error) {
	if _, err := f.Write(question(family, port)); err != nil {
		return nil, fmt.Errorf("sock_diag: %w", err)
	}
	buffer := make([]byte, dumpBuffer)
	for {
		n, err := f.Read(buffer)
		if err != nil {
			return nil, fmt.Errorf("sock_diag: %w", err)
		}
		flows, done, err := parseDiag(buffer[:n])
		if errors.Is(err, unix.ENOENT) { // a kernel without this family
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("sock_diag: %w", err)
		}
		if all = append(all, flows...); done || len(all) >= mostFlows {
			return all, nil
		}
	}
}

// question asks for all connections of a family to a port, with their
// counters. The kernel leaves out the other ports by itself.
func question(family uint8, port uint16) []byte {
	b := make([]byte, unix.SizeofNlMsghdr+diagRequest)
	binary.NativeEndian.PutUint32(b[0:], uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], diagByFamily)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	r := b[unix.SizeofNlMsghdr:]
	r[0], r[1], r[2] = family, unix.IPPROTO_TCP, 1<<(diagInfo-1)
	binary.NativeEndian.PutUint32(r[4:], diagStates)
	binary.BigEndian.PutUint16(r[10:], port)
	return b
}

// parseDiag reads one part of an answer. done says that it was the last.
func parseDiag(b []byte) (flows []Flow, done bool, err error) {
	messages, err := syscall.ParseNetlinkMessage(b)
	if err != nil {
		return nil, false, err
	}
	for _, m := range messages {
		switch m.Header.Type {
		case unix.NLMSG_DONE:
			return flows, true, nil
		case unix.NLMSG_ERROR:
			if len(m.Data) < 4 {
				return nil, true, errors.New("an error without a number")
			}
			return nil, true, unix.Errno(-int32(binary.NativeEndian.Uint32(m.Data)))
		case diagByFamily:
			if flow, ok := parseFlow(m.Data); ok {
				flows = append(flows, flow)
			}
		}
	}
	return flows, false, nil
}

// parseFlow reads a struct inet_diag_msg and the TCP_INFO behind it; ok is
// false for what has none.
func parseFlow(b []byte) (f Flow, ok bool) {
	if len(b) < diagMessage {
		return f, false
	}
	id := b[4:52] // struct inet_diag_sockid
	if f.Local, ok = endpoint(b[0], id[0:2], id[4:20]); !ok {
		return f, false
	}
	f.Remote, _ = endpoint(b[0], id[2:4], id[20:36])
	f.Cookie = binary.NativeEndian.Uint64(id[40:48])
	f.UID = binary.NativeEndian.Uint32(b[64:])
	f.Inode = uint64(binary.NativeEndian.Uint32(b[68:]))
	for rest := b[diagMessage:]; len(rest) >= unix.SizeofRtAttr; {
		length, kind := int(binary.NativeEndian.Uint16(rest)), binary.NativeEndian.Uint16(rest[2:])
		if length < unix.SizeofRtAttr || length > len(rest) {
			return f, false
		}
		if kind == diagInfo {
			f.Info = parseInfo(rest[unix.SizeofRtAttr:length])
			return f, true
		}
		rest = rest[min((length+3)&^3, len(rest)):]
	}
	return f, false
}

// parseInfo reads a struct tcp_info of any age: older ones are shorter, newer
// ones longer.
func parseInfo(b []byte) Info {
	var t unix.TCPInfo
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&t)), unsafe.Sizeof(t)), b)
	return infoFrom(&t)
}

func endpoint(family uint8, port, address []byte) (netip.AddrPort, bool) {
	switch family {
	case unix.AF_INET:
		address = address[:4]
	case unix.AF_INET6:
	default:
		return netip.AddrPort{}, false
	}
	a, ok := netip.AddrFromSlice(address)
	return netip.AddrPortFrom(a.Unmap(), binary.BigEndian.Uint16(port)), ok
}

// ends is a netlink socket that the kernel tells of every connection that it
// destroys.
type ends struct {
	*os.File
	heard  []Flow
	buffer []byte
}

func listenEnds() (ends, error) {
	f, err := diag(1<<(groupTCP4Ended-1) | 1<<(groupTCP6Ended-1))
	return ends{File: f, buffer: make([]byte, dumpBuffer)}, err
}

func (e *ends) next(ctx context.Context) (Flow, error) {
	end, _ := ctx.Deadline()
	if err := e.SetReadDeadline(end); err != nil {
		return Flow{}, err
	}
	for len(e.heard) == 0 {
		n, err := e.Read(e.buffer)
		if errors.Is(err, unix.ENOBUFS) { // some were missed; those that follow are not
			continue
		}
		if err != nil {
			return Flow{}, err
		}
		e.heard, _, _ = parseDiag(e.buffer[:n])
	}
	f := e.heard[0]
	e.heard = e.heard[1:]
	return f, nil
}
