package cause

import (
	"fmt"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/remedy"
)

var _ = register(Cause{
	ID:    "keepalive",
	Title: "an idle session says nothing, so the path may forget it",
	Doc: Doc{
		Observed: "The effective ServerAliveInterval and ServerAliveCountMax of ssh, ClientAliveInterval and ClientAliveCountMax of sshd, and the TCP keepalives of both kernels.",
		Judged: "Confirmed when nothing on the connection speaks within 240 s, the shortest idle limit that is common on today's paths, or within the time that was measured on this one, because the settings themselves were read; " +
			"also when a side gives up within 30 s of silence, or would notice a dead peer only after more than an hour, or when ServerAliveCountMax is 0. " +
			"Ruled out when one side speaks often enough and both are patient. Possible when the client is silent and the server could not be read.",
		Explained: "Firewalls, NATs and load balancers keep a table of flows and drop those that were silent for too long; the next packet is then discarded or answered with a reset. " +
			"A keepalive is an encrypted request that wants an answer: it keeps the flow in the table and notices a peer that is gone. " +
			"OpenSSH gives up after Interval × (CountMax + 1) of silence, one interval later than its manual says; sshd 9.2 to 9.4 ask, and give up, only after twice the time.",
		Fixed: "ServerAliveInterval 60 with ServerAliveCountMax 3 on the client, ClientAliveInterval 60 with ClientAliveCountMax 3 on the server. One side is enough to keep the flow alive; both sides notice a dead peer.",
	},
	Needs: []fact.Any{
		fact.ServerAliveInterval, fact.ServerAliveCountMax, fact.ClientAliveInterval, fact.ClientAliveCountMax, fact.ServerVia, fact.HandshakeBanner, fact.SSHDVersion,
		fact.ClientTCPKeepAlive, fact.ClientTCPKeepaliveTime, fact.ServerTCPKeepAlive, fact.ServerTCPKeepaliveTime,
		fact.IdleTimeout, fact.IdleSurvived, fact.IdleFatal, fact.IdleAge,
	},
	Judge: judgeKeepalive,
	Fix:   fixKeepalive,
	Masks: []string{"tcp-keepalive"},
})

// Limits of the judgement. The shortest idle limit that is common: 240 s, the
// default of a large cloud's load balancer; 350 s, 600 s and 3600 s follow.
const (
	shortestCommonIdleLimit = 240 * time.Second
	leastPatience           = 30 * time.Second
	mostPatience            = time.Hour
)

// A speaker is one side's keepalive: every Interval, giving up after CountMax
// unanswered ones.
type speaker struct {
	option          string // such as "ServerAlive"
	key             fact.Any
	interval        time.Duration
	count           int
	seen, seenCount bool
	every           time.Duration // how often it really asks
	slow            string        // why that is not as set; empty when it is
}

// notices is how long the side takes to give up a silent peer.
func (s speaker) notices() time.Duration { return givesUpAfter(s.every, s.count) }

// good says that the side is known to speak often enough, with patience.
func (s speaker) good() bool {
	return s.every > 0 && s.every < shortestCommonIdleLimit && s.count > 0 && s.notices() >= leastPatience && s.notices() <= mostPatience
}

func speakers(v *fact.View) (client, server speaker) {
	client = speaker{option: "ServerAlive", key: fact.ServerAliveInterval}
	client.interval, client.seen = fact.ServerAliveInterval.In(v)
	client.every = client.interval
	client.count, client.seenCount = fact.ServerAliveCountMax.In(v)
	server = speaker{option: "ClientAlive", key: fact.ClientAliveInterval}
	server.interval, server.seen = fact.ClientAliveInterval.In(v)
	server.count, server.seenCount = fact.ClientAliveCountMax.In(v)
	server.every, server.slow = sshdAsksEvery(v, server.interval)
	return client, server
}

