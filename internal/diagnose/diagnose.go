// Package diagnose is the main job in one page: observe what the causes need,
// judge it, rank it. It is the only place where observing and judging meet.
package diagnose

import (
	"context"
	"slices"
	"time"

	"sshtay/internal/cause"
	"sshtay/internal/fact"
	"sshtay/internal/host"
	"sshtay/internal/probe"
	"sshtay/internal/target"
)

// Options say what to diagnose and what may be spent on it.
type Options struct {
	Target         target.Target
	Local          host.Host               // the machine we run on
	Login          bool                    // log in with the user's own ssh
	Terminal       bool                    // ssh may ask the user for a password
	MaxConnections int                     // unauthenticated connections to the host
	Timeout        time.Duration           // for everything but silence
	Idle           probe.IdleRun           // how silent connections shall be; the zero value asks for none
	Version        string                  // ours
	Self           string                  // path of our own program; "" when unknown
	Progress       func(string)            // told what is being done; may be nil
	Keep           func(name, text string) // told of everything that was read; may be nil
	Asking         func(bool)              // told when ssh may begin to ask the user, and when that is over; may be nil
	Stay           *Stay                   // takes over the login's session; nil: it ends
}

// A Stay is as [probe.Stay]; with the end comes what is known by then.
type Stay struct {
	Begun func(*host.Remote)
	Ended func(probe.Entrance, Result)
}

// A Result is what one run found.
type Result struct {
	Target      target.Target
	Resolved    target.Resolved
	Facts       *fact.Set
	Judgements  []cause.Judgement // findings first, worst first
	Connections int
	At          time.Time
	Took        time.Duration
}

// Run observes and judges. It always returns a result: what could not be
// observed stays open in the facts, with its reason.
func Run(ctx context.Context, o Options) Result {
	start := time.Now()
	facts := &fact.Set{Now: time.Now}
	env := o.env()
	if o.Stay != nil {
		env.Stay = &probe.Stay{Begun: o.Stay.Begun, Ended: func(in probe.Entrance) {
			o.Stay.Ended(in, Result{Target: o.Target, Resolved: env.Resolved, Facts: facts})
		}}
	}
	ctx, cancel := context.WithTimeout(ctx, o.limit())
	defer cancel()
	for _, step := range plan(o) {
		if refused, is := fact.ClientConfigError.Get(facts); is && !o.Target.Local() {
			leaveOut(facts, step, "ssh refuses its configuration: "+refused)
			continue
		}
		together(ctx, env, facts, wanted(step))
	}
	return Result{
		Target: o.Target, Resolved: env.Resolved, Facts: facts, Judgements: cause.JudgeAll(facts),
		Connections: env.Budget.Spent(), At: start, Took: time.Since(start),
	}
}

// Door sees how far a new connection to the target gets, by a handshake and a
// login side by side, and judges nothing.
func Door(ctx context.Context, o Options) Result {
	start := time.Now()
	env, facts := o.env(), &fact.Set{Now: time.Now}
	env.Knock = true
	ctx, cancel := context.WithTimeout(ctx, o.limit())
	defer cancel()
	probe.Config.Run(ctx, env, facts)
	together(ctx, env, facts, []probe.Probe{probe.Handshake, probe.Login})
	return Result{Target: o.Target, Resolved: env.Resolved, Facts: facts, Connections: env.Budget.Spent(), At: start, Took: time.Since(start)}
}

// LoginArgs is the user's own ssh for one command on the target, which is to be
// put behind it: by a login of its own, and over the connection that ssh holds
// open (ControlMaster), which is nil where there is none.
func LoginArgs(ctx context.Context, o Options) (login, shared []string) {
	env, facts := o.env(), &fact.Set{Now: time.Now}
	probe.Config.Run(ctx, env, facts)
	return probe.LoginArgs(env), probe.SharedArgs(env, facts)
}

