package probe

import (
	"strings"

	"sshtay/internal/fact"
	"sshtay/internal/pattern"
)

// network says how the server is connected.
func (r *reading) network() {
	r.conntrack()
}

func (r *reading) conntrack() {
	if _, looked := r.sections["conntrack"]; !looked {
		r.miss(notThere, fact.ServerConntrack)
		return
	}
	files := map[string]string{}
	for _, l := range r.lines("conntrack") {
		name, value, _ := strings.Cut(l, ":")
		files[name] = value
	}
	t, ok := parseConntrack(files[conntrackCount], files[conntrackMax], r.sections["conntrack-stat"])
	switch {
	case ok:
		fact.ServerConntrack.Put(r.facts, t, r.source(conntrackCount))
	case len(files) == 0 && strings.HasPrefix(r.env["uname"], "Linux"):
		fact.ServerConntrack.Put(r.facts, fact.Conntrack{}, r.source("/proc/sys/net"))
	default:
		r.miss(notThere, fact.ServerConntrack)
	}
}

// namespace is the number of the server's network namespace, or "".
func (r *reading) namespace() string {
	l, _ := r.line("network")
	if m := netNamespace.FindStringSubmatch(l); m != nil {
		return m[1]
	}
	return ""
}

var netNamespace = pattern.New(`^net:\[(\d+)\]$`)
