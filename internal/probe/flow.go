package probe

import (
	"context"
	"errors"
	"math"
	"net/netip"
	"slices"
	"sync"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/sock"
	"sshtay/internal/visible"
)

// Flow counts what became of the packets of real connections to the server:
// those of this check and those of the user's running ssh. Where a login has
// too few packets to tell how many are lost, and some were, it spends a login
// on more, and follows the way meanwhile. It runs after [Handshake] and [Login].
var Flow = Probe{Name: "flow", Yields: flowFacts, Run: runFlow}

var flowFacts = []fact.Any{fact.PathFlows, fact.PathLoss, fact.PathLossToServer, fact.PathLossFromServer, fact.PathJitter, fact.PathMeasured, fact.PathHops, fact.PathDistance}

// Flows counts the same of the connections that there are, and makes none.
func Flows(ctx context.Context, env *Env, facts *fact.Set) {
	flows, why := seeFlows(ctx, env, facts)
	if why != "" {
		fact.Miss(facts, why, flowFacts...)
		return
	}
	putFlows(facts, flows)
}

// flowRounds of following the way, a second each, take as long as counting.
const flowRounds = 5

// Whose a connection is.
const (
	flowOfCheck = "check"
	flowOfUser  = "user"
)

func runFlow(ctx context.Context, env *Env, facts *fact.Set) {
	begun := time.Now().UTC()
	flows, why := seeFlows(ctx, env, facts)
	if why != "" {
		fact.Miss(facts, why, flowFacts...)
		return
	}
	served, _ := fact.ServerFlows.Get(facts)
	pairUp(flows, served)
	learnedByItself(flows, facts)
	if suspicious(flows) && !env.Hole.Given() {
		var way sync.WaitGroup
		way.Go(func() { Trace(ctx, env, facts, TraceOptions{Rounds: flowRounds}) })
		if more, err := echo(ctx, env, facts); err == nil {
			flows = append(flows, more)
		}
		way.Wait()
	}
	putFlows(facts, flows)
	const day, clock = "2006-01-02", "15:04:05"
	fact.PathMeasured.Put(facts, begun.Format(day+" "+clock)+" to "+time.Now().UTC().Format(clock), "this machine's clock")
}

// seeFlows returns the connections to the server's addresses, or why nothing
// can be seen of them.
func seeFlows(ctx context.Context, env *Env, facts *fact.Set) ([]fact.Flow, string) {
	if via, _ := fact.HandshakeVia.Get(facts); via != viaDirect {
		return nil, "the connection goes through a proxy or a jump host, whose path is another one"
	}
	seen, err := env.flows.all(ctx)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, "this system does not tell of the connections of other programs"
	}
	if err != nil && len(seen) == 0 {
		return nil, "the kernel does not tell of connections: " + err.Error()
	}
	addresses, _ := fact.HandshakeAddresses.Get(facts)
	var ours []seenFlow
	for _, f := range seen {
		if f.Ended && f.Info.SegmentsIn == 0 && f.Info.TotalRetrans == 0 {
			continue // given up at once: a packet of [Hops]
		}
		for _, a := range addresses {
			if addr, err := netip.ParseAddr(a.Address); err == nil && addr.Unmap().WithZone("") == f.Remote.Addr() {
				ours = append(ours, f)
				break
			}
		}
	}
	if len(ours) == 0 {
		return nil, "the kernel saw no connection to the server"
	}
	return describeFlows(ours), ""
}

// describeFlows says of each connection whose it is. One that has ended, or
// that no program holds any more, ended while the check ran.
func describeFlows(seen []seenFlow) (flows []fact.Flow) {
	var alive []sock.Flow
	for _, s := range seen {
		if !s.Ended {
			alive = append(alive, s.Flow)
		}
	}
	owners := sock.Owners(alive)
	for _, s := range seen {
		f := flowFact(s.Flow)
		who := owners[s.Inode]
		if s.Ended || s.Inode == 0 || who.Ours() {
			f.Whose = flowOfCheck
		} else if who.PID != 0 {
			f.Program, f.PID, f.Age = visible.Line(who.Name, 30), who.PID, who.Age.Seconds()
		}
		flows = append(flows, f)
	}
	return flows
}

// stateSynSent is a connection of which nothing came back, as Linux numbers it.
const stateSynSent = 2

func flowFact(s sock.Flow) fact.Flow {
	i := s.Info
	return fact.Flow{
		Whose: flowOfUser, Local: s.Local.String(), Remote: s.Remote.String(),
		Sent: i.DataSegmentsOut, Again: i.TotalRetrans, Had: i.Duplicates, Received: i.DataSegmentsIn, OutOfOrder: i.OutOfOrder,
		Unanswered: i.BytesSent > i.BytesRetrans+i.BytesAcked,
		Connected:  i.SegmentsIn > 0 && i.State != stateSynSent,
		Unacked:    i.Unacked, Backoff: i.Backoff, SinceAck: i.SinceAck.Seconds(),
		Learned: learnedMTU(i.PathMTU, i.AdvertisedMSS+headers(s.Remote.Addr().Is4(), i.Timestamps)),
		RTT:     i.RTT.Seconds(), MinRTT: i.MinRTT.Seconds(), Variation: i.RTTVar.Seconds(),
	}
}