func judgeKeepalive(v *fact.View) Verdict {
	client, server := speakers(v)
	via, _ := fact.ServerVia.In(v)
	kernels := kernelsSpeak(v)

	for _, s := range []speaker{client, server} {
		if verdict, bad := badPatience(s); bad {
			return verdict
		}
	}
	if !client.seen && !server.seen {
		return unknown(v, fact.ServerAliveInterval)
	}
	if via == "local" {
		return judgeBothEnds(client, server)
	}
	speaks, who := soonest(client, server)
	path, wasMeasured := measured(v)
	limit, of := shortestCommonIdleLimit, "the common idle limits (240 s and more)"
	if path.lost {
		limit, of = path.timeout, fmt.Sprintf("the %s that this path was measured to allow%s", span(path.timeout), path.ago)
	}
	switch {
	case speaks > 0 && speaks < limit:
		return Verdict{Status: RuledOut, Reason: fmt.Sprintf("%s every %s, well within %s%s", who, span(speaks), of, patience(client, server))}
	case !server.seen:
		return Verdict{Status: Possible, Reason: "ssh itself " + spoken(client) + "; whether sshd does could not be seen: " + v.Why(fact.ClientAliveInterval)}
	case !client.seen:
		return Verdict{Status: Possible, Reason: "sshd itself " + spoken(server) + "; whether ssh does could not be seen: " + v.Why(fact.ServerAliveInterval)}
	}
	verdict := Verdict{
		Status: Confirmed, Impact: Risk,
		Reason:   fmt.Sprintf("nothing speaks within %s of silence", span(limit)),
		Evidence: []Evidence{says(fact.ServerAliveInterval, "ssh %s", spoken(client)), says(fact.ClientAliveInterval, "sshd %s", spoken(server))},
		Why: "A firewall, NAT or load balancer on the way forgets a flow that is silent for its idle limit (240, 350, 600, 3600 s are common defaults). " +
			"The next key you press is then dropped or answered with a reset.",
	}
	switch {
	case path.lost:
		verdict.Why = fmt.Sprintf("This path forgets connections that are silent for %s%s. The next key you press is then dropped or answered with a reset.", span(path.timeout), path.ago)
		verdict.Evidence = append(verdict.Evidence, says(fact.IdleTimeout, "the path forgets silent connections after %s", span(path.timeout)))
	case wasMeasured:
		verdict.Evidence = append(verdict.Evidence, says(fact.IdleSurvived, "on this path a silence of %s was survived%s; other networks may allow less", span(path.survived), path.ago))
	}
	verdict.Evidence = append(verdict.Evidence, kernels.evidence...)
	switch first := shorter(speaks, kernels.first); {
	case first == 0:
		verdict.Summary = "Nobody speaks on an idle session: neither ssh nor sshd sends keepalives, and neither kernel does."
	case speaks == 0:
		verdict.Summary = fmt.Sprintf("Neither ssh nor sshd sends keepalives; the first sign of life on an idle session is a kernel's, after %s. A device that forgets sooner cuts it.", span(first))
	default:
		verdict.Summary = fmt.Sprintf("The first sign of life on an idle session comes after %s; a device that forgets sooner cuts it.", span(first))
	}
	return verdict
}

// judgeBothEnds is for a machine without a peer: it is one end of some
// connections and the other end of others, so each role stands by itself.
func judgeBothEnds(client, server speaker) Verdict {
	var e []Evidence
	for _, s := range []speaker{client, server} {
		if s.seen && (s.every == 0 || s.every >= shortestCommonIdleLimit) {
			e = append(e, Evidence{Fact: s.key.Name(), Says: s.option + "Interval: this side " + spoken(s)})
		}
	}
	if len(e) == 0 {
		return Verdict{Status: RuledOut, Reason: "each side of this machine that could be seen speaks within 240 s" + patience(client, server)}
	}
	return Verdict{
		Status: Confirmed, Impact: Risk, Evidence: e,
		Reason:  "this machine lets idle sessions be silent for 240 s and more",
		Summary: "This machine lets idle SSH sessions fall silent; unless the other end speaks, a firewall, NAT or load balancer may forget them.",
		Why:     "A device on the way forgets a flow that is silent for its idle limit (240, 350, 600, 3600 s are common defaults); what follows is dropped or answered with a reset.",
	}
}

// badPatience finds keepalives that do harm themselves.
func badPatience(s speaker) (Verdict, bool) {
	if !s.seen || !s.seenCount || s.interval == 0 {
		return Verdict{}, false
	}
	v := Verdict{Status: Confirmed, Evidence: []Evidence{says(s.key, "%sInterval %d, %sCountMax %d", s.option, int(s.interval.Seconds()), s.option, s.count)}}
	switch {
	case s.count == 0 && s.option == "ServerAlive":
		v.Impact = WillBreak
		v.Reason = "ServerAliveCountMax 0 ends a session at its first silence"
		v.Summary = fmt.Sprintf("ssh ends every session that is silent for %s: with ServerAliveCountMax 0 it gives up without asking.", span(s.interval))
		v.Why = "With a count of 0 ssh never sends the question whose missing answer it waits for; the first idle interval is taken for a dead server."
	case s.count == 0:
		return Verdict{}, false // since OpenSSH 8.2 sshd then never gives up; before, it is a policy of the server
	case s.notices() < leastPatience:
		v.Impact = Risk
		v.Reason = fmt.Sprintf("%s gives up after %s without an answer%s", s.option, span(s.notices()), s.slow)
		v.Summary = fmt.Sprintf("The keepalives are so impatient that an outage of %s ends the session.", span(s.notices()))
		v.Why = "A change of Wi-Fi cell, a moving virtual machine or a route change takes longer than that, and TCP alone would have survived it."
	case s.notices() > mostPatience:
		v.Impact = Risk
		v.Reason = fmt.Sprintf("%s notices a dead peer only after %s%s", s.option, span(s.notices()), s.slow)
		v.Summary = fmt.Sprintf("A dead connection is noticed only after %s; until then the terminal is frozen or the session is a ghost.", span(s.notices()))
		v.Why = "OpenSSH gives up after Interval × (CountMax + 1) of silence; here that is more than an hour" + s.slow + "."
	default:
		return Verdict{}, false
	}
	return v, true
}

