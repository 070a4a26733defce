package probe

import (
	"context"
	"net/netip"
	"strings"

	"sshtay/internal/fact"
)

// Twins compares the host keys that the connections of this run saw at one
// address. Where they give reason to think of two machines, it looks again:
// only then are there more connections than otherwise.
var Twins = Probe{Name: "twins", Yields: []fact.Any{fact.Identities}, Run: runTwins}

// mostTwins is how often it looks again.
const mostTwins = 2

func runTwins(ctx context.Context, env *Env, facts *fact.Set) {
	to, why := serverAddr(env, facts)
	key, shook := fact.HandshakeHostKey.Get(facts)
	switch {
	case why != "":
		fact.Miss(facts, why, fact.Identities)
		return
	case !shook:
		fact.Miss(facts, "our handshake did not get as far as the server's host key", fact.Identities)
		return
	}
	all := []fact.Identity{{By: "handshake", Address: to.Addr().String(), HostKey: key}}
	at, _ := fact.LoginAddress.Get(facts)
	if seen, ok := fact.LoginHostKey.Get(facts); ok && sameAddress(at, to.Addr()) {
		all = append(all, fact.Identity{By: "login", Address: at, HostKey: seen})
	}
	source := "our connections to " + to.Addr().String()
	if len(all) == 1 && !toldOfOther(facts) {
		fact.Miss(facts, "there was no other connection to the same address to compare with", fact.Identities)
		return
	}
	for range mostTwins {
		if sameKeys(all) && !toldOfOther(facts) || env.Budget.Spent() >= mostSpent || env.Budget.Left() == 0 || ctx.Err() != nil {
			break
		}
		env.Progress("looking whether two machines share the address")
		again := newAttempt(env)
		again.repeat(ctx, env, facts)
		if again.shook == nil || again.shook.HostKey == nil || !again.shook.HostKey.Verified {
			break
		}
		all = append(all, fact.Identity{By: "handshake", Address: to.Addr().String(), HostKey: again.shook.HostKey.Type + " " + again.shook.HostKey.Fingerprint})
	}
	fact.Identities.Put(facts, all, source)
}

// toldOfOther says that the user's ssh knows another key for the host.
func toldOfOther(facts *fact.Set) bool {
	reason, _ := fact.LoginReason.Get(facts)
	return reason == "host-key-changed"
}

func sameAddress(said string, as netip.Addr) bool {
	a, err := netip.ParseAddr(said)
	return err == nil && a.Unmap() == as.Unmap()
}

// sameKeys says that no two keys of one type differ.
func sameKeys(all []fact.Identity) bool {
	of := map[string]string{}
	for _, i := range all {
		kind, fingerprint, _ := strings.Cut(i.HostKey, " ")
		if known, ok := of[kind]; ok && known != fingerprint {
			return false
		}
		of[kind] = fingerprint
	}
	return true
}
