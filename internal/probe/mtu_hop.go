package probe

import (
	"context"
	"net/netip"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/sock"
)

// Hole finds between which hops long packets vanish on the way to the server,
// where [MTU] has seen that they do: datagrams of that length and short ones
// are sent to end at every hop. It spends no connection, needs no privileges,
// and runs after [Hops].
var Hole = Probe{Name: "hole", Yields: []fact.Any{fact.PathMTUHop}, Run: runHole}

const (
	holeRounds = 3
	// surelyMissed is how often a hop must answer short datagrams, and none of
	// as many long ones: routers limit what they answer.
	surelyMissed = 2
)

func runHole(ctx context.Context, env *Env, facts *fact.Set) {
	size, ok := fact.PathLostToServer.Get(facts)
	if !ok {
		fact.Miss(facts, fact.NotNeeded+"nothing vanished for its length on the way to the server", fact.PathMTUHop)
		return
	}
	to, why := traceTo(env, facts)
	if why != "" {
		fact.Miss(facts, why, fact.PathMTUHop)
		return
	}
	env.Progress("finding the hop behind which long packets vanish")
	patience := noRTT
	if rtt, ok := fact.RTT.Get(facts); ok {
		patience = rtt*13/10 + loginTime
	}
	from := traceFrom(ctx, env, to)
	h := newHoleTrail(facts)
	for round := range holeRounds {
		next := time.After(leastInterval)
		err := holeRound(ctx, from, to, h.probes(size), patience, h.heard)
		if err != nil {
			fact.Miss(facts, err.Error(), fact.PathMTUHop)
			return
		}
		if h.settled() || ctx.Err() != nil {
			break
		}
		if round == 0 {
			continue // who limits its answers shows in this one, and has time to recover before the others
		}
		select {
		case <-ctx.Done():
		case <-next:
		}
	}
	at, why := h.between()
	if why != "" {
		fact.Miss(facts, why, fact.PathMTUHop)
		return
	}
	at.Size = size
	fact.PathMTUHop.Put(facts, at, "datagrams with small hop limits")
}

func holeRound(ctx context.Context, from netip.Addr, to netip.AddrPort, probes []sock.TTLProbe, patience time.Duration, heard func(sock.TTLReply)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return sock.Trace(ctx, from, to, probes, heard)
}

// A holeTrail is what was answered at each hop; [0] is of hop 1.
type holeTrail []holeHop

type holeHop struct {
	long, short int // answers to datagrams of each kind
	by          netip.Addr
}

// newHoleTrail is as long as the way, or as it may be.
func newHoleTrail(facts *fact.Set) holeTrail {
	length := mostHops
	if n, ok := fact.PathDistance.Get(facts); ok {
		length = n
	} else if n, ok := fact.PathDistanceBack.Get(facts); ok {
		length = n + longer
	}
	return make(holeTrail, max(1, min(length, mostHops)))
}

// reached is the last hop that a long datagram came to; 0 is none.
func (h holeTrail) reached() (n int) {
	for i, hop := range h {
		if hop.long > 0 {
			n = i + 1
		}
	}
	return n
}

// probes are what to send in a round. The long ones go first: a router that
// answers one packet at a time shall answer these.
func (h holeTrail) probes(size int) (all []sock.TTLProbe) {
	for _, size := range []int{size, 0} {
		for ttl := h.reached() + 1; ttl <= len(h); ttl++ {
			all = append(all, sock.TTLProbe{Method: sock.UDP, TTL: ttl, Size: size})
		}
	}
	return all
}

// heard takes an answer. Who refuses to pass a packet on stands somewhere
// before the hop that it was sent to: that is no answer of the hop.
func (h holeTrail) heard(r sock.TTLReply) {
	if r.Answer == sock.Forbidden {
		return
	}
	hop := &h[r.Probe.TTL-1]
	if hop.by = r.From; r.Probe.Size > 0 {
		hop.long++
	} else {
		hop.short++
	}
}

// missed is the first hop behind those that long datagrams came to, which
// surely hears short ones only; 0 is none.
func (h holeTrail) missed() int {
	for i := h.reached(); i < len(h); i++ {
		if h[i].short >= surelyMissed {
			return i + 1
		}
	}
	return 0
}

// settled says that one more round would tell nothing more: there is no hop
// between the two, or long ones come everywhere.
func (h holeTrail) settled() bool {
	return h.reached() == len(h) || h.missed() == h.reached()+1
}

// between returns where the hole is, or why that cannot be told.
func (h holeTrail) between() (at fact.MTUHop, why string) {
	at.Reached, at.Missed = h.reached(), h.missed()
	switch {
	case at.Reached == len(h):
		return at, "long datagrams came as far as short ones: only those of the connection vanish"
	case at.Missed == 0:
		return at, "the hops behind do not answer datagrams, so they cannot say which of these are too long"
	case at.Reached == 0 && at.Missed == len(h) && len(h) > 1:
		return at, "no router on the way answers datagrams, so none can say where they become too long"
	}
	at.MissedBy = h[at.Missed-1].by.String()
	if at.Reached > 0 {
		at.ReachedBy = h[at.Reached-1].by.String()
	}
	return at, ""
}
