package change

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"sshtay/internal/host"
	"sshtay/internal/remedy"
)

// A tooLong is how one family says that a packet was too long, as a firewall
// knows it.
type tooLong struct {
	name     string
	nft      string // what a rule of nft matches
	iptables string // and one of the program
	program  string
	family   string // of the tables that see it, beside inet
	mark     string // the comment by which our rules are found
}

var tooLongs = map[string]tooLong{
	"4": {"ICMP type 3 code 4", "icmp type destination-unreachable icmp code 4", "-p icmp --icmp-type 3/4", "iptables", "ip", "sshtay pass-icmp"},
	"6": {"ICMPv6 type 2", "icmpv6 type packet-too-big", "-p ipv6-icmp --icmpv6-type 2", "ip6tables", "ip6", "sshtay pass-icmpv6"},
}

// rulesetScript prints the rules of nftables. What sets hold is left out where
// nft can: there are lists of a hundred thousand addresses.
const rulesetScript = `command -v nft >/dev/null || { echo "nft is not there" >&2; exit 1; }
[ "$(id -u)" = 0 ] || { echo "only root can read them: run this as root" >&2; exit 1; }
if grep -Eqsx 'filter|raw|mangle|security' "/proc/net/$1"; then echo "those of iptables-legacy are there, which nft does not show" >&2; exit 1; fi
nft -j -s -t list ruleset 2>/dev/null || nft -j -s list ruleset`

// iptablesScript prints by which program the chain of a table is one that
// iptables takes for its own.
const iptablesScript = `for p in "$1" "$1-nft"; do
	case "$($p -V 2>/dev/null)" in *nf_tables*) if $p -t "$2" -S "$3" >/dev/null 2>&1; then echo "$p"; exit; fi ;; esac
done`

// mostGuards bounds the chains that get a rule; a firewall has one or two.
const mostGuards = 20

// PassICMP lets in the message that a packet was too long, where the firewall of
// this machine could drop it. An accept ends one base chain and not the others:
// there is a rule in each that could.
func PassICMP(ctx context.Context, m host.Host, family string) (Change, error) {
	is, known := tooLongs[family]
	c := Change{Kind: "pass_icmp", Title: fmt.Sprintf("let %s (a packet was too long) in", is.name), Risk: remedy.Harmless, Root: true}
	if !known {
		return c, fmt.Errorf("%q is no version of IP", family)
	}
	byHand := fmt.Sprintf("; by hand: nft insert rule %s TABLE CHAIN %s accept", is.family, is.nft)
	out, err := ask(ctx, m, rulesetScript, is.family+"_tables_names")
	if err != nil {
		return c, fmt.Errorf("the firewall's rules cannot be read: %w%s", err, byHand)
	}
	all, err := parseRuleset(out)
	if err != nil {
		return c, fmt.Errorf("%w%s", err, byHand)
	}
	guards := all.guards(is.family)
	if len(guards) > mostGuards {
		return c, fmt.Errorf("%d chains of the firewall could stop %s, and sshtay changes %d at most%s", len(guards), is.name, mostGuards, byHand)
	}
	if len(guards) == 0 {
		return c, fmt.Errorf("no firewall of this machine stops %s: look for the one that does on the way", is.name)
	}
	var wanted []Effect
	script := ""
	for _, g := range guards {
		commands, err := pass(ctx, m, all, g, is)
		if err != nil {
			return c, fmt.Errorf("%w%s", err, byHand)
		}
		script += "if " + commands.Done + "; then echo done; else echo open; fi\n"
		wanted = append(wanted, Effect{Title: "add a rule to the chain " + g.String(), Commands: commands})
		c.Verify = append(c.Verify, Verification{Title: fmt.Sprintf("the chain %s lets %s in", g, is.name), Run: commands.Done})
	}
	if out, err = ask(ctx, m, script); err != nil { // nft does not show the comments of iptables
		return c, err
	}
	for i, state := range strings.Fields(string(out)) {
		if state == "open" && i < len(wanted) {
			c.Effects = append(c.Effects, wanted[i])
		}
	}
	if len(c.Effects) > 0 {
		c.Notes = []string{all.keeper(guards)}
	}
	return c, nil
}

var nftName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,63}$`)

// pass is how one chain is given the rule: by iptables, where that counts the
// chain among its own, so that it goes on to understand it.
func pass(ctx context.Context, m host.Host, all ruleset, g nftChain, is tooLong) (*Commands, error) {
	if !nftName.MatchString(g.Table) || !nftName.MatchString(g.Name) {
		return nil, fmt.Errorf("the firewall has a chain with a name that sshtay does not use: %q", g.String())
	}
	if all.owned(g) {
		return nil, fmt.Errorf("the table of the chain %s belongs to a program that lets nobody else change it (firewalld: NftablesTableOwner)", g)
	}
	if g.likeIptables() {
		out, err := ask(ctx, m, iptablesScript, is.program, g.Table, g.Name)
		program := strings.TrimSpace(string(out))
		switch {
		case err != nil:
			return nil, err
		case program == is.program || program == is.program+"-nft":
			rule := fmt.Sprintf("%s %s -m comment --comment '%s' -j ACCEPT", g.Name, is.iptables, is.mark)
			run := fmt.Sprintf("%s -w -t %s ", program, g.Table)
			done := run + "-C " + rule + " 2>/dev/null"
			return &Commands{
				Done: done, Apply: fmt.Sprintf("%s || %s-I %s", done, run, rule), Undo: fmt.Sprintf("while %s; do %s-D %s; done", done, run, rule),
			}, nil
		case all.foreign(g):
			return nil, fmt.Errorf("the chain %s is one of iptables, and %s is not there", g, is.program)
		}
	}
	chain := fmt.Sprintf("%s %s %s", g.Family, g.Table, g.Name)
	list := fmt.Sprintf("nft -a list chain %s 2>/dev/null | ", chain)
	done := list + fmt.Sprintf(`grep -q ' accept comment "%s" # handle '`, is.mark)
	return &Commands{
		Done:  done,
		Apply: fmt.Sprintf(`%s || nft 'insert rule %s %s accept comment "%s"'`, done, chain, is.nft, is.mark),
		Undo: list + fmt.Sprintf(`sed -n 's/.* accept comment "%s" # handle \([0-9][0-9]*\)$/\1/p' | while read -r n; do
	nft delete rule %s handle "$n"
done`, is.mark, chain),
	}, nil
}

// keeper says how the rules are kept.
func (r ruleset) keeper(guards []nftChain) string {
	const until = "these rules are gone after a reboot, and as soon as %s loads its own anew: to keep them %s"
	iptables := false
	for _, g := range guards {
		iptables = iptables || g.likeIptables()
	}
	switch {
	case r.named(func(c nftChain) bool { return c.Table == "firewalld" }):
		return fmt.Sprintf(until, "firewalld", "look at its blocks: firewall-cmd --list-icmp-blocks, and firewall-cmd --permanent --remove-icmp-block=NAME")
	case r.named(func(c nftChain) bool { return strings.HasPrefix(c.Name, "ufw-") || strings.HasPrefix(c.Name, "ufw6-") }):
		return fmt.Sprintf(until, "ufw", "add them to /etc/ufw/before.rules, and for IPv6 to before6.rules")
	case iptables:
		return fmt.Sprintf(until, "the firewall", "add them to the file from which it loads them, such as /etc/iptables/rules.v4 and rules.v6")
	}
	return fmt.Sprintf(until, "the firewall", "add them to the file from which it loads them, such as "+nftables[0])
}

var errRuleset = errors.New("what nft lists of the firewall's rules cannot be read")
