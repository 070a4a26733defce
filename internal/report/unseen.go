package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sshtay/internal/fact"
)

// telling lists the facts that say most about what was not seen, the most
// telling first: one of them stands for its whole neighbourhood.
var telling = []fact.Any{
	fact.HandshakeStage, fact.LoginStage, fact.SSHDConfigSource, fact.LogSource, fact.SSHDRunning,
	fact.Unauthenticated, fact.ServerAliveInterval, fact.ClientAliveInterval, fact.MaxStartups, fact.MaxSessions,
	fact.Load1, fact.MemAvailable, fact.Disks, fact.BannedBy, fact.FirewallLimits, fact.LogClientLines,
	fact.IdleTimeout, fact.HandshakeBanner, fact.RTT, fact.SSHDVersion, fact.ClientSSHVersion,
}

const (
	reasonsShown = 6 // reasons on a page
	factsShown   = 3 // facts to a reason
)

// unseen gathers the open questions under their reasons: the reason that
// leaves most open comes first. Questions that nothing gave rise to are left
// out.
func unseen(missing []Missing) []note {
	byReason := map[string][]string{}
	for _, m := range missing {
		if strings.HasPrefix(m.Reason, fact.NotNeeded) {
			continue
		}
		byReason[m.Reason] = append(byReason[m.Reason], m.Fact)
	}
	type group struct {
		reason string
		facts  []string
	}
	var groups []group
	for reason, facts := range byReason {
		slices.SortFunc(facts, func(a, b string) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b)) })
		groups = append(groups, group{reason, facts})
	}
	slices.SortFunc(groups, func(a, b group) int {
		return cmp.Or(cmp.Compare(len(b.facts), len(a.facts)), cmp.Compare(rank(a.facts[0]), rank(b.facts[0])), cmp.Compare(a.reason, b.reason))
	})
	var notes []note
	for _, g := range groups[:min(len(groups), reasonsShown)] {
		notes = append(notes, note{cleanLine(g.reason), some(g.facts)})
	}
	if more := len(groups) - len(notes); more > 0 {
		left := 0
		for _, g := range groups[len(notes):] {
			left += len(g.facts)
		}
		notes = append(notes, note{count(more, "other reason", "other reasons"), count(left, "fact", "facts") + ", listed by --json"})
	}
	return notes
}

// rank is the place of a fact among the telling ones.
func rank(name string) int {
	i := slices.IndexFunc(telling, func(k fact.Any) bool { return k.Name() == name })
	if i < 0 {
		return len(telling)
	}
	return i
}

// some names the first facts and counts the others.
func some(facts []string) string {
	shown := facts[:min(len(facts), factsShown)]
	if len(facts) == factsShown+1 {
		shown = facts
	}
	var names []string
	for _, f := range shown {
		names = append(names, cleanName(f))
	}
	list := strings.Join(names, ", ")
	if more := len(facts) - len(shown); more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return list
}
