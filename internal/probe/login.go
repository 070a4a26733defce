package probe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/host"
	"sshtay/internal/sshlog"
	"sshtay/internal/visible"
)

// Login logs in once with the user's own ssh, and brings the server's side in
// the same round trip.
var Login = Probe{
	Name:   "login",
	Yields: loginYields,
	Run:    func(ctx context.Context, env *Env, facts *fact.Set) { login(ctx, env, facts, defaultLimits) },
}

var loginYields = append([]fact.Any{
	fact.LoginStage, fact.LoginReason, fact.LoginError, fact.LoginExit, fact.LoginAddress, fact.LoginHostKey, fact.LoginMethods, fact.LoginMethod, fact.LoginKeyAccepted,
	fact.LoginTime, fact.LoginAuthTime, fact.LoginRenewing, fact.LoginCutAfter, fact.SessionKind, fact.SessionNoise, fact.SessionShellTime, fact.SessionEnd,
}, serverFacts...)

// limits bound a login. Each time runs from the end of the one before.
type limits struct {
	connect time.Duration // for ssh to connect and see the banner
	login   time.Duration // from the start of ssh to a session
	asking  time.Duration // the same when the user may have to type
	answer  time.Duration // from the session to our script's first line
	collect time.Duration // from there to its last line
	linger  time.Duration // from there to the end of ssh
	foreign time.Duration // for an SSH banner, once the handshake has met something else than SSH
	noise   int           // bytes before our script's first line
	output  int           // bytes after it
}

var defaultLimits = limits{
	connect: 10 * time.Second,
	login:   20 * time.Second,
	asking:  2 * time.Minute,
	answer:  8 * time.Second,
	collect: 8 * time.Second,
	linger:  300 * time.Millisecond,
	foreign: time.Second,
	noise:   64 << 10,
	output:  1 << 20,
}

func login(ctx context.Context, env *Env, facts *fact.Set, lim limits) {
	if !env.Budget.Take() {
		fact.Miss(facts, "enough connections were made for now", loginYields...)
		return
	}
	env.Progress("logging in")
	a := logInOnce(ctx, env, lim, false)
	if a.commandTooLong() && env.Budget.Take() {
		a = logInOnce(ctx, env, lim, true)
	}
	switch {
	case errors.Is(a.err, host.ErrNotFound):
		env.Budget.GiveBack()
		fact.LoginStage.Put(facts, sshlog.None, "ssh")
		fact.LoginReason.Put(facts, "ssh-missing", "ssh")
		fact.Miss(facts, "there is no ssh program here", loginYields...)
		return
	case a.err != nil && a.cause == nil:
		fact.LoginStage.Put(facts, sshlog.None, "ssh")
		fact.LoginReason.Put(facts, "local-error", "ssh")
		fact.LoginError.Put(facts, visible.Line(a.err.Error(), 1000), "ssh")
		fact.Miss(facts, "ssh could not be run: "+a.err.Error(), loginYields...)
		return
	}
	a.report(facts, a.exit, a.cause)
	if env.Knock {
		fact.Miss(facts, "only the way in was looked at", serverFacts...)
		return
	}
	if out, ok := a.collected(); ok {
		putServer(facts, parseSections(out, a.nonce).keep(env), "login")
		if a.stayed != nil {
			env.Stay.Ended(a.stayed)
		}
		return
	}
	fact.Miss(facts, a.why(), serverFacts...)
}

// A loginRun is one run of ssh and how it ended.
type loginRun struct {
	*watch
	nonce string
	exit  int
	err   error
	cause error // why we cut it, nil when we did not

	stayed Entrance // into the session, where that goes on
}

