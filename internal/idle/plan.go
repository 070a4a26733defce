package idle

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// A Verb is something that a plan wants done.
type Verb string

// The verbs.
const (
	Open  Verb = "open"  // a new connection, which is to talk until it is told to sleep
	Sleep Verb = "sleep" // say nothing any more; with a TTL, let the kernel send keepalives of that TTL
	Wake  Verb = "wake"  // see what the silence came to
	Close Verb = "close"
)

// An Action is something that a plan wants done now.
type Action struct {
	Verb  Verb
	ID    int
	TTL   int           // of the keepalives of a sleep
	Every time.Duration // and how often
}

type state int

const (
	opening state = iota
	awake
	asleep
	waking
	gone
)

// conn is what the plan knows of one connection.
type conn struct {
	id      int
	state   state
	since   time.Duration // when its silence began
	target  time.Duration // how long that shall last; 0 is not decided
	ttl     int
	company bool // others were on their way in at the same time
	tainted bool // its death says nothing: the path was lost while it slept, or the machine slept
}

func (c *conn) silence(now time.Duration) time.Duration { return now - c.since }

// A Plan is one run. Its methods tell it what happened; Next says what to do.
// It is not for use by many goroutines at once.
type Plan struct {
	o       Options
	upTo    time.Duration
	rungs   []rung // in the order of their need
	slowly  bool
	conns   []*conn
	control *conn
	samples []Sample
	spoke   []time.Duration // silences that the server broke
	lost    []time.Duration // when the talking connection was lost
	slept   int             // times that the machine itself did
	refused string
	alone   bool // logins are made one after the other: some that were not were refused
	early   bool // connections end at the limit by themselves
	most    int  // connections that were open at once
	todo    []Action
}

// New returns the plan of a run that begins now.
func New(o Options) *Plan {
	p := &Plan{o: o, upTo: o.UpTo}
	p.Pace(o.Every)
	return p
}

// Woke says what a silence came to when the connection was woken, or before.
// A death counts as seen only after the talking connection was seen to live.
func (p *Plan) Woke(now time.Duration, id int, silence time.Duration, came string) {
	c := p.conns[id]
	if c.state == gone {
		return
	}
	slept := c.state == asleep || c.state == waking
	if slept {
		p.early = p.early || came == ResetEarly || came == Closed || came == Ended
		p.samples = append(p.samples, Sample{now, silence, c.ttl, came, came != Alive && c.tainted})
	}
	c.state, c.ttl, c.target = awake, 0, 0
	switch {
	case came != Alive && c == p.control:
		c.state = gone
		p.Lost(now)
	case came != Alive:
		c.state = gone
	default:
		c.tainted = false
	}
}

// hindsight is how far back a lost path makes deaths doubtful.
const hindsight = 5 * time.Second

// Lost says that the talking connection does not answer any more: then the
// path is broken, and what died says nothing about silence.
func (p *Plan) Lost(now time.Duration) {
	if c := p.control; c != nil {
		if !c.tainted {
			p.lost = append(p.lost, now)
		}
		c.state = gone
		p.todo = append(p.todo, Action{Verb: Close, ID: c.id})
	}
	p.control = nil
	for i, s := range p.samples {
		if s.Came != Alive && now-s.At < hindsight {
			p.samples[i].Void = true
		}
	}
	for _, c := range p.conns {
		c.tainted = c.tainted || c.state == asleep || c.state == waking
	}
}

// Slept says that the machine itself slept: what died meanwhile may have died
// of that.
func (p *Plan) Slept() {
	p.slept++
	for _, c := range p.conns {
		c.tainted = true
	}
}

// Answers says that a connection that talks lives.
func (p *Plan) Answers(id int) { p.conns[id].tainted = false }

// Spoke says that something came from the server on a silent connection, which
// so survived that silence and begins another.
func (p *Plan) Spoke(now time.Duration, id int, silence time.Duration) {
	c := p.conns[id]
	if c.state != asleep || c.ttl != 0 {
		return
	}
	p.samples = append(p.samples, Sample{now, silence, 0, Alive, false})
	p.spoke = append(p.spoke, silence)
	c.since = now
	if len(p.spoke) >= 2 {
		p.upTo = min(p.upTo, slices.Max(p.spoke))
	}
}

// mostLost is how often the talking connection may be lost before the run is
// given up.
const mostLost = 3

