package cause

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/remedy"
)

var _ = register(Cause{
	ID:    "unreachable",
	Title: "the server cannot be reached, or does not answer",
	Doc: Doc{
		Observed: "How far a connection got and what ended it, in the operating system's words; every address of the host and what came of it; where a proxy carries the connection, what it printed.",
		Judged: "Confirmed when the name has no address, or no address let a connection through: the reason says who said so, the resolver, this machine, a router or the host. " +
			"Confirmed as a risk when an address that ssh tries first gives no answer while a later one works. Likely when the connection is made and nobody greets. Ruled out when the server greets and no address is broken, and when the server's own state says that no sshd listens.",
		Explained: "Refused means that something at the address answered and said no: nothing listens on that port, or a firewall rejects. No answer means that packets vanish: a firewall that drops, a host that is off, a wrong address. " +
			"A connection that is made and stays silent means that the kernel answered and no program did. ssh tries one address after the other and prints the error of the last one only, which hides a broken first one.",
		Fixed: "Depends on who said so: the name or ~/.ssh/config, this machine's network, the firewalls between, or sshd on the server, by its console. For a broken family of addresses AddressFamily inet or inet6 avoids the wait.",
	},
	Needs: []fact.Any{
		fact.HandshakeVia, fact.HandshakeStage, fact.HandshakeReason, fact.HandshakeDetail, fact.HandshakeAddresses, fact.HandshakeFrozen, fact.FirstBytes,
		fact.ProxyStderr, fact.ProxyExit, fact.ConnectTimeout, fact.LoginStage, fact.LoginReason, fact.SSHDRunning, fact.ResetSender, fact.PathHops,
	},
	Judge: func(v *fact.View) Verdict { verdict, _ := reach(v); return verdict },
	Fix:   func(v *fact.View) []remedy.Remedy { _, plans := reach(v); return plans },
})

// reach judges how far a connection gets, and what mends it.
func reach(v *fact.View) (Verdict, []remedy.Remedy) {
	via, _ := fact.HandshakeVia.In(v)
	stage, seen := fact.HandshakeStage.In(v)
	reason, _ := fact.HandshakeReason.In(v)
	login, _ := fact.LoginStage.In(v)
	proxied := via == "proxy-jump" || via == "proxy-command"
	connects := login == "connect"
	through := login == "banner" || login == "kex" || login == "auth" || login == "session"
	switch {
	case stage == "banner" || stage == "kex":
		return families(v)
	case !seen && through:
		return Verdict{Status: RuledOut, Reason: "the user's own ssh reached the server"}, nil
	case !seen:
		return unknown(v, fact.HandshakeStage), nil
	case proxied:
		return byProxy(v, via, reason)
	case stage == "connect" && reason == "timed-out":
		return mute(v, through)
	case stage == "connect":
		return Verdict{Status: RuledOut, Reason: "a connection to the server's port was made"}, nil
	}
	if injected(v) {
		return notTheServer(), nil
	}
	word := reason
	if word == "reset" {
		word = "refused" // some systems say so of a refusal
	}
	if running, read := fact.SSHDRunning.In(v); read && !running && word == "refused" {
		return Verdict{Status: RuledOut, Reason: "the server's own kernel refuses, because no sshd listens there: see sshd-broken"}, nil
	}
	far := howFar(v)
	if word == "no-route" && len(far) > 0 {
		word = "unreachable" // packets left this machine: who knows no route is a router
	}
	u, known := unreached[word]
	if !known {
		return Verdict{Status: Unknown, Reason: fmt.Sprintf("the connection ended after the stage %s: %s", stage, reason)}, nil
	}
	detail, _ := fact.HandshakeDetail.In(v)
	verdict := Verdict{
		Status: Confirmed, Impact: Breaks, Reason: u.who, Summary: u.summary, Why: u.why,
		Evidence: outcomes(v),
	}
	if len(verdict.Evidence) == 0 {
		verdict.Evidence = []Evidence{says(fact.HandshakeReason, "%s", strings.TrimSuffix(reason+": "+detail, ": "))}
	}
	if word == "timed-out" || word == "unreachable" {
		verdict.Evidence = append(verdict.Evidence, far...)
	}
	if through || connects {
		verdict.Status, verdict.Impact = Likely, WillBreak
		verdict.Reason += "; yet the user's own ssh got through, so it fails only at times"
	}
	return verdict, []remedy.Remedy{u.mend}
}

