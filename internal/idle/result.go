package idle

import (
	"slices"
	"time"
)

// A Result is what a run has found so far.
type Result struct {
	Low, High time.Duration // a silence of Low was survived, one of High was not; High is 0 when none was too long
	Timeout   time.Duration // the best estimate, 0 when there is none
	Known     bool          // it is one of [Known]
	Sure      bool          // the bracket is fine, and at least two connections died
	Deaths    int           // of silence
	Early     int           // after less than Low: chance, or a device whose clock is not exact
	Shortest  time.Duration // the shortest of all silences that were not survived
	Came      string        // what most of them came to
	Hop       int           // of the device, 0 when it was not found ...
	Why       string        // ... for this reason
	Spoke     time.Duration // after so much silence the server speaks by itself; 0 is never
	Lost      int           // times that the talking connection was lost
	Slept     int           // times that the machine slept
	Refused   string        // why no more connections could be opened
	Opened    int
	Most      int // connections that were open at once
	Samples   []Sample
}

// Result returns what is known now.
func (p *Plan) Result() Result {
	r := Result{Lost: len(p.lost), Slept: p.slept, Refused: p.refused, Most: p.most, Samples: slices.Clone(p.samples)}
	for _, c := range p.conns {
		if c.state != opening {
			r.Opened++
		}
	}
	r.Low, r.High, r.Deaths, r.Early = bracket(p.samples)
	if len(p.spoke) >= 2 {
		r.Spoke = slices.Max(p.spoke)
	}
	ways := map[string]int{}
	for _, s := range p.samples {
		if s.Void || s.Came == Alive || s.TTL != 0 {
			continue
		}
		if r.Shortest == 0 || s.Silence < r.Shortest {
			r.Shortest = s.Silence
		}
		if ways[s.Came]++; ways[s.Came] > ways[r.Came] || r.Came == "" {
			r.Came = s.Came
		}
	}
	if r.High == 0 {
		r.Came = ""
		return r
	}
	r.Sure = fine(r.Low, r.High) && r.Deaths >= 2
	r.Timeout, r.Known = estimate(r.Low, r.High)
	r.Hop, r.Why = p.whichDevice()
	return r
}

// estimate is the one known timeout in a narrow bracket, or in one that ends
// just above it, or the bracket's middle. A reset
// at expiry is seen a little before or after its time: the device heard from
// the connection later or earlier than we spoke on it. For the same reason a
// silence of a little more than the timeout may be survived.
func estimate(low, high time.Duration) (timeout time.Duration, known bool) {
	for _, k := range Known {
		if low <= k+k/200 && k <= high+high/200 && (fine(low, high) || k-k*7/100 <= low && high <= above(k)+above(k)/200) {
			return k, true
		}
	}
	return (low + high) / 2, false
}

func (p *Plan) whichDevice() (int, string) {
	hop, why, try := device(hopTally(p.samples), p.o.Hops)
	low, _, _, _ := bracket(p.samples)
	switch {
	case p.o.Blind:
		return 0, NoTTL
	case len(try) == 0:
		return hop, why
	case low/3 < leastEvery:
		return 0, TooShort
	case p.refused != "":
		return 0, Refused
	}
	return 0, NotLooked
}
