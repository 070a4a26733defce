package cli

import (
	"context"
	"sync"
	"time"

	"sshtay/internal/change"
	"sshtay/internal/diagnose"
	"sshtay/internal/host"
	"sshtay/internal/probe"
	"sshtay/internal/remedy"
)

// An advance is the way into the host that the check has found: its login goes
// on as the one for the work, so that nobody logs in twice.
type advance struct {
	mu   sync.Mutex
	made chan entered // of one; nil while the check's login does not stay
	over bool         // from here on none does
}

// begin enters, unless nobody waits for it any more.
func (a *advance) begin(enter func() entered) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		return
	}
	made := make(chan entered, 1)
	a.made = made
	go func() { made <- enter() }()
}

// take gives the login, once, if there is one that can be worked in.
func (a *advance) take() (e entered, was bool) {
	if a == nil {
		return e, false
	}
	a.mu.Lock()
	made := a.made
	a.made, a.over = nil, true
	a.mu.Unlock()
	if made == nil {
		return e, false
	}
	if e = <-made; e.err != nil {
		return e, false
	}
	if !e.m.Alive() {
		e.m.Close()
		return e, false
	}
	return e, true
}

// entering is how long becoming root may take, beside a check that goes on.
const entering = 10 * time.Second

// inAdvance has the login of the check stay for the work, and while the check
// does the rest has looked there at what a plan will want to know. Drop ends one
// that nobody took. Where connections are to be left silent this one could die of
// it, and does not stay.
func (o fixOptions) inAdvance(ctx context.Context) (check fixOptions, drop func()) {
	if o.target.Local() || o.side == string(remedy.Client) || o.idle.UpTo > 0 {
		return o, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	o.ahead = &advance{}
	asked := make(chan host.Host, 1) // of who logs in, once
	o.stay = &diagnose.Stay{
		Begun: func(m *host.Remote) {
			once := host.Once(m)
			asked <- once
			change.Glance(ctx, once)
		},
		Ended: func(enter probe.Entrance, known diagnose.Result) {
			o.ahead.begin(func() entered {
				in, cancel := context.WithTimeout(ctx, entering)
				defer cancel()
				m, err := enter(in)
				if err != nil {
					return entered{err: err}
				}
				e := entered{m: m, asked: <-asked}
				go change.Foresee(ctx, e.asked, requestOf(known))
				return e
			})
		},
	}
	return o, func() {
		cancel()
		if e, was := o.ahead.take(); was {
			e.m.Close()
		}
	}
}
