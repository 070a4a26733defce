package change

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sshtay/internal/host"
	"sshtay/internal/remedy"
	"sshtay/internal/sshconf"
)

// SSHDConfig sets options of the sshd of a machine for everybody. Request says
// whose connection must see them: what of it is empty is found out, such as the
// file and the options that the listener was started with. With matched, a
// Match block that says otherwise for that connection is edited too; else it
// stays, and a note tells so. It fails when an option cannot be made effective.
func SSHDConfig(ctx context.Context, m host.Host, request sshconf.ServerRequest, set []sshconf.Assignment, matched bool) (Change, error) {
	c := Change{Kind: "sshd_config", Title: titleOf(set) + " for everybody", Side: remedy.Server, Risk: riskOf(set), Root: true}
	// What is nearly always read is looked at while sshd is being looked for.
	read, list := glance(ctx, m, cmp.Or(request.Config, sshconf.ServerConfig))
	s, err := findSSHD(ctx, m, request.Config)
	if err != nil {
		return c, err
	}
	request.Config = s.config
	if request.Options == nil {
		request.Options = s.options
	}
	if request.Release == (sshconf.Release{}) {
		request.Release = s.release
	}
	s.options = request.Options
	env := &sshconf.Env{ReadFile: read, Glob: sshconf.GlobOf(list), Groups: groups(ctx, m)}
	asStranger := request
	if c, err := sshconf.ParseConnection(specOf(request.Connection)); err == nil {
		asStranger.Connection = &c // sshd -T wants every field
	}
	before, err := sshconf.ResolveServer(env, asStranger)
	if err != nil {
		return c, unreadable(s, "sshd refuses its configuration as it is: %w", err)
	}
	agreed := early(func() agreement { return s.agrees(ctx, m, before, request, set) })
	e, err := sshconf.EditServer(env, request, set, matched)
	if err == nil {
		c.Effects, err = effects(ctx, m, e)
	} else {
		err = unreadable(s, "%w", err)
	}
	if a := agreed(); a.err != nil {
		return c, a.err
	} else if a.note != "" {
		c.Notes = append(c.Notes, a.note)
	}
	if err != nil {
		return c, err
	}
	if len(c.Effects) == 0 {
		c.Notes = append(c.Notes, slices.Concat(e.Notes, e.Warnings)...)
		return c, err
	}
	c.Notes = append(c.Notes, slices.Concat(e.Notes, e.Warnings, s.notes(set))...)
	if why := s.cuts(); why != "" {
		return c, errors.New(why)
	}
	c.Services = []Service{s.service(ports(before))}
	c.Verify = proofs("sshd -T", s.command("-T", "-C", s.spec(env, request, e)), e.Placed)
	return c, nil
}

// glance begins to read a configuration of sshd, and the folders around it.
func glance(ctx context.Context, m host.Host, config string) (read func(string, int64) ([]byte, error), list func(string) []string) {
	return reader(ctx, m, config, sshconf.ServerConfig+".d/*"), lister(ctx, m, "/", "/etc", "/etc/ssh", "/etc/ssh/sshd_config.d")
}

// unreadable adds the way out where only root may read.
func unreadable(s *sshd, format string, err error) error {
	err = fmt.Errorf(format, err)
	if !s.root && strings.Contains(err.Error(), "permission denied") {
		err = fmt.Errorf("%w: only root may read it; run this as root, or with --sudo", err)
	}
	return err
}

// groups asks the machine for the groups of a user.
func groups(ctx context.Context, m host.Host) func(string) ([]string, bool) {
	return func(user string) ([]string, bool) {
		r, err := m.Run(ctx, host.Command{Argv: []string{"id", "-Gn", "--", user}})
		return strings.Fields(string(r.Stdout)), err == nil && r.Exit == 0
	}
}

// An agreement of sshd with what we read in its files has a note where sshd would
// not say, and an error where it says something else of the options to set.
type agreement struct {
	note string
	err  error
}

// agrees asks sshd itself what is effective now.
func (s *sshd) agrees(ctx context.Context, m host.Host, ours *sshconf.Server, request sshconf.ServerRequest, set []sshconf.Assignment) agreement {
	r, err := s.effective(ctx, m, request)
	switch {
	case err != nil:
		return agreement{err: err}
	case r.Exit != 0 && !s.root:
		return agreement{note: "sshd -T could not be asked what is effective: it needs root"}
	case r.Exit != 0:
		return agreement{note: "sshd -T says: " + firstLine(r.Stderr)}
	}
	return agreement{err: doubts(r.Stdout, &ours.Resolved, set)}
}

// effective is sshd's own word of what holds for the connection.
func (s *sshd) effective(ctx context.Context, m host.Host, request sshconf.ServerRequest) (host.Result, error) {
	return m.Run(ctx, host.Command{Argv: []string{"sh", "-c", s.command("-T", "-C", specOf(request.Connection))}})
}

// specOf writes a connection as sshd -T -C takes it; what is not known is that
// of a stranger, for sshd stops at a Match that asks for what it is not told.
func specOf(c *sshconf.Connection) string {
	if c == nil {
		c = &sshconf.Connection{}
	}
	or := func(value, other string) string {
		if value == "" || strings.ContainsAny(value, ",\n") {
			return other
		}
		return value
	}
	port := c.LocalPort
	if port == 0 {
		port = 22
	}
	spec := fmt.Sprintf("user=%s,host=%s,addr=%s,laddr=%s,lport=%d", or(c.User, "sshtay-other"), or(c.Host, or(c.Addr, "192.0.2.1")),
		or(c.Addr, "192.0.2.1"), or(c.LocalAddr, "192.0.2.2"), port)
	if c.RDomain != "" {
		spec += ",rdomain=" + or(c.RDomain, "none")
	}
	return spec
}

// spec is the connection that proves the edit: the request's, or a stranger
// where a Match block goes on saying otherwise for it.
func (s *sshd) spec(env *sshconf.Env, request sshconf.ServerRequest, e *sshconf.Edits) string {
	own, err := sshconf.ResolveServer(e.Env(env), request)
	if err != nil {
		return specOf(nil)
	}
	for _, p := range e.Placed {
		if !slices.EqualFunc(own.Setting(p.After.Keyword).Values, p.After.Values, func(a, b sshconf.Value) bool { return a.Text == b.Text }) {
			return specOf(nil)
		}
	}
	return specOf(request.Connection)
}

// ports are those that sshd listens on.
func ports(s *sshconf.Server) (all []int) {
	for _, v := range s.Setting("ListenAddress").Values {
		addr, _, _ := strings.Cut(v.Text, " ")
		port, err := strconv.Atoi(addr[strings.LastIndexByte(addr, ':')+1:])
		if err == nil && !slices.Contains(all, port) {
			all = append(all, port)
		}
	}
	return all
}

// notes tell when options begin to hold.
func (s *sshd) notes(set []sshconf.Assignment) []string {
	notes := []string{"sessions that are open keep what they began with"}
	for _, a := range set {
		listens := strings.EqualFold(a.Keyword, "Port") || strings.EqualFold(a.Keyword, "ListenAddress")
		if socket := s.unit(".socket"); listens && socket != nil {
			notes = append(notes, fmt.Sprintf("%s listens, not sshd: %s holds once it was restarted: systemctl daemon-reload && systemctl restart %s", socket["Id"], a.Keyword, socket["Id"]))
		}
	}
	return notes
}
