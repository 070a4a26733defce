package idle

import (
	"slices"
	"time"
)

// Opened says that a connection is there, and talks.
func (p *Plan) Opened(id int) {
	c := p.conns[id]
	c.state = awake
	if p.control == nil {
		p.control = c
	}
}

// Refused says that a connection could not be opened. Where others were on their
// way in at the same time, that may have been the reason, and one more is tried,
// alone; else trying again would not be polite.
func (p *Plan) Refused(id int, why string) {
	p.conns[id].state = gone
	c := p.conns[id]
	if !p.alone && c.company {
		p.alone = true
		return
	}
	if p.alone && c.company { // of the same time
		return
	}
	p.refused = why
}

// Postponed says that a connection was not let in because too many came too
// fast, and how far apart they can be opened from now on. It is tried again.
func (p *Plan) Postponed(id int, every time.Duration) {
	p.conns[id].state = gone
	p.Pace(every)
}

// Pace says how far apart connections can be opened from now on, on average.
func (p *Plan) Pace(every time.Duration) {
	p.o.Every = every
	p.slowly = every*time.Duration(p.o.Slots) > 15*time.Second
	p.rungs = inOrder(ladder(p.o.UpTo, p.o.Total > 0), p.slowly, p.o.Total > 0)
}

// appoint makes a connection the one that talks, where that one is gone.
func (p *Plan) appoint() {
	if p.control != nil {
		return
	}
	for _, c := range p.conns {
		if c.state == awake {
			p.control = c
			return
		}
	}
	p.open(1)
}

// open asks for n more connections, less those that are on their way in.
func (p *Plan) open(n int) {
	most := max(1, p.o.AtOnce)
	if p.alone || !slices.ContainsFunc(p.conns, func(c *conn) bool { return c.state != opening }) { // the first shows whether there will be any
		most = 1
	}
	for under := p.count(opening); under < min(n, most) && p.mayOpen(); under++ {
		c := &conn{id: len(p.conns), company: under > 0}
		for _, other := range p.conns {
			other.company = other.company || under > 0 && other.state == opening
		}
		p.conns = append(p.conns, c)
		p.most = max(p.most, len(p.conns)-p.count(gone))
		p.todo = append(p.todo, Action{Verb: Open, ID: c.id})
	}
}

// exhausted says that no connection will be opened any more.
func (p *Plan) exhausted() bool {
	return p.refused != "" || p.o.Total > 0 && len(p.conns) >= p.o.Total
}

// mayOpen says whether one more connection is fair now.
func (p *Plan) mayOpen() bool { return !p.exhausted() && len(p.conns)-p.count(gone) < p.o.Slots }