// env is what the probes share.
func (o Options) env() *probe.Env {
	env := &probe.Env{
		Target: o.Target, Local: o.Local, Budget: probe.NewBudget(o.MaxConnections),
		Timeout: o.Timeout, Idle: o.Idle, Terminal: o.Terminal, Version: o.Version, Self: o.Self, Progress: o.Progress, Keep: o.Keep, Asking: o.Asking,
		Login: o.Login, NotSSH: probe.NewNotice(), Running: probe.NewNotice(), Hole: probe.NewNotice(), Marked: probe.NewNotice(), Shaking: &probe.Shaking{}, Shaken: probe.NewNotice(),
	}
	if env.Progress == nil {
		env.Progress = func(string) {}
	}
	return env
}

// typing is what a user at a terminal gets on top of the timeout, to answer
// what ssh asks.
const typing = 2 * time.Minute

func (o Options) limit() time.Duration {
	limit := o.Timeout
	if o.Login && o.Terminal {
		limit += typing
	}
	return limit + o.Idle.Limit()
}

// plan lists the probes in steps: those of one step run side by side, and know
// what the steps before have found.
func plan(o Options) [][]probe.Probe {
	switch {
	case o.Target.Local():
		return [][]probe.Probe{{probe.Config, probe.Local, probe.History}}
	case o.Login:
		return [][]probe.Probe{{probe.Config}, {probe.Watch}, {probe.Handshake, probe.Login, probe.MTU, probe.Hops}, {probe.Again, probe.Own, probe.Here, probe.Hole}, {probe.Twins}, {probe.Shared}, {probe.Flow}, {probe.Renewing}, {probe.Reset}, {probe.Corruption}, {probe.Rekey}, {probe.Marking}, {probe.Idle}}
	}
	return [][]probe.Probe{{probe.Config}, {probe.Watch}, {probe.Handshake, probe.MTU, probe.Hops}, {probe.Again, probe.Own, probe.Here, probe.Hole}, {probe.Flow}, {probe.Reset}, {probe.Idle}}
}

// wanted keeps the probes that answer a question some cause asks, or the
// report itself: it tells the machine's history.
func wanted(probes []probe.Probe) []probe.Probe {
	asked := map[string]bool{fact.LogHistory.Name(): true}
	for _, c := range cause.All() {
		for _, k := range c.Needs {
			asked[k.Name()] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(probes), func(p probe.Probe) bool {
		return !slices.ContainsFunc(p.Yields, func(k fact.Any) bool { return asked[k.Name()] })
	})
}

// overrun is how long after the time for everything a probe may take to end what
// it started. One that takes longer is left behind: whatever hangs, a check ends.
const overrun = 5 * time.Second

// together runs probes side by side and waits for all.
func together(ctx context.Context, env *probe.Env, facts *fact.Set, probes []probe.Probe) {
	others := make(chan struct{})
	var working, watching []running
	for _, p := range probes {
		r := running{p, make(chan struct{})}
		if p.Watch != nil {
			watching = append(watching, r)
			go func() { defer close(r.ended); p.Watch(ctx, env, facts, others) }()
		} else {
			working = append(working, r)
			go func() { defer close(r.ended); p.Run(ctx, env, facts) }()
		}
	}
	await(ctx, facts, working)
	close(others)
	await(ctx, facts, watching)
}

// A running probe is at work until ended is closed.
type running struct {
	probe.Probe
	ended chan struct{}
}

// await waits until all have ended, or are left behind.
func await(ctx context.Context, facts *fact.Set, all []running) {
	late := make(chan struct{})
	defer context.AfterFunc(ctx, func() { time.AfterFunc(overrun, func() { close(late) }) })()
	for _, r := range all {
		select {
		case <-r.ended:
		case <-late:
			fact.Miss(facts, leftBehind, r.Yields...)
		}
	}
}

// leftBehind is why the questions of such a probe stay open.
const leftBehind = "it did not end in time, and was left behind"

// leaveOut says why probes were not run.
func leaveOut(facts *fact.Set, probes []probe.Probe, reason string) {
	for _, p := range probes {
		fact.Miss(facts, reason, p.Yields...)
	}
}
