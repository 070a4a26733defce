package probe

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sshtay/internal/fact"
	"sshtay/internal/sock"
)

// TestTrailEndsAtARefusal: who knows no way further may say only that.
func TestTrailEndsAtARefusal(t *testing.T) {
	trail := newTrail(0)
	trail.begin()
	trail.heard(sock.TTLReply{Probe: sock.TTLProbe{Method: sock.UDP, TTL: 1}, Answer: sock.Expired, From: routerAt(1)})
	for ttl := 2; ttl < 9; ttl++ {
		trail.heard(sock.TTLReply{Probe: sock.TTLProbe{Method: sock.UDP, TTL: ttl}, Answer: sock.Forbidden, From: routerAt(2), Code: [2]int{3, 0}})
	}
	hops := trail.list()
	if len(hops) != 3 || hops[1].Addresses[0] != routerAt(2).String() || hops[1].Says != "knows no way" {
		t.Errorf("%+v", hops)
	}
}

// A way is a network in the head: who answers what.
type way struct {
	routers int                            // before the server
	mute    map[int]bool                   // hops that say nothing
	blocks  map[int]map[sock.Method]string // hops that pass a method not on: "" in silence, else with a refusal
	server  map[sock.Method]bool           // what the server answers
	arrived map[sock.Method]int            // at the server
}

func routerAt(hop int) netip.Addr { return netip.AddrFrom4([4]byte{198, 18, 0, byte(hop)}) }

// answer is what comes back for a packet.
func (w *way) answer(p sock.TTLProbe) (r sock.TTLReply, ok bool) {
	r = sock.TTLReply{Probe: p, Took: time.Duration(p.TTL) * time.Millisecond}
	for hop := 1; hop <= w.routers; hop++ {
		if p.TTL == hop {
			r.Answer, r.From = sock.Expired, routerAt(hop)
			return r, !w.mute[hop]
		}
		if word, blocked := w.blocks[hop][p.Method]; blocked {
			r.Answer, r.From, r.Code = sock.Forbidden, routerAt(hop), [2]int{3, 13}
			return r, word != ""
		}
	}
	w.arrived[p.Method]++
	r.Answer, r.From = sock.Arrived, netip.MustParseAddr("203.0.113.10")
	return r, w.server[p.Method]
}

// walk follows the way for some rounds.
func (w *way) walk(t *trail, rounds int, quick bool) []fact.Hop {
	w.arrived = map[sock.Method]int{}
	send := func(probes []sock.TTLProbe) {
		for _, p := range probes {
			if r, ok := w.answer(p); ok {
				t.heard(r)
			}
		}
	}
	for range rounds {
		send(t.begin())
		send(t.follow(quick))
		t.close()
	}
	return t.list()
}

// drawn shows a list in short.
func drawn(hops []fact.Hop) string {
	var all []string
	for _, h := range hops {
		s := fmt.Sprintf("%d%s", h.TTL, h.By)
		if h.Says != "" {
			s += "!"
		}
		all = append(all, s)
	}
	return strings.Join(all, " ")
}

func TestTrail(t *testing.T) {
	everything := map[sock.Method]bool{sock.UDP: true, sock.ICMP: true}
	nothing := map[sock.Method]bool{}
	silence := map[sock.Method]string{sock.UDP: "", sock.ICMP: ""}
	tests := []struct {
		name   string
		way    way
		back   int
		rounds int
		quick  bool
		want   string
		tcp    int // attempts that may arrive at the server
	}{
		{"once", way{routers: 3, server: everything}, 4, 1, true, "1udp 2udp 3udp 4icmp", 0},
		{"then by TCP", way{routers: 3, server: everything}, 4, 1, false, "1tcp 2tcp 3tcp 4icmp", 0},
		{"a server next door", way{server: everything}, 1, 3, false, "1icmp", 0},
		{"a longer way back", way{routers: 3, server: everything}, 12, 3, false, "1tcp 2tcp 3tcp 4icmp", 0},
		{"a shorter way back", way{routers: 9, server: everything}, 4, 8, false, "1tcp 2tcp 3tcp 4tcp 5tcp 6tcp 7tcp 8tcp 9tcp 10icmp", 0},
		{"a way back that is not known", way{routers: 9, server: everything}, 0, 2, true, "1udp 2udp 3udp 4udp 5udp 6udp 7udp 8udp 9udp 10icmp", 0},
		{"a mute router", way{routers: 3, mute: map[int]bool{2: true}, server: everything}, 4, 1, true, "1udp 2 3udp 4icmp", 0},
		{"a silent server", way{routers: 3, server: nothing}, 4, 3, true, "1udp 2udp 3udp 0", 0},
		{"a silent server behind a mute router", way{routers: 3, mute: map[int]bool{3: true}, server: nothing}, 4, 9, false, "1tcp 2tcp 0", 0},
		{"a silent server, nearer than it seems", way{routers: 3, server: nothing}, 12, 9, false, "1tcp 2tcp 3tcp 0", 2},
		{"only TCP leaves the house", way{routers: 5, blocks: map[int]map[sock.Method]string{1: silence}, server: everything}, 6, 9, false, "1tcp 2tcp 3tcp 4tcp 5tcp 0", 0},
		{"a firewall that says so", way{routers: 4, blocks: map[int]map[sock.Method]string{2: {sock.UDP: "no", sock.ICMP: ""}}, server: everything}, 5, 9, false, "1tcp 2tcp! 3tcp 4tcp 0", 0},
		{"no way behind a router", way{routers: 9, blocks: map[int]map[sock.Method]string{1: {sock.UDP: "no", sock.ICMP: "no", sock.TCP: ""}}}, 0, 3, false, "1tcp! 0", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := drawn(test.way.walk(newTrail(test.back), test.rounds, test.quick))
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if n := test.way.arrived[sock.TCP]; n > test.tcp {
				t.Errorf("%d connection attempts came to the server", n)
			}
		})
	}
}

