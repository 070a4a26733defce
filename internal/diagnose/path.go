package diagnose

import (
	"context"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/probe"
)

// flowsTime is how long a look at the kernel's connections may take, which
// outlives Ctrl-C.
const flowsTime = time.Second

// A PathResult is what following the way to a host has found.
type PathResult struct {
	Result
	Traced  time.Duration // from when the distance was known
	Detour  string        // why there is no way to follow, or ""
	Instead string        // what to type then, or ""
}

// Path follows the way to the target, as long as is wanted: a handshake says
// where to, and how far away that is. What this connection and the user's own
// show of how long packets may be, of marks and of loss, is taken along; only
// where it got stuck as long packets that vanish leave it, more are made. When
// ctx ends, what is known by then stands.
func Path(ctx context.Context, o Options, trace probe.TraceOptions) PathResult {
	start := time.Now()
	env, facts := o.env(), &fact.Set{Now: time.Now}
	r := PathResult{}
	limited, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	probe.Config.Run(limited, env, facts)
	_, refused := fact.ClientConfigError.Get(facts)
	if r.Detour, r.Instead = probe.Detour(env); !refused && r.Detour == "" {
		together(limited, env, facts, []probe.Probe{probe.Handshake, probe.MTU})
		probe.Hole.Run(limited, env, facts)
		env.Progress("")
		known := time.Now()
		probe.Trace(ctx, env, facts, trace)
		r.Traced = time.Since(known)
		last, end := context.WithTimeout(context.WithoutCancel(ctx), flowsTime)
		defer end()
		probe.Flows(last, env, facts)
	}
	r.Result = Result{Target: o.Target, Resolved: env.Resolved, Facts: facts, Connections: env.Budget.Spent(), At: start, Took: time.Since(start)}
	return r
}
