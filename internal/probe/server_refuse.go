package probe

import (
	"net/netip"
	"strings"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/pattern"
	"sshtay/internal/visible"
)

// refusals says what on the server keeps our address away.
func (r *reading) refusals() {
	r.hostsDeny()
	r.firewall()
	r.bans()
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
		if ok && r.forUs(rule) && counting.MatchString(rule) && !logging.MatchString(rule) && len(rules) < 20 {
			rules = append(rules, visible.Line(rule, 300))
		}
	}
	fact.FirewallLimits.Put(r.facts, rules, r.source("nft and iptables"))
}

// forUs says whether a rule can be about connections of our address family.
func (r *reading) forUs(rule string) bool {
	table, _, _ := strings.Cut(rule, " ")
	switch table {
	case "ip", "iptables":
		return !r.client().Is6()
	case "ip6", "ip6tables":
		return !r.client().Is4()
	}
	return true
}

// bans says what names our address as one to keep away.
func (r *reading) bans() {
	if !r.client().IsValid() {
		r.miss(noClient, fact.BannedBy)
		r.bannedUsers()
		return
	}
	if l := strings.Join(strings.Fields(r.sections["fail2ban"]), " "); holds(l, r.client()) || strings.HasPrefix(l, "[['") {
		fact.BannedBy.Put(r.facts, "fail2ban: "+visible.Line(l, 200)+r.bannedUntil(), r.source("fail2ban-client"))
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

// bannedUsers are whom fail2ban shuts out though they log in here: what can be
// asked on the server itself, where nobody is "us".
func (r *reading) bannedUsers() {
	var all []string
	for _, l := range r.lines("fail2ban-users") {
		if a, err := netip.ParseAddr(l); err == nil && a.Zone() == "" {
			all = append(all, a.Unmap().String())
		}
	}
	if len(all) > 0 {
		fact.BannedUsers.Put(r.facts, all, r.source("fail2ban-client and sshd's log"))
	}
}

// bannedUntil says when the last ban of our address ends: fail2ban lists
// "ADDRESS BEGIN + SECONDS = END" for each.
func (r *reading) bannedUntil() string {
	last := ""
	for _, l := range r.lines("fail2ban-until") {
		span, end, ok := strings.Cut(l, " = ")
		if _, err := time.Parse(time.DateTime, end); ok && err == nil && holds(strings.Fields(span)[0], r.client()) {
			last = max(last, end)
		}
	}
	if last == "" {
		return ""
	}
	return ", until " + last + " by the server's clock"
}

// banning are rules that refuse, and the sets of programs that ban. Other sets
// hold addresses for other ends, such as counting them.
var banning = pattern.New(`f2b|fail2ban|sshguard|crowdsec|\b(drop|reject|DROP|REJECT)\b`)

// holds says whether the text names the address as a word of its own.
func holds(text string, a netip.Addr) bool {
	for _, w := range strings.FieldsFunc(text, func(c rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF.:", c) }) {
		if b, err := netip.ParseAddr(strings.TrimRight(w, ":.")); err == nil && b.Unmap() == a {
			return true
		}
	}
	return false
}
