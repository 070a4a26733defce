package fact

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestLossOfAFlow(t *testing.T) {
	for name, c := range map[string]struct {
		flow     Flow
		to, from Tally
		seen     bool
	}{
		"clean":                {Flow{Connected: true, Sent: 20}, Tally{0, 20}, Tally{}, false},
		"sent again":           {Flow{Connected: true, Sent: 20, Again: 3}, Tally{3, 20}, Tally{}, false},
		"had it already":       {Flow{Connected: true, Sent: 20, Again: 3, Had: 3}, Tally{0, 20}, Tally{}, false},
		"never connected":      {Flow{Again: 3}, Tally{}, Tally{}, false},
		"a hole":               {Flow{Connected: true, Sent: 10, Again: 6, Unanswered: true, Unacked: 2, Backoff: 4}, Tally{0, 10}, Tally{}, false},
		"loss, then a hole":    {Flow{Connected: true, Sent: 40, Again: 16, Unanswered: true, Unacked: 2, Backoff: 4}, Tally{10, 40}, Tally{}, false},
		"too long, told so":    {Flow{Connected: true, Sent: 10, Again: 2, Learned: 1280}, Tally{0, 10}, Tally{}, false},
		"that, and loss":       {Flow{Connected: true, Sent: 900, Again: 60, Learned: 1280}, Tally{40, 900}, Tally{}, false},
		"the server was told":  {Flow{Connected: true, Sent: 20, Other: &Count{Sent: 30, Again: 5, Learned: 1280}}, Tally{0, 20}, Tally{0, 30}, true},
		"on the way":           {Flow{Connected: true, Sent: 10, Again: 1, Unanswered: true, Unacked: 1}, Tally{1, 10}, Tally{}, false},
		"ended unanswered":     {Flow{Connected: true, Sent: 10, Again: 6, Unanswered: true}, Tally{}, Tally{}, false},
		"the server's own":     {Flow{Connected: true, Sent: 20, Other: &Count{Sent: 30, Again: 5, Had: 1}}, Tally{0, 20}, Tally{4, 30}, true},
		"its answers are lost": {Flow{Connected: true, Sent: 400, Again: 60, Had: 40, Received: 350, Other: &Count{Sent: 400, Again: 70, Had: 1, Received: 398}}, Tally{2, 400}, Tally{50, 400}, true},
		"gaps":                 {Flow{Connected: true, Sent: 400, Received: 380, Watched: true, Gaps: 19}, Tally{0, 400}, Tally{19, 380}, true},
	} {
		to := c.flow.ToServer()
		from, seen := c.flow.FromServer()
		if to != c.to || from != c.from || seen != c.seen {
			t.Errorf("%s: %v to the server, %v from it (%v); want %v, %v (%v)", name, to, from, seen, c.to, c.from, c.seen)
		}
	}
}

func TestBounds(t *testing.T) {
	for _, c := range []struct {
		tally     Tally
		low, high float64
	}{
		{Tally{}, 0, 1},
		{Tally{0, 27}, 0, 0.167},
		{Tally{1, 27}, 0.005, 0.223},
		{Tally{21, 420}, 0.031, 0.081},
		{Tally{10, 10}, 0.649, 1},
	} {
		low, high := c.tally.Bounds()
		if math.Abs(low-c.low) > 0.001 || math.Abs(high-c.high) > 0.001 {
			t.Errorf("%v: %.4f to %.4f, want %.3f to %.3f", c.tally, low, high, c.low, c.high)
		}
	}
}

// TestChance holds the values against tables of Fisher's exact test.
func TestChance(t *testing.T) {
	for _, c := range []struct {
		a, b Tally
		want float64
	}{
		{Tally{}, Tally{5, 10}, 1},
		{Tally{0, 10}, Tally{}, 1},
		{Tally{5, 10}, Tally{5, 10}, 1},
		{Tally{0, 3}, Tally{3, 3}, 0.05},
		{Tally{1, 10}, Tally{9, 10}, 0.000547},
		{Tally{1, 10}, Tally{11, 14}, 0.001380},
		{Tally{0, 1 << 31}, Tally{1 << 31, 1 << 31}, 0},
	} {
		if got := c.a.Chance(c.b); math.Abs(got-c.want) > 0.000001 {
			t.Errorf("%v against %v: %.6f, want %.6f", c.a, c.b, got, c.want)
		}
	}
}

// TestBoundsEnclose: the ratio lies between its bounds, and more packets with
// the same ratio bring them nearer.
func TestBoundsEnclose(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		of := rapid.IntRange(1, 10000).Draw(t, "of")
		tally := Tally{rapid.IntRange(0, of).Draw(t, "lost"), of}
		low, high := tally.Bounds()
		const rounding = 1e-9
		if low < 0 || high > 1 || low > tally.Ratio()+rounding || high < tally.Ratio()-rounding {
			t.Fatalf("%v: %g to %g", tally, low, high)
		}
		more := Tally{tally.Lost * 2, tally.Of * 2}
		if l, h := more.Bounds(); h-l > high-low {
			t.Fatalf("%v: %g to %g, and %v: %g to %g", tally, low, high, more, l, h)
		}
	})
}

// TestNoMoreIsLostThanSent, whatever counters a server may send us.
func TestNoMoreIsLostThanSent(t *testing.T) {
	n := rapid.IntRange(0, 1<<31)
	rapid.Check(t, func(t *rapid.T) {
		f := Flow{Connected: true, Sent: n.Draw(t, "sent"), Again: n.Draw(t, "again"), Learned: n.Draw(t, "learned"), Had: n.Draw(t, "had"), Received: n.Draw(t, "received"), Gaps: n.Draw(t, "gaps"), Watched: rapid.Bool().Draw(t, "watched")}
		if rapid.Bool().Draw(t, "other") {
			f.Other = &Count{Sent: n.Draw(t, "s"), Again: n.Draw(t, "a"), Learned: n.Draw(t, "l"), Had: n.Draw(t, "h"), Received: n.Draw(t, "r")}
		}
		from, _ := f.FromServer()
		for _, x := range []Tally{f.ToServer(), from} {
			if x.Lost < 0 || x.Lost > x.Of {
				t.Fatalf("%v of %+v", x, f)
			}
		}
	})
}
