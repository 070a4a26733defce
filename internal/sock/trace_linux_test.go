package sock

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sshtay/internal/testenv"
)

// TestTraceArrives: a host answers what reaches it, and never a signed
// connection attempt: whoever listens hears nothing of that.
func TestTraceArrives(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		to := netip.MustParseAddrPort(l.Addr().String())
		replies := map[TTLProbe]TTLReply{}
		plain, datagram, long := TTLProbe{Method: TCP, TTL: 3}, TTLProbe{Method: UDP, TTL: 3}, TTLProbe{Method: UDP, TTL: 3, Size: 1401}
		err = Trace(t.Context(), netip.Addr{}, to, []TTLProbe{plain, datagram, long}, func(r TTLReply) { replies[r.Probe] = r })
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []TTLProbe{plain, datagram, long} {
			if r := replies[p]; r.Answer != Arrived || r.From != to.Addr() {
				t.Errorf("%s: %+v", address, r)
			}
		}
		l.(*net.TCPListener).SetDeadline(time.Now().Add(5 * time.Second))
		if c, err := l.Accept(); err != nil {
			t.Errorf("the plain probe was not accepted: %v", err)
		} else {
			c.Close()
		}

		// The signed one is sent again after a second: by then both were dropped.
		ctx, cancel := context.WithTimeout(t.Context(), 1200*time.Millisecond)
		defer cancel()
		err = Trace(ctx, netip.Addr{}, to, []TTLProbe{{Method: TCP, TTL: 3, Guarded: true}}, func(r TTLReply) { t.Errorf("%s: %+v", address, r) })
		if err != nil {
			t.Errorf("a signed probe cannot be sent: %v", err)
		}
		l.(*net.TCPListener).SetDeadline(time.Now())
		if _, err := l.Accept(); err == nil {
			t.Errorf("%s: a signed probe was accepted", address)
		}
	}
}

// TestTraceRefused: a closed port answers for its host.
func TestTraceRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	to := netip.MustParseAddrPort(l.Addr().String())
	l.Close()
	var heard []TTLReply
	err = Trace(t.Context(), netip.MustParseAddr("127.0.0.2"), to, []TTLProbe{{Method: TCP, TTL: 9}}, func(r TTLReply) { heard = append(heard, r) })
	if err != nil || len(heard) != 1 || heard[0].Answer != Arrived {
		t.Errorf("%+v, %v", heard, err)
	}
}

// TestTraceEcho: the host answers echo requests, each probe for itself, where
// we may send them.
func TestTraceEcho(t *testing.T) {
	for _, address := range []string{"127.0.0.1:22", "[::1]:22"} {
		to, probes, heard := netip.MustParseAddrPort(address), []TTLProbe{{Method: ICMP, TTL: 1}, {Method: ICMP, TTL: 2}}, map[TTLProbe]TTLReply{}
		err := Trace(t.Context(), netip.Addr{}, to, probes, func(r TTLReply) { heard[r.Probe] = r })
		if errors.Is(err, unix.EPERM) {
			testenv.NeedRoot(t)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range probes {
			if r := heard[p]; r.Answer != Arrived || r.From != to.Addr() {
				t.Errorf("%v: %+v", to, r)
			}
		}
	}
}

// FuzzICMPError: what the kernel queued is read within its bounds.
func FuzzICMPError(f *testing.F) {
	message := func(level, kind int, data []byte) []byte {
		b := make([]byte, unix.CmsgSpace(len(data)))
		b[0] = byte(unix.CmsgLen(len(data)))
		b[8], b[12] = byte(level), byte(kind)
		copy(b[unix.CmsgLen(0):], data)
		return b
	}
	expired := []byte{113, 0, 0, 0, unix.SO_EE_ORIGIN_ICMP, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, unix.AF_INET, 0, 0, 0, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0}
	f.Add(message(unix.IPPROTO_IP, unix.IP_RECVERR, expired))
	f.Add(message(unix.IPPROTO_IPV6, unix.IPV6_RECVERR, expired))
	f.Add([]byte{255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, oob []byte) {
		if _, from, ok := icmpError(oob); ok && !from.IsValid() {
			t.Error("an error from nobody")
		}
	})
	e, from, ok := icmpError(message(unix.IPPROTO_IP, unix.IP_RECVERR, expired))
	if !ok || from != netip.MustParseAddr("192.0.2.1") || meaning(e, false) != Expired {
		f.Errorf("%+v from %v, %v", e, from, ok)
	}
}
