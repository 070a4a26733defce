package idle

import (
	"slices"
	"time"
)

// The device is found by keepalives of the kernel that are sent with a small
// TTL. They refresh what every device up to the hop where they expire knows of
// the connection, and nothing behind it. So a connection lives through a silence
// that is too long exactly if its keepalives get as far as the device.

// Full is the TTL of keepalives that reach the server.
const Full = 255

// farthest is how many hops away a device is looked for when the distance of
// the server is not known.
const farthest = 24

// leastEvery is how often the kernel can send keepalives at most.
const leastEvery = time.Second

// A verdict of the connections that slept with keepalives of one TTL.
type tally struct{ alive, dead int }

// hopTally counts what came of the sleeps with keepalives, by TTL. Those that
// lived no longer than is survived without any say nothing, nor do deaths long
// before that.
func hopTally(samples []Sample) map[int]tally {
	all := map[int]tally{}
	low, _, _, _ := bracket(samples)
	for _, s := range samples {
		t := all[s.TTL]
		switch {
		case s.Void || s.TTL == 0, s.Came == Alive && s.Silence <= low, s.Silence <= low-low/20:
			continue
		case s.Came == Alive:
			t.alive++
		default:
			t.dead++
		}
		all[s.TTL] = t
	}
	return all
}

// Reasons for which no hop can be named.
const (
	CountsData = "counts-data" // keepalives of the kernel do not refresh it, even those that reach the server
	Unsteady   = "unsteady"    // a hop farther away died, one nearer by lived, and again
	TooShort   = "too-short"   // keepalives cannot be sent as often as would be needed
	NotLooked  = "not-looked"  // the run ended before
	NoTTL      = "no-ttl"      // connections take no TTL or keepalives
	Refused    = "refused"     // no connection could be opened any more
)

// device reads the tally: the hop of the device, or why there is none, or the
// TTLs that have to be tried. Hops is the distance of the server, 0 where that
// is not known.
func device(all map[int]tally, hops int) (hop int, why string, try []int) {
	full := all[Full]
	switch {
	case full.alive == 0 && full.dead >= 2:
		return 0, CountsData, nil
	case full.alive == 0:
		try = append(try, Full)
	}
	// The way there may be longer than the way back, from which the distance is
	// known.
	last := hops
	if hops == 0 {
		last = farthest
	}
	for all[last].dead > 0 && all[last].alive == 0 && last < farthest {
		last = min(last+4, farthest)
	}
	nearest := last + 1 // the nearest hop whose keepalives helped
	for k := last; k >= 1; k-- {
		if all[k].alive > 0 {
			nearest = k
		}
	}
	begin := 1 // behind the farthest hop whose keepalives did not help
	for k := 1; k <= last; k++ {
		t := all[k]
		if t.dead == 0 || t.alive > 0 {
			continue
		}
		if k > nearest { // keepalives got past the device, and it forgot
			if t.dead >= 2 {
				return 0, Unsteady, nil
			}
			return 0, "", append(try, k)
		}
		begin = k + 1
	}
	if begin < nearest {
		for k := begin; k < nearest; k++ {
			try = append(try, k)
		}
	}
	if len(try) > 0 {
		return 0, "", try
	}
	return nearest, "", nil
}

// hops are the TTLs that still have to be tried, the most telling ones first
// where there are many.
func (p *Plan) hops() []int {
	low, _, _, _ := bracket(p.samples)
	if p.o.Blind || low/3 < leastEvery || p.refused != "" {
		return nil
	}
	_, _, try := device(hopTally(p.samples), p.o.Hops)
	const atOnce = 10
	if len(try) <= atOnce {
		return try
	}
	some := try[:0:0]
	for i := range atOnce {
		some = append(some, try[i*(len(try)-1)/(atOnce-1)])
	}
	return some
}

// search lets connections sleep for too long, with keepalives that go a part of
// the way.
func (p *Plan) search(now, low, high time.Duration) {
	tried := map[int]bool{}
	for _, c := range p.conns {
		if c.ttl == 0 {
			continue
		}
		tried[c.ttl] = true
		if c.state == asleep {
			c.target = high + high/50 + 300*time.Millisecond
		}
	}
	hops := slices.DeleteFunc(p.hops(), func(ttl int) bool { return tried[ttl] })
	for i, ttl := range hops {
		c := p.free()
		if c == nil {
			p.open(len(hops) - i)
			return
		}
		p.sleep(now, c, ttl, (low / 3).Truncate(time.Second))
		c.target = high + high/50 + 300*time.Millisecond
	}
}

// free is a connection that talks to no purpose.
func (p *Plan) free() *conn {
	for _, c := range p.conns {
		if c.state == awake && c != p.control {
			return c
		}
	}
	return nil
}
