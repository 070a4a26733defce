package probe

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"strings"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/host"
	"sshtay/internal/visible"
)

// clientMachine puts facts about the machine that ssh runs on.
func clientMachine(ctx context.Context, env *Env, facts *fact.Set) {
	fact.ClientOS.Put(facts, runtime.GOOS, "this program")
	sshVersion(ctx, env, facts)
	kernelKeepalive(ctx, env, facts, fact.ClientTCPKeepaliveTime, "tcp_keepalive_time")
	kernelKeepalive(ctx, env, facts, fact.ClientTCPKeepaliveIntv, "tcp_keepalive_intvl")
	const name = "/proc/sys/net/ipv4/tcp_keepalive_probes"
	if n, err := readNumber(ctx, env.Local, name); err != nil {
		fact.Miss(facts, err.Error(), fact.ClientTCPKeepaliveNum)
	} else {
		fact.ClientTCPKeepaliveNum.Put(facts, n, name)
	}
}

// sshVersion asks ssh -V, which prints on standard error.
func sshVersion(ctx context.Context, env *Env, facts *fact.Set) {
	ctx, cancel := context.WithTimeout(ctx, configTime)
	defer cancel()
	r, err := env.Local.Run(ctx, host.Command{Argv: []string{"ssh", "-V"}, Limit: 1 << 10})
	line, _, _ := strings.Cut(strings.TrimSpace(string(r.Stderr)), "\n")
	switch {
	case errors.Is(err, host.ErrNotFound):
		fact.Miss(facts, "there is no ssh program here", fact.ClientSSHVersion)
	case err != nil:
		fact.Miss(facts, err.Error(), fact.ClientSSHVersion)
	case line == "":
		fact.Miss(facts, "ssh -V printed nothing", fact.ClientSSHVersion)
	default:
		fact.ClientSSHVersion.Put(facts, visible.Line(line, 200), "ssh -V")
	}
}

func kernelKeepalive(ctx context.Context, env *Env, facts *fact.Set, k fact.Key[time.Duration], file string) {
	name := "/proc/sys/net/ipv4/" + file
	n, err := readNumber(ctx, env.Local, name)
	if err != nil {
		fact.Miss(facts, err.Error(), k)
		return
	}
	k.Put(facts, time.Duration(n)*time.Second, name)
}

func readNumber(ctx context.Context, h host.Host, name string) (int, error) {
	data, err := h.ReadFile(ctx, name, 100)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(data)))
}

// controlTime bounds the question to a shared connection. Its ssh answers from
// memory; one that does not within this time hangs.
const controlTime = time.Second

// controlMaster asks the shared connection, where one is configured, whether it
// is alive. No configuration is read again: the path is known.
func controlMaster(ctx context.Context, env *Env, facts *fact.Set) {
	path := env.value("controlpath")
	switch {
	case env.Target.Local():
		return // it is about a host
	case env.Config == nil:
		fact.Miss(facts, "the configuration could not be resolved", fact.ControlMaster)
		return
	case path == "" || path == "none":
		fact.ControlMaster.Put(facts, "none", "ssh -G")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, controlTime)
	defer cancel()
	literal := strings.ReplaceAll(path, "%", "%%")
	r, err := env.Local.Run(ctx, host.Command{Limit: 4 << 10,
		Argv: []string{"ssh", "-F", "none", "-o", "ControlPath=" + literal, "-O", "check", "--", "master"}})
	said := string(r.Stderr)
	state := "dead"
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		state = "mute"
	case err != nil:
		fact.Miss(facts, err.Error(), fact.ControlMaster)
		return
	case r.Exit == 0:
		state = "alive"
	case strings.Contains(said, "No such file or directory"):
		state = "none"
	}
	fact.ControlMaster.Put(facts, state, "ssh -O check "+visible.Line(path, 200))
}
