package idle

import "time"

// A View is a run as it is to be shown to people.
type View struct {
	Now    time.Duration
	UpTo   time.Duration
	Bars   []Bar
	Left   time.Duration // until the end of what is planned now, if nothing is found before
	Result Result
}

// A Bar is one connection.
type Bar struct {
	ID      int
	State   string        // opening, talks, silent, woken
	Silence time.Duration // so far
	Target  time.Duration // when it is to be woken; 0 is not decided
	TTL     int           // of its keepalives
}

// View shows the run.
func (p *Plan) View(now time.Duration) View {
	v := View{Now: now, UpTo: p.upTo, Result: p.Result()}
	for _, c := range p.conns {
		b := Bar{ID: c.id, TTL: c.ttl}
		switch {
		case c.state == gone:
			continue
		case c.state == opening:
			b.State = "opening"
		case c.state == awake:
			b.State = "talks"
		case c.state == waking:
			b.State, b.Silence, b.Target = "woken", c.target, c.target
		default:
			b.State, b.Silence, b.Target = "silent", c.silence(now), c.target
			v.Left = max(v.Left, c.since+c.target-now)
		}
		v.Bars = append(v.Bars, b)
	}
	return v
}