// howFar says where the packets end that nobody answers.
func howFar(v *fact.View) (e []Evidence) {
	hops, _ := fact.PathHops.In(v)
	last, attempts := -1, -1 // the last hop that answers, and that answers connection attempts
	for i, h := range hops {
		if h.Says != "" && len(h.Addresses) > 0 {
			e = append(e, says(fact.PathHops, "hop %d (%s) says that it %s", i+1, h.Addresses[0], h.Says))
		}
		if h.Answers == 0 || h.Host {
			continue
		}
		last = i
		if h.By == "tcp" {
			attempts = i
		}
	}
	if last < 0 || len(e) > 0 {
		return e
	}
	at := func(i int) string { return fmt.Sprintf("hop %d (%s)", i+1, strings.Join(hops[i].Addresses, ", ")) }
	if host := hops[len(hops)-1]; host.Answers == 0 {
		return append(e, says(fact.PathHops, "the last that answers on the way is %s", at(last)))
	}
	up := "the host is up: it answers other packets"
	switch {
	case attempts == last:
		up += "; connection attempts come as far as " + at(last) + ", the last before it that answers"
	case attempts >= 0:
		up += "; connection attempts come as far as " + at(attempts) + " and no farther"
	}
	return append(e, says(fact.PathHops, "%s", up))
}

// A meaning is what one reason tells: who said so, and what mends it.
type meaning struct {
	who, summary, why string
	mend              remedy.Remedy
}

var unreached = map[string]meaning{
	"name-not-found": {
		who: "the resolver says that there is no such name", summary: "The host's name has no address.",
		why: "Without an address there is nothing to connect to. A typing error, a HostName in ~/.ssh/config, a missing search domain or a VPN that is down are the usual reasons.",
		mend: byHand("check-name", remedy.Client, fact.HandshakeReason, "find out which name ssh asks for, and who should know it",
			typed("the name that ssh asks for", "ssh -G HOST | grep ^hostname"), typed("what the resolver says of it", "getent ahosts NAME"), advise("names of a private network need its VPN")),
	},
	"name-failed": {
		who: "the resolver gave no answer", summary: "The host's address is not known, because this machine's resolver does not answer.",
		why: "A resolver that cannot be reached stops every connection by name; one by address would still work.",
		mend: byHand("mend-resolver", remedy.Client, fact.HandshakeReason, "mend this machine's name resolution",
			typed("see which name servers it asks, and whether these can be reached", "cat /etc/resolv.conf", "resolvectl status"), advise("meanwhile connect to the address itself")),
	},
	"refused": {
		who: "the host, or a firewall in its name, refused the connection", summary: "The connection was refused: something at the host's address answered and said no.",
		why: "A refusal means that the way there works and nothing listens on that port, or that a firewall rejects what it should let in.",
		mend: byHand("listen", remedy.Server, fact.HandshakeReason, "see on the server's console whether sshd runs, and on which port",
			typed("whether it listens, and where", "ss -ltnp | grep ssh"), typed("whether the service runs", "systemctl status ssh ssh.socket sshd"),
			advise("if it does: compare the port with Port in ~/.ssh/config, and look for a firewall rule that rejects")),
	},
	"timed-out": {
		who: "nobody answered; who drops the packets cannot be told from here", summary: "Nobody answered the attempt to connect.",
		why: "Packets vanish without a word: a firewall or a cloud's security group drops them, the host is off, or the address is no longer its own.",
		mend: byHand("open-the-way", remedy.Network, fact.HandshakeReason, "find out where the packets end",
			advise("try from another network, and from the server's own"), advise("see that the firewall or the cloud's security group lets this client in"),
			typed("see on the server's console that it is up and has this address", "ip address")),
	},
	"unreachable": {
		who: "a router or the local network says that the host cannot be reached", summary: "The host cannot be reached: a router, or the network it is in, says so.",
		why: "Somebody on the way answered for the host: the host is off, its network is cut off, or a firewall rejects in that way.",
		mend: byHand("reach-host", remedy.Network, fact.HandshakeReason, "see who says so and why",
			typed("the way out", "ip route get ADDRESS"), typed("in the same network, whether the host answers there", "ip neigh"), advise("beyond, the owner of the router that answers knows")),
	},
	"no-route": {
		who: "this machine has no route to the server's network", summary: "This machine has no route to the server's network.",
		why:  "The kernel found no way out, so nothing was sent: no network, no default route, a VPN that is down, or only the other family of addresses.",
		mend: byHand("get-route", remedy.Client, fact.HandshakeReason, "give this machine a way there", typed("the ways out", "ip route", "ip -6 route"), advise("connect the network or the VPN")),
	},
	"local-error": {
		who: "this machine itself did not let the connection out", summary: "This machine itself refused to make the connection.",
		why:  "The kernel refused before or instead of the network: a local firewall rule, an address that is not ours (BindAddress), a sandbox, or no free port.",
		mend: byHand("let-out", remedy.Client, fact.HandshakeReason, "see what on this machine forbids it", typed("firewall rules", "nft list ruleset"), typed("an address to connect from", "ssh -G HOST | grep -i bind")),
	},
}

