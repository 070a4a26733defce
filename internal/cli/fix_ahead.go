package cli

import (
	"context"
	"sync"

	"sshtay/internal/remedy"
)

// An advance is a login for work that is made while the check still goes on: from
// when the host has let the check's own login in, so that it is refused nothing
// twice.
type advance struct {
	once  sync.Once
	enter func() entered
	made  chan entered // nil until it is begun
}

// begin logs in, once.
func (a *advance) begin() {
	a.once.Do(func() {
		a.made = make(chan entered, 1)
		go func() { a.made <- a.enter() }()
	})
}

// take gives the login, once, if one was begun.
func (a *advance) take() (e entered, was bool) {
	if a == nil {
		return e, false
	}
	a.once.Do(func() {}) // from here on none is
	if a.made == nil {
		return e, false
	}
	e, was = <-a.made
	a.made = nil
	return e, was
}

// inAdvance has the check begin the login that the plan for the host takes. Drop
// ends one that nobody took.
func (o fixOptions) inAdvance(ctx context.Context) (check fixOptions, drop func()) {
	if o.target.Local() || o.side == string(remedy.Client) {
		return o, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	own := o // o changes below
	ways := sync.OnceValues(func() (login, shared []string) { return waysInto(ctx, own) })
	go ways() // ssh takes a moment to say
	o.ahead = &advance{enter: func() entered {
		login, shared := ways()
		return logInBy(ctx, own, login, shared)
	}}
	o.letIn = o.ahead.begin
	return o, func() {
		cancel()
		if e, was := o.ahead.take(); was && e.err == nil {
			e.m.Close()
		}
	}
}
