package probe

import (
	"slices"
	"strings"

	"sshtay/internal/fact"
	"sshtay/internal/sshconf"
)

// resolveFiles resolves the files of the configuration that were sent, as sshd
// would for this connection. Without the main file, or when sshd would refuse
// it, there is nothing.
func (r *reading) resolveFiles() *sshconf.Server {
	files := r.configFiles()
	main := r.env["config"]
	if _, there := files[main]; !there {
		return nil
	}
	env := sshconf.Files(files)
	groups, known := r.env["groups"]
	env.Groups = func(user string) ([]string, bool) { return strings.Fields(groups), known && user == r.env["user"] }
	port, _ := atoi(r.port())
	server, err := sshconf.ResolveServer(env, sshconf.ServerRequest{
		Config: main, Options: r.arguments(), Release: r.release(),
		Connection: &sshconf.Connection{User: r.env["user"], Host: r.address(), Addr: r.address(), LocalAddr: r.env["local"], LocalPort: port},
	})
	if err != nil {
		return nil // sshd -t says better what is wrong
	}
	return server
}

func (r *reading) configFiles() map[string][]byte {
	files := map[string][]byte{}
	for section, text := range r.sections {
		if name, ok := strings.CutPrefix(section, "file "); ok {
			files[name] = []byte(text)
		}
	}
	return files
}

// arguments are the -o options that the listener was started with.
func (r *reading) arguments() []string {
	var options []string
	words := strings.Fields(r.env["arguments"])
	for i := 0; i+1 < len(words); i++ {
		switch words[i] {
		case "-o":
			options = append(options, words[i+1])
		case "-p":
			options = append(options, "Port="+words[i+1])
		}
	}
	return options
}

// release is that of the server's sshd. Before 9.8 "sshd -V" does not tell the
// patches of Debian and its children; the system does.
func (r *reading) release() sshconf.Release {
	version, _ := fact.SSHDVersion.Get(r.facts)
	release, _ := sshconf.ParseRelease(version)
	for _, l := range r.lines("release") {
		if id, ok := strings.CutPrefix(l, "ID="); ok && hasAny([]string{strings.Trim(id, `"`)}, "debian", "ubuntu", "raspbian") {
			release.Debian = true
		}
	}
	return release
}

// inMatch are the keywords, as the manual spells them, that are set for us by
// a line below a Match line: some of these sshd shows and does not act upon.
func (r *reading) inMatch(ours *sshconf.Server) []string {
	first := map[string]int{} // by file, the first line with Match
	for name, src := range r.configFiles() {
		for _, l := range sshconf.Parse(name, src).Lines {
			if strings.EqualFold(l.Keyword, "match") {
				first[name] = l.Number
				break
			}
		}
	}
	below := func(v sshconf.Value) bool {
		line, ok := first[v.From.File]
		return ok && v.From.Line > line
	}
	set := []string{}
	for _, s := range ours.Settings {
		if slices.ContainsFunc(s.Values, below) {
			set = append(set, s.Keyword)
		}
	}
	return set
}
