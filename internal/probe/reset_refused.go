package probe

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/rst"
	"sshtay/internal/sock"
)

// Bounds for following the way to a host: as far as traceroute does, and, to
// ask who refuses a connection, so long.
const (
	mostHops    = 30
	refusalTime = 1200 * time.Millisecond // one SYN sent again is in it
)

// refused finds out who answered the first packet of a connection by a reset.
// Datagrams show how far the host is; connection attempts that end before it
// are free, and whoever resets them stands in the way.
func (f *finding) refused(ctx context.Context, env *Env, facts *fact.Set) {
	to, ok := refuser(env, facts)
	switch {
	case !ok:
		f.unsettled("no address of the host was seen to refuse")
		return
	case to.Addr().IsLoopback():
		f.unsettled("the server is this machine: there is no path on which somebody else could be told from it")
		return
	}
	env.Progress("finding out who refuses the connection")
	limit := refusalTime
	below, host, followed := reachOf(facts, to.Addr())
	if !followed {
		below, host = f.reach(ctx, to, limit)
	}
	if f.ownDistance(host) || f.refusedBelow(ctx, to, below, limit) {
		return
	}
	f.refusedByTTL(ctx, env, to, host)
}

// refuser is the address that refused.
func refuser(env *Env, facts *fact.Set) (netip.AddrPort, bool) {
	all, _ := fact.HandshakeAddresses.Get(facts)
	for _, a := range all {
		if addr, err := netip.ParseAddr(a.Address); err == nil && a.Reason == "refused" {
			return netip.AddrPortFrom(addr, uint16(env.Resolved.Port)), true
		}
	}
	return netip.AddrPort{}, false
}

// reachOf is what [finding.reach] looks for, where the way to that address has
// been followed: hosts answer few datagrams at a time.
func reachOf(facts *fact.Set, to netip.Addr) (below, host int, followed bool) {
	hops, _ := fact.PathHops.Get(facts)
	host, followed = fact.PathDistance.Get(facts)
	if !followed || len(hops) == 0 || !slices.Contains(hops[len(hops)-1].Addresses, to.String()) {
		return 0, 0, false
	}
	for _, h := range hops {
		if !h.Host && h.Answers > 0 && h.TTL < host {
			below = max(below, h.TTL)
		}
	}
	return below, host, true
}

// reach is how far datagrams went that some router gave up, and at which hop
// the host itself answered; 0 is nowhere.
func (f *finding) reach(ctx context.Context, to netip.AddrPort, limit time.Duration) (below, host int) {
	var probes []sock.TTLProbe
	for ttl := 1; ttl <= mostHops; ttl++ {
		probes = append(probes, sock.TTLProbe{Method: sock.UDP, TTL: ttl})
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	sock.Trace(ctx, netip.Addr{}, to, probes, func(r sock.TTLReply) {
		switch {
		case r.Answer == sock.Expired:
			below = max(below, r.Probe.TTL)
		case r.Answer == sock.Arrived && (host == 0 || r.Probe.TTL < host):
			host = r.Probe.TTL
		}
		if host > 0 && below == host-1 {
			cancel() // all that is to be learnt
		}
	})
	return below, host
}

// ownDistance compares the distance of the host with that of a reset that was
// watched. It says whether that settles it.
func (f *finding) ownDistance(host int) bool {
	if f.ttl == 0 || host == 0 {
		return false
	}
	switch hops := rst.Hops(f.ttl); {
	case hops < host:
		f.proven(rst.Middlebox, true, "its TTL (%d) says that its sender is %s away, and the host answers datagrams from %d hops away", f.ttl, hopsText(hops), host)
		f.hops = hops
	case hops == host:
		f.proven(rst.Server, true, "its TTL (%d) says that its sender is as far away as the host, which answers datagrams from there: %s", f.ttl, hopsText(host))
	default:
		return false
	}
	return true
}

// refusedBelow tries connections that end before the host.
func (f *finding) refusedBelow(ctx context.Context, to netip.AddrPort, below int, limit time.Duration) bool {
	var probes []sock.TTLProbe
	for ttl := 1; ttl <= below; ttl++ {
		probes = append(probes, sock.TTLProbe{Method: sock.TCP, TTL: ttl})
	}
	if len(probes) == 0 {
		return false
	}
	nearest := 0
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	sock.Trace(ctx, netip.Addr{}, to, probes, func(r sock.TTLReply) {
		if r.Answer == sock.Arrived && r.Code == [2]int{} && (nearest == 0 || r.Probe.TTL < nearest) {
			nearest = r.Probe.TTL
		}
	})
	if nearest == 0 {
		return false
	}
	f.proven(rst.Middlebox, true, "connections are reset, too, when their packets can travel no more than %s, and datagrams that travel as far end before the host", hopsText(nearest))
	// A router looks at the TTL before its firewall looks at the packet.
	f.least, f.most = max(1, nearest-1), nearest
	if f.least == f.most {
		f.hops = nearest
	}
	return true
}

// refusedByTTL asks for refusals from nearer than the host only, and then for
// those with a TTL that only another kind of system starts at.
func (f *finding) refusedByTTL(ctx context.Context, env *Env, to netip.AddrPort, host int) {
	const first = 64
	if host < 2 || host > first {
		f.unsettled("the host answers no datagrams, so its distance is not known")
		return
	}
	nearer, err := refuses(ctx, env, to, first-host+2)
	if err != nil {
		f.unsettled("no experiment was possible: " + err.Error())
		return
	}
	if !nearer {
		f.proven(rst.Server, false, "no refusal has a TTL above %d, with which packets arrive from as far as the host (%s)", first-host+1, hopsText(host))
		return
	}
	beyond, err := refuses(ctx, env, to, first+1)
	if err != nil || beyond {
		f.unsettled(fmt.Sprintf("the refusal has a TTL above %d: it comes from nearer than the host (%s), or starts at more than %d", first-host+1, hopsText(host), first))
		return
	}
	if !env.Budget.Take() || !byReset(ctx, to) {
		f.unsettled("the refusal is no reset, or was not seen to be one")
		return
	}
	f.proven(rst.Middlebox, true, "the refusal has a TTL above %d and not above %d: its sender is nearer than the host, which is %s away", first-host+1, first, hopsText(host))
	f.least, f.most = 1, host-1
}

// refuses says whether a connection is refused by a reset that arrives with at
// least that TTL.
func refuses(ctx context.Context, env *Env, to netip.AddrPort, floor int) (bool, error) {
	if !env.Budget.Take() {
		return false, errNoBudget
	}
	conn, err := sock.Dial(ctx, to, sock.Options{MinTTL: floor, Timeout: refusalTime})
	if err == nil {
		conn.Close()
		return false, errors.New("this time the connection was accepted")
	}
	return errors.Is(err, syscall.ECONNREFUSED), ctx.Err()
}

// byReset says whether a connection is refused by a reset, and not by ICMP.
func byReset(ctx context.Context, to netip.AddrPort) (is bool) {
	ctx, cancel := context.WithTimeout(ctx, refusalTime)
	defer cancel()
	sock.Trace(ctx, netip.Addr{}, to, []sock.TTLProbe{{Method: sock.TCP, TTL: usualReach}}, func(r sock.TTLReply) {
		is = r.Answer == sock.Arrived && r.Code == [2]int{}
	})
	return is
}
