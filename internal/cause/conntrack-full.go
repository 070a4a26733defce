package cause

import (
	"fmt"

	"sshtay/internal/fact"
	"sshtay/internal/remedy"
)

var _ = register(Cause{
	ID:    "conntrack-full",
	Title: "a kernel's table of connections is full",
	Doc: Doc{
		Observed: "How many connections the kernels of this machine and of the server keep track of, how many they can, and the kernel log's lines about a table that was full.",
		Judged: "Confirmed when a table holds as many connections as it can. Likely when one is filled to 95 % or more, or when the server's kernel log of the last day says that the table was full, and no connection of ours was refused. " +
			"A table on the way cannot be read from here: to a client it is silence, as from a firewall that drops. Ruled out when the tables that could be read have room, and the server's was read or let our connection in.",
		Explained: "A stateful firewall, a NAT and Docker have the kernel remember every connection. When the table is full, the first packet of any new connection is dropped, at random moments as the load comes and goes; connections that are in the table live on. " +
			"A scan, a busy resolver, peer-to-peer programs, or many connections that were never closed and are remembered for five days fill it.",
		Fixed: "A larger net.netfilter.nf_conntrack_max with as many buckets, shorter memory for what is over, and no tracking at all for SSH.",
	},
	Needs: []fact.Any{fact.ClientConntrack, fact.ServerConntrack, fact.LogConntrackFull, fact.HandshakeStage, fact.HandshakeReason, fact.ServerVia},
	Judge: func(v *fact.View) Verdict { verdict, _ := judgeTables(v); return verdict },
	Fix: func(v *fact.View) []remedy.Remedy {
		_, full := judgeTables(v)
		return fixTables(full)
	},
	Masks: []string{"unreachable"},
})

// tightTable is the part of a table from which on a burst is enough.
const tightTable = 0.95

// A table is one machine's.
type table struct {
	fact.Conntrack
	key  fact.Key[fact.Conntrack]
	side remedy.Side
	of   string // "the server", "this machine"
	seen bool
}

func (t table) full() bool { return t.Max > 0 && t.Count >= t.Max }

func (t table) used() float64 {
	if t.Max == 0 {
		return 0
	}
	return float64(t.Count) / float64(t.Max)
}

func (t table) holds() string {
	return fmt.Sprintf("%s keeps track of %d connections of at most %d", t.of, t.Count, t.Max)
}

func tables(v *fact.View) (here, there table) {
	here = table{key: fact.ClientConntrack, side: remedy.Client, of: "this machine"}
	there = table{key: fact.ServerConntrack, side: remedy.Server, of: "the server"}
	here.Conntrack, here.seen = here.key.In(v)
	there.Conntrack, there.seen = there.key.In(v)
	if via, _ := fact.ServerVia.In(v); via == "local" {
		there.of = "this machine"
	}
	return here, there
}

// judgeTables also returns the table that the finding is about.
func judgeTables(v *fact.View) (Verdict, table) {
	here, there := tables(v)
	logged, _ := fact.LogConntrackFull.In(v)
	stage, tried := fact.HandshakeStage.In(v)
	reason, _ := fact.HandshakeReason.In(v)
	silent := stage == "resolve" && (reason == "timed-out" || reason == "local-error")
	let := stage == "banner" || stage == "kex"
	for _, t := range []table{there, here} {
		if t.full() {
			return fullTable(t, silent, logged), t
		}
	}
	switch {
	case len(logged) > 0 && (let || silent || !tried):
		return wasFull(there, logged), there
	case len(logged) > 0:
		return Verdict{Status: Possible, Impact: WillBreak, Reason: "the kernel log of the last day says that the server's table of connections was full; our connection met something else"}, there
	}
	for _, t := range []table{there, here} {
		if t.used() >= tightTable {
			return Verdict{
				Status: Likely, Impact: WillBreak,
				Reason:   "the table has hardly any room; whether it overflows, only its busiest moment would settle",
				Summary:  upper(fmt.Sprintf("%s: the next burst of connections finds no room, and new ones are dropped.", t.holds())),
				Why:      whyTable,
				Evidence: []Evidence{says(t.key, "%d of %d", t.Count, t.Max)},
			}, t
		}
	}
	switch {
	case there.seen:
		return Verdict{Status: RuledOut, Reason: room(there, here)}, there
	case let && here.seen:
		return Verdict{Status: RuledOut, Reason: room(here) + "; and the server let a new connection in"}, there
	case let:
		return Verdict{Status: RuledOut, Reason: "a new connection was let through"}, there
	case !here.seen && !tried:
		return unknown(v, fact.ClientConntrack), there
	case silent:
		return Verdict{Status: Unknown, Reason: room(here) + "; a full table on the way or on the server would be this silent, and so would a firewall: the server's console would settle it"}, there
	}
	return unknown(v, fact.ServerConntrack), there
}

