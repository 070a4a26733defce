package probe

import (
	"net/netip"
	"strings"

	"sshtay/internal/fact"
	"sshtay/internal/visible"
)

// hostsDeny looks for a rule of TCP wrappers that refuses us, where sshd is
// built with them. Our own login was let in a moment ago; so this is about a
// machine that is looked at from within, over a session of longer standing.
func (r *reading) hostsDeny() {
	linked, ok := r.number("wrappers")
	switch {
	case !ok:
		r.miss(notThere, fact.HostsDeny)
	case !r.client().IsValid():
		r.miss(noClient, fact.HostsDeny)
	case linked > 0 && r.via == "local":
		if _, found, sure := wrapped(r.lines("hosts.allow"), r.client()); found || !sure {
			return
		}
		if rule, found, sure := wrapped(r.lines("hosts.deny"), r.client()); found && sure && rule.option != "allow" {
			fact.HostsDeny.Put(r.facts, visible.Line(rule.text, 300), r.source("/etc/hosts.deny:"+rule.line))
		}
	}
}

// A wrapperRule is a line "daemons : clients [: option]" of hosts_access(5).
type wrapperRule struct {
	line, text       string
	daemons, clients []string
	option           string
}

// wrapped returns the first of the rules, given as "LINE:RULE", that fits sshd
// and the address. It is not sure of that where a rule that stands before names
// hosts in a way that an address alone cannot decide.
func wrapped(rules []string, client netip.Addr) (rule wrapperRule, found, sure bool) {
	sure = true
	for _, l := range rules {
		r := parseWrapperRule(l)
		if !hasAny(r.daemons, "ALL", "sshd") {
			continue
		}
		fits, known := r.fits(client)
		if fits {
			return r, true, sure
		}
		sure = sure && known
	}
	return wrapperRule{}, false, sure
}

func parseWrapperRule(l string) wrapperRule {
	var r wrapperRule
	r.line, r.text, _ = strings.Cut(l, ":")
	r.text = strings.TrimSpace(r.text)
	parts := outsideBrackets(r.text)
	r.daemons = words(parts[0])
	if len(parts) > 1 {
		r.clients = words(parts[1])
	}
	if len(parts) > 2 {
		r.option = strings.ToLower(strings.TrimSpace(parts[2]))
	}
	return r
}

// outsideBrackets cuts at colons, but not at those of an IPv6 address, which
// stands in brackets.
func outsideBrackets(s string) []string {
	var parts []string
	depth, from := 0, 0
	for i, c := range s {
		switch {
		case c == '[':
			depth++
		case c == ']':
			depth--
		case c == ':' && depth <= 0:
			parts = append(parts, s[from:i])
			from = i + 1
		}
	}
	return append(parts, s[from:])
}

func words(s string) []string {
	return strings.FieldsFunc(s, func(c rune) bool { return c == ',' || c == ' ' || c == '\t' })
}

// fits says whether the rule's list of clients has the address, and whether
// that is known.
func (r wrapperRule) fits(client netip.Addr) (fits, known bool) {
	known = true
	except := false
	for _, pattern := range r.clients {
		if pattern == "EXCEPT" {
			except = true
			continue
		}
		hit, sure := wraps(pattern, client)
		switch {
		case except && (hit || !sure):
			return false, sure
		case !except && hit:
			fits = true
		}
		known = known && sure
	}
	return fits, known || fits
}

// wraps says whether a pattern of hosts_access(5) fits an address, and whether
// an address is enough to tell: who has which name is not known here.
func wraps(pattern string, client netip.Addr) (fits, known bool) {
	switch {
	case pattern == "ALL":
		return true, true
	case strings.HasSuffix(pattern, "."):
		return strings.HasPrefix(client.String(), pattern), true
	}
	pattern = strings.Replace(strings.TrimPrefix(pattern, "["), "]", "", 1)
	if a, err := netip.ParseAddr(pattern); err == nil {
		return a.Unmap() == client, true
	}
	if p, err := netip.ParsePrefix(pattern); err == nil {
		return p.Contains(client), true
	}
	network, mask, _ := strings.Cut(pattern, "/")
	n, err1 := netip.ParseAddr(network)
	m, err2 := netip.ParseAddr(mask)
	if err1 != nil || err2 != nil || !n.Is4() || !m.Is4() {
		return false, false
	}
	if !client.Is4() {
		return false, true
	}
	nb, mb, cb := n.As4(), m.As4(), client.As4()
	for i := range nb {
		if cb[i]&mb[i] != nb[i] {
			return false, true
		}
	}
	return true, true
}
