package probe

import (
	"net/netip"
	"path"
	"strings"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/pattern"
	"sshtay/internal/visible"
)

// session says what ends an idle session besides sshd.
func (r *reading) session() {
	r.tmout()
	r.logind()
}

// tmoutLine is a line of grep: FILE:LINE:TEXT.
var tmoutLine = pattern.New(`^([^:]+:\d+):(.*[^A-Za-z_$])?TMOUT=["']?(\d+)`)

// tmout reads TMOUT where the user's shell knows it: from the environment, or
// from the files that shells read when they start, of which the last counts.
func (r *reading) tmout() {
	shell := path.Base(r.env["shell"])
	if !hasAny([]string{shell}, "bash", "ksh", "ksh93", "mksh", "zsh", "rbash", "sh") {
		return // no other shell ends for it
	}
	set := func(value, source string) {
		if n, ok := atoi(value); ok && n > 0 && n < 1e8 {
			fact.ShellTMOUT.Put(r.facts, time.Duration(n)*time.Second, r.source(source))
		}
	}
	set(r.env["tmout"], "the environment of the session")
	if _, ok := fact.ShellTMOUT.Get(r.facts); ok {
		return
	}
	for _, l := range r.lines("tmout") {
		m := tmoutLine.FindStringSubmatch(l)
		if m != nil && !strings.HasPrefix(strings.TrimSpace(m[2]), "#") {
			set(m[3], visible.Line(m[1], 200))
		}
	}
}

// logind reads the settings that end idle sessions.
func (r *reading) logind() {
	if _, ok := r.sections["logind"]; !ok {
		if r.env["init"] == "systemd" {
			r.miss(notThere, fact.LogindIdle)
		} else {
			fact.LogindIdle.Put(r.facts, "no", r.source("there is no logind"))
		}
		return
	}
	var said []string
	for _, l := range r.lines("logind") {
		file, setting, _ := strings.Cut(l, ":")
		key, value, _ := strings.Cut(strings.TrimSpace(setting), "=")
		if key == "StopIdleSessionSec" && value != "infinity" && value != "" && value != "0" {
			said = append(said, visible.Line(key+"="+value+" ("+file+")", 200))
		}
	}
	if len(said) == 0 {
		fact.LogindIdle.Put(r.facts, "no", r.source("logind.conf"))
		return
	}
	fact.LogindIdle.Put(r.facts, strings.Join(said, "; "), r.source("logind.conf"))
}

// refusals says what on the server keeps our address away.
func (r *reading) refusals() {
	r.hostsDeny()
	r.firewall()
	r.bans()
}

// hostsDeny looks for a rule of TCP wrappers that refuses us: only where sshd
// is built with them, and only where hosts.allow does not let us in first.
func (r *reading) hostsDeny() {
	linked, ok := r.number("wrappers")
	switch {
	case !ok:
		r.miss(notThere, fact.HostsDeny)
	case !r.client().IsValid():
		r.miss(noClient, fact.HostsDeny)
	case linked > 0:
		if _, allowed := wrapped(r.lines("hosts.allow"), r.client()); allowed {
			return
		}
		if rule, denied := wrapped(r.lines("hosts.deny"), r.client()); denied {
			number, line, _ := strings.Cut(rule, ":")
			fact.HostsDeny.Put(r.facts, visible.Line(strings.TrimSpace(line), 300), r.source("/etc/hosts.deny:"+number))
		}
	}
}

// wrapped returns the first rule "N:daemons : clients [: options]" that fits
// sshd and the address.
func wrapped(rules []string, client netip.Addr) (string, bool) {
	for _, rule := range rules {
		_, body, _ := strings.Cut(rule, ":")
		daemons, rest, ok := strings.Cut(body, ":")
		if !ok || !hasAny(words(daemons), "ALL", "sshd") {
			continue
		}
		for _, pattern := range clients(rest) {
			if pattern == "EXCEPT" {
				break
			}
			if wraps(pattern, client) {
				return rule, true
			}
		}
	}
	return "", false
}

func words(s string) []string {
	return strings.FieldsFunc(s, func(c rune) bool { return c == ',' || c == ' ' || c == '\t' })
}

