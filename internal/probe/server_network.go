package probe

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sshtay/internal/fact"
	"sshtay/internal/pattern"
	"sshtay/internal/visible"
)

// network says how the server is connected.
func (r *reading) network() {
	r.conntrack()
	if _, looked := r.sections["inet6"]; !looked {
		r.miss(notThere, fact.DuplicateFound)
		return
	}
	found := []string{}
	for _, a := range parseInet6(r.sections["inet6"]) {
		if a.flags&inet6DADFailed != 0 && len(found) < 20 {
			found = append(found, fmt.Sprintf("%s on %s", a.addr, visible.Line(a.name, 20)))
		}
	}
	fact.DuplicateFound.Put(r.facts, found, r.source("/proc/net/if_inet6"))
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

// ofOwnAddresses keeps the lines that name an address of the server's: its
// kernel's log also tells of containers and their networks.
func (r *reading) ofOwnAddresses(lines []string) []string {
	own := map[netip.Addr]bool{}
	if a, err := netip.ParseAddr(r.env["local"]); err == nil {
		own[a.Unmap()] = true
	}
	for _, a := range parseInet6(r.sections["inet6"]) {
		own[a.addr] = true
	}
	return slices.DeleteFunc(lines, func(line string) bool {
		return !slices.ContainsFunc(strings.Fields(line), func(word string) bool {
			a, err := netip.ParseAddr(word)
			return err == nil && own[a.Unmap()]
		})
	})
}
