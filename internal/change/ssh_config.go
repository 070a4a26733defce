package change

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sshtay/internal/host"
	"sshtay/internal/remedy"
	"sshtay/internal/sshconf"
)

// SSHConfig sets options of ssh for one host, as the user types its name, and
// for no other. The machine is the one we run on, and the user whose file it is
// is ours. It fails when an option cannot be made effective.
func SSHConfig(ctx context.Context, m host.Host, request sshconf.ClientRequest, set []sshconf.Assignment) (Change, error) {
	c := Change{Kind: "ssh_config", Title: titleOf(set) + " for " + request.Host, Side: remedy.Client, Risk: remedy.Harmless}
	if request.Release == (sshconf.Release{}) {
		r, err := m.Run(ctx, host.Command{Argv: []string{"ssh", "-V"}})
		if err != nil {
			return c, fmt.Errorf("asking ssh for its release: %w", err)
		}
		request.Release, _ = sshconf.ParseRelease(string(r.Stderr))
	}
	env := sshconf.OS()
	env.ReadFile = reader(ctx, m)
	env.Exec = func(command string) (bool, error) { // as ssh itself does
		r, err := m.Run(ctx, host.Command{Argv: []string{"sh", "-c", command}})
		return err == nil && r.Exit == 0, err
	}
	before, err := sshconf.ResolveClient(env, request)
	if err != nil {
		return c, fmt.Errorf("ssh refuses its configuration as it is: %w", err)
	}
	r, err := m.Run(ctx, host.Command{Argv: sshG(request)})
	switch {
	case err != nil:
		return c, fmt.Errorf("asking ssh -G: %w", err)
	case r.Exit != 0:
		return c, fmt.Errorf("ssh -G says: %s", firstLine(r.Stderr))
	}
	if err := doubts(r.Stdout, &before.Resolved, set); err != nil {
		return c, err
	}
	e, err := sshconf.EditClient(env, request, set)
	if err != nil {
		return c, err
	}
	c.Notes = slices.Concat(e.Notes, e.Warnings)
	if c.Effects, err = effects(ctx, m, e); err != nil || len(c.Effects) == 0 {
		return c, err
	}
	c.Verify = proofs("ssh -G", words(sshG(plain(request, set))...), e.Placed)
	return c, nil
}

// plain is a request without the options of its command line that are to be
// set: the file must say them.
func plain(request sshconf.ClientRequest, set []sshconf.Assignment) sshconf.ClientRequest {
	request.Options = request.Without(set)
	return request
}

// sshG is the command line that shows what ssh would do with a request.
func sshG(request sshconf.ClientRequest) []string {
	argv := []string{"ssh", "-G"}
	if request.Config != "" {
		argv = append(argv, "-F", request.Config)
	}
	for _, o := range request.Options {
		argv = append(argv, "-"+string(o.Flag))
		if !strings.ContainsRune("46CNTtnqvsM", rune(o.Flag)) {
			argv = append(argv, o.Value)
		}
	}
	return append(argv, "--", request.Host)
}
