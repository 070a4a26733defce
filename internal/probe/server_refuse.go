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

// notes says that a rule of iptables only notes an address, for another one:
// it has no target.
func notes(rule string) bool {
	return strings.Contains(rule, " -m recent --set") && !strings.Contains(rule, " -j ")
}

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
	saved := strings.Contains(r.sections["firewall"], "tables filter -A ")
	for _, l := range r.lines("firewall") {
		rule, ok := strings.CutPrefix(l, "rule ")
		if saved && strings.Contains(rule, " xt match ") || notes(rule) {
			continue // nft does not know what iptables-save tells of the same rule
		}
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
		rule, ok := strings.CutPrefix(l, "holds ")
		if ok && holds(rule, r.client()) && (banning.MatchString(rule) || r.refuses(rule)) {
			fact.BannedBy.Put(r.facts, "firewall: "+visible.Line(strings.Join(strings.Fields(rule), " "), 200)+r.expires(rule), r.source("nft and iptables"))
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

// refusing is a rule of nft that keeps away whom a set holds. One that puts
// addresses into a set names it as well, and is none.
var refusing = pattern.New(`^rule (\S+ \S+) .*\bip6? saddr @(\S+) .*\b(drop|reject)\b`)

// refuses says whether some rule refuses whom a set holds that is printed as
// "FAMILY TABLE SET ...".
func (r *reading) refuses(held string) bool {
	words := strings.Fields(held)
	for _, l := range r.lines("firewall") {
		if m := refusing.FindStringSubmatch(l); m != nil && len(words) > 3 && words[0]+" "+words[1] == m[1] && words[2] == m[2] {
			return true
		}
	}
	return false
}

// expiring is an element of a set of nft that will be forgotten. Counters and
// limits may stand before and after its times.
var expiring = pattern.New(`([0-9a-fA-F.:]+) (?:[^,]{0,80} )?expires ([0-9a-z]+)`)

// expires says until when a set holds our address, where it does not for ever.
func (r *reading) expires(held string) string {
	if _, elements, ok := strings.Cut(held, "{"); ok {
		held = elements
	}
	for _, m := range expiring.Regexp().FindAllStringSubmatch(held, 100) {
		if left, ok := nftTime(m[2]); ok && holds(m[1], r.client()) && !r.now().IsZero() {
			return ", until " + r.now().Add(left).Format(time.DateTime) + " by the server's clock"
		}
	}
	return ""
}

// nftTime reads a time as nft prints it, such as "1d2h3m4s56ms".
func nftTime(text string) (time.Duration, bool) {
	days, rest, ok := strings.Cut(text, "d")
	if !ok {
		days, rest = "0", text
	}
	n, isNumber := atoi(days)
	left, err := time.ParseDuration(rest)
	if rest == "" {
		left, err = 0, nil
	}
	return time.Duration(n)*24*time.Hour + left, isNumber && n < 10000 && err == nil && left >= 0
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
