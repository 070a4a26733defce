package change

import (
	"fmt"
	"strings"
	"testing"
)

// base is a base chain, as nft lists it.
func base(family, name, hook, policy string) string {
	return `{"chain": {"family": "` + family + `", "table": "t", "name": "` + name + `", "type": "filter", "hook": "` + hook + `", "policy": "` + policy + `"}}`
}

func ruled(chain, expr string) string {
	return `{"rule": {"family": "inet", "table": "t", "chain": "` + chain + `", "handle": 1, "expr": [` + expr + `]}}`
}

// TestGuards: a chain that could drop an ICMP error gets a rule, whatever way it
// would do so; one that could not is left alone.
func TestGuards(t *testing.T) {
	in := base("inet", "in", "input", "accept")
	for name, c := range map[string]struct {
		listed []string
		want   bool
	}{
		"a policy":              {[]string{base("ip", "in", "input", "drop")}, true},
		"before routing":        {[]string{base("ip", "in", "prerouting", "drop")}, true},
		"for the other family":  {[]string{base("ip6", "in", "input", "drop")}, false},
		"what goes out":         {[]string{base("ip", "in", "output", "drop")}, false},
		"what passes":           {[]string{base("inet", "in", "forward", "drop")}, false},
		"no rule":               {[]string{in}, false},
		"a rule that counts":    {[]string{in, ruled("in", `{"counter": null}, {"accept": null}`)}, false},
		"a drop":                {[]string{in, ruled("in", `{"counter": null}, {"drop": null}`)}, true},
		"a reject":              {[]string{in, ruled("in", `{"reject": {"type": "icmpx", "expr": "port-unreachable"}}`)}, true},
		"a queue":               {[]string{in, ruled("in", `{"queue": {"num": 0}}`)}, true},
		"another's drop":        {[]string{in, ruled("other", `{"drop": null}`)}, false},
		"a jump to a drop":      {[]string{in, ruled("in", `{"jump": {"target": "a"}}`), ruled("a", `{"goto": {"target": "b"}}`), ruled("b", `{"drop": null}`)}, true},
		"a jump to nothing":     {[]string{in, ruled("in", `{"jump": {"target": "a"}}`), ruled("a", `{"goto": {"target": "in"}}`)}, false},
		"a map with a drop":     {[]string{in, ruled("in", `{"vmap": {"key": 1, "data": {"set": [[22, {"accept": null}], [23, {"drop": null}]]}}}`)}, true},
		"a map of others":       {[]string{in, ruled("in", `{"vmap": {"key": 1, "data": {"set": [[22, {"accept": null}]]}}}`)}, false},
		"a map by its name":     {[]string{in, ruled("in", `{"vmap": {"key": 1, "data": "@ports"}}`)}, true},
		"a target of iptables":  {[]string{in, ruled("in", `{"xt": {"type": "target", "name": "REJECT"}}`)}, true},
		"a match of iptables":   {[]string{in, ruled("in", `{"xt": {"type": "match", "name": "comment"}}, {"accept": null}`)}, false},
		"iptables, an old nft":  {[]string{in, ruled("in", `{"xt": null}`)}, true},
		"a word that says drop": {[]string{in, ruled("in", `{"log": {"prefix": "drop"}}`)}, false},
	} {
		all, err := parseRuleset([]byte(`{"nftables": [{"metainfo": {}}, ` + strings.Join(c.listed, ", ") + `]}`))
		if got := len(all.guards("ip")) > 0; got != c.want || err != nil {
			t.Errorf("%s: %v, %v; want %v", name, got, err, c.want)
		}
	}
}

// TestRulesetIsWalkedOnce: chains that lead to each other in a great many ways take
// no longer than a few that do not.
func TestRulesetIsWalkedOnce(t *testing.T) {
	listed := []string{base("inet", "c0", "input", "accept")}
	for i := range 1000 {
		to := fmt.Sprintf(`{"jump": {"target": "c%d"}}`, i+1)
		listed = append(listed, ruled(fmt.Sprint("c", i), to), ruled(fmt.Sprint("c", i), to))
	}
	all, err := parseRuleset([]byte(`{"nftables": [` + strings.Join(listed, ", ") + `]}`))
	if err != nil || len(all.guards("ip")) != 0 {
		t.Errorf("%v, %v", all.guards("ip"), err)
	}
	all, err = parseRuleset([]byte(`{"nftables": [` + strings.Join(append(listed, ruled("c1000", `{"drop": null}`)), ", ") + `]}`))
	if err != nil || len(all.guards("ip")) != 1 {
		t.Errorf("with a drop at the end of them all: %v, %v", all.guards("ip"), err)
	}
}

// TestPassICMPRefuses: what cannot be done is said, with what to do instead.
func TestPassICMPRefuses(t *testing.T) {
	for name, c := range map[string]struct{ family, says, want string }{
		"no firewall":       {"4", `{"nftables": [{"metainfo": {}}]}`, "no firewall of this machine stops ICMP type 3 code 4: look for the one that does on the way"},
		"only IPv4's":       {"6", `{"nftables": [` + base("ip", "in", "input", "drop") + `]}`, "no firewall of this machine stops ICMPv6 type 2"},
		"no list":           {"4", "table ip filter {", "cannot be read; by hand: nft insert rule ip "},
		"another list":      {"4", "{}", "cannot be read"},
		"firewalld's table": {"4", `{"nftables": [{"table": {"family": "inet", "name": "t", "flags": ["owner", "persist"]}}, ` + base("inet", "in", "input", "drop") + `]}`, "belongs to a program that lets nobody else change it"},
		"an owner alone":    {"4", `{"nftables": [{"table": {"family": "inet", "name": "t", "flags": "owner"}}, ` + base("inet", "in", "input", "drop") + `]}`, "belongs to a program"},
		"too many chains":   {"4", `{"nftables": [` + strings.Repeat(base("ip", "in", "input", "drop")+", ", 20) + base("ip", "in", "input", "drop") + `]}`, "21 chains of the firewall could stop"},
		"a family":          {"5", "", "no version of IP"},
	} {
		change, err := PassICMP(t.Context(), says(c.says), c.family)
		if err == nil || !strings.Contains(err.Error(), c.want) || len(change.Effects) > 0 {
			t.Errorf("%s: %v, want %q; %+v", name, err, c.want, change.Effects)
		}
	}
}

// FuzzRuleset: whatever nft lists, it is rules or an error, and the chains that are to
// be changed are among those that were listed.
func FuzzRuleset(f *testing.F) {
	seeds := []string{
		"", "{}", `{"nftables": []}`, `{"nftables": [{"rule": {}}, {"chain": null}]}`,
		`{"nftables": [` + base("inet", "in", "input", "accept") + `, ` + ruled("in", `{"jump": {"target": "in"}}, {"xt": 7}, {"vmap": {"data": []}}`) + `]}`,
		`{"nftables": [` + base("ip", "in", "prerouting", "drop") + `, {"table": {"family": "ip", "name": "t", "flags": [["owner"]]}}]}`,
	}
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	if len(seeds) != 6 {
		f.Fatal("seeds are missing")
	}
	f.Fuzz(func(t *testing.T, out []byte) {
		all, err := parseRuleset(out)
		for _, family := range []string{"ip", "ip6"} {
			for _, g := range all.guards(family) {
				if err != nil || !all.named(func(c nftChain) bool { return c == g }) {
					t.Errorf("%v: %v", g, err)
				}
				all.owned(g)
				all.foreign(g)
			}
		}
	})
}
