package probe

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"sshtay/internal/fact"
	"sshtay/internal/rst"
	"sshtay/internal/sock"
	"sshtay/internal/sshlog"
	"sshtay/internal/sshwire"
)

// Reset finds out who sent the reset that ended a connection of this run: from
// the packets where they were watched, and where that does not prove it by
// bringing the reset about once more while the server cannot have sent it.
var Reset = Probe{Name: "reset", Yields: resetFacts, Run: runReset}

var resetFacts = []fact.Any{
	fact.ResetStage, fact.ResetSender, fact.ResetSure, fact.ResetHops, fact.ResetWithin, fact.ResetReasons, fact.ResetSettle,
	fact.PathHops, fact.PathDistance,
	fact.ResetAgain, fact.ServerResetsSent, fact.ServerResetsUsual,
}

func runReset(ctx context.Context, env *Env, facts *fact.Set) {
	stage, was := resetAt(facts)
	if !was {
		const why = fact.NotNeeded + "no connection was reset"
		fact.Miss(facts, why, resetFacts...)
		fact.Miss(facts, why, fact.ResetCapture)
		return
	}
	if env.unwatched != "" {
		fact.Miss(facts, env.unwatched, fact.ResetCapture)
	}
	f := &finding{sender: rst.Unknown}
	if env.packets != nil {
		all := env.packets.answers(func(a netip.Addr) bool { return isServer(facts, a) })
		if len(all) == 0 && stage == stageResolve {
			fact.Miss(facts, "the refusal was an ICMP message, and no reset", resetFacts...)
			return
		}
		f.see(all)
		if len(all) > 0 && all[0].Reset.Src.Addr().IsLoopback() {
			// A proxy of this machine sends what the server would.
			f = &finding{sender: rst.Unknown, settle: "look at what stands between on this machine, with `ss -ltnp`"}
		}
	}
	switch {
	case f.sure:
	case stage == stageResolve:
		f.refused(ctx, env, facts)
	default:
		f.experiment(ctx, env, facts, stage)
	}
	fact.ResetStage.Put(facts, stage, "handshake and login")
	f.put(facts)
	if _, followed := fact.PathHops.Get(facts); !followed && f.sender == rst.Middlebox && (f.hops > 0 || f.most > 0) {
		Trace(ctx, env, facts, TraceOptions{Rounds: 1}) // what stands there has an address
	}
}

// resetAt is the stage that the connection had completed which was reset.
func resetAt(facts *fact.Set) (string, bool) {
	stage, _ := fact.HandshakeStage.Get(facts)
	reason, _ := fact.HandshakeReason.Get(facts)
	if via, _ := fact.HandshakeVia.Get(facts); via != viaDirect {
		return "", false
	}
	switch sshwire.Reason(reason) {
	case sshwire.ReasonRefused:
		return stageResolve, stage == stageResolve
	case sshwire.ReasonReset:
		return stage, true
	}
	login, _ := fact.LoginStage.Get(facts)
	why, _ := fact.LoginReason.Get(facts)
	return login, why == "reset" && login != sshlog.None
}

// isServer says whether an address is one of the host's.
func isServer(facts *fact.Set, a netip.Addr) bool {
	all, _ := fact.HandshakeAddresses.Get(facts)
	return slices.ContainsFunc(all, func(known fact.Address) bool {
		addr, err := netip.ParseAddr(known.Address)
		return err == nil && addr.Unmap().WithZone("") == a.Unmap()
	})
}

// A finding is what is known so far of who sent the reset.
type finding struct {
	sender      string
	sure        bool
	hops        int // 0 is not known
	least, most int // otherwise: between which hops, 0 is not known
	ttl         int // of the reset, where it was watched
	reasons     []string
	settle      string
	source      string
	again       int // connections of the experiment that were reset
}

// see takes what the packets show: the first reset decides, and a second one
// of the same kind makes it sure.
func (f *finding) see(all []rst.Answer) {
	if len(all) == 0 {
		return
	}
	first := all[0]
	f.sender, f.sure, f.hops, f.reasons, f.source = first.Sender, first.Sure, first.Hops, first.Reasons, "packets watched (AF_PACKET)"
	f.ttl = first.Reset.TTL
	same := 0
	for _, a := range all {
		if a.Sender == first.Sender && a.Reset.TTL == first.Reset.TTL {
			same++
		}
	}
	if same > 1 {
		f.sure = f.sure || first.Sender == rst.Middlebox
		f.reasons = append(f.reasons, fmt.Sprintf("%d connections of this run ended so", same))
	}
}

