package cause

import (
	"fmt"

	"sshtay/internal/fact"
	"sshtay/internal/remedy"
)

var _ = register(Cause{
	ID:    "asymmetric-route",
	Title: "a firewall sees one direction only, and drops the rest",
	Doc: Doc{
		Observed: "How far our own connection got, and, where it was made and then stayed silent, what the kernel counted of it: segments that came, with and without data, and what of ours was never acknowledged.",
		Judged: "Likely when the connection was made, our first bytes were sent again and never acknowledged, and the server repeated its SYN-ACK without a byte of data: the opening passes, and what follows it does not. " +
			"Which firewall that is, and whether the way back avoids it or its rules let only openings through, cannot be seen from one end. " +
			"Ruled out when the server's bytes came or our own were acknowledged. Ways of different length there and back are common and harmless by themselves.",
		Explained: "A stateful firewall lets a connection on only when it saw its whole opening. Where the way to the server leads through it and the way back does not, it sees the SYN, never the SYN-ACK, and takes all that follows for strays. " +
			"connect succeeds, and then nothing: ssh waits for the banner until its time is up. A server with two interfaces whose answers leave by the other one does that, too.",
		Fixed: "Lead both directions through the same firewall, or have it let strays of this connection pass; on a server with several interfaces answer by the interface that was asked.",
	},
	Needs: []fact.Any{fact.HandshakeStage, fact.HandshakeReason, fact.HandshakeUnheard, fact.LoginStage},
	Judge: judgeAsymmetric,
	Fix:   fixAsymmetric,
	Masks: []string{"unreachable"},
})

func judgeAsymmetric(v *fact.View) Verdict {
	stage, seen := fact.HandshakeStage.In(v)
	reason, _ := fact.HandshakeReason.In(v)
	u, silent := fact.HandshakeUnheard.In(v)
	login, _ := fact.LoginStage.In(v)
	through := login == "banner" || login == "kex" || login == "auth" || login == "session"
	switch {
	case !seen:
		return unknown(v, fact.HandshakeStage)
	case stage == "none" || stage == "resolve":
		return Verdict{Status: Unknown, Reason: fmt.Sprintf("no connection was made (%s)", reason)}
	case !silent:
		return Verdict{Status: RuledOut, Reason: "what followed the opening of the connection got through"}
	case u.DataIn > 0 || u.Unacknowledged == 0 || u.SentAgain == 0: // our goodbye may just be on the way
		return Verdict{Status: RuledOut, Reason: "the server's kernel acknowledged what we sent, so both directions are open"}
	case through:
		return Verdict{Status: RuledOut, Reason: "the user's own ssh got through on the same way"}
	case u.In < 2:
		return Verdict{Status: Possible, Impact: Breaks, Reason: "our first bytes were not acknowledged, and the server was not heard again: it may have vanished at that moment; a longer look would settle it"}
	}
	return Verdict{
		Status: Likely, Impact: Breaks,
		Reason:  "the opening of the connection passes and nothing after it does; a capture on the server, which shows our SYN and no acknowledgement, would settle it",
		Summary: "The connection opens, and then a firewall on the way to the server drops all that follows: the server never hears that it was answered, and repeats itself.",
		Why:     "A firewall that sees one direction only knows the opening and not the answer, and drops what belongs to no connection that it knows. A firewall that sees both would have let it on.",
		Evidence: []Evidence{says(fact.HandshakeUnheard, "of ours, %s not acknowledged and sent again %s; %s came, none with data",
			count(u.Unacknowledged, "segment"), times(u.SentAgain), count(u.In, "segment"))},
	}
}

func fixAsymmetric(*fact.View) []remedy.Remedy {
	return []remedy.Remedy{
		byHand("same-way-back", remedy.Network, fact.HandshakeUnheard, "lead both directions through the same firewall",
			typed("on the server, by which way it answers this client", "ip route get CLIENT_ADDRESS"),
			advise("compare with the way on which the client comes in: two uplinks, a VPN beside the firewall, or a second default route part them")),
		byHand("answer-where-asked", remedy.Server, fact.HandshakeUnheard, "on a server with several interfaces, answer by the one that was asked",
			typed("a table of routes for each address of the server", "ip rule add from SERVER_ADDRESS lookup 100", "ip route add default via ITS_GATEWAY dev ITS_INTERFACE table 100"),
			typed("and let the kernel accept packets that come in by another interface than answers leave: in /etc/sysctl.d/60-rp-filter.conf", "net.ipv4.conf.all.rp_filter = 2")),
		byHand("pick-up-strays", remedy.Network, fact.HandshakeUnheard, "until then, have the firewall pick up connections in the middle",
			typed("on a Linux firewall, which does so unless it was told not to", "sysctl net.netfilter.nf_conntrack_tcp_loose=1"), advise("and no rule that drops ct state invalid before the one that lets SSH pass")),
	}
}
