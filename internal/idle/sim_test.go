package idle

import (
	"container/heap"
	"math/rand/v2"
	"slices"
	"time"
)

// A world is a path with devices on it, simulated in no time at all.
type world struct {
	devices  []device_
	speaks   time.Duration // the server speaks after so much silence; 0 is never
	life     time.Duration // connections end at this age, silent or not; 0 is never
	wrong    float64       // part of the wakings that look dead by chance
	login    time.Duration // how long one takes
	burst    int           // logins in any window
	window   time.Duration
	mean     float64         // logins in the window, as pf reckons it; 0 is any number
	before   []time.Duration // logins that were made before the run
	data     bool            // devices count data only, as proxies do
	refuseAt int             // the login that is refused; 0 is none
	cut      time.Duration   // when the run is ended; 0 is never
	talk     bool            // the talking connection is asked all the time
	rand     *rand.Rand
}

// device_ forgets connections that were silent for timeout, give or take.
type device_ struct {
	hop     int
	timeout time.Duration
	jitter  time.Duration
	early   bool // and resets them at that moment
}

// simulated is a connection in a world.
type simulated struct {
	born, since time.Duration
	asleep      bool
	ttl         int
	every       time.Duration
	forgotten   []time.Duration // after which silence, by device
	gone        bool
}

type event struct {
	at time.Duration
	n  int
	do func(now time.Duration)
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, k int) bool {
	return e[i].at < e[k].at || e[i].at == e[k].at && e[i].n < e[k].n
}
func (e events) Swap(i, k int) { e[i], e[k] = e[k], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	old := *e
	last := old[len(old)-1]
	*e = old[:len(old)-1]
	return last
}

// fataler is a test of either kind.
type fataler interface{ Fatalf(string, ...any) }

// A run is a plan at work in a world.
type run struct {
	world
	plan   *Plan
	events events
	n      int
	conns  map[int]*simulated
	opens  []time.Duration // of logins
	most   int             // connections open at once
	named  time.Duration   // when the timeout was first named as a known one
	coarse time.Duration   // when the bracket was first within a third
	fine   time.Duration   // when it was first within 2 %
	done   time.Duration
}

func (r *run) after(at time.Duration, do func(now time.Duration)) {
	r.n++
	heap.Push(&r.events, event{at, r.n, do})
}

// simulate runs a plan to its end.
func simulate(t fataler, w world, o Options) *run {
	r := &run{world: w, plan: New(o), conns: map[int]*simulated{}, opens: slices.Clone(w.before)}
	r.after(0, func(time.Duration) {})
	for len(r.events) > 0 {
		e := heap.Pop(&r.events).(event)
		e.do(e.at)
		r.look(e.at)
		todo, again := r.plan.Next(e.at)
		for _, a := range todo {
			r.act(e.at, a)
		}
		if again > 0 {
			r.after(again+time.Duration(r.rand.Int64N(int64(10*time.Millisecond))), func(time.Duration) {}) // no timer is exact
		}
		if r.plan.Done() && r.done == 0 {
			r.done = e.at
			return r
		}
		if w.cut > 0 && e.at > w.cut {
			return r
		}
		if e.at > 12*o.UpTo+20*time.Minute {
			t.Fatalf("no end after %s", e.at)
		}
	}
	t.Fatalf("the plan waits for nothing")
	return r
}

// simulateTalking is simulate where the talking connection dies of its age, too.
func simulateTalking(t fataler, w world, o Options) *run {
	w.talk = true
	return simulate(t, w, o)
}

// dieOfAge lets the talking connection die of its age.
func (r *run) dieOfAge(id int) {
	c := r.conns[id]
	r.after(c.born+r.life, func(now time.Duration) {
		if r.plan.Control() == id {
			r.plan.Lost(now)
		}
	})
}

// look notes what is known when.
func (r *run) look(now time.Duration) {
	f := r.plan.Result()
	note := func(at *time.Duration, is bool) {
		if !is {
			*at = 0
		} else if *at == 0 {
			*at = now
		}
	}
	note(&r.named, f.Known)
	note(&r.coarse, f.High > 0 && float64(f.High-f.Low) <= 0.35*float64(f.Low))
	note(&r.fine, fine(f.Low, f.High))
	open := 0
	for _, c := range r.conns {
		if !c.gone {
			open++
		}
	}
	r.most = max(r.most, open)
}