func (f *finding) put(facts *fact.Set) {
	source := f.source
	if source == "" {
		source = "probe/reset"
	}
	fact.ResetSender.Put(facts, f.sender, source)
	fact.ResetSure.Put(facts, f.sure, source)
	if len(f.reasons) > 0 {
		fact.ResetReasons.Put(facts, f.reasons, source)
	}
	switch {
	case f.hops > 0:
		fact.ResetHops.Put(facts, f.hops, source)
	case f.most > 0:
		fact.ResetWithin.Put(facts, []int{f.least, f.most}, source)
		fact.Miss(facts, "the experiment shows between which hops, not at which; watching packets (root, or CAP_NET_RAW) would show it", fact.ResetHops)
	default:
		fact.Miss(facts, "nothing shows where it came from", fact.ResetHops)
	}
	if f.sender == rst.Unknown {
		if f.settle == "" {
			f.settle = "watch the packets: run the same check as root, or with CAP_NET_RAW"
		}
		fact.ResetSettle.Put(facts, f.settle, source)
	}
}

// experiment brings the reset about once more, under conditions in which the
// server cannot have sent it, or in which nobody else can.
func (f *finding) experiment(ctx context.Context, env *Env, facts *fact.Set, stage string) {
	to, why := serverAddr(env, facts)
	switch {
	case why != "":
		f.unsettled("no experiment was made: " + why)
		return
	case to.Addr().IsLoopback():
		f.unsettled("the server is this machine: there is no path on which somebody else could be told from it")
		return
	}
	env.Progress("finding out who sent the reset")
	before, counted := readTally(ctx, env, facts)
	if reached, _ := fact.HandshakeStage.Get(facts); reached == stageKex {
		f.inLogin(ctx, env, facts, to)
	} else {
		f.tried(&reenactment{ctx: ctx, env: env, to: to, stage: stage, again: &f.again})
	}
	if counted {
		if after, ok := readTally(ctx, env, facts); ok {
			putTallies(facts, before, after, f.again)
		}
	}
	fact.Miss(facts, "the server's counters could be read only over a shared connection (ControlMaster) while ours are reset", fact.ServerResetsSent)
}

// unsettled notes why nothing more was found out.
func (f *finding) unsettled(why string) {
	if f.sender == rst.Unknown {
		f.reasons = append(f.reasons, why)
	}
}

// proven replaces what was known by what an experiment shows.
func (f *finding) proven(sender string, sure bool, format string, args ...any) {
	if f.sender != sender {
		f.hops = 0 // of somebody else
	}
	f.sender, f.sure, f.source = sender, sure, "experiment (TTL, minimum TTL)"
	f.reasons = append([]string{fmt.Sprintf(format, args...)}, f.reasons...)
}

// A reenactment is a row of connections to the server that differ in who can
// have sent the reset.
type reenactment struct {
	ctx   context.Context
	env   *Env
	to    netip.AddrPort
	stage string
	ttl   int // of the server's packets
	made  int
	again *int // those that were reset
}

// play makes one connection and takes it through the acts. The error says why
// that was not possible.
func (e *reenactment) play(acts func(*scene) []act) (int, string, error) {
	s, err := openScene(e.ctx, e.env, e.to, e.stage)
	if err != nil {
		return 0, "", err
	}
	defer s.close()
	e.ttl = s.ttl
	e.made++
	n, how := s.play(e.ctx, acts(s))
	if how == sceneReset {
		*e.again++
	}
	return n, how, nil
}

// tried goes through the experiment. First one connection in four acts: our
// packets do not get as far as the server; they do, but only senders can be
// heard whose TTL the server cannot have; only senders that are nearer than
// the server; only those that are not farther.
func (f *finding) tried(e *reenactment) {
	var acts []act
	n, how, err := e.play(func(s *scene) []act {
		if s.below() < 1 {
			return nil
		}
		acts = []act{{s.below(), s.ttl + 1}, {usualReach, rst.First(s.ttl) + 1}, {usualReach, s.ttl + 1}, {usualReach, s.ttl}}
		return acts
	})
	switch {
	case err != nil:
		f.unsettled("no experiment was possible: " + err.Error())
	case acts == nil:
		f.unsettled(fmt.Sprintf("the server's packets come with TTL %d, straight from it: there is no hop between at which a box could be told from it", e.ttl))
	case how == sceneReset && n == 0:
		f.proven(rst.Middlebox, true, "it came again in answer to packets that could travel no more than %s, and the server is %d away: they never reached it", hopsText(acts[0].reach), acts[0].reach+1)
		f.least, f.most = 1, acts[0].reach
		f.locate(e, acts[0].reach)
	case how == sceneReset && n == 1:
		f.unsettled(fmt.Sprintf("it came again with a TTL above %d, which the server's packets (TTL %d) cannot have unless it starts its resets at another TTL", acts[1].floor-1, e.ttl))
	case how == sceneReset && n == 2:
		f.nearer(e, acts[1].floor)
	case how == sceneReset:
		f.asFar(e)
	default:
		f.farther(e, how)
	}
}

