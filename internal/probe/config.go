package probe

import (
	"context"
	"errors"
	"fmt"
	"os/user"
	"strconv"
	"strings"
	"sync"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/host"
	"sshtay/internal/sshconf"
	"sshtay/internal/target"
	"sshtay/internal/visible"
)

// configTime bounds ssh -G: it runs the commands of "Match exec" and may ask
// the name service.
const configTime = 5 * time.Second

// Config asks the user's own ssh what it would do for this target, and sets
// Env.Config and Env.Resolved. Other probes need these, so it runs first.
var Config = Probe{
	Name: "config",
	Yields: append([]fact.Any{
		fact.ClientOS, fact.ClientSSHVersion, fact.ClientConfigError, fact.ClientConfigTime, fact.ControlMaster, fact.ControlPathError, fact.ForwardsTaken, fact.RemoteForwards,
		fact.ClientTCPKeepaliveTime, fact.ClientTCPKeepaliveIntv, fact.ClientTCPKeepaliveNum,
	}, clientOptionFacts()...),
	Run: runConfig,
}

func runConfig(ctx context.Context, env *Env, facts *fact.Set) {
	env.Progress("reading the configuration of ssh")
	var dump host.Result
	var err error
	var both sync.WaitGroup
	both.Go(func() { dump, err = askSSH(ctx, env) })
	clientMachine(ctx, env, facts)
	env.checksums = checksumErrors(ctx, env)
	both.Wait()

	if err == nil || errors.Is(err, errConfigTime) {
		fact.ClientConfigTime.Put(facts, dump.Took, "ssh -G")
	}
	env.Resolved = plain(env.Target)
	ours := ownReading(ctx, env, facts)
	switch {
	case err == nil && dump.Exit == 0:
		putDump(env, facts, dump.Stdout, ours)
	case err == nil:
		reason := configError(string(dump.Stderr))
		fact.ClientConfigError.Put(facts, reason, "ssh -G")
		fact.Miss(facts, "ssh refuses its configuration: "+reason, clientOptionFacts()...)
	case ours == nil:
		fact.Miss(facts, whyNot(err), clientOptionFacts()...)
	default:
		putFiles(env, facts, ours, whyNot(err))
	}
	env.flows = watchFlows(ctx, env.Resolved.Port)
	controlMaster(ctx, env, facts)
	controlSocket(ctx, env, facts)
	forwards(ctx, env, facts)
}

// askSSH runs ssh -G.
func askSSH(ctx context.Context, env *Env) (host.Result, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, configTime, errConfigTime)
	defer cancel()
	r, err := env.Local.Run(ctx, host.Command{Argv: configArgs(env.Target)})
	env.keep("client/ssh-G", string(r.Stdout)+string(r.Stderr))
	return r, err
}

var errConfigTime = fmt.Errorf("ssh -G did not end within %v", configTime)

func whyNot(err error) string {
	if errors.Is(err, host.ErrNotFound) {
		return "there is no ssh program here"
	}
	if errors.Is(err, errConfigTime) {
		return errConfigTime.Error()
	}
	return err.Error()
}

// putDump takes the values from ssh -G, the authority, and their places from
// our own reading of the same files.
func putDump(env *Env, facts *fact.Set, out []byte, ours *sshconf.Client) {
	env.Config = parseDump(out)
	if !env.Target.Local() {
		env.Resolved = resolved(env)
	}
	source := func(string) string { return "ssh -G" }
	if dump, err := sshconf.ParseDump(out); err == nil && ours != nil {
		explained := sshconf.Explain(dump, &ours.Resolved)
		source = func(option string) string {
			if where := origin(explained.Setting(option), shortPath); where != "" {
				return "ssh -G; " + where
			}
			return "ssh -G"
		}
	}
	putClientOptions(env, facts, source)
}

// putFiles takes what our own reading says, where ssh itself cannot be asked.
func putFiles(env *Env, facts *fact.Set, ours *sshconf.Client, why string) {
	env.Config = parseDump(ours.Dump())
	if !env.Target.Local() {
		env.Resolved = resolved(env)
	}
	putClientOptions(env, facts, func(option string) string {
		return "the files alone, because " + why + "; " + origin(ours.Setting(option), shortPath)
	})
}

// anyHost stands for the target when there is none: it matches "Host *" only,
// and is never looked up.
const anyHost = "any-host.invalid"

func configArgs(t target.Target) []string {
	args := append([]string{"ssh", "-G"}, t.SSHArgs()...)
	if t.Local() {
		return append(args, "-o", "CanonicalizeHostname=no", "--", anyHost)
	}
	return append(args, "--", t.Given)
}

// parseDump reads what ssh -G or sshd -T prints; keywords become lower case.
func parseDump(out []byte) map[string][]string {
	values := map[string][]string{}
	if dump, err := sshconf.ParseDump(out); err == nil {
		for _, key := range dump.Keys() {
			values[key] = dump.Values(key)
		}
	}
	return values
}

// resolved is where the effective configuration leads.
func resolved(env *Env) target.Resolved {
	to := target.Resolved{User: env.value("user"), Host: env.value("hostname"), Jumps: []string{}}
	to.Port, _ = strconv.Atoi(env.value("port"))
	if jumps := env.value("proxyjump"); jumps != "" && jumps != "none" {
		to.Jumps = strings.Split(jumps, ",")
	}
	return to
}

// plain is where a target leads when no configuration can be had.
func plain(t target.Target) target.Resolved {
	to := target.Resolved{User: t.User, Host: "localhost", Port: 22, Jumps: []string{}}
	if t.Port != 0 {
		to.Port = t.Port
	}
	if t.Jump != "" && t.Jump != "none" {
		to.Jumps = strings.Split(t.Jump, ",")
	}
	if !t.Local() {
		to.Host = strings.TrimPrefix(t.Given, "ssh://")
		if i := strings.LastIndex(to.Host, "@"); i >= 0 {
			to.User, to.Host = to.Host[:i], to.Host[i+1:]
		}
		if h, port, ok := strings.Cut(to.Host, ":"); ok && strings.HasPrefix(t.Given, "ssh://") {
			if n, err := strconv.Atoi(port); err == nil && n > 0 && n < 65536 {
				to.Host, to.Port = h, n
			}
		}
	}
	if to.User == "" {
		if me, err := user.Current(); err == nil {
			to.User = me.Username
		}
	}
	return to
}

// configError picks from what ssh printed the lines that say what is wrong,
// the first of which names the file and the line.
func configError(stderr string) string {
	var lines []string
	for line := range strings.Lines(stderr) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "Pseudo-terminal") {
			continue
		}
		if lines = append(lines, line); len(lines) == 5 {
			break
		}
	}
	switch {
	case len(lines) == 0:
		return "it does not say why"
	case strings.HasPrefix(lines[0], "usage: ssh"):
		return "it does not understand its command line, and prints how it is used"
	}
	return visible.Line(strings.Join(lines, "; "), 1000)
}
