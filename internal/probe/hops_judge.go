package probe

import (
	"math"

	"sshtay/internal/fact"
)

// sure is how unlikely it must be that two hops lose alike and only look
// different, before one is said to lose less than the other.
const sure = 0.01

// judgeHops gives each hop its verdict; the last one is the server. A hop is
// blamed only for what is also lost up to the server, and only when a hop
// before it is seen to lose less. trusted says that the server answers as often
// as it is asked when nothing is lost, and does not limit its answers.
func judgeHops(hops []fact.Hop, trusted bool) {
	if len(hops) == 0 {
		return
	}
	host := len(hops) - 1
	passed := -1 // the last hop that everything has come to
	for i, h := range hops {
		if h.Of > 0 && h.Answers == h.Of {
			passed = i
		}
	}
	better := -1 // the last hop that loses less than the server
	begins := -1
	if loses(hops[host]) && trusted {
		for i, h := range hops[:host] {
			if lessLost(h, hops[host]) {
				better = i
			}
		}
	}
	if better >= 0 && better >= passed {
		begins = firstLikeHost(hops, better+1)
	}
	for i := range hops {
		h := &hops[i]
		switch {
		case h.Answers == 0:
			h.Verdict = "silent"
		case h.Answers == h.Of:
			h.Verdict = "answers"
		case i < passed || i <= better:
			h.Verdict = "shy"
		case i == begins:
			h.Verdict = "loss-begins"
		case begins >= 0 && i < begins:
			h.Verdict = "shy"
		case begins >= 0:
			h.Verdict = "loses"
		default:
			h.Verdict = "unclear"
		}
	}
}

func loses(h fact.Hop) bool { return h.Answers > 0 && h.Answers < h.Of }

// firstLikeHost is the first hop that loses as much as the server: one that
// loses more limits its answers.
func firstLikeHost(hops []fact.Hop, from int) int {
	host := len(hops) - 1
	for i := from; i < host; i++ {
		if loses(hops[i]) && !lessLost(hops[host], hops[i]) {
			return i
		}
	}
	return host
}

// lessLost says whether a loses less than b, more surely than chance would
// have it (Fisher's exact test, one-sided).
func lessLost(a, b fact.Hop) bool {
	if a.Of == 0 || b.Of == 0 {
		return false
	}
	// Of all ways to spread what was lost over both, those where a has as
	// little of it, or less.
	lost, all := a.Of-a.Answers+b.Of-b.Answers, a.Of+b.Of
	p := 0.0
	for k := max(0, lost-b.Of); k <= a.Of-a.Answers; k++ {
		p += math.Exp(choose(a.Of, k) + choose(b.Of, lost-k) - choose(all, lost))
	}
	return p < sure
}

// choose is the logarithm of the number of ways to choose k of n.
func choose(n, k int) float64 {
	lg := func(n int) float64 { v, _ := math.Lgamma(float64(n) + 1); return v }
	return lg(n) - lg(k) - lg(n-k)
}
