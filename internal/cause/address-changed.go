package cause

import (
	"fmt"
	"strings"

	"sshtay/internal/fact"
	"sshtay/internal/remedy"
)

var _ = register(Cause{
	ID:    "address-changed",
	Title: "this machine's address changed under open sessions",
	Doc: Doc{
		Observed: "The connections to the server that are open on this machine, whoever's they are; whether their own address still is one of this machine's, and on which interface; from which address and interface a new connection would go.",
		Judged: "Confirmed when the address of an open connection is gone from this machine. Likely when a connection waits for acknowledgements while new ones go out by another interface than the one that has its address. " +
			"Possible when its address is deprecated: the kernel keeps it for connections that are open, and takes it away some day, which is how IPv6 privacy addresses are meant. Several addresses, interfaces and default routes by themselves are nothing. " +
			"Ruled out when every open connection has its address, or none is open. What a NAT on the way does with its outer address cannot be seen from here.",
		Explained: "A TCP connection is bound to both addresses for its whole life. When this machine gets another one (a DHCP lease, another Wi-Fi, a VPN that comes up or goes down), packets from the old address are no longer sent, or go where nobody knows the connection. " +
			"Nobody tells either end: the terminal is frozen until a keepalive or a key goes unanswered for minutes.",
		Fixed: "The old connection cannot be saved: end it, and connect again. What must survive a change runs in tmux or screen on the server. Where the change can be foreseen, connect from an address that stays.",
	},
	Needs: []fact.Any{fact.ClientSessions, fact.ClientSource},
	Judge: judgeAddressChanged,
	Fix:   fixAddressChanged,
})

// strayed are open connections that have lost their address, that wait while
// the way to the server has moved to another interface, and that have one that
// is deprecated.
type strayed struct{ gone, moved, deprecated []fact.LocalSession }

func strayedSessions(v *fact.View) (s strayed, open int, seen bool) {
	all, seen := fact.ClientSessions.In(v)
	source, _ := fact.ClientSource.In(v)
	_, now, _ := strings.Cut(source, " on ")
	for _, c := range all {
		switch {
		case c.Address == "gone":
			s.gone = append(s.gone, c)
		case c.Waiting && c.Interface != "" && now != "" && c.Interface != now:
			s.moved = append(s.moved, c)
		case c.Address == "deprecated":
			s.deprecated = append(s.deprecated, c)
		}
	}
	return s, len(all), seen
}

func judgeAddressChanged(v *fact.View) Verdict {
	s, open, seen := strayedSessions(v)
	source, _ := fact.ClientSource.In(v)
	switch {
	case !seen:
		return unknown(v, fact.ClientSessions)
	case len(s.gone) > 0:
		return Verdict{
			Status: Confirmed, Impact: Breaks,
			Reason:   "a connection is open whose own address is gone from this machine",
			Summary:  fmt.Sprintf("%s to this server %s dead and %s not know it: the address %s, from which %s made, is no longer this machine's.", upper(count(len(s.gone), "session")), areIs(s.gone, "is", "are"), areIs(s.gone, "does", "do"), s.gone[0].Local, areIs(s.gone, "it was", "they were")),
			Why:      "A connection is bound to its address for life. This machine cannot send from that one any more, and what the server sends to it does not arrive here. Neither end is told.",
			Evidence: sessionEvidence(s.gone, "is open, and its address is gone", source),
		}
	case len(s.moved) > 0:
		return Verdict{
			Status: Likely, Impact: Breaks,
			Reason:   "a connection waits for acknowledgements, and the way to the server has moved to another interface; taking that interface down again would settle it",
			Summary:  fmt.Sprintf("%s to this server %s stuck: new connections leave as %s, and the old address is on %s.", upper(count(len(s.moved), "session")), areIs(s.moved, "is", "are"), source, s.moved[0].Interface),
			Why:      "When a VPN comes up, or a cable takes over from Wi-Fi, the route to the server moves. Packets of an older connection then leave by the new way with the old address, and are dropped there or come back nowhere.",
			Evidence: sessionEvidence(s.moved, "waits for acknowledgements, on "+s.moved[0].Interface, source),
		}
	case len(s.deprecated) > 0:
		return Verdict{Status: Possible, Impact: Risk,
			Reason: fmt.Sprintf("%s from %s, an address that the kernel keeps only for what is open; when it is taken away, the connection is dead", upper(count(len(s.deprecated), "session")), s.deprecated[0].Local)}
	case open == 0:
		return Verdict{Status: RuledOut, Reason: "no connection to the server was open before this check"}
	}
	return Verdict{Status: RuledOut, Reason: fmt.Sprintf("%s to the server open, each from an address that still is this machine's", count(open, "connection"))}
}

func areIs(all []fact.LocalSession, one, more string) string {
	if len(all) == 1 {
		return one
	}
	return more
}

func sessionEvidence(all []fact.LocalSession, state, source string) (e []Evidence) {
	for _, c := range all[:min(len(all), 5)] {
		who := ""
		if c.PID > 0 {
			who = fmt.Sprintf(" (process %d)", c.PID)
		}
		e = append(e, says(fact.ClientSessions, "the connection from %s%s %s", c.Local, who, state))
	}
	if source != "" {
		e = append(e, says(fact.ClientSource, "new connections leave as %s", source))
	}
	return e
}

func fixAddressChanged(v *fact.View) []remedy.Remedy {
	s, _, _ := strayedSessions(v)
	end := []remedy.Step{advise("in the frozen terminal press Enter, then ~ and a dot")}
	for _, c := range append(s.gone, s.moved...) {
		if c.PID > 0 && len(end) < 5 {
			end = append(end, typed(fmt.Sprintf("or, while the process %d still is that ssh", c.PID), fmt.Sprintf("kill %d", c.PID)))
		}
	}
	plans := []remedy.Remedy{
		{ID: "survive-absence", Side: remedy.Server, Risk: remedy.Harmless, Cures: fact.ClientSessions.Name(), Summary: "run what must survive a change of address in a terminal that stays on the server",
			Steps: []remedy.Step{run("ssh -t HOST tmux new -A -s main")}},
		byHand("stay", remedy.Client, fact.ClientSource, "let this machine keep its address while sessions are open",
			advise("a fixed DHCP lease; the VPN up before the sessions that shall go through it"),
			typed("for a host that shall not go through the VPN, in ~/.ssh/config under its Host line", "BindInterface INTERFACE"),
			typed("for IPv6 privacy addresses, one that stays: in /etc/sysctl.d/60-address.conf", "net.ipv6.conf.all.use_tempaddr = 0")),
	}
	if len(s.gone)+len(s.moved) > 0 {
		plans = append([]remedy.Remedy{{ID: "end-session", Side: remedy.Client, Risk: remedy.Harmless, Cures: fact.ClientSessions.Name(), Summary: "end what is dead, and connect again", Steps: end}}, plans...)
	}
	return plans
}
