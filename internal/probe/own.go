package probe

import (
	"context"
	"net"
	"net/netip"

	"sshtay/internal/fact"
)

// Own reads the server's side without a login where the login failed and the
// server is this machine itself, as when somebody stands at its console.
var Own = Probe{Name: "own", Yields: serverFacts, Run: func(ctx context.Context, env *Env, facts *fact.Set) {
	addresses, _ := net.InterfaceAddrs()
	if isOwn(env, facts, addresses) {
		runLocal(ctx, env, facts)
	}
}}

// isOwn says that the login failed and that the handshake went to an sshd of
// this machine, which has these addresses. Only port 22 is sure to be: others
// may lead elsewhere, through a tunnel or into a container.
func isOwn(env *Env, facts *fact.Set, addresses []net.Addr) bool {
	if _, read := fact.ServerVia.Get(facts); read || env.Resolved.Port != 22 {
		return false
	}
	own := ownAddresses(addresses)
	tried, _ := fact.HandshakeAddresses.Get(facts)
	for _, t := range tried {
		a, err := netip.ParseAddr(t.Address)
		if err != nil || !a.IsLoopback() && !own[a.Unmap()] {
			return false
		}
	}
	return len(tried) > 0
}

// ownAddresses are the addresses of this machine.
func ownAddresses(addresses []net.Addr) map[netip.Addr]bool {
	own := map[netip.Addr]bool{}
	for _, a := range addresses {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			own[p.Addr().Unmap()] = true
		}
	}
	return own
}