func hopsText(n int) string {
	if n == 1 {
		return "1 hop"
	}
	return fmt.Sprintf("%d hops", n)
}

// mostSteps bounds the search for the hop: the kernel waits twice as long for
// every step.
const mostSteps = 5

// locate lets our packets travel one hop farther at a time.
func (f *finding) locate(e *reenactment, known int) {
	if f.hops > 0 || known == 1 {
		return
	}
	n, how, err := e.play(func(s *scene) []act {
		var acts []act
		for k := 1; k < known && k <= mostSteps; k++ {
			acts = append(acts, act{k, s.ttl + 1})
		}
		return acts
	})
	switch {
	case err != nil:
	case how == sceneReset:
		// A router looks at the TTL before its firewall looks at the packet, so
		// one at the hop before may have answered.
		f.least, f.most = max(1, n), n+1
		f.reasons = append(f.reasons, fmt.Sprintf("it came when our packets could travel %s, and not before", hopsText(n+1)))
	case known <= mostSteps+1:
		f.least, f.most = known-1, known
		f.reasons = append(f.reasons, fmt.Sprintf("it did not come when our packets could travel only %s", hopsText(known-1)))
	default:
		f.least = mostSteps
	}
	if f.least == f.most {
		f.hops = f.least
	}
}

// nearer is a reset that came with a TTL above the server's. Another
// connection that hears only what the server's packets cannot be must live.
func (f *finding) nearer(e *reenactment, beyond int) {
	_, how, err := e.play(func(*scene) []act { return []act{{usualReach, beyond}, {usualReach, beyond}} })
	switch {
	case err != nil || how == sceneReset:
		f.unsettled(fmt.Sprintf("it came again with a TTL above the server's (%d): from something nearer, or from the server if it starts its resets at another TTL", e.ttl))
	default:
		f.proven(rst.Middlebox, true, "it came again with a TTL above the server's (%d) and not above %d: its sender is nearer than the server", e.ttl, beyond-1)
		f.least, f.most = 1, rst.Hops(e.ttl)-1
	}
}

// asFar is a reset that came with the server's own TTL. A box that copies it
// answers packets, too, that the server never gets; and answers at once. A
// server that is being killed, or runs out of patience, resets who says
// nothing.
func (f *finding) asFar(e *reenactment) {
	calm := false
	n, how, err := e.play(func(s *scene) []act {
		if calm = s.calm(e.ctx); !calm {
			return nil
		}
		return []act{{s.below(), 0}, {s.below(), 0}}
	})
	switch {
	case err == nil && (!calm || how == sceneReset && n > 0):
		f.unsettled("it comes without being provoked, too: the server may have sent it by itself")
	case err != nil:
		f.proven(rst.Server, false, "it came again with the server's own TTL (%d), and not while our packets ended before the server", e.ttl)
	case how == sceneReset:
		f.proven(rst.Middlebox, true, "it came again with the server's own TTL (%d), but in answer to packets that end %s away, before the server", e.ttl, hopsText(rst.Hops(e.ttl)-1))
		f.least, f.most = 1, rst.Hops(e.ttl)-1
	default:
		f.proven(rst.Server, true, "it came again with the server's own TTL (%d), and only when our packets reached the server", e.ttl)
	}
}

// farther is a connection that was not reset: because everything with a TTL
// below the server's is shut out, or because it does not happen every time.
func (f *finding) farther(e *reenactment, how string) {
	if how == sceneClosed || how == sceneTooSoon {
		f.unsettled("the experiment's connection was closed, and not reset: it does not happen every time")
		return
	}
	before, _ := sock.Counter("TcpExt", "TCPMinTTLDrop")
	_, shut, err := e.play(func(s *scene) []act { return []act{{usualReach, s.ttl}, {usualReach, s.ttl}} })
	after, counted := sock.Counter("TcpExt", "TCPMinTTLDrop")
	if err == nil && shut == sceneReset {
		f.asFar(e) // not lower, and when more was asked for it was shut out
		return
	}
	if err != nil || shut == sceneClosed || counted != nil || after == before {
		f.unsettled("the experiment's connections were not reset the same way: it does not happen every time, or a box lets go of who hears only some packets")
		return
	}
	_, control, err := e.play(func(*scene) []act { return []act{{usualReach, 0}, {usualReach, 0}} })
	if err != nil || control != sceneReset {
		f.unsettled(fmt.Sprintf("a connection that heard nothing with a TTL below the server's (%d) was not reset; whether another would have been was not seen", e.ttl))
		return
	}
	f.proven(rst.Middlebox, true, "a connection that hears nothing with a TTL below the server's (%d) is not reset (the kernel shut out %s), and the next one that hears all is", e.ttl, packetsText(after-before))
}

func packetsText(n int) string {
	if n == 1 {
		return "1 packet"
	}
	return fmt.Sprintf("%d packets", n)
}