// kernelSpeech is when TCP keepalives of either kernel first break a silence.
type kernelSpeech struct {
	first    time.Duration
	evidence []Evidence
}

func kernelsSpeak(v *fact.View) kernelSpeech {
	var k kernelSpeech
	for _, side := range []struct {
		name string
		on   fact.Key[bool]
		time fact.Key[time.Duration]
	}{
		{"client", fact.ClientTCPKeepAlive, fact.ClientTCPKeepaliveTime},
		{"server", fact.ServerTCPKeepAlive, fact.ServerTCPKeepaliveTime},
	} {
		on, seen := side.on.In(v)
		after, seenTime := side.time.In(v)
		switch {
		case seen && !on:
			k.evidence = append(k.evidence, says(side.on, "the %s's kernel never does (TCPKeepAlive no)", side.name))
		case seen && seenTime:
			k.first = shorter(k.first, after)
			k.evidence = append(k.evidence, says(side.time, "the %s's kernel first asks after %s", side.name, span(after)))
		}
	}
	return k
}

// soonest says which side speaks first, and how often.
func soonest(client, server speaker) (time.Duration, string) {
	if server.every == 0 || client.every > 0 && client.every <= server.every {
		return client.every, "ssh speaks"
	}
	return server.every, "sshd speaks"
}

// patience adds when each side that asks would give up.
func patience(sides ...speaker) string {
	text := ""
	for _, s := range sides {
		if s.seen && s.seenCount && s.interval > 0 && s.count > 0 {
			text += fmt.Sprintf("; %s notices a dead peer after %s%s", map[string]string{"ServerAlive": "ssh", "ClientAlive": "sshd"}[s.option], span(s.notices()), s.slow)
		}
	}
	return text
}

func spoken(s speaker) string {
	if s.interval == 0 {
		return "never speaks (" + s.option + "Interval 0)"
	}
	return fmt.Sprintf("speaks only every %s (%sInterval %d)%s", span(s.every), s.option, int(s.interval.Seconds()), s.slow)
}

// shorter returns the smaller of two times, where 0 is never.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// fixKeepalive mends the sides that are silent or have the wrong patience; a
// side that could not be seen may be either.
func fixKeepalive(v *fact.View) []remedy.Remedy {
	client, server := speakers(v)
	var plans []remedy.Remedy
	if !client.good() {
		plans = append(plans, remedy.Remedy{
			ID: "client-keepalive", Side: remedy.Client, Risk: remedy.Harmless, Cures: fact.ServerAliveInterval.Name(),
			Summary: "let ssh ask the server for a sign of life every minute",
			Steps: []remedy.Step{{
				Kind: remedy.SSHConfig, With: map[string]string{"ServerAliveInterval": "60", "ServerAliveCountMax": "3"},
				Text: clientPlace(v, fact.ServerAliveInterval) + ": ServerAliveInterval 60 and ServerAliveCountMax 3",
			}},
		})
	}
	if !server.good() {
		plans = append(plans, remedy.Remedy{
			ID: "server-keepalive", Side: remedy.Server, Risk: remedy.ReloadsSSHD, Cures: fact.ClientAliveInterval.Name(),
			Summary: "let sshd ask every client for a sign of life every minute",
			Steps: append([]remedy.Step{{
				Kind: remedy.SSHDConfig, With: map[string]string{"ClientAliveInterval": "60", "ClientAliveCountMax": "3"},
				Text: "in /etc/ssh/sshd_config (or a file of sshd_config.d that it includes first): ClientAliveInterval 60 and ClientAliveCountMax 3",
			}}, reloadSSHD()),
		})
	}
	return plans
}