// mostSamples bounds a run on a path of which no sense can be made.
const mostSamples = 400

// Done says that there is nothing more to find out.
func (p *Plan) Done() bool {
	low, high, deaths, _ := bracket(p.samples)
	switch {
	case len(p.lost) >= mostLost, len(p.samples) >= mostSamples:
		return true
	case p.exhausted() && !slices.ContainsFunc(p.conns, func(c *conn) bool { return c.state != gone && c != p.control }):
		return true
	case high == 0:
		return float64(low) >= 0.99*float64(p.upTo)
	case high < 500*time.Millisecond:
		return true
	case !fine(low, high) || deaths < 2 || p.count(waking) > 0:
		return false
	}
	return len(p.hops()) == 0
}

// Next returns what is to be done now, and when to ask again at the latest; 0
// is not before something happens.
func (p *Plan) Next(now time.Duration) (todo []Action, again time.Duration) {
	if !p.Done() {
		p.wakeDue(now) // before anybody changes their mind
		p.appoint()
		low, high, deaths, _ := bracket(p.samples)
		if high == 0 {
			p.climb(now, low)
		} else {
			p.narrow(now, low, high, deaths)
		}
		p.wakeDue(now)
		for _, c := range p.conns {
			if due := c.since + c.target - p.o.Notice; c.state == asleep && c.target > 0 && (again == 0 || due < again) {
				again = due
			}
		}
	}
	todo, p.todo = p.todo, nil
	return todo, again
}

// wakeDue wakes who has slept long enough.
func (p *Plan) wakeDue(now time.Duration) {
	for _, c := range p.conns {
		if c.state == asleep && c.target > 0 && c.silence(now)+p.o.Notice >= c.target {
			p.wake(now, c)
		}
	}
}

// climb tries the rungs, until one is not survived. Connections beyond those
// that the rungs need try silences before the next rung: should it turn out
// too long, they are on their way already.
func (p *Plan) climb(now, low time.Duration) {
	p.rest(now, math.MaxInt)
	floor := max(low, p.pending())
	var rungs []rung
	next := p.upTo
	for _, r := range p.rungs {
		if r.silence > floor && r.silence <= p.upTo {
			rungs = append(rungs, r)
			next = min(next, r.silence)
		}
	}
	if floor < p.upTo && p.upTo < p.o.UpTo { // the server speaks after that much
		rungs = append(rungs, rung{silence: p.upTo})
	}
	sleepers := p.sleepers()
	rungs = p.worthwhile(now, rungs, sleepers)
	for i, c := range sleepers[:min(len(rungs), len(sleepers))] {
		c.target = rungs[i].silence
	}
	if floor == low { // while one is being woken, the others stay between it and what is known
		spread(now, sleepers[min(len(rungs), len(sleepers)):], floor, next)
	}
	spare := 0
	if !p.slowly {
		spare = p.o.Slots
	}
	p.open(len(rungs) + spare - len(sleepers))
}

// worthwhile leaves out rungs for which a connection would have to be opened
// first, and would wake after the longest sleep is over.
func (p *Plan) worthwhile(now time.Duration, rungs []rung, sleepers []*conn) []rung {
	if len(sleepers) == 0 {
		return rungs
	}
	end := sleepers[0].since + p.upTo
	for i := len(sleepers); i < len(rungs); i++ {
		if now+rungs[i].silence >= end {
			rungs = slices.Delete(rungs, i, i+1)
			i--
		}
	}
	return rungs
}

// narrow tries silences inside the bracket, and then looks for the device.
func (p *Plan) narrow(now, low, high time.Duration, deaths int) {
	if deaths >= 2 {
		p.bury(now, high+high/50)
	} else {
		p.repeat(now, high)
	}
	floor := low
	if pending := p.pending(); pending < high {
		floor = max(floor, pending)
	}
	if p.early && !fine(low, high) {
		// Whoever was not told of an end is alive: that is worth a sleeper, but
		// not one that may be told while it is asked.
		if all := p.living(now, high-high/50); len(all) > 0 && all[0].silence(now) > floor+(high-floor)/4 {
			p.wake(now, all[0])
			floor = all[0].target
		}
	}
	want := 0
	if !fine(low, high) {
		want = points(floor, high)
	} else if deaths < 2 {
		want = 1
	}
	ripe := high
	if fine(low, high) {
		ripe += high / 50
	}
	p.rest(now, want-len(p.living(now, ripe)))
	living := p.living(now, ripe)
	if fine(low, high) {
		for i, c := range living {
			c.target = 0
			if i < want {
				c.target = high + high/100 // so that living through it settles the matter, too
			}
		}
	} else {
		spread(now, living, floor, high)
	}
	if len(living) < want {
		p.open(want - len(living))
	} else if deaths >= 2 {
		p.search(now, low, high)
	}
}