// logInOnce runs ssh once. The script goes along in the command; or it is fed to
// a short command, and only after that command has said that it is ours: what
// an account runs in its place must not get our text to read.
func logInOnce(ctx context.Context, env *Env, lim limits, fed bool) loginRun {
	t := loginRun{nonce: newNonce()}
	ctx, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	t.watch = newWatch(lim, t.nonce, env.Terminal, cut)
	defer t.stop()
	defer env.NotSSH.Then(t.expectNoBanner)()
	defer env.Hole.Then(func() { cut(errHole) })()
	defer env.Marked.Then(func() { cut(errMarked) })()
	if env.Terminal && env.Asking != nil {
		t.asking = env.Asking
		defer env.Asking(false)
	}
	cmd := host.Command{
		Terminal: env.Terminal,
		Limit:    1, // the watch keeps what is needed
		Stdout:   (*watchOut)(t.watch), Stderr: (*watchErr)(t.watch),
	}
	command := host.AnyShell(env.text(t.nonce))
	t.onBegin = env.Running.Give
	if t.stay = env.Stay != nil && !fed; t.stay {
		command = host.AnyShell(staying(env.text(t.nonce), t.nonce))
	}
	if fed {
		command = fedCommand(t.nonce)
		feed := newFeed(env.text(t.nonce))
		defer feed.stop()
		t.onBegin, cmd.Stdin = func() { env.Running.Give(); feed.start() }, feed
	}
	cmd.Argv = append(loginArgs(env, lim), command)
	run := env.Local.Run
	if t.stay {
		run = func(ctx context.Context, c host.Command) (host.Result, error) { return t.runAndStay(ctx, c, env.Stay) }
	}
	r, err := run(ctx, cmd)
	t.finish()
	t.exit, t.err = r.Exit, err
	if ctx.Err() != nil {
		t.cause = context.Cause(ctx)
	}
	return t
}

// commandTooLong says whether the length of our command was too much: dropbear
// takes 9000 bytes, and ends the connection for one more; the old csh says that
// a word is too long.
func (t loginRun) commandTooLong() bool {
	if !t.begun.IsZero() || t.cause != nil || t.trace.Stage() != sshlog.Session {
		return false
	}
	said := strings.TrimSpace(string(t.out) + string(t.errs))
	return strings.HasPrefix(t.trace.Software, "dropbear") || said == "Word too long."
}

// loginArgs is the user's own ssh, kept from everything but one session that
// asks nothing unless it may. Ours come first: ssh takes the first value.
// LogLevel is not "-v", which ssh would pass on to the ssh of a jump host,
// whose lines could then be taken for its own.
func loginArgs(env *Env, lim limits) []string {
	args := []string{"ssh", "-T", "-x", "-a"}
	opt := func(name, value string) { args = append(args, "-o", name+"="+value) }
	opt("LogLevel", "DEBUG1")
	opt("ControlMaster", "no")
	opt("ControlPath", "none")
	opt("ClearAllForwardings", "yes")
	opt("PermitLocalCommand", "no")
	opt("Tunnel", "no")
	if !env.Terminal {
		opt("BatchMode", "yes")
	}
	if env.Knock {
		for _, o := range cheapKexFirst(env) {
			args = append(args, "-o", o)
		}
	}
	// Older versions refuse what they do not know, so these are given only
	// where ssh -G shows that this version knows them.
	for _, o := range []struct{ key, name, value string }{
		{"remotecommand", "RemoteCommand", "none"},
		{"sessiontype", "SessionType", "default"},
		{"forkafterauthentication", "ForkAfterAuthentication", "no"},
		{"updatehostkeys", "UpdateHostKeys", "no"},
	} {
		if env.value(o.key) != "" {
			opt(o.name, o.value)
		}
	}
	most := int(lim.connect / time.Second)
	if own, err := strconv.Atoi(env.value("connecttimeout")); err != nil || own == 0 || own > most {
		opt("ConnectTimeout", strconv.Itoa(most))
	}
	return append(append(args, env.Target.SSHArgs()...), "--", env.Target.Given)
}

// LoginArgs is the same for a command of our caller's, which is to be put behind
// it: ssh itself prints errors only.
func LoginArgs(env *Env) []string {
	args := loginArgs(env, defaultLimits)
	args[slices.Index(args, "LogLevel=DEBUG1")] = "LogLevel=ERROR"
	return args
}