// room says of tables how full they are.
func room(all ...table) string {
	text := ""
	for _, t := range all {
		switch {
		case !t.seen:
		case t.Max == 0:
			text += fmt.Sprintf("; %s keeps track of no connections", t.of)
		default:
			text += fmt.Sprintf("; %s (%.0f %%)", t.holds(), 100*t.used())
		}
	}
	if text == "" {
		return "the table of this machine was not seen"
	}
	return text[2:]
}

const whyTable = "The first packet of a new connection that finds no room in the table is dropped without a word, so connecting hangs. Connections that are in the table go on."

func fullTable(t table, silent bool, logged []string) Verdict {
	v := Verdict{
		Status: Confirmed, Impact: WillBreak, Why: whyTable,
		Reason:   fmt.Sprintf("the table of connections of %s was read, and it is full", t.of),
		Summary:  upper(t.holds()) + ": the table is full, and new connections are dropped.",
		Evidence: []Evidence{says(t.key, "%d of %d, and %d packets dropped since boot", t.Count, t.Max, t.Dropped)},
	}
	if silent {
		v.Impact = Breaks
		v.Evidence = append(v.Evidence, says(fact.HandshakeReason, "our own connection got no answer"))
	}
	if len(logged) > 0 && t.side == remedy.Server {
		v.Evidence = append(v.Evidence, says(fact.LogConntrackFull, "%s", lastLine(logged)))
	}
	return v
}

func wasFull(t table, logged []string) Verdict {
	return Verdict{
		Status: Likely, Impact: WillBreak, Why: whyTable,
		Reason:   "the kernel log of the last day says so; the table has room now",
		Summary:  "The server's table of connections was full within the last day, and new connections were dropped.",
		Evidence: []Evidence{says(fact.LogConntrackFull, "%s", lastLine(logged))},
	}
}

// fixTables gives the table more room, and asks for less of it.
func fixTables(t table) []remedy.Remedy {
	most := "262144"
	if t.Max >= 131072 {
		most = fmt.Sprint(2 * t.Max)
	}
	set := map[string]string{"net.netfilter.nf_conntrack_max": most, "net.netfilter.nf_conntrack_buckets": most}
	grow := remedy.Remedy{
		ID: "grow-table", Side: t.side, Risk: remedy.Harmless, Cures: t.key.Name(), Summary: "give the table more room (about 320 bytes of memory a connection)",
		Steps: []remedy.Step{
			{Kind: remedy.Sysctl, With: set, Text: fmt.Sprintf("in /etc/sysctl.d/60-conntrack.conf: net.netfilter.nf_conntrack_max = %[1]s and net.netfilter.nf_conntrack_buckets = %[1]s; then: sysctl --system", most)},
			note(typed("see what fills it", "conntrack -L 2>/dev/null | awk '{ print $1, $4, $5 }' | sort | uniq -c | sort -rn | head")),
		},
	}
	forget := remedy.Remedy{
		ID: "forget-sooner", Unless: []string{"grow-table"}, Side: t.side, Risk: remedy.Harmless, Cures: t.key.Name(), Summary: "forget what is over sooner; sessions with keepalives do not notice",
		Steps: []remedy.Step{{Kind: remedy.Sysctl, With: map[string]string{"net.netfilter.nf_conntrack_tcp_timeout_established": "86400"},
			Text: "in /etc/sysctl.d/60-conntrack.conf: net.netfilter.nf_conntrack_tcp_timeout_established = 86400 (a day, and not five); then: sysctl --system"}},
	}
	untrack := remedy.Remedy{
		ID: "no-track-ssh", Unless: []string{"grow-table", "forget-sooner"}, Side: t.side, Risk: remedy.CanLockOut, Cures: t.key.Name(), Summary: "let SSH pass without a place in the table",
		Steps: []remedy.Step{typed("on the server itself, where the firewall lets port 22 in by its number, and not by the state of the connection; over the console, because a firewall that asks for the state drops SSH then",
			"nft add table inet sshtay",
			"nft add chain inet sshtay in '{ type filter hook prerouting priority raw; }'", "nft add rule inet sshtay in tcp dport 22 notrack",
			"nft add chain inet sshtay out '{ type filter hook output priority raw; }'", "nft add rule inet sshtay out tcp sport 22 notrack")},
	}
	if t.side != remedy.Server {
		return []remedy.Remedy{grow, forget}
	}
	return []remedy.Remedy{grow, forget, untrack}
}
