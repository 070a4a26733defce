package cause

import (
	"fmt"
	"strings"

	"sshtay/internal/fact"
	"sshtay/internal/remedy"
)

var _ = register(Cause{
	ID:    "duplicate-address",
	Title: "two machines answer at the server's address",
	Doc: Doc{
		Observed: "Which host key each of this run's own connections to one address saw: the handshake and the login, and two more where these differ or ssh remembers another key; " +
			"on the server the addresses for which its kernel's duplicate address detection failed, and the kernel log's lines about another machine with an address of the server's.",
		Judged: "Likely when connections of one run to one address saw different host keys of the same type: at least two machines answer there. Whether they have the address by mistake, or a balancer leads to both, only their owner can tell; both end like this. " +
			"Confirmed when the server's own kernel found another machine with its address. Several addresses behind one name are nothing, and neither is a balancer whose servers share their host keys. " +
			"Ruled out when all connections to the address saw the same key. A twin that did not answer while the check ran cannot be seen.",
		Explained: "When a clone keeps its address, or somebody takes one that is in use, routers and neighbours send packets to whichever machine answered last. The host key then changes from one connection to the next, " +
			"and a connection in progress is reset, because the other machine knows nothing of it.",
		Fixed: "Give each machine an address of its own. Behind a balancer give all servers the same host keys, or let each client always reach the same one.",
	},
	Needs: []fact.Any{fact.Identities, fact.DuplicateFound, fact.LogDuplicates, fact.HandshakeStage},
	Judge: judgeDuplicate,
	Fix:   fixDuplicate,
	Masks: []string{"auth"},
})

func judgeDuplicate(v *fact.View) Verdict {
	seen, compared := fact.Identities.In(v)
	found, _ := fact.DuplicateFound.In(v)
	logged, _ := fact.LogDuplicates.In(v)
	stage, tried := fact.HandshakeStage.In(v)
	const why = "A connection belongs to one machine. When its packets reach another with the same address, that one resets it, and the next connection meets another host key: ssh warns of it and refuses. " +
		"Somebody who sits in between would look the same: trust neither key before you have read it on the server's console."
	keys := differing(seen)
	switch {
	case len(found) > 0:
		verdict := Verdict{
			Status: Confirmed, Impact: WillBreak, Why: why,
			Reason:   "the server's kernel found another machine with its address, and does not use it",
			Summary:  "Another machine in the server's network has the address " + firstLine(strings.Join(found, ", ")) + "; connections to it reach that machine, or nobody.",
			Evidence: []Evidence{says(fact.DuplicateFound, "%s: duplicate address detection failed", firstLine(strings.Join(found, ", ")))},
		}
		if len(logged) > 0 {
			verdict.Evidence = append(verdict.Evidence, says(fact.LogDuplicates, "%s", lastLine(logged)))
		}
		return verdict
	case len(keys) > 0:
		return Verdict{
			Status: Likely, Impact: Breaks, Why: why,
			Reason:   "connections of this run to one address saw different host keys; whether by mistake or by a balancer, and that nobody sits in between, the keys read on the server's console would settle",
			Summary:  fmt.Sprintf("%s answer at %s in turn: this check's own connections saw different host keys there.", upper(count(len(keys), "machine")), seen[0].Address),
			Evidence: identityEvidence(seen),
		}
	case len(logged) > 0:
		return Verdict{
			Status: Likely, Impact: WillBreak, Why: why,
			Reason:   "the server's kernel log of the last day says so; whether the other machine is still there, looking for it would settle",
			Summary:  "Another machine in the server's network used an address of the server's within the last day.",
			Evidence: []Evidence{says(fact.LogDuplicates, "%s", lastLine(logged))},
		}
	case compared:
		return Verdict{Status: RuledOut, Reason: fmt.Sprintf("%s to %s saw the same host key", count(len(seen), "connection"), seen[0].Address)}
	case tried && (stage == "none" || stage == "resolve"):
		return Verdict{Status: Unknown, Reason: "no connection was made, so no two could be compared"}
	}
	return unknown(v, fact.Identities)
}

// differing are the fingerprints of the type of key of which there are
// several, or nothing.
func differing(seen []fact.Identity) (keys []string) {
	of := map[string][]string{}
	for _, i := range seen {
		kind, fingerprint, _ := strings.Cut(i.HostKey, " ")
		known := false
		for _, f := range of[kind] {
			known = known || f == fingerprint
		}
		if !known {
			of[kind] = append(of[kind], fingerprint)
		}
		if len(of[kind]) > 1 && len(of[kind]) > len(keys) {
			keys = of[kind]
		}
	}
	return keys
}

func identityEvidence(seen []fact.Identity) (e []Evidence) {
	for _, i := range seen[:min(len(seen), 5)] {
		e = append(e, says(fact.Identities, "the %s saw %s", i.By, i.HostKey))
	}
	return e
}

func fixDuplicate(v *fact.View) []remedy.Remedy {
	seen, _ := fact.Identities.In(v)
	cures := fact.Any(fact.DuplicateFound)
	if len(differing(seen)) > 0 {
		cures = fact.Identities
	}
	return []remedy.Remedy{
		byHand("own-address", remedy.Network, cures, "find the other machine, and give it an address of its own",
			typed("from a machine in the same network, who answers for the address: two different hardware addresses are two machines", "arping -D -c 3 -I INTERFACE ADDRESS", "#and for IPv6", "ndisc6 ADDRESS INTERFACE"),
			typed("on each machine that should have it, which host key it shows", "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub")),
		byHand("same-keys", remedy.Server, cures, "if a balancer leads to several servers on purpose, give these the same host keys",
			advise("copy /etc/ssh/ssh_host_*_key and its .pub files from one to the others, over a way that nobody else can read, and restart sshd there")),
	}
}
