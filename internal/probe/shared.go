package probe

import (
	"context"
	"strings"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/host"
)

// Shared reads the server's side over a connection that the user's ssh still
// holds open (ControlMaster), when no login of our own could bring it: who is
// still logged in elsewhere can say why nobody new gets in.
var Shared = Probe{
	Name:   "shared connection",
	Yields: serverFacts,
	Run:    shared,
}

// viaShared is what [fact.ServerVia] says then.
const viaShared = "shared connection"

func shared(ctx context.Context, env *Env, facts *fact.Set) {
	_, seen := fact.ServerVia.Get(facts)
	master, _ := fact.ControlMaster.Get(facts)
	if seen || master != "alive" {
		return
	}
	env.Progress("asking over the shared connection")
	ctx, cancel := context.WithTimeout(ctx, defaultLimits.answer+defaultLimits.collect)
	defer cancel()
	nonce := newNonce()
	r, err := overShared(ctx, env, host.AnyShell(script(nonce)))
	out := string(r.Stdout)
	begin := strings.Index(out, beginMark(nonce))
	if err != nil || begin < 0 {
		return // the login's reasons stand
	}
	putServer(facts, parseSections(out[begin:], nonce).keep(env), viaShared)
}

// overShared runs a command on the server over the shared connection.
func overShared(ctx context.Context, env *Env, command string) (host.Result, error) {
	return env.Local.Run(ctx, host.Command{Grace: 100 * time.Millisecond, Limit: defaultLimits.noise + defaultLimits.output, Argv: append(sharedArgs(env), command)})
}

// sharedArgs is ssh for one command over the shared connection, which is to be
// put behind it. Should that be gone by now, the proxy that fails keeps ssh
// from making another.
func sharedArgs(env *Env) []string {
	path := strings.ReplaceAll(env.value("controlpath"), "%", "%%")
	return []string{
		"ssh", "-F", "none", "-T", "-o", "ControlMaster=no", "-o", "ControlPath=" + path, "-o", "ProxyCommand=false", "-o", "BatchMode=yes",
		"--", "master"}
}

// SharedArgs is the same for a command of our caller's, and nil where no shared
// connection is open.
func SharedArgs(env *Env, facts *fact.Set) []string {
	if master, _ := fact.ControlMaster.Get(facts); master != "alive" {
		return nil
	}
	return sharedArgs(env)
}
