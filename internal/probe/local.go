package probe

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/host"
)

// localTime bounds the collector on this machine.
const localTime = 10 * time.Second

// Local reads this machine's own server side, with the same script that a
// login carries.
var Local = Probe{Name: "local", Yields: serverFacts, Run: runLocal}

func runLocal(ctx context.Context, env *Env, facts *fact.Set) {
	env.Progress("reading this machine's sshd and resources")
	nonce := newNonce()
	ctx, cancel := context.WithTimeoutCause(ctx, localTime, fmt.Errorf("it did not end within %v", localTime))
	defer cancel()
	r, err := env.Local.Run(ctx, host.Command{Argv: []string{"sh", "-c", remoteCommand(script(nonce))}})
	if err != nil && (errors.Is(err, host.ErrNotFound) || len(r.Stdout) == 0) {
		fact.Miss(facts, "this machine could not be read: "+err.Error(), serverFacts...)
		return
	}
	putServer(facts, parseSections(string(r.Stdout), nonce).keep(env), "local")
}