// byHand is a remedy that only a person can carry out.
func byHand(id string, side remedy.Side, cures fact.Any, summary string, steps ...remedy.Step) remedy.Remedy {
	return remedy.Remedy{ID: id, Side: side, Risk: remedy.Harmless, Cures: cures.Name(), Summary: summary, Steps: steps}
}

// mute is a port that accepts a connection and never greets.
func mute(v *fact.View, through bool) (Verdict, []remedy.Remedy) {
	if through {
		return Verdict{Status: RuledOut, Reason: "the server greeted the user's own ssh, though not ours in time: it is slow"}, nil
	}
	detail, _ := fact.HandshakeDetail.In(v)
	frozen, _ := fact.HandshakeFrozen.In(v)
	first, _ := fact.FirstBytes.In(v)
	login, _ := fact.LoginStage.In(v)
	end, _ := fact.LoginReason.In(v)
	if login == "connect" && (end == "closed" || end == "reset" || end == "throttled") {
		return Verdict{Status: RuledOut, Reason: "something ended the connection of the user's own ssh after a silence (" + end + "), so somebody is there: see source-refused and sshd-broken"}, nil
	}
	if first != "" {
		return Verdict{Status: RuledOut, Reason: "the connection was made and something came: see not-ssh"}, nil
	}
	verdict := Verdict{
		Status: Likely, Impact: Breaks,
		Reason:   "the connection was made and nobody greeted; whether sshd hangs or something plays the server, its console would settle",
		Summary:  "The port accepts connections, but no SSH server greets.",
		Why:      "The kernel completes connections for a program that may be stopped, out of memory or waiting for a dead disk or name server; a firewall or a load balancer without a server behind it does the same.",
		Evidence: []Evidence{says(fact.HandshakeReason, "%s", strings.TrimSuffix("timed-out: "+detail, ": "))},
	}
	if frozen {
		verdict.Evidence = append(verdict.Evidence, says(fact.HandshakeFrozen, "the connection stayed open and silent"))
	}
	return verdict, []remedy.Remedy{byHand("wake-server", remedy.Server, fact.HandshakeReason, "see on the server's console why sshd does not answer",
		typed("what sshd does (D in the second column: stuck, T: stopped)", "ps -eo pid,stat,wchan:20,args | grep sshd"), typed("what the server is short of", "free -m", "dmesg | tail"),
		advise("behind a load balancer see that it has a healthy server"))}
}

// outcomes is evidence for each address that was tried.
func outcomes(v *fact.View) []Evidence {
	addresses, _ := fact.HandshakeAddresses.In(v)
	var e []Evidence
	for _, a := range addresses {
		if a.Stage != "" {
			e = append(e, says(fact.HandshakeAddresses, "%s", outcome(a)))
		}
	}
	return e
}

