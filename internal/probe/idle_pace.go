package probe

import (
	"context"
	"sync"
	"time"
)

// A Pace is how fast logins are made: at most Logins in any Within. An eager
// one is faster until the server, or what is before it, shows that this is too
// fast.
type Pace struct {
	Logins int
	Within time.Duration
	Eager  bool
}

// every is how far apart logins may be, on average.
func (p Pace) every() time.Duration { return p.Within / time.Duration(max(p.Logins, 1)) }

// eager is how fast an eager pace begins: below the rate at which a firewall
// that follows the handbook of pf shuts an address out for good (15 in 5 s),
// reckoned as pf does.
var eager = Pace{Logins: 14, Within: 5 * time.Second}

const (
	// eagerWait is how long an eager login waits for an answer to its SYN, which
	// is sent again after a second: that both are lost by chance is rare.
	eagerWait = 2500 * time.Millisecond
	// shutMargin is when, after the time of a limit, nobody remembers the last SYN
	// of those that were not let in.
	shutMargin = 2 * time.Second
)

// A gate lets logins pass at a pace. It is safe for concurrent use.
type gate struct {
	budget *Budget
	mu     sync.Mutex
	pace   Pace
	opens  time.Time     // when the next may pass
	slowed chan struct{} // closed when an eager pace is over
}

func newGate(budget *Budget, p Pace) *gate {
	return &gate{budget: budget, pace: p, slowed: make(chan struct{})}
}

// every is how far apart logins are now, on average.
func (g *gate) every() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.pace.Eager {
		return eager.every()
	}
	return g.pace.every()
}

// pass waits until one more login is polite. It returns how long that one
// should wait for an answer while the pace is eager, else 0.
func (g *gate) pass(ctx context.Context) (wait time.Duration, err error) {
	g.mu.Lock()
	hasty := g.pace.Eager
	g.mu.Unlock()
	if hasty {
		soon, cancel := context.WithCancel(ctx)
		defer cancel()
		go func() {
			select {
			case <-g.slowed:
				cancel()
			case <-soon.Done():
			}
		}()
		if g.budget.AllowMean(soon, eager.Logins, eager.Within) == nil {
			return eagerWait, nil
		}
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
	}
	g.mu.Lock()
	shut := time.Until(g.opens)
	g.mu.Unlock()
	select {
	case <-time.After(shut):
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	return 0, g.budget.Allow(ctx, g.pace.Logins, g.pace.Within)
}

// slow ends an eager pace. Where somebody was not let in, the next one waits
// until that is forgotten.
func (g *gate) slow(shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if shut {
		g.opens = time.Now().Add(g.pace.Within + shutMargin)
	}
	if g.pace.Eager {
		g.pace.Eager = false
		close(g.slowed)
	}
}