// report turns what was seen of the login into facts.
func (w *watch) report(facts *fact.Set, exit int, cause error) {
	const source = "ssh -v"
	t := &w.trace
	fact.LoginStage.Put(facts, t.Stage(), source)
	for k, said := range map[fact.Key[string]]string{fact.LoginAddress: t.Address, fact.LoginHostKey: t.HostKey} {
		if said != "" {
			k.Put(facts, visible.Line(said, 200), source)
		}
	}
	if t.Methods != nil {
		fact.LoginMethods.Put(facts, t.Methods, source)
	}
	if t.Method != "" {
		fact.LoginMethod.Put(facts, visible.Line(t.Method, 100), source)
	}
	if t.Methods != nil {
		fact.LoginKeyAccepted.Put(facts, t.Taken, source)
	}
	switch {
	case w.stay && w.ended:
		fact.Miss(facts, "the session was kept, to work in it", fact.LoginExit)
	case cause == nil:
		fact.LoginExit.Put(facts, exit, "ssh")
	}
	put := func(k fact.Key[time.Duration], from, to time.Time) {
		if !from.IsZero() && !to.IsZero() {
			k.Put(facts, to.Sub(from), "ssh -v")
		}
	}
	put(fact.LoginAuthTime, w.at[sshlog.Kex], w.at[sshlog.Auth])
	put(fact.LoginTime, w.start, w.at[sshlog.Session])
	put(fact.SessionShellTime, w.at[sshlog.Session], w.begun)

	reason := w.reason(exit, cause)
	if t.Stage() == sshlog.Kex && (reason == "closed" || reason == "reset") {
		put(fact.LoginCutAfter, w.at[sshlog.Connect], time.Now())
	}
	if reason != "" {
		fact.LoginReason.Put(facts, reason, source)
	}
	said := w.said(reason, exit)
	if errors.Is(cause, errHole) || errors.Is(cause, errMarked) {
		said = "ssh was ended by sshtay: " + cause.Error()
	}
	if said != "" {
		fact.LoginError.Put(facts, visible.Line(said, 1000), source)
	}
	if sshlog.Reached(w.trace.Stage(), sshlog.Auth) {
		fact.LoginRenewing.Put(facts, w.trace.Renewals > w.trace.Renewed, "ssh -v")
	} else {
		fact.Miss(facts, "the login did not come so far", fact.LoginRenewing)
	}
	w.reportSession(facts, exit, cause)
}

// reason is the word of the closed list for how the login ended, or "" when
// our script ran.
func (w *watch) reason(exit int, cause error) string {
	t := &w.trace
	switch {
	case !w.begun.IsZero() && !w.ended && t.Reason() == "bad-packet":
		return t.Reason() // our command ran, and what it printed came altered
	case !w.begun.IsZero():
		return ""
	case errors.Is(cause, errNotSSH) && t.Reason() == "":
		return "not-ssh"
	case errors.Is(cause, errEndless):
		return "endless-output"
	case errors.Is(cause, errNoAnswer), errors.Is(cause, errMarked) && t.Stage() == sshlog.Session:
		return "no-answer"
	case (errors.Is(cause, errHole) || errors.Is(cause, errMarked) || errors.Is(cause, errNoLogin) || errors.Is(cause, context.DeadlineExceeded)) && t.Reason() == "":
		return "timed-out"
	case cause != nil && t.Reason() == "":
		return "cancelled"
	case t.Reason() == "permission-denied" && !w.terminal && asks(t.Methods):
		return "needs-terminal"
	case t.Reason() != "":
		return t.Reason()
	case t.Stage() == sshlog.Session:
		return "other-command"
	case t.Stage() == sshlog.None:
		return "local-error"
	}
	return "closed"
}

// asks says whether the server would have let the user type something.
func asks(methods []string) bool {
	return slices.ContainsFunc(methods, func(m string) bool { return m == "password" || m == "keyboard-interactive" })
}

// said is what ssh printed about the failure; where it printed nothing that is
// known, the last line that it did print.
func (w *watch) said(reason string, exit int) string {
	switch {
	case reason == "":
		return ""
	case w.trace.Stage() == sshlog.Kex && reason == "closed" && w.words != "":
		// PAM turns an account away in a line of its own, just before the end.
		return strings.TrimSuffix(w.words+"; "+w.trace.Error(), "; ")
	case w.trace.Error() != "":
		return w.trace.Error()
	case reason == "not-ssh":
		return errNotSSH.Error()
	case w.last != "" && w.trace.Stage() != sshlog.Session:
		return w.last
	case reason == "local-error":
		return fmt.Sprintf("ssh ended with status %d and said nothing", exit)
	}
	return ""
}
