package probe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/host"
	"sshtay/internal/sshwire"
	"sshtay/internal/visible"
)

// proxyHost is a machine on which a proxy can be run.
type proxyHost interface {
	Dialog(host.Command) (*host.Dialog, error)
	PassedConn(host.Command, time.Time) (*host.Dialog, error)
}

// proxyPatience is how long a proxy may take to end by itself once its
// connection is closed: its status and last words say why it failed.
const proxyPatience = 500 * time.Millisecond

// A proxyEnd is what a proxy left behind.
type proxyEnd struct {
	what   string // "the ProxyCommand", "the jump host"
	stderr string
	exit   int
	own    bool // it ended by itself: its status is its own
}

func (p *proxyEnd) put(facts *fact.Set) {
	if p.stderr != "" {
		fact.ProxyStderr.Put(facts, visible.Text(p.stderr, mostLines), p.what)
	}
	if p.own {
		fact.ProxyExit.Put(facts, p.exit, p.what)
	} else {
		fact.Miss(facts, "we had to end it", fact.ProxyExit)
	}
}

// says is the proxy's end in a sentence: its last line is the nearest to the
// cause.
func (p *proxyEnd) says() string {
	lines := strings.Split(strings.TrimSpace(p.stderr), "\n")
	last := strings.TrimSpace(lines[len(lines)-1])
	switch {
	case p.own && last != "":
		return fmt.Sprintf("%s ended with status %d: %s", p.what, p.exit, last)
	case p.own:
		return fmt.Sprintf("%s ended with status %d and printed nothing", p.what, p.exit)
	case last != "":
		return fmt.Sprintf("%s last printed: %s", p.what, last)
	}
	return p.what + " printed nothing"
}

// proxied reaches the server as ssh does with a ProxyCommand or ProxyJump. The
// proxy cannot ask the user: the login, which runs beside us, may have to.
func (a *attempt) proxied(ctx context.Context, env *Env) {
	argv, err := a.proxyArgs(env)
	machine, ok := env.Local.(proxyHost)
	switch {
	case err != nil:
		a.end(sshwire.ReasonProxyFailed, err.Error())
		return
	case argv == nil:
		a.unseen = "with ProxyCommand - only ssh's own caller has the connection"
		return
	case !ok:
		a.unseen = "no proxy can be run on this machine"
		return
	case !env.Budget.Take():
		a.unseen = noBudget
		return
	}
	command := host.Command{Argv: argv, Env: []string{"SSH_ASKPASS_REQUIRE=never"}, Limit: 64 << 10}
	var d *host.Dialog
	passed := a.via == viaCommand && env.value("proxyusefdpass") == "yes"
	if passed {
		d, err = machine.PassedConn(command, time.Now().Add(stageTime))
	} else {
		d, err = machine.Dialog(command)
	}
	if d == nil {
		a.end(sshwire.ReasonProxyFailed, "the proxy could not be started: "+err.Error())
		return
	}
	if err == nil {
		a.stage = stageConnect
		a.shake(ctx, env, d.Conn, stageTime)
	} else {
		a.end(sshwire.ReasonProxyFailed, err.Error())
	}
	a.endProxy(env, d, passed && err == nil)
}

// endProxy ends the proxy, and looks whether it was the one that failed. A
// connection that was passed to us is not the proxy's any more.
func (a *attempt) endProxy(env *Env, d *host.Dialog, passed bool) {
	r, own := d.End(proxyPatience)
	what := "the ProxyCommand"
	if a.via == viaJump {
		what = "the ssh to the jump host"
	}
	a.proxy = &proxyEnd{what: what, stderr: strings.ReplaceAll(string(r.Stderr), "\r\n", "\n"), exit: r.Exit, own: own}
	if a.greeted() || passed {
		return
	}
	// A connection to the proxy is none to the server, unless the proxy says
	// by its status that all went well.
	if !own || r.Exit != 0 {
		a.stage = stageNone
	}
	silent := a.shook == nil || a.shook.Received == 0
	broken := a.reason == sshwire.ReasonClosed || a.reason == sshwire.ReasonReset || a.reason == sshwire.ReasonProxyFailed
	switch {
	case silent && broken && env.Terminal && wantsUser(a.proxy.stderr):
		a.unseen = "the way to the server asks the user, which only the login does: " + visible.Line(a.proxy.says(), 200)
	case silent && broken && own && r.Exit != 0:
		a.end(sshwire.ReasonProxyFailed, a.proxy.says())
	default:
		a.detail += "; " + a.proxy.says()
	}
}

