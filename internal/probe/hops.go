package probe

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/sock"
)

// Hops follows the way to the server once: which routers are there, and how
// far is it? It spends no connection, and needs no privileges. It may run
// beside [Handshake], whose end it waits for, and beside the login, so that it
// takes no time of its own.
var Hops = Probe{Name: "hops", Yields: []fact.Any{fact.PathHops, fact.PathDistance}, Run: func(ctx context.Context, env *Env, facts *fact.Set) {
	env.Shaken.Wait(ctx)
	Trace(ctx, env, facts, TraceOptions{Rounds: 1, Patience: loginTime})
}}

// TraceOptions say how a way is followed.
type TraceOptions struct {
	Rounds   int              // 0 is until ctx ends
	Interval time.Duration    // between the beginnings of two rounds, at least a second
	Patience time.Duration    // with answers, beyond one more round trip; 0 is a little
	Names    bool             // ask for the names of addresses
	Watch    func([]fact.Hop) // told whenever something was heard; may be nil
}

const (
	// leastInterval spares routers, which answer one packet a second.
	leastInterval = time.Second
	// loginTime is what a login takes besides round trips, and more: so long a
	// check may wait for answers without taking longer.
	loginTime = 200 * time.Millisecond
	// noRTT is how long answers are waited for where the round trip time is
	// not known.
	noRTT = time.Second
)

// Trace follows the way to the server that the handshake went to, as often as
// is wanted, and puts [fact.PathHops] and [fact.PathDistance].
func Trace(ctx context.Context, env *Env, facts *fact.Set, o TraceOptions) {
	to, reason := traceTo(env, facts)
	if reason != "" {
		fact.Miss(facts, reason, fact.PathHops, fact.PathDistance)
		return
	}
	back, _ := fact.PathDistanceBack.Get(facts)
	tracer := tracer{trail: newTrail(back), to: to, options: o, patience: noRTT}
	if rtt, ok := fact.RTT.Get(facts); ok {
		tracer.patience = rtt*13/10 + cmp.Or(o.Patience, 50*time.Millisecond)
	}
	tracer.from = traceFrom(ctx, env, to)
	// Where nobody lets a connection through, it tells much how far one comes.
	stage, _ := fact.HandshakeStage.Get(facts)
	tracer.quick = o.Rounds == 1 && stage != stageResolve
	if o.Names {
		tracer.names = &names{of: map[string]string{}}
	}
	err := tracer.run(ctx)
	if err != nil && tracer.trail.host.answers == 0 && tracer.trail.known() == 0 {
		fact.Miss(facts, why(err), fact.PathHops, fact.PathDistance)
		return
	}
	const source = "packets with small hop limits"
	tracer.names.wait()
	fact.PathHops.Put(facts, tracer.list(), source)
	if tracer.trail.reached > 0 {
		fact.PathDistance.Put(facts, tracer.trail.reached, source)
	} else {
		fact.Miss(facts, "the server answers neither datagrams to closed ports nor echo requests", fact.PathDistance)
	}
}

func why(err error) string {
	if errors.Is(err, errors.ErrUnsupported) {
		return "this system does not say who gives up packets of ours on the way"
	}
	return err.Error()
}

// traceTo is the address that the handshake came to, or tried first; or why
// there is no way to follow.
func traceTo(env *Env, facts *fact.Set) (to netip.AddrPort, reason string) {
	if via, _ := fact.HandshakeVia.Get(facts); via != viaDirect {
		return to, "the way to the server is that of its proxy"
	}
	addresses, _ := fact.HandshakeAddresses.Get(facts)
	for _, wanted := range []string{stageConnect, stageResolve} {
		for _, a := range addresses {
			if a.Stage == "" || wanted == stageConnect && a.Stage == stageResolve {
				continue
			}
			if addr, err := netip.ParseAddr(a.Address); err == nil {
				return netip.AddrPortFrom(addr, uint16(env.Resolved.Port)), ""
			}
		}
	}
	return to, "no address of the server is known"
}

// traceFrom is the address that the user's ssh would bind; invalid when the
// kernel chooses.
func traceFrom(ctx context.Context, env *Env, to netip.AddrPort) netip.Addr {
	local, err := source(ctx, env, to.Addr())
	if tcp, ok := local.(*net.TCPAddr); err == nil && ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// A tracer sends what a trail wants to be sent.
type tracer struct {
	trail    *trail
	options  TraceOptions
	from     netip.Addr
	to       netip.AddrPort
	patience time.Duration // for an answer
	quick    bool          // connection attempts are of little use
	names    *names        // nil unless they are wanted
}

// list is the way as it is known now.
func (t *tracer) list() []fact.Hop {
	all := t.trail.list()
	if t.names != nil {
		for i := range all {
			all[i].Names = t.names.ofAll(all[i].Addresses)
		}
	}
	return all
}

// run goes through the rounds.
func (t *tracer) run(ctx context.Context) error {
	for round := 1; ; round++ {
		next := time.After(max(t.options.Interval, leastInterval))
		patience := t.patience
		if t.options.Rounds != 1 { // what comes late came all the same
			patience = max(t.patience, leastInterval)
		}
		if err := t.send(ctx, t.trail.begin(), patience, t.trail.satisfied); err != nil {
			t.trail.close()
			return err
		}
		if probes := t.trail.follow(t.quick); len(probes) > 0 {
			t.send(ctx, probes, t.patience, func() bool { return false }) // a kernel may have no signatures; the rest stands
		}
		if ctx.Err() == nil { // else those that did not answer had no time to
			t.trail.close()
		}
		if t.options.Watch != nil {
			t.options.Watch(t.list())
		}
		if round == t.options.Rounds || ctx.Err() != nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-next:
		}
	}
}

// send sends packets and waits until all were answered, or enough of them, or
// patience ends.
func (t *tracer) send(ctx context.Context, probes []sock.TTLProbe, patience time.Duration, enough func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return sock.Trace(ctx, t.from, t.to, probes, func(r sock.TTLReply) {
		t.trail.heard(r)
		if t.options.Watch != nil {
			t.options.Watch(t.list())
		}
		if enough() {
			cancel()
		}
	})
}

// Detour says why the packets of an SSH connection do not go to the server
// themselves, and what to type to follow the way that they do go, as far as
// there is one; both are empty when they do.
func Detour(env *Env) (reason, command string) {
	switch newAttempt(env).via {
	case viaJump:
		user, name, port := splitHop(env.Resolved.Jumps[0])
		command = "sshtay path"
		if env.Target.ConfigFile != "" {
			command += " -F " + env.Target.ConfigFile
		}
		if port != "" {
			command += " -p " + port
		}
		if user != "" {
			name = user + "@" + name
		}
		return "ssh goes to " + env.Resolved.Host + " by way of " + strings.Join(env.Resolved.Jumps, ", ") +
			": from here there is only the way to " + splitName(env.Resolved.Jumps[0]), command + " " + name
	case viaCommand:
		return "ssh goes to " + env.Resolved.Host + " by way of a ProxyCommand: " + env.value("proxycommand"), ""
	}
	return "", ""
}

func splitName(hop string) string {
	_, name, _ := splitHop(hop)
	return name
}
