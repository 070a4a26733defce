// Package sock is what a kernel lets one ask and set on a TCP socket without
// privileges: the settings that experiments differ in, and what the kernel
// counted on the way. It judges nothing. Where a kernel lacks something, the
// error is [errors.ErrUnsupported].
package sock

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// Options are settings of a socket from before it connects, so that they hold
// from the SYN on. Each zero value leaves what the kernel does by itself.
type Options struct {
	Local     *net.TCPAddr  // where to connect from
	MSS       int           // TCP_MAXSEG, bytes of a segment at most, in both directions
	SendMSS   int           // the same for what we send only; Linux, and not on loopback
	TOS       *int          // the whole byte: DSCP in the upper six bits
	TTL       int           // hop limit of what we send
	MinTTL    int           // what arrives with a lower hop limit does not count
	KeepAlive bool          // ask the kernel for keepalives, at its own pace
	Error     bool          // IP_RECVERR: ICMP errors are queued with who sent them
	Timeout   time.Duration // for connecting
}

// Dial connects to an address.
func Dial(ctx context.Context, to netip.AddrPort, o Options) (*net.TCPConn, error) {
	d := net.Dialer{
		Timeout: o.Timeout, FallbackDelay: -1, KeepAlive: -1,
		Control: func(_, _ string, raw syscall.RawConn) error {
			return control(raw, func(fd int) error {
				if err := o.apply(fd, to.Addr().Unmap().Is4()); err != nil || o.SendMSS == 0 {
					return err
				}
				return connectThenMSS(fd, to, o.Local, o.SendMSS)
			})
		},
	}
	if o.Local != nil && o.SendMSS == 0 { // not a typed nil in the interface
		d.LocalAddr = o.Local
	}
	d.SetMultipathTCP(false) // the settings are those of one path
	conn, err := d.DialContext(ctx, "tcp", to.String())
	if err != nil {
		return nil, err
	}
	tcp := conn.(*net.TCPConn)
	if o.KeepAlive {
		tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: -1, Interval: -1, Count: -1})
	}
	return tcp, nil
}

// apply sets the options on a new socket.
func (o Options) apply(fd int, v4 bool) error {
	for _, s := range []struct {
		name  string
		want  bool
		value int
		set   func(fd, value int, v4 bool) error
	}{
		{"TCP_MAXSEG", o.MSS > 0, o.MSS, setMSS},
		{"IP_TOS", o.TOS != nil, deref(o.TOS), setTOS},
		{"IP_TTL", o.TTL > 0, o.TTL, setTTL},
		{"IP_MINTTL", o.MinTTL > 0, o.MinTTL, setMinTTL},
		{"IP_RECVERR", o.Error, 1, setError},
	} {
		if !s.want {
			continue
		}
		if err := s.set(fd, s.value, v4); err != nil {
			return fmt.Errorf("%s %d: %w", s.name, s.value, err)
		}
	}
	return nil
}

func deref(p *int) int {
	if p == nil {
		return 0
	}
	return *p
}

// SetTTL sets the hop limit of what a connection sends from now on.
func SetTTL(c *net.TCPConn, n int) error { return set(c, n, setTTL) }

// SetMinTTL has a connection ignore what arrives with a hop limit below n;
// 0 ends that.
func SetMinTTL(c *net.TCPConn, n int) error { return set(c, n, setMinTTL) }

// SetTOS sets the traffic class byte of what a connection sends from now on.
func SetTOS(c *net.TCPConn, n int) error { return set(c, n, setTOS) }

func set(c *net.TCPConn, n int, one func(fd, value int, v4 bool) error) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	to, _ := c.RemoteAddr().(*net.TCPAddr)
	if to == nil {
		return errors.New("the connection has no other end")
	}
	return control(raw, func(fd int) error { return one(fd, n, to.IP.To4() != nil) })
}

// control runs a function on a descriptor and returns its error, or why it
// could not be run.
func control(raw syscall.RawConn, run func(fd int) error) error {
	var err error
	if e := raw.Control(func(fd uintptr) { err = run(int(fd)) }); e != nil {
		return e
	}
	return err
}

// Info is what the kernel counted of a connection, of TCP_INFO on Linux.
// Counts are of segments unless they say bytes.
type Info struct {
	RTT, RTTVar, MinRTT time.Duration // smoothed, its variation, and the shortest one seen
	RTO                 time.Duration // how long it waits before it sends something again

	SendMSS, ReceiveMSS, AdvertisedMSS int // bytes of data in a segment: ours, the largest that came, what we allowed
	PathMTU                            int // bytes of an IP packet, as the kernel believes

	Unacked, Sacked, Lost int // on the way; of them acknowledged out of order; of them given up
	Backoff               int // how many times RTO was doubled
	Retransmits           int // timeouts without an answer in between
	TotalRetrans          int // segments sent again since the beginning

	SegmentsOut, SegmentsIn         int // all, with pure acknowledgements
	DataSegmentsOut, DataSegmentsIn int
	BytesSent, BytesAcked           uint64
	BytesReceived                   uint64
	BytesRetrans                    uint64
	OutOfOrder                      int // came while something before them was missing
	Duplicates                      int // we were told that they came twice
	NotSent                         int // bytes that wait to be sent

	SinceSent, SinceReceived, SinceAck time.Duration // since data went out, data came, an acknowledgement came
	State                              int           // of RFC 9293 as Linux numbers them: 1 established, 7 closed
	Timestamps, SACK                   bool          // what both sides agreed on
}
