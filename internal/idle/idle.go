// Package idle plans how to find out how long a connection may be silent on a
// path before something on it forgets the connection.
//
// Waking a connection ends its silence, so each silence gives one bit: it was
// survived, or not. Many connections are therefore silent at the same time and
// are woken one after the other. [Plan] decides who sleeps, with which TTL of
// keepalives, who is woken when, and what is known; it opens nothing and reads
// no clock. Times count from any moment, the same for all calls.
package idle

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Options bound a plan.
type Options struct {
	UpTo   time.Duration // the longest silence of interest
	Slots  int           // connections open at once, the talking one included
	AtOnce int           // of these, so many may be on their way in at the same time; the first one is alone
	Blind  bool          // connections take no TTL or keepalives: the device cannot be looked for
	Total  int           // connections in the whole run; 0 is any number
	Notice time.Duration // it takes so long from an answer to Wake until the connection is spoken on
	Every  time.Duration // how far apart connections can be opened, on average
	Hops   int           // routers to the server and the server itself; 0 is not known
}

// Known are the idle timeouts that devices on a path commonly have, as their
// makers document them: load balancers and gateways of clouds (60, 240, 350,
// 600, 1200 s), firewalls (300, 1800, 3600 s), home routers (180, 900, 7200,
// 7440 s).
var Known = []time.Duration{
	60 * time.Second, 180 * time.Second, 240 * time.Second, 300 * time.Second, 350 * time.Second, 600 * time.Second, 900 * time.Second,
	1200 * time.Second, 1800 * time.Second, 3600 * time.Second, 7200 * time.Second, 7440 * time.Second,
}

// Fine is how narrow a bracket has to be, of its lower end.
const Fine = 0.02

// What a connection can come to.
const (
	Alive      = "alive"       // it was woken, and works
	Silent     = "silent"      // it was woken, and nothing comes back
	Reset      = "reset"       // it was woken, and reset
	ResetEarly = "reset-early" // it was reset while it slept
	Closed     = "closed"      // it was closed in order while it slept
	ClosedSaid = "closed-said" // the same, after the server had sent something on it
	Ended      = "ended"       // it ended, and it cannot be seen how
)

// A Sample is one silence and what came of it.
type Sample struct {
	At      time.Duration // when that was seen
	Silence time.Duration
	TTL     int // of keepalives that it slept with; 0 is without any
	Came    string
	Void    bool // it says nothing: the talking connection was lost, too, or the machine slept
}

// bracket is what samples without keepalives say: a silence of low was
// survived and one of high was not; 0 is none. Early are deaths after less than
// low: chance, or, where they are close to it, a device whose clock is not
// exact, and then they are deaths of silence like the others.
func bracket(samples []Sample) (low, high time.Duration, deaths, early int) {
	for _, s := range samples {
		if !s.Void && s.TTL == 0 && s.Came == Alive {
			low = max(low, s.Silence)
		}
	}
	nearest := time.Duration(0) // the longest of the early ones
	for _, s := range samples {
		if s.Void || s.TTL != 0 || s.Came == Alive {
			continue
		}
		if s.Silence <= low {
			early++
			nearest = max(nearest, s.Silence)
		} else if high == 0 || s.Silence < high {
			high = s.Silence
		}
		if s.Silence > low-low/20 {
			deaths++
		}
	}
	switch {
	case high == 0 && nearest > 0 && (deaths >= 2 || nearest >= low-low/200): // its clock is no better than that
		high = low
	case high == 0:
		deaths = 0
	}
	return low, high, deaths, early
}

// fine says whether a bracket is narrow enough.
func fine(low, high time.Duration) bool {
	return high > 0 && float64(high-low) <= Fine*float64(low)
}

// A rung is a silence that is worth trying, and the latest start, counted from
// that of the run, at which it still brings its answer in time.
type rung struct {
	silence time.Duration
	start   time.Duration
}