// clients are the patterns before an option; an IPv6 address stands in
// brackets, because of its colons.
func clients(s string) []string {
	depth := 0
	for i, c := range s {
		switch c {
		case '[':
			depth++
		case ']':
			depth--
		case ':':
			if depth <= 0 {
				return words(s[:i])
			}
		}
	}
	return words(s)
}

// wraps says whether a pattern of hosts_access(5) fits an address. Patterns of
// names never do: who has which name is not known here.
func wraps(pattern string, client netip.Addr) bool {
	if pattern == "ALL" {
		return true
	}
	if strings.HasSuffix(pattern, ".") {
		return strings.HasPrefix(client.String(), pattern)
	}
	pattern = strings.Replace(strings.TrimPrefix(pattern, "["), "]", "", 1)
	if a, err := netip.ParseAddr(pattern); err == nil {
		return a.Unmap() == client
	}
	if p, err := netip.ParsePrefix(pattern); err == nil {
		return p.Contains(client)
	}
	network, mask, ok := strings.Cut(pattern, "/")
	n, err1 := netip.ParseAddr(network)
	m, err2 := netip.ParseAddr(mask)
	if !ok || err1 != nil || err2 != nil || !n.Is4() || !m.Is4() || !client.Is4() {
		return false
	}
	nb, mb, cb := n.As4(), m.As4(), client.As4()
	for i := range nb {
		if cb[i]&mb[i] != nb[i] {
			return false
		}
	}
	return true
}

// counting is how a firewall rule limits new connections, in the words of nft,
// iptables and ufw.
var counting = pattern.New(`\b(limit rate|limit --limit|recent|hashlimit|connlimit|ct count|meter|quota|ufw-user-limit)\b|(add|update) @\S+`)

// logging is a rule that limits only how much is written to a log.
var logging = pattern.New(`-j (LOG|NFLOG)\b|\blog (prefix|level|group)\b`)

// firewall keeps the rules about the SSH port that count new connections. One
// that refuses addresses it names is the business of bans.
func (r *reading) firewall() {
	if _, ok := r.sections["firewall"]; !ok {
		r.missDeep(fact.FirewallLimits)
		return
	}
	rules := []string{}
	for _, l := range r.lines("firewall") {
		rule, ok := strings.CutPrefix(l, "rule ")
		if ok && counting.MatchString(rule) && !logging.MatchString(rule) && len(rules) < 20 {
			rules = append(rules, visible.Line(rule, 300))
		}
	}
	fact.FirewallLimits.Put(r.facts, rules, r.source("nft and iptables"))
}

// bans says what names our address as one to keep away.
func (r *reading) bans() {
	if !r.client().IsValid() {
		r.miss(noClient, fact.BannedBy)
		return
	}
	if l := strings.Join(strings.Fields(r.sections["fail2ban"]), " "); holds(l, r.client()) || strings.HasPrefix(l, "[['") {
		fact.BannedBy.Put(r.facts, "fail2ban: "+visible.Line(l, 200), r.source("fail2ban-client"))
		return
	}
	for _, l := range r.lines("firewall") {
		if rule, ok := strings.CutPrefix(l, "holds "); ok && holds(rule, r.client()) && banning.MatchString(rule) {
			fact.BannedBy.Put(r.facts, "firewall: "+visible.Line(strings.Join(strings.Fields(rule), " "), 200), r.source("nft and iptables"))
			return
		}
	}
	if !r.root {
		r.missDeep(fact.BannedBy)
	}
}

// banning are firewall rules and sets that keep addresses away.
var banning = pattern.New(`f2b|fail2ban|sshguard|crowdsec|block|ban|deny|attack|\b(drop|reject|DROP|REJECT)\b`)

// holds says whether the text names the address as a word of its own.
func holds(text string, a netip.Addr) bool {
	for _, w := range strings.FieldsFunc(text, func(c rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF.:", c) }) {
		if b, err := netip.ParseAddr(strings.TrimRight(w, ":.")); err == nil && b.Unmap() == a {
			return true
		}
	}
	return false
}
