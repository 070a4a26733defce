package probe

import (
	"context"
	"errors"
	"os"
	"strings"

	"sshtay/internal/fact"
	"sshtay/internal/host"
	"sshtay/internal/sshconf"
	"sshtay/internal/target"
	"sshtay/internal/visible"
)

// ownReading resolves the target's configuration from the files, as ssh would.
// It runs no command of a Match exec and looks no name up: ssh -G did, and
// where it did the two differ and the origin stays unknown.
func ownReading(ctx context.Context, env *Env, facts *fact.Set) *sshconf.Client {
	os := sshconf.OS()
	os.Exec, os.LookupHost = nil, nil
	os.ReadFile = func(name string, max int64) ([]byte, error) {
		data, err := env.Local.ReadFile(ctx, name, int(max))
		if errors.Is(err, host.ErrTooLarge) {
			err = sshconf.ErrTooLarge
		}
		if err == nil {
			env.keep("client/file"+name, string(data))
		}
		return data, err
	}
	request := ClientRequest(env.Target)
	if version, ok := fact.ClientSSHVersion.Get(facts); ok {
		request.Release, _ = sshconf.ParseRelease(version)
	}
	client, err := sshconf.ResolveClient(os, request)
	if err != nil {
		return nil // ssh says better what is wrong
	}
	return client
}

// ClientRequest is a target as package sshconf asks for it; this machine is any
// host.
func ClientRequest(t target.Target) sshconf.ClientRequest {
	r := sshconf.ClientRequest{Host: t.Given, Config: t.ConfigFile}
	if t.Local() {
		r.Host = anyHost
	}
	args := t.SSHArgs()
	for i := 0; i < len(args); i++ {
		o := sshconf.Option{Flag: args[i][1]}
		if strings.IndexByte("46", o.Flag) < 0 {
			i++
			o.Value = args[i]
		}
		if o.Flag != 'F' {
			r.Options = append(r.Options, o)
		}
	}
	return r
}

// origin names the file and line that set an option, and what they hide; it is
// empty when that is not known. Path writes a file's name.
func origin(s sshconf.Setting, path func(string) string) string {
	from := s.From()
	if from.Unknown() {
		return ""
	}
	where := path(from.String())
	link := ", which hides "
	for _, h := range s.Hides {
		if h.Text != s.Text() {
			where += link + visible.Line(h.Text, 100) + " in " + path(h.From.String())
			link = ", "
		}
	}
	return where
}

// asIs writes a path of another machine, whose homes are not ours.
func asIs(path string) string { return path }

// shortPath writes a path below our home as people do.
func shortPath(path string) string {
	if home, err := os.UserHomeDir(); err == nil && home != "/" {
		if rest, ok := strings.CutPrefix(path, home+"/"); ok {
			return "~/" + rest
		}
	}
	return path
}
