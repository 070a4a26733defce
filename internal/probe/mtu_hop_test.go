package probe

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"sshtay/internal/fact"
	"sshtay/internal/sock"
)

// TestHoleTrail: each row says of each hop how many rounds out of two it
// answered long datagrams, and short ones.
func TestHoleTrail(t *testing.T) {
	at := func(n int) string { return netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}).String() }
	for name, c := range map[string]struct {
		hops            [][2]int
		reached, missed int
		why             string
	}{
		"all answer":                {[][2]int{{2, 2}, {2, 2}, {0, 2}, {0, 2}}, 2, 3, ""},
		"before the first":          {[][2]int{{0, 2}, {0, 2}}, 0, 1, ""},
		"silent between":            {[][2]int{{2, 2}, {0, 0}, {0, 0}, {0, 2}}, 1, 4, ""},
		"one that says little":      {[][2]int{{2, 2}, {1, 0}, {0, 1}, {0, 2}}, 2, 4, ""},
		"a long one answered later": {[][2]int{{0, 2}, {1, 1}, {0, 2}}, 2, 3, ""},
		"only the server answers":   {[][2]int{{0, 0}, {0, 0}, {0, 2}}, 0, 0, "no router"},
		"nobody answers":            {[][2]int{{0, 0}, {0, 0}}, 0, 0, "do not answer"},
		"silent behind":             {[][2]int{{2, 2}, {0, 1}, {0, 0}}, 0, 0, "do not answer"},
		"datagrams come everywhere": {[][2]int{{2, 2}, {2, 2}}, 0, 0, "as far as short ones"},
	} {
		h := make(holeTrail, len(c.hops))
		for i, answers := range c.hops {
			for kind, n := range answers {
				for range n {
					h.heard(sock.TTLReply{Probe: sock.TTLProbe{TTL: i + 1, Size: 1401 * (1 - kind)}, Answer: sock.Expired, From: netip.MustParseAddr(at(i + 1))})
				}
			}
		}
		got, why := h.between()
		if c.why != "" {
			if !strings.Contains(why, c.why) {
				t.Errorf("%s: %+v, %q, want %q", name, got, why, c.why)
			}
			continue
		}
		want := fact.MTUHop{Reached: c.reached, Missed: c.missed, MissedBy: at(c.missed)}
		if c.reached > 0 {
			want.ReachedBy = at(c.reached)
		}
		if got != want || why != "" {
			t.Errorf("%s: %+v, %q, want %+v", name, got, why, want)
		}
	}
}

// TestHoleProbes: only what is open is asked, and long ones go first.
func TestHoleProbes(t *testing.T) {
	h := holeTrail{{long: 1}, {}, {short: 1}}
	want := []sock.TTLProbe{
		{Method: sock.UDP, TTL: 2, Size: 1401}, {Method: sock.UDP, TTL: 3, Size: 1401}, {Method: sock.UDP, TTL: 2}, {Method: sock.UDP, TTL: 3},
	}
	if got := h.probes(1401); !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	h.heard(sock.TTLReply{Probe: sock.TTLProbe{TTL: 3, Size: 1401}, Answer: sock.Forbidden})
	if h.reached() != 1 {
		t.Error("who refuses to pass a packet on was taken for the hop that it was sent to")
	}
}
