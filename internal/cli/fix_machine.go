package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"sshtay/internal/diagnose"
	"sshtay/internal/host"
	"sshtay/internal/remedy"
	"sshtay/internal/visible"
)

// thisMachine is how the machine we run on is called.
const thisMachine = "this machine"

// machine opens the machine of a side: this one, or the host, by the user's own
// ssh.
func (sh *shell) machine(ctx context.Context, side remedy.Side, o fixOptions) (fixSide, error) {
	if side == remedy.Client || o.target.Local() {
		return fixSide{name: thisMachine, machine: host.Local{}, asked: host.Once(host.Local{}), root: os.Geteuid() == 0, end: func() {}}, nil
	}
	return sh.remote(ctx, o)
}

// remote logs in to the host, unless the check's own login goes on, and becomes
// root there: at once where sudo asks nothing, else by sudo's own question where
// there is a terminal for it.
func (sh *shell) remote(ctx context.Context, o fixOptions) (fixSide, error) {
	e, was := o.ahead.take()
	if was && o.through != nil { // it would be stuck as soon as much is sent
		e.m.Close()
		was = false
	}
	if !was {
		o.terminal = sh.mayAsk()
		e = logInto(ctx, o)
	}
	if e.err != nil {
		return fixSide{}, e.err
	}
	s := fixSide{name: visible.Line(o.target.Given, 200), machine: e.m, asked: e.asked, root: e.m.Root(), end: func() { e.m.Close() }}
	if s.root || o.dryRun || o.script || !sh.mayAsk() {
		return s, nil
	}
	fmt.Fprintf(sh.err, "sshtay: root is needed on %s, and sudo there may ask you for a password.\n", s.name)
	ctx, cancel := context.WithTimeout(ctx, o.timeout+typing)
	defer cancel()
	if e.by == nil {
		e.by, _ = waysInto(ctx, o)
	}
	err := host.Local{}.BecomeRoot(ctx, e.m, e.by, "[sudo] password for %p on "+strings.ReplaceAll(s.name, "%", "%%")+": ")
	if err != nil && !errors.Is(err, host.ErrRefusedSudo) {
		s.end()
		return fixSide{}, fmt.Errorf("the second login failed: %w", err)
	}
	s.root, s.asked = e.m.Root(), host.Once(e.m) // root sees more
	return s, nil
}

// entered is a login for work, and how it was made.
type entered struct {
	m     *host.Remote
	asked host.Host // the same, asked nothing twice
	by    []string  // ssh as it was run; nil when it was the check's
	err   error
}

// logInto logs in to the host. Where nobody new gets in, a connection that the
// user's ssh holds open does: what is changed over it is still proven by a new
// one.
func logInto(ctx context.Context, o fixOptions) entered {
	login, shared := waysInto(ctx, o)
	wait := o.timeout
	if o.terminal {
		wait += typing
	}
	e := logIn(ctx, host.RemoteCommand{SSH: login, Sudo: true, Terminal: o.terminal, Wait: wait})
	if e.err != nil && shared != nil {
		if over := logIn(ctx, host.RemoteCommand{SSH: shared, Sudo: true, Wait: o.timeout}); over.err == nil {
			return over
		}
	}
	return e
}

// waysInto are the user's own ssh, by a login and over a connection that it holds
// open; the login through the hole for long packets, where the check found one.
func waysInto(ctx context.Context, o fixOptions) (login, shared []string) {
	login, shared = diagnose.LoginArgs(ctx, diagnose.Options{Target: o.target, Local: host.Local{}, Login: true, Terminal: o.terminal, MaxConnections: 1, Timeout: o.timeout, Version: Version, Self: self()})
	return slices.Insert(login, 1, o.through...), shared
}

// typing is how long somebody may take to type a password.
const typing = 2 * time.Minute

// mayAsk says whether there is somebody at a terminal who can be asked.
func (sh *shell) mayAsk() bool { return isTerminal(sh.in) && isTerminal(sh.err) && isTerminal(sh.out) }

// logIn logs in for work. A server that drops connections at random is asked
// three times at most.
func logIn(ctx context.Context, c host.RemoteCommand) entered {
	e := entered{by: c.SSH}
	for range 3 {
		e.m, e.err = host.Local{}.Remote(ctx, c)
		e.asked = host.Once(e.m)
		if e.err == nil || !strings.Contains(e.err.Error(), "kex_exchange_identification") {
			break
		}
	}
	return e
}