func outcome(a fact.Address) string {
	if connected(a) {
		return fmt.Sprintf("%s (%s) answers after %s", a.Address, a.Family, took(a))
	}
	switch a.Reason {
	case "timed-out":
		return fmt.Sprintf("%s (%s) gives no answer within %s", a.Address, a.Family, took(a))
	case "refused", "reset":
		return fmt.Sprintf("%s (%s) refuses after %s", a.Address, a.Family, took(a))
	}
	said := a.Reason
	if a.Detail != "" {
		said = firstLine(a.Detail)
	}
	return fmt.Sprintf("%s (%s) fails after %s: %s", a.Address, a.Family, took(a), said)
}

func took(a fact.Address) string {
	d := time.Duration(a.Seconds * float64(time.Second))
	switch {
	case d < time.Millisecond:
		return "less than 1 ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return span(d)
}

func connected(a fact.Address) bool {
	return slices.Contains([]string{"connect", "banner", "kex"}, a.Stage)
}

// families judges addresses of which some work: ssh tries them in order, and
// waits for each that does not answer.
func families(v *fact.View) (Verdict, []remedy.Remedy) {
	addresses, _ := fact.HandshakeAddresses.In(v)
	works := slices.IndexFunc(addresses, connected)
	var slow, quick []fact.Address
	for i, a := range addresses {
		switch {
		case a.Stage == "" || connected(a) || a.Reason == "no-route" || a.Reason == "local-error":
			// Not tried, fine, or a family that this machine does not have.
		case a.Seconds >= 1 && i < works:
			slow = append(slow, a)
		default:
			quick = append(quick, a)
		}
	}
	verdict := Verdict{Impact: Risk, Evidence: outcomes(v)}
	switch {
	case works >= 0 && len(slow) > 0:
		verdict.Status = Confirmed
		verdict.Reason = "an address that ssh tries first does not let a connection through"
		verdict.Summary = fmt.Sprintf("%s; ssh tries it before %s, which works, and %s.", outcome(slow[0]), addresses[works].Address, waits(v, slow[0]))
		verdict.Why = "ssh takes the addresses in the order of the resolver, one after the other. A broken first one makes every connection slow, and programs with a short timeout give up before the one that works."
	case works >= 0 && len(quick) > 0:
		verdict.Status = Possible
		verdict.Reason = fmt.Sprintf("%s; it costs no time, because it fails at once or comes after one that works", outcome(quick[0]))
	default:
		return Verdict{Status: RuledOut, Reason: "the server was reached and greeted us"}, nil
	}
	return verdict, fixFamily(addresses[works], append(slow, quick...)[0])
}

// waits says how long ssh waits for an address that does not answer.
func waits(v *fact.View, a fact.Address) string {
	limit, set := fact.ConnectTimeout.In(v)
	switch {
	case a.Reason != "timed-out":
		return "loses that time on every connection"
	case set && limit > 0:
		return fmt.Sprintf("waits %s for it every time (ConnectTimeout)", span(limit))
	}
	return "waits for it as long as the kernel does, about two minutes on Linux"
}

func fixFamily(good, bad fact.Address) []remedy.Remedy {
	mend := byHand("mend-address", remedy.Network, fact.HandshakeAddresses, "mend the address that does not work, or take it out of the name", advise("let the firewall pass SSH to %s too, or take that address out of the name's DNS records", bad.Address))
	if good.Family == bad.Family {
		return []remedy.Remedy{mend}
	}
	family := "inet"
	if good.Family == "IPv6" {
		family = "inet6"
	}
	return []remedy.Remedy{mend, {
		ID: "one-family", Side: remedy.Client, Risk: remedy.Harmless, Cures: fact.HandshakeAddresses.Name(),
		Summary: "until then let ssh use only " + good.Family + " for this host",
		Steps: []remedy.Step{{
			Kind: remedy.SSHConfig, With: map[string]string{"AddressFamily": family},
			Text: ownHost + ": AddressFamily " + family,
		}},
	}}
}