// The steps of the ladder. A known timeout has a rung just below and one just
// above; between them two rungs are a fifth apart at most, so that any other
// timeout is between two of them, and the upper one is tried before a third
// more than the timeout has passed.
const (
	ratio    = 1.2
	wide     = 1.5
	shortest = 6 * time.Second         // for which a third more than the timeout is promised
	overhead = 2800 * time.Millisecond // until the first ones sleep, and until a death is seen
	lowest   = 16                      // the first rung is this part of the longest silence ...
	detect   = time.Second
	inTime   = 5 * time.Second // a known timeout is named so long after its time
	coarse   = 1.35            // and any other is between two rungs by this many times its own length
	leastGap = 700 * time.Millisecond
	farAbove = 2 * time.Second
)

// below and above are the rungs beside a known timeout.
func below(known time.Duration) time.Duration {
	gap := known * 3 / 100
	if known >= 10*time.Minute && known <= time.Hour { // its connection may be opened the later
		gap = known / 20
	}
	return known - max(leastGap, gap)
}

func above(known time.Duration) time.Duration { return known + min(farAbove, known/40) }

// ladder lists the silences to try, the shortest first; far apart where there
// are few connections to try them with.
func ladder(upTo time.Duration, few bool) []rung {
	first := min(max(upTo/lowest, time.Second), 30*time.Second, upTo)
	var anchors []rung
	for _, k := range Known {
		if above(k) < upTo && below(k) > first {
			anchors = append(anchors,
				rung{below(k), inTime + k - below(k) - detect},
				rung{above(k), inTime - farAbove - detect}) // alike for all: then the shortest is first
		}
	}
	anchors = append(anchors, rung{upTo, upTo / 50})
	rungs := []rung{{first, 0}}
	for _, a := range anchors {
		last := rungs[len(rungs)-1].silence
		if a.silence <= last {
			continue
		}
		for _, next := range between(last, a.silence, few) {
			rungs = append(rungs, rung{next, max(0, time.Duration(coarse*float64(last))-next-detect)})
			last = next
		}
		rungs = append(rungs, a)
	}
	return rungs
}

// between are the rungs between two others, at most so far apart as step allows,
// and as evenly.
func between(low, high time.Duration, few bool) (rungs []time.Duration) {
	at := float64(low)
	for at < float64(high)*(1-1e-9) {
		at *= step(time.Duration(at), few)
		rungs = append(rungs, time.Duration(at))
	}
	even := math.Log(float64(high)/float64(low)) / math.Log(at/float64(low)) // below 1: the last one went too far
	for i, r := range rungs {
		rungs[i] = time.Duration(float64(low) * math.Pow(float64(r)/float64(low), even))
	}
	return rungs[:len(rungs)-1]
}

// step is by how much a rung may be longer than the one before it: a fifth, and
// less for short ones, of which the logins and the end are a greater part.
func step(last time.Duration, few bool) float64 {
	switch {
	case few:
		return wide
	case last < shortest:
		return ratio
	}
	return max(1.1, min(ratio, coarse-float64(overhead)/float64(last)))
}

// inOrder sorts rungs by when they have to be begun. When connections can only
// be opened slowly all of them are late, and least so when the shortest are
// begun first, after the longest, which may answer by itself. Of few connections
// each but the last waits for one thing that is worth knowing: the longest, and
// what is beside a known timeout.
func inOrder(rungs []rung, slowly, few bool) []rung {
	last := rungs[len(rungs)-1].silence
	class := func(r rung) int {
		switch {
		case r.silence == last:
			return 1
		case few && slices.ContainsFunc(Known, func(k time.Duration) bool { return r.silence == below(k) || r.silence == above(k) }):
			return 2
		}
		return 3
	}
	sorted := slices.Clone(rungs)
	slices.SortStableFunc(sorted, func(a, b rung) int {
		if slowly || few {
			return cmp.Or(cmp.Compare(class(a), class(b)), cmp.Compare(a.silence, b.silence))
		}
		return cmp.Compare(a.start, b.start)
	})
	return sorted
}
