package probe

import "sshtay/internal/fact"

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
// have it.
func lessLost(a, b fact.Hop) bool {
	lost := func(h fact.Hop) fact.Tally { return fact.Tally{Lost: h.Of - h.Answers, Of: h.Of} }
	return lost(a).Chance(lost(b)) < sure
}
