package change

import (
	"encoding/json"
	"slices"
	"strings"
)

// A ruleset is what nft -j lists, as far as it matters who lets a packet in.
type ruleset struct {
	tables []nftTable
	chains []nftChain
	rules  map[nftChain][]nftRule // by the family, table and name of their chain
}

type nftTable struct {
	Family, Name string
	Flags        any // a name, or several
}

type nftChain struct {
	Family, Table, Name string
	Type, Hook, Policy  string // empty where rules lead to it, and no hook
}

type nftRule struct {
	Family, Table, Chain string
	Expr                 any
}

func (c nftChain) String() string { return c.Name + " of the table " + c.Family + " " + c.Table }

// likeIptables says whether a chain is named as iptables names its own.
func (c nftChain) likeIptables() bool {
	return c.Family != "inet" && c.Name == strings.ToUpper(c.Hook) && slices.Contains([]string{"filter", "raw", "mangle", "security"}, c.Table)
}

func parseRuleset(out []byte) (ruleset, error) {
	r := ruleset{rules: map[nftChain][]nftRule{}}
	var list struct {
		Nftables []struct {
			Table *nftTable
			Chain *nftChain
			Rule  *nftRule
		}
	}
	if err := json.Unmarshal(out, &list); err != nil || list.Nftables == nil {
		return r, errRuleset
	}
	for _, o := range list.Nftables {
		switch {
		case o.Table != nil:
			r.tables = append(r.tables, *o.Table)
		case o.Chain != nil:
			r.chains = append(r.chains, *o.Chain)
		case o.Rule != nil:
			in := nftChain{Family: o.Rule.Family, Table: o.Rule.Table, Name: o.Rule.Chain}
			r.rules[in] = append(r.rules[in], *o.Rule)
		}
	}
	return r, nil
}

// guards are the base chains that what comes in to this machine passes, and
// that could drop it. An ICMP error belongs to a connection: a chain of nat
// never sees it.
func (r ruleset) guards(family string) (guards []nftChain) {
	for _, c := range r.chains {
		sees := c.Family == family || c.Family == "inet"
		if sees && c.Type == "filter" && (c.Hook == "input" || c.Hook == "prerouting") && (c.Policy == "drop" || r.stops(c, map[string]bool{})) {
			guards = append(guards, c)
		}
	}
	return guards
}

// of says whether a rule of a chain is so.
func (r ruleset) of(c nftChain, is func(nftRule) bool) bool {
	return slices.ContainsFunc(r.rules[nftChain{Family: c.Family, Table: c.Table, Name: c.Name}], is)
}

func (r ruleset) named(is func(nftChain) bool) bool { return slices.ContainsFunc(r.chains, is) }

// owned says whether the kernel lets only the program that made a table change it.
func (r ruleset) owned(c nftChain) bool {
	return slices.ContainsFunc(r.tables, func(t nftTable) bool {
		flags, _ := json.Marshal(t.Flags)
		return t.Family == c.Family && t.Name == c.Table && strings.Contains(string(flags), `"owner"`)
	})
}

// foreign says whether a chain has a rule that only iptables can write.
func (r ruleset) foreign(c nftChain) bool {
	return r.of(c, func(u nftRule) bool {
		return within(u.Expr, func(key string, _ any) bool { return key == "xt" })
	})
}

// stops says whether a rule of a chain, or of one to which it leads, can end a
// packet's way here. What is not known counts as such. Seen are the chains of the
// table that were looked at: each is once, however many lead to it.
func (r ruleset) stops(c nftChain, seen map[string]bool) bool {
	if seen[c.Name] {
		return false
	}
	seen[c.Name] = true
	return r.of(c, func(u nftRule) bool {
		return within(u.Expr, func(key string, value any) bool {
			object, _ := value.(map[string]any)
			switch key {
			case "drop", "reject", "queue":
				return true
			case "xt":
				return object["type"] != "match"
			case "vmap":
				_, elsewhere := object["data"].(string)
				return elsewhere
			case "jump", "goto":
				to, _ := object["target"].(string)
				return r.stops(nftChain{Family: c.Family, Table: c.Table, Name: to}, seen)
			}
			return false
		})
	})
}

// within says whether a key that is looked for is anywhere in an expression.
func within(expr any, is func(key string, value any) bool) bool {
	switch e := expr.(type) {
	case []any:
		return slices.ContainsFunc(e, func(x any) bool { return within(x, is) })
	case map[string]any:
		for key, value := range e {
			if is(key, value) || within(value, is) {
				return true
			}
		}
	}
	return false
}
