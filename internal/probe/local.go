package probe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/host"
)

// localTime bounds the collector on this machine.
const localTime = 10 * time.Second

// Local reads this machine's own server side, with the same script that a
// login carries. Meanwhile it looks which connections the kernel resets, and
// why; longer than that only where the log tells that sshd hangs up on people.
var Local = Probe{Name: "local", Yields: slices.Concat(serverFacts, []fact.Any{fact.ServerResetsSeen}), Run: func(ctx context.Context, env *Env, facts *fact.Set) {
	watch, err := watchKernel(ctx, env)
	port := runLocal(ctx, env, facts)
	if err != nil {
		fact.Miss(facts, err.Error(), fact.ServerResetsSeen)
		return
	}
	patience := time.Duration(0)
	if recorded(facts) {
		env.Progress("waiting for a connection that the kernel resets")
		patience = lookOn
	}
	watch.end(ctx, facts, port, patience)
}}

// runLocal returns the port of this machine's sshd, or 0.
func runLocal(ctx context.Context, env *Env, facts *fact.Set) (port int) {
	env.Progress("reading this machine's sshd and resources")
	nonce := newNonce()
	ctx, cancel := context.WithTimeoutCause(ctx, localTime, fmt.Errorf("it did not end within %v", localTime))
	defer cancel()
	r, err := env.Local.Run(ctx, host.Command{Argv: []string{"sh", "-c", host.AnyShell(script(nonce))}})
	if err != nil && (errors.Is(err, host.ErrNotFound) || len(r.Stdout) == 0) {
		fact.Miss(facts, "this machine could not be read: "+err.Error(), serverFacts...)
		return 0
	}
	return putServer(facts, parseSections(string(r.Stdout), nonce).keep(env), "local")
}
