package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"sshtay/internal/diagnose"
	"sshtay/internal/host"
	"sshtay/internal/remedy"
	"sshtay/internal/visible"
)

// thisMachine is how the machine we run on is called.
const thisMachine = "this machine"

// machine opens the machine of a side: this one, or the host, by one more login
// with the user's own ssh.
func (sh *shell) machine(ctx context.Context, side remedy.Side, o fixOptions) (fixSide, error) {
	if side == remedy.Client || o.target.Local() {
		return fixSide{name: thisMachine, machine: host.Local{}, root: os.Geteuid() == 0, end: func() {}}, nil
	}
	return sh.remote(ctx, o)
}

// remote logs in to the host, and becomes root there: at once where sudo asks
// nothing, else by sudo's own question where there is a terminal for it. Where
// nobody new gets in, a connection that the user's ssh holds open does: what is
// changed over it is still proven by a new one.
func (sh *shell) remote(ctx context.Context, o fixOptions) (fixSide, error) {
	login, shared := diagnose.LoginArgs(ctx, diagnose.Options{Target: o.target, Local: host.Local{}, Login: true, MaxConnections: 1, Timeout: o.timeout, Version: Version, Self: self()})
	s, err := sh.asRoot(ctx, o, login)
	if err != nil && shared != nil {
		if over, sharedErr := sh.asRoot(ctx, o, shared); sharedErr == nil {
			return over, nil
		}
	}
	return s, err
}

// asRoot logs in by one way, and once more by sudo where the account is not
// root.
func (sh *shell) asRoot(ctx context.Context, o fixOptions, ssh []string) (fixSide, error) {
	m, err := logIn(ctx, host.RemoteCommand{SSH: ssh, Wait: o.timeout})
	if err != nil {
		return fixSide{}, err
	}
	who, err := m.Run(ctx, host.Command{Argv: []string{"id", "-u"}})
	if err != nil {
		m.Close()
		return fixSide{}, err
	}
	s := fixSide{name: visible.Line(o.target.Given, 200), machine: m, root: strings.TrimSpace(string(who.Stdout)) == "0", end: func() { m.Close() }}
	if s.root {
		return s, nil
	}
	root, err := logIn(ctx, host.RemoteCommand{SSH: ssh, Sudo: true, Wait: o.timeout})
	if errors.Is(err, host.ErrNoSudo) && !o.dryRun && !o.script && sh.mayAsk() {
		fmt.Fprintf(sh.err, "sshtay: root is needed on %s, and sudo there may ask you for a password.\n", s.name)
		root, err = host.Local{}.AskingRemote(ctx, host.RemoteCommand{SSH: ssh, Wait: o.timeout + typing}, "[sudo] password for %p on "+strings.ReplaceAll(s.name, "%", "%%")+": ")
	}
	switch {
	case errors.Is(err, host.ErrNoSudo), errors.Is(err, host.ErrRefusedSudo):
		return s, nil
	case err != nil:
		m.Close()
		return fixSide{}, fmt.Errorf("the second login failed: %w", err)
	}
	m.Close()
	return fixSide{name: s.name, machine: root, root: true, end: func() { root.Close() }}, nil
}

// typing is how long somebody may take to type a password.
const typing = 2 * time.Minute

// mayAsk says whether there is somebody at a terminal who can be asked.
func (sh *shell) mayAsk() bool { return isTerminal(sh.in) && isTerminal(sh.err) && isTerminal(sh.out) }

// logIn logs in for work. A server that drops connections at random is asked
// three times at most.
func logIn(ctx context.Context, c host.RemoteCommand) (m *host.Remote, err error) {
	for range 3 {
		m, err = host.Local{}.Remote(ctx, c)
		if err == nil || !strings.Contains(err.Error(), "kex_exchange_identification") {
			break
		}
	}
	return m, err
}