// points is how many silences inside a bracket make it fine.
func points(low, high time.Duration) int {
	step := 0.9 * Fine * float64(low)
	if low == 0 {
		step = float64(high) / 16
	}
	return min(max(1, int(math.Ceil(float64(high-low)/step))-1), 16)
}

// spread gives sleepers, the oldest first, silences inside a bracket: as many,
// evenly, as make it fine. The shortest go to the oldest that can still be woken
// from them, so that what follows knows whether they were survived.
func spread(now time.Duration, sleepers []*conn, low, high time.Duration) {
	n := min(len(sleepers), points(low, high))
	left := slices.Clone(sleepers)
	for _, c := range left {
		c.target = 0
	}
	shortest := high
	for k := 1; k <= n; k++ {
		x := low + (high-low)*time.Duration(k)/time.Duration(n+1)
		if i := slices.IndexFunc(left, func(c *conn) bool { return c.silence(now) <= x }); i >= 0 {
			left[i].target, shortest = x, min(shortest, x)
			left = slices.Delete(left, i, i+1)
		}
	}
	// Where all passed the first silences already, one that did is woken now.
	for _, c := range slices.Backward(left) {
		if s := c.silence(now); s > low && s < shortest && shortest-low > 2*(high-low)/time.Duration(n+1) {
			c.target = s
			return
		}
	}
}

// rest lets connections that talk to no purpose sleep, n at most.
func (p *Plan) rest(now time.Duration, n int) {
	for _, c := range p.conns {
		if n > 0 && c.state == awake && c != p.control {
			p.sleep(now, c, 0, 0)
			n--
		}
	}
}

// repeat wakes one more connection that has been silent for longer than the
// one that died: one death alone may be chance.
func (p *Plan) repeat(now, high time.Duration) {
	var second *conn
	for _, c := range p.sleepers() {
		if c.silence(now) >= high && (second == nil || c.since > second.since) {
			second = c
		}
	}
	if second != nil && p.pending() < high {
		p.wake(now, second)
	}
}

// bury closes connections that have been silent for too long.
func (p *Plan) bury(now, high time.Duration) {
	for _, c := range p.sleepers() {
		if c.silence(now) >= high {
			c.state = gone
			p.todo = append(p.todo, Action{Verb: Close, ID: c.id})
		}
	}
}

func (p *Plan) sleep(now time.Duration, c *conn, ttl int, every time.Duration) {
	c.state, c.since, c.ttl, c.target = asleep, now, ttl, 0
	p.todo = append(p.todo, Action{Sleep, c.id, ttl, every})
}

func (p *Plan) wake(now time.Duration, c *conn) {
	c.state, c.target = waking, c.silence(now)+p.o.Notice
	p.todo = append(p.todo, Action{Verb: Wake, ID: c.id})
}

func (p *Plan) count(s state) (n int) {
	for _, c := range p.conns {
		if c.state == s {
			n++
		}
	}
	return n
}

// sleepers are the connections that sleep without keepalives, the longest
// silent first.
func (p *Plan) sleepers() (all []*conn) {
	for _, c := range p.conns {
		if c.state == asleep && c.ttl == 0 {
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b *conn) int { return cmp.Compare(a.since, b.since) })
	return all
}

// living are the sleepers that have not been silent for too long yet.
func (p *Plan) living(now, high time.Duration) []*conn {
	return slices.DeleteFunc(p.sleepers(), func(c *conn) bool { return c.silence(now) >= high })
}

// pending is the longest silence that a connection is being woken from.
func (p *Plan) pending() (longest time.Duration) {
	for _, c := range p.conns {
		if c.state == waking && c.ttl == 0 {
			longest = max(longest, c.target)
		}
	}
	return longest
}

// Control is the connection that talks, or -1.
func (p *Plan) Control() int {
	if p.control == nil {
		return -1
	}
	return p.control.id
}

// Forget says that a connection is gone, which says nothing.
func (p *Plan) Forget(id int) { p.conns[id].state = gone }