// learnedMTU is the path MTU that a kernel believes in, where it learned of it
// while the connection lasted, and otherwise 0: the segments that it allowed
// the other side when the connection began tell what it believed in then.
func learnedMTU(now, begun int) int {
	if now < begun {
		return now
	}
	return 0
}

// learnedByItself notes which limit the kernels found by sending again and again
// (see [hangs]), where they did: what was too long is not lost by chance.
func learnedByItself(flows []fact.Flow, facts *fact.Set) {
	to, from := 0, 0
	if _, hung := fact.PathHungToServer.Get(facts); hung {
		to, _ = fact.PathMTUToServer.Get(facts)
	}
	if _, hung := fact.PathHungFromServer.Get(facts); hung {
		from, _ = fact.PathMTUFromServer.Get(facts)
	}
	for i := range flows {
		f := &flows[i]
		if f.Whose != flowOfCheck {
			continue
		}
		if f.Again > 0 && f.Learned == 0 {
			f.Learned = to
		}
		if f.Other != nil && f.Other.Again > 0 && f.Other.Learned == 0 {
			f.Other.Learned = from
		}
	}
}

// pairUp gives each connection what the server counted of it. A NAT that
// changes ports keeps them apart, but for the login, which the server knows to
// be ours: it is the connection of this check that received most.
func pairUp(flows []fact.Flow, served []fact.ServerFlow) {
	most := -1
	for i, f := range flows {
		if f.Whose == flowOfCheck && (most < 0 || f.Received > flows[most].Received) {
			most = i
		}
	}
	for _, s := range served {
		count := s.Count
		if s.Ours && most >= 0 {
			flows[most].Other = &count
			continue
		}
		for i := range flows {
			if !s.Ours && i != most && samePort(flows[i].Local, s.Peer) {
				flows[i].Other = &count
			}
		}
	}
}

func samePort(a, b string) bool {
	x, err1 := netip.ParseAddrPort(a)
	y, err2 := netip.ParseAddrPort(b)
	return err1 == nil && err2 == nil && x.Port() == y.Port()
}

// worthCounting is the loss of the user's connection that is worth a login of
// ours: less of it harms nobody, and any that is old lost something once.
const worthCounting = 0.005

// suspicious says whether a connection of the check lost anything at all, or
// one of the user's loses too much.
func suspicious(flows []fact.Flow) bool {
	learned := slices.ContainsFunc(flows, func(f fact.Flow) bool { return f.Learned > 0 || f.Other != nil && f.Other.Learned > 0 })
	for _, f := range flows {
		to := f.ToServer()
		from, _ := f.FromServer()
		if f.Whose == flowOfCheck && (to.Lost > 0 || from.Lost > 0 || f.Gapped(learned)) {
			return true
		}
		for _, t := range []fact.Tally{to, from} {
			if low, _ := t.Bounds(); low >= worthCounting {
				return true
			}
		}
	}
	return false
}

// fewestSamples of the round trip time make their deviation worth a word: it
// begins as half a round trip and needs these to come down.
const fewestSamples = 8

// putFlows puts the connections, and what those of the check say together.
func putFlows(facts *fact.Set, flows []fact.Flow) {
	const source = "TCP_INFO by sock_diag"
	fact.PathFlows.Put(facts, flows, source)
	to, from := fact.LossOf(flows, flowOfCheck)
	if to.Of > 0 {
		fact.PathLossToServer.Put(facts, to.Ratio(), source)
	}
	if from.Of > 0 {
		fact.PathLossFromServer.Put(facts, from.Ratio(), "ss -ti on the server, or gaps seen here")
	}
	if to.Of > 0 || from.Of > 0 {
		fact.PathLoss.Put(facts, max(to.Ratio(), from.Ratio()), source)
	}
	fact.Miss(facts, "no connection of this check sent anything", fact.PathLossToServer, fact.PathLoss)
	fact.Miss(facts, "only the server's kernel counts what it sends again, and it was not read", fact.PathLossFromServer)
	steadiest := math.Inf(1)
	for _, f := range flows {
		if f.Whose == flowOfCheck && f.Sent >= fewestSamples {
			steadiest = min(steadiest, f.Variation)
		}
	}
	if !math.IsInf(steadiest, 1) {
		fact.PathJitter.Put(facts, time.Duration(steadiest*float64(time.Second)), source)
	}
	fact.Miss(facts, "the connections of this check were too short to tell", fact.PathJitter)
}
