package cause

import (
	"fmt"
	"strings"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/remedy"
)

var _ = register(Cause{
	ID:    "tcp-keepalive",
	Title: "a side would never, or only much later, notice a dead peer",
	Doc: Doc{
		Observed: "TCPKeepAlive of ssh and sshd, the kernels' tcp_keepalive_time, tcp_keepalive_intvl and tcp_keepalive_probes, and the SSH keepalives beside them.",
		Judged: "Confirmed when a side has neither SSH keepalives nor TCPKeepAlive: it never notices a peer that is gone. Possible when only the kernel would notice, after more than an hour. " +
			"Ruled out when each side notices within an hour.",
		Explained: "Only sockets that ask for them get TCP keepalives, and Linux first asks after 7200 s: a dead peer is noticed after 7200 + 75 × 9 s, a little over two hours. " +
			"Until then the terminal is frozen, or the server keeps a session, a pseudo-terminal and its locks for nobody. A NAT that forgets sooner never sees them.",
		Fixed: "TCPKeepAlive yes, and net.ipv4.tcp_keepalive_time=600, tcp_keepalive_intvl=60, tcp_keepalive_probes=5 by a file in sysctl.d: a dead peer is noticed after 600 + 60 × 5 = 900 s. SSH keepalives are better: they keep the path open too.",
	},
	Needs: []fact.Any{
		fact.ClientTCPKeepAlive, fact.ServerTCPKeepAlive, fact.ServerAliveInterval, fact.ClientAliveInterval, fact.ServerAliveCountMax, fact.ClientAliveCountMax,
		fact.ClientTCPKeepaliveTime, fact.ClientTCPKeepaliveIntv, fact.ClientTCPKeepaliveNum,
		fact.ServerTCPKeepaliveTime, fact.ServerTCPKeepaliveIntv, fact.ServerTCPKeepaliveNum, fact.HandshakeBanner, fact.SSHDVersion,
	},
	Judge: judgeTCPKeepalive,
	Fix:   fixTCPKeepalive,
})

// An end is what one side has against a dead peer.
type end struct {
	name, program     string
	alive             fact.Key[time.Duration]
	count             fact.Key[int]
	asks              fact.Key[bool]
	time, interval    fact.Key[time.Duration]
	probes            fact.Key[int]
	never, late, fine bool
	says              string
}

func ends() []*end {
	return []*end{
		{name: "client", program: "ssh", alive: fact.ServerAliveInterval, count: fact.ServerAliveCountMax, asks: fact.ClientTCPKeepAlive,
			time: fact.ClientTCPKeepaliveTime, interval: fact.ClientTCPKeepaliveIntv, probes: fact.ClientTCPKeepaliveNum},
		{name: "server", program: "sshd", alive: fact.ClientAliveInterval, count: fact.ClientAliveCountMax, asks: fact.ServerTCPKeepAlive,
			time: fact.ServerTCPKeepaliveTime, interval: fact.ServerTCPKeepaliveIntv, probes: fact.ServerTCPKeepaliveNum},
	}
}

// look fills in when this end notices a dead peer, if that can be told.
func (e *end) look(v *fact.View) {
	alive, seenAlive := e.alive.In(v)
	count, seenCount := e.count.In(v)
	asks, seenAsks := e.asks.In(v)
	after, seenAfter := e.time.In(v)
	interval, seenInterval := e.interval.In(v)
	probes, seenProbes := e.probes.In(v)
	kernel := after + interval*time.Duration(probes)
	slow := ""
	if e.program == "sshd" {
		alive, slow = sshdAsksEvery(v, alive)
	}
	switch {
	case seenAlive && seenCount && alive > 0 && count > 0:
		e.fine = true
		e.says = fmt.Sprintf("the %s notices a dead peer after %s by SSH keepalives%s", e.name, span(givesUpAfter(alive, count)), slow)
	case !seenAlive || !seenAsks:
	case !asks:
		e.never = true
		e.says = fmt.Sprintf("the %s never notices a dead peer: %s has no keepalives of its own and TCPKeepAlive is no", e.name, e.program)
	case !seenAfter || !seenInterval || !seenProbes:
	case kernel > mostPatience:
		e.late = true
		e.says = fmt.Sprintf("the %s notices a dead peer only after %s (%d + %d × %d s, by its kernel)", e.name, span(kernel), int(after.Seconds()), int(interval.Seconds()), probes)
	default:
		e.fine = true
		e.says = fmt.Sprintf("the %s notices a dead peer after %s by its kernel", e.name, span(kernel))
	}
}

func judgeTCPKeepalive(v *fact.View) Verdict {
	both := ends()
	var told []string
	var never, late, fine int
	for _, e := range both {
		e.look(v)
		if e.says != "" {
			told = append(told, e.says)
		}
		never, late, fine = never+one(e.never), late+one(e.late), fine+one(e.fine)
	}
	reason := strings.Join(told, "; ")
	switch {
	case never > 0:
		verdict := Verdict{
			Status: Confirmed, Impact: Risk, Reason: reason,
			Why: "When the peer or the path dies in a quiet moment nothing tells this side: the terminal stays frozen, or the server keeps a ghost of the session with its locks, " +
				"its pseudo-terminal and its place under MaxSessions.",
		}
		for _, e := range both {
			if e.never {
				verdict.Summary += strings.ToUpper(e.says[:1]) + e.says[1:] + ". "
				verdict.Evidence = append(verdict.Evidence, says(e.asks, "TCPKeepAlive no"), says(e.alive, "no SSH keepalives"))
			}
		}
		verdict.Summary = strings.TrimSpace(verdict.Summary)
		return verdict
	case late > 0:
		return Verdict{Status: Possible, Impact: Risk, Reason: reason}
	case fine == len(both):
		return Verdict{Status: RuledOut, Reason: reason}
	}
	open := fact.Any(fact.ServerTCPKeepAlive)
	if both[0].says == "" {
		open = fact.ClientTCPKeepAlive
	}
	return unknown(v, open)
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

func fixTCPKeepalive(v *fact.View) []remedy.Remedy {
	var plans []remedy.Remedy
	for _, e := range ends() {
		e.look(v)
		if !e.never && !e.late {
			continue
		}
		side, risk, kind, file := remedy.Client, remedy.Harmless, remedy.SSHConfig, "~/.ssh/config, under a Host line for this host"
		if e.name == "server" {
			side, risk, kind, file = remedy.Server, remedy.ReloadsSSHD, remedy.SSHDConfig, "/etc/ssh/sshd_config"
		}
		plan := remedy.Remedy{
			ID: e.name + "-tcp-keepalive", Side: side, Risk: risk, Cures: e.asks.Name(),
			Summary: fmt.Sprintf("let the %s's kernel notice a dead peer after 15 minutes", e.name),
			Steps: []remedy.Step{{
				Kind: remedy.Sysctl, With: map[string]string{"net.ipv4.tcp_keepalive_time": "600", "net.ipv4.tcp_keepalive_intvl": "60", "net.ipv4.tcp_keepalive_probes": "5"},
				Text: fmt.Sprintf("on the %s, in /etc/sysctl.d/60-ssh-keepalive.conf: net.ipv4.tcp_keepalive_time=600, net.ipv4.tcp_keepalive_intvl=60, net.ipv4.tcp_keepalive_probes=5; then: sysctl --system", e.name),
			}},
		}
		if e.never {
			plan.Steps = append([]remedy.Step{{Kind: kind, With: map[string]string{"TCPKeepAlive": "yes"}, Text: "in " + file + ": TCPKeepAlive yes"}}, plan.Steps...)
		}
		plans = append(plans, plan)
	}
	return plans
}
