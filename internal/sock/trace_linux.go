package sock

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// udpBase is the first of the ports that traceroute has always used.
const udpBase = 33434

// probing is a probe on its way.
type probing struct {
	TTLProbe
	fd   int
	raw  bool // the socket gets the ICMP packets of others, too
	sent time.Time
}

func trace(ctx context.Context, local netip.Addr, to netip.AddrPort, probes []TTLProbe, heard func(TTLReply)) error {
	var waiting []*probing
	defer func() {
		for _, p := range waiting {
			unix.Close(p.fd)
		}
	}()
	// ctx wakes the poll through a pipe.
	var wake [2]int
	if err := unix.Pipe2(wake[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return err
	}
	defer unix.Close(wake[0])
	defer unix.Close(wake[1])
	defer context.AfterFunc(ctx, func() { unix.Write(wake[1], []byte{0}) })()

	var first error
	for _, p := range probes {
		sent, err := p.send(local, to)
		if err != nil {
			if first == nil {
				first = fmt.Errorf("%s: %w", p.Method, err)
			}
			continue
		}
		waiting = append(waiting, sent)
	}
	if len(waiting) == 0 {
		return first
	}
	for len(waiting) > 0 {
		fds := []unix.PollFd{{Fd: int32(wake[0]), Events: unix.POLLIN}}
		for _, p := range waiting {
			fds = append(fds, unix.PollFd{Fd: int32(p.fd), Events: p.events()})
		}
		if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR {
			return err
		}
		now := time.Now()
		kept := waiting[:0]
		for i, p := range waiting {
			reply, ok := TTLReply{}, false
			if fds[i+1].Revents != 0 {
				reply, ok = p.answer(to.Addr(), now)
			}
			if !ok {
				kept = append(kept, p)
				continue
			}
			unix.Close(p.fd)
			heard(reply)
		}
		waiting = kept
		if fds[0].Revents != 0 { // what had come by then was heard
			return nil
		}
	}
	return nil
}

// events are what a probe waits for besides errors: a connection that is made,
// a datagram that comes back.
func (p *probing) events() int16 {
	if p.Method == TCP {
		return unix.POLLOUT
	}
	return unix.POLLIN
}

// send starts a probe.
func (p TTLProbe) send(local netip.Addr, to netip.AddrPort) (*probing, error) {
	v4 := to.Addr().Is4()
	sent, err := p.open(v4)
	if err != nil {
		return nil, err
	}
	fd, port := sent.fd, to.Port()
	err = errors.Join(setError(fd, 1, v4), setTTL(fd, p.TTL, v4))
	if p.Guarded {
		err = errors.Join(err, sign(fd, to.Addr()))
	}
	if p.Size > 0 {
		err = errors.Join(err, setWhole(fd, v4))
	}
	if local.IsValid() {
		err = errors.Join(err, unix.Bind(fd, sockaddr(netip.AddrPortFrom(local, 0))))
	}
	switch p.Method {
	case TCP: // one SYN is one probe: what is not answered is not asked again
		err = errors.Join(err, unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_SYNCNT, 1))
	case UDP:
		port = uint16(udpBase + p.TTL)
	case ICMP:
		port = 0
	}
	sent.sent = time.Now()
	if err == nil {
		err = unix.Connect(fd, sockaddr(netip.AddrPortFrom(to.Addr(), port)))
	}
	if err == nil {
		switch p.Method {
		case UDP:
			err = unix.Send(fd, make([]byte, p.payload(v4)), 0)
		case ICMP:
			err = unix.Send(fd, echoRequest(v4, p.TTL), 0)
		}
	}
	// From a near router the answer may be here already; it is in the queue.
	if err != nil && err != unix.EINPROGRESS && err != unix.EHOSTUNREACH {
		unix.Close(fd)
		return nil, err
	}
	return sent, nil
}

// payload is how many bytes a UDP probe carries.
func (p TTLProbe) payload(v4 bool) int {
	head := 40 + 8
	if v4 {
		head = 20 + 8
	}
	return max(1, p.Size-head)
}

// setWhole forbids everybody to cut packets, and the kernel to hold back those
// that it takes for too long.
func setWhole(fd int, v4 bool) error {
	if v4 {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE)
	}
	return errors.Join(unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE),
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_DONTFRAG, 1))
}