func (r *run) act(now time.Duration, a Action) {
	switch a.Verb {
	case Open:
		start := now
		if n := len(r.opens) - r.burst; r.burst > 0 && n >= 0 {
			start = max(start, r.opens[n]+r.window)
		}
		if r.mean > 0 {
			start = r.polite(start)
		}
		r.opens = append(r.opens, start)
		if r.refuseAt > 0 && len(r.opens)-len(r.before) >= r.refuseAt {
			r.after(start+r.login, func(now time.Duration) { r.plan.Refused(a.ID, "no more") })
			return
		}
		r.after(start+r.login, func(now time.Duration) {
			c := &simulated{born: now}
			r.conns[a.ID] = c
			r.plan.Opened(a.ID)
			if r.talk {
				r.dieOfAge(a.ID)
			}
		})
	case Sleep:
		c := r.conns[a.ID]
		c.asleep, c.since, c.ttl, c.every, c.forgotten = true, now, a.TTL, a.Every, nil
		for _, d := range r.devices {
			T := d.timeout + time.Duration((2*r.rand.Float64()-1)*float64(d.jitter))
			c.forgotten = append(c.forgotten, T)
			if d.early && !r.refreshes(c, d) {
				since := c.since
				r.after(now+T, func(now time.Duration) {
					if c.asleep && c.since == since && !c.gone {
						c.asleep, c.gone = false, true
						r.plan.Woke(now, a.ID, T-time.Duration(r.rand.Int64N(int64(50*time.Millisecond))), ResetEarly) // as measured
					}
				})
			}
		}
		r.speakLater(now, a.ID, c)
	case Wake:
		c := r.conns[a.ID]
		now += r.plan.o.Notice
		silence := now - c.since
		came, wait := Alive, 50*time.Millisecond
		for i, d := range r.devices {
			if silence > c.forgotten[i] && !r.refreshes(c, d) {
				came, wait = Silent, r.silent()
			}
		}
		if r.tooOld(now, c) || r.rand.Float64() < r.wrong {
			came, wait = Silent, r.silent()
		}
		c.asleep = false
		r.after(now+wait, func(now time.Duration) {
			if control := r.plan.control; came != Alive && control != nil && r.tooOld(now, r.conns[control.id]) {
				r.plan.Lost(now)
			}
			c.gone = came != Alive
			r.plan.Woke(now, a.ID, silence, came)
		})
	case Close:
		r.conns[a.ID].gone = true
	}
}

// polite is when one more login does not exceed the mean.
func (r *run) polite(now time.Duration) time.Duration {
	fade := func(m float64, after time.Duration) float64 { return m * max(0, 1-float64(after)/float64(r.window)) }
	m, last := 0.0, now
	for _, at := range r.opens {
		m, last = fade(m, at-last)+1, at
	}
	now = max(now, last)
	if m = fade(m, now-last); m > r.mean-1 {
		now += time.Duration((1 - (r.mean-1)/m) * float64(r.window))
	}
	return now
}

func (r *run) tooOld(now time.Duration, c *simulated) bool {
	return r.life > 0 && now-c.born > r.life
}

func (r *run) speakLater(now time.Duration, id int, c *simulated) {
	if r.speaks == 0 {
		return
	}
	since := c.since
	r.after(now+r.speaks, func(now time.Duration) {
		if !c.asleep || c.since != since || c.gone {
			return
		}
		for i := range r.devices {
			if r.speaks > c.forgotten[i] {
				return
			}
		}
		c.since = now
		r.plan.Spoke(now, id, r.speaks)
		r.speakLater(now, id, c)
	})
}

// refreshes says whether the connection's keepalives keep the device from
// forgetting it.
func (r *run) refreshes(c *simulated, d device_) bool {
	return c.ttl >= d.hop && c.every < d.timeout-d.jitter && !r.data
}

// silent is how long it takes to see that nothing comes back.
func (r *run) silent() time.Duration { return 700 * time.Millisecond }