// TestTrailOfEqualRoutes keeps each address of a hop once.
func TestTrailOfEqualRoutes(t *testing.T) {
	trail := newTrail(3)
	for i := range 6 {
		trail.begin()
		trail.heard(sock.TTLReply{Probe: sock.TTLProbe{Method: sock.UDP, TTL: 1}, Answer: sock.Expired, From: routerAt(i % 2)})
	}
	if hop := trail.list()[0]; len(hop.Addresses) != 2 || hop.Answers != 6 || hop.Of != 6 {
		t.Errorf("%+v", hop)
	}
}

// TestTrailBetween: who has had no time to answer yet was not asked in vain.
func TestTrailBetween(t *testing.T) {
	trail := newTrail(3)
	for range 2 {
		trail.begin()
		if hop := trail.list()[0]; hop.Of != trail.rounds-1 {
			t.Errorf("%+v", hop)
		}
		trail.heard(sock.TTLReply{Probe: sock.TTLProbe{Method: sock.UDP, TTL: 1}, Answer: sock.Expired, From: routerAt(1)})
	}
	trail.begin()
	trail.close()
	if hop := trail.list()[0]; hop.Answers != 2 || hop.Of != 3 {
		t.Errorf("%+v", hop)
	}
}

// TestTrailTimes: the median, and by how much one differs from the next.
func TestTrailTimes(t *testing.T) {
	trail := newTrail(3)
	for _, ms := range []int{10, 14, 11} {
		trail.begin()
		trail.heard(sock.TTLReply{Probe: sock.TTLProbe{Method: sock.UDP, TTL: 1}, Answer: sock.Expired, From: routerAt(1), Took: time.Duration(ms) * time.Millisecond})
	}
	if hop := trail.list()[0]; hop.RTT != 0.011 || hop.Jitter != 0.0035 {
		t.Errorf("RTT %g, jitter %g", hop.RTT, hop.Jitter)
	}
}

// However a network answers: nothing is sent to sshd unguarded, a connection
// attempt never comes to a server whose distance is known, and each hop has as
// many samples as there were rounds.
func TestTrailNeverReachesTheServer(t *testing.T) {
	methods := []sock.Method{sock.UDP, sock.ICMP, sock.TCP}
	rapid.Check(t, func(t *rapid.T) {
		w := way{routers: rapid.IntRange(0, 40).Draw(t, "routers"), mute: map[int]bool{}, server: map[sock.Method]bool{}, arrived: map[sock.Method]int{}}
		for hop := 1; hop <= w.routers; hop++ {
			w.mute[hop] = rapid.Float64().Draw(t, "mute") < 0.3
		}
		for _, m := range methods[:2] {
			w.server[m] = rapid.Bool().Draw(t, "answers "+string(m))
		}
		trail := newTrail(rapid.OneOf(rapid.IntRange(0, 25), rapid.IntRange(0, 200)).Draw(t, "back"))
		rounds := rapid.IntRange(1, 6).Draw(t, "rounds")
		quick := rapid.Bool().Draw(t, "quick")
		for range rounds {
			for _, next := range []func() []sock.TTLProbe{trail.begin, func() []sock.TTLProbe { return trail.follow(quick) }} {
				probes := next()
				for _, p := range probes {
					if p.Method == sock.TCP && (!p.Guarded || trail.reached > 0 && p.TTL >= trail.reached || quick && p.TTL > w.routers) {
						t.Fatalf("sent %+v; the server is at hop %d", p, w.routers+1)
					}
				}
				for _, p := range probes {
					if r, ok := w.answer(p); ok {
						trail.heard(r)
					}
				}
			}
			trail.close()
		}
		for _, h := range trail.list() {
			if h.Of != rounds || h.Answers > h.Of || !h.Host && h.TTL <= w.routers && w.mute[h.TTL] && h.Answers > 0 {
				t.Fatalf("%+v", h)
			}
		}
	})
}

// TestDistanceBack counts from the next of the numbers that systems begin with.
func TestDistanceBack(t *testing.T) {
	for ttl, want := range map[int]int{64: 1, 61: 4, 128: 1, 120: 9, 255: 1, 240: 16, 40: 25} {
		if got := distanceBack(ttl); got != want {
			t.Errorf("%d: %d hops, want %d", ttl, got, want)
		}
	}
}