// open makes the socket for a probe.
func (p TTLProbe) open(v4 bool) (*probing, error) {
	family, kind, proto := unix.AF_INET6, unix.SOCK_DGRAM, 0
	if v4 {
		family = unix.AF_INET
	}
	switch p.Method {
	case TCP:
		kind = unix.SOCK_STREAM
	case ICMP:
		proto = echoProtocol(v4)
	}
	const flags = unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK
	fd, err := unix.Socket(family, kind|flags, proto)
	raw := p.Method == ICMP && (err == unix.EACCES || err == unix.EPERM)
	if raw {
		fd, err = unix.Socket(family, unix.SOCK_RAW|flags, proto)
	}
	return &probing{TTLProbe: p, fd: fd, raw: raw}, err
}

// sign has the kernel sign what the socket sends to the server.
func sign(fd int, to netip.Addr) error {
	s := unix.TCPMD5Sig{Keylen: 16}
	rand.Read(s.Key[:s.Keylen])
	if to.Is4() {
		a := (*unix.RawSockaddrInet4)(unsafe.Pointer(&s.Addr))
		a.Family, a.Addr = unix.AF_INET, to.As4()
	} else {
		a := (*unix.RawSockaddrInet6)(unsafe.Pointer(&s.Addr))
		a.Family, a.Addr = unix.AF_INET6, to.As16()
	}
	return unix.SetsockoptTCPMD5Sig(fd, unix.IPPROTO_TCP, unix.TCP_MD5SIG, &s)
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	addr := a.Addr().Unmap()
	if addr.Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: addr.As4()}
	}
	to := &unix.SockaddrInet6{Port: int(a.Port()), Addr: addr.As16()}
	if i, err := net.InterfaceByName(addr.Zone()); err == nil {
		to.ZoneId = uint32(i.Index)
	}
	return to
}

// answer takes what came for a probe; ok is false for what is no answer.
func (p *probing) answer(host netip.Addr, now time.Time) (r TTLReply, ok bool) {
	r = TTLReply{Probe: p.TTLProbe, Took: now.Sub(p.sent)}
	oob, quoted := make([]byte, 512), make([]byte, 64)
	for range mostStamps {
		q, n, _, _, err := unix.Recvmsg(p.fd, quoted, oob, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
		if err != nil {
			break
		}
		if p.raw && !p.isOurs(quoted[:q]) {
			continue
		}
		if e, from, found := icmpError(oob[:n]); found {
			r.From, r.Code = from, [2]int{int(e.Type), int(e.Code)}
			r.Answer = meaning(e, from == host)
			return r, true
		}
	}
	if p.Method == ICMP {
		r.Answer, r.From = Arrived, host
		return r, p.echoed(host.Is4())
	}
	errno, err := unix.GetsockoptInt(p.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	switch {
	case err != nil || p.Method != TCP:
		return r, false
	case errno == 0, unix.Errno(errno) == unix.ECONNREFUSED: // the host's, or a firewall's in its name
		r.Answer, r.From = Arrived, host
		return r, true
	}
	return r, false
}

// meaning says what an ICMP error tells: by whom the packet was given up, and
// whether it had come so far by itself.
func meaning(e unix.SockExtendedErr, fromHost bool) Answer {
	const timeExceeded, timeExceeded6 = 11, 3
	expired := e.Origin == unix.SO_EE_ORIGIN_ICMP && e.Type == timeExceeded || e.Origin == unix.SO_EE_ORIGIN_ICMP6 && e.Type == timeExceeded6
	switch {
	case expired:
		return Expired
	case fromHost:
		return Arrived
	}
	return Forbidden
}

// icmpError finds an ICMP error in control messages, and who sent it.
func icmpError(oob []byte) (e unix.SockExtendedErr, from netip.Addr, ok bool) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return e, from, false
	}
	for _, m := range messages {
		v4 := m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_RECVERR
		v6 := m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_RECVERR
		size := int(unsafe.Sizeof(e))
		if !v4 && !v6 || len(m.Data) < size {
			continue
		}
		e = *(*unix.SockExtendedErr)(unsafe.Pointer(&m.Data[0]))
		if e.Origin != unix.SO_EE_ORIGIN_ICMP && e.Origin != unix.SO_EE_ORIGIN_ICMP6 {
			continue
		}
		// The offender's address stands behind it.
		rest := m.Data[size:]
		switch {
		case v4 && len(rest) >= unix.SizeofSockaddrInet4:
			from, ok = netip.AddrFromSlice(rest[4:8])
		case v6 && len(rest) >= unix.SizeofSockaddrInet6:
			from, ok = netip.AddrFromSlice(rest[8:24])
			from = from.Unmap()
		}
		if ok {
			return e, from, true
		}
	}
	return e, from, false
}