// wantsUser says whether an ssh on the way failed for want of an answer that
// a user could give.
func wantsUser(stderr string) bool {
	return strings.Contains(stderr, "Permission denied") || strings.Contains(stderr, "Host key verification failed")
}

// proxyArgs is the program to run, as ssh runs it; nil for standard input.
func (a *attempt) proxyArgs(env *Env) ([]string, error) {
	if !harmlessName(env.Resolved.Host) || !harmlessName(env.Resolved.User) {
		return nil, errors.New("the host's or the user's name holds a character that a shell takes for its own")
	}
	if a.via == viaJump {
		return jumpArgs(env), nil
	}
	text := env.value("proxycommand")
	if text == "-" {
		return nil, nil
	}
	command, err := expand(text, env)
	if err != nil {
		return nil, err
	}
	shell := os.Getenv("SHELL")
	if shell == "" {
		shell = "/bin/sh"
	}
	return []string{shell, "-c", "exec " + command}, nil
}

// harmlessName refuses what ssh itself refuses since 9.6, whatever version is
// here: these names go through a shell.
func harmlessName(s string) bool {
	return !strings.HasPrefix(s, "-") && !strings.ContainsAny(s, "'`\"$\\;&<>|(){}\n\r\t ") && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// expand replaces the tokens that ssh knows in a ProxyCommand.
func expand(command string, env *Env) (string, error) {
	given := strings.TrimPrefix(env.Target.Given, "ssh://")
	given = given[strings.LastIndex(given, "@")+1:]
	if !harmlessName(given) {
		return "", errors.New("the host's name holds a character that a shell takes for its own")
	}
	tokens := map[byte]string{'%': "%", 'h': env.Resolved.Host, 'n': given, 'p': strconv.Itoa(env.Resolved.Port), 'r': env.Resolved.User}
	var b strings.Builder
	for i := 0; i < len(command); i++ {
		if command[i] != '%' {
			b.WriteByte(command[i])
			continue
		}
		i++
		if i == len(command) {
			return "", errors.New("the ProxyCommand ends with a single %: write %% for a percent sign")
		}
		value, ok := tokens[command[i]]
		if !ok {
			return "", fmt.Errorf("the ProxyCommand holds %%%c, which ssh does not know there: it knows %%h %%n %%p %%r and %%%%", command[i])
		}
		b.WriteString(value)
	}
	return b.String(), nil
}

// jumpArgs is the ssh that ssh would start for a ProxyJump: to the last hop,
// by way of those before it, with the same configuration file and no other
// option. Ours asks nobody, and leaves no shared connection behind.
func jumpArgs(env *Env) []string {
	args := []string{"ssh", "-o", "BatchMode=yes", "-o", "ControlMaster=no"}
	if env.Target.ConfigFile != "" {
		args = append(args, "-F", env.Target.ConfigFile)
	}
	last := len(env.Resolved.Jumps) - 1
	user, name, port := splitHop(env.Resolved.Jumps[last])
	if user != "" {
		args = append(args, "-l", user)
	}
	if port != "" {
		args = append(args, "-p", port)
	}
	if last > 0 {
		args = append(args, "-J", strings.Join(env.Resolved.Jumps[:last], ","))
	}
	return append(args, "-W", fmt.Sprintf("[%s]:%d", env.Resolved.Host, env.Resolved.Port), "--", name)
}

// splitHop takes [user@]host[:port] or ssh://[user@]host[:port] apart.
func splitHop(hop string) (user, name, port string) {
	hop = strings.TrimSuffix(strings.TrimPrefix(hop, "ssh://"), "/")
	if i := strings.LastIndex(hop, "@"); i >= 0 {
		user, hop = hop[:i], hop[i+1:]
	}
	if rest, ok := strings.CutPrefix(hop, "["); ok {
		if name, after, ok := strings.Cut(rest, "]"); ok {
			return user, name, strings.TrimPrefix(after, ":")
		}
	}
	if i := strings.LastIndex(hop, ":"); i >= 0 && strings.Count(hop, ":") == 1 {
		return user, hop[:i], hop[i+1:]
	}
	return user, hop, ""
}
