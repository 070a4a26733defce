package probe

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/rst"
	"sshtay/internal/sock"
)

// wirePacket is a bare TCP segment over IPv4.
func wirePacket(from, to netip.AddrPort, flags byte, seq, ack uint32, ttl byte) []byte {
	raw := make([]byte, 40)
	raw[0], raw[3], raw[8], raw[9] = 0x45, 40, ttl, 6
	src, dst := from.Addr().As4(), to.Addr().As4()
	copy(raw[12:], src[:])
	copy(raw[16:], dst[:])
	put := func(at int, n uint32, size int) {
		for i := range size {
			raw[at+i] = byte(n >> (8 * (size - 1 - i)))
		}
	}
	put(20, uint32(from.Port()), 2)
	put(22, uint32(to.Port()), 2)
	put(24, seq, 4)
	put(28, ack, 4)
	raw[32], raw[33] = 5<<4, flags
	return raw
}

// TestPacketsWatched: what is seen on two interfaces counts once, strangers'
// connections and those that were there before not at all.
func TestPacketsWatched(t *testing.T) {
	var (
		me      = netip.MustParseAddrPort("192.0.2.1:50000")
		web     = netip.MustParseAddrPort("203.0.113.10:22")
		another = netip.MustParseAddrPort("203.0.113.99:22")
		start   = time.Now()
	)
	w := &packets{start: start, flows: map[netip.AddrPort]*watched{}}
	at := 0
	see := func(on int, from, to netip.AddrPort, flags byte, seq, ack uint32, ttl byte) {
		at++
		w.take(sock.Frame{At: start.Add(time.Duration(at) * time.Millisecond), Interface: on, Raw: wirePacket(from, to, flags, seq, ack, ttl)}, 22)
	}
	old := netip.MustParseAddrPort("192.0.2.1:49999")
	see(2, web, old, rst.RST, 5, 0, 64)
	for _, peer := range []struct {
		at   netip.AddrPort
		mine uint16
	}{{web, 50000}, {another, 50001}} {
		mine := netip.AddrPortFrom(me.Addr(), peer.mine)
		see(2, mine, peer.at, rst.SYN, 100, 0, 64)
		for _, on := range []int{2, 7} {
			see(on, peer.at, mine, rst.SYN|rst.ACK, 900, 101, 61)
		}
		see(2, mine, peer.at, rst.ACK, 101, 901, 64)
		for _, on := range []int{2, 7} {
			see(on, peer.at, mine, rst.RST, 901, 0, 63)
		}
	}
	// Before that, one that the server closed and whose last words met its kernel.
	before := netip.AddrPortFrom(me.Addr(), 49000)
	at = -10
	see(2, before, web, rst.SYN, 100, 0, 64)
	see(2, web, before, rst.SYN|rst.ACK, 900, 101, 61)
	see(2, before, web, rst.ACK, 101, 901, 64)
	see(2, web, before, rst.FIN|rst.ACK, 901, 101, 61)
	see(2, before, web, rst.ACK, 101, 902, 64)
	see(2, web, before, rst.RST, 902, 0, 61)
	all := w.answers(func(a netip.Addr) bool { return a == web.Addr() })
	if len(all) != 2 || all[0].Closed || !all[1].Closed {
		t.Fatalf("%d connections were reset: %+v", len(all), all)
	}
	if a := all[0]; a.Sender != rst.Middlebox || a.Hops != 2 || a.Resets != 1 || !reflect.DeepEqual(a.Server, []int{61}) {
		t.Errorf("%+v", a)
	}
}

// TestResetAt: which connection was reset, and how far it had come.
func TestResetAt(t *testing.T) {
	for story, want := range map[string]string{
		"handshake.via = direct\nhandshake.stage = resolve\nhandshake.reason = refused":                                       "resolve",
		"handshake.via = direct\nhandshake.stage = banner\nhandshake.reason = reset\nlogin.stage = kex\nlogin.reason = reset": "banner",
		"handshake.via = direct\nhandshake.stage = kex\nlogin.stage = auth\nlogin.reason = reset":                             "auth",
		"handshake.via = direct\nhandshake.stage = kex\nlogin.stage = session":                                                "",
		"handshake.via = direct\nhandshake.stage = connect\nhandshake.reason = closed":                                        "",
		"handshake.via = proxy-jump\nhandshake.stage = banner\nhandshake.reason = reset":                                      "",
	} {
		set, err := fact.Parse(story)
		if err != nil {
			t.Fatal(err)
		}
		if stage, was := resetAt(set); was != (want != "") || was && stage != want {
			t.Errorf("%s: %q, %t; want %q", strings.ReplaceAll(story, "\n", ", "), stage, was, want)
		}
	}
}

// TestMoment: the server is muted close to where another session ended, and
// not before what we send had begun to arrive there.
func TestMoment(t *testing.T) {
	end := moment{stage: "session", flows: true, bytes: 10000, time: time.Second}
	for _, c := range []struct {
		now  moment
		near bool
	}{
		{moment{"session", true, 8500, 0}, true},
		{moment{"session", true, 8000, 100 * time.Millisecond}, false},
		{moment{"session", true, 100, 900 * time.Millisecond}, true},
		{moment{"session", false, 9000, 0}, false},
		{moment{"kex", true, 9000, 0}, false},
	} {
		if got := c.now.reached(end); got != c.near {
			t.Errorf("%+v: %t", c.now, got)
		}
	}
}
