package probe

import (
	"errors"
	"slices"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/sshwire"
	"sshtay/internal/visible"
)

// Bounds for text from the other side in facts.
const (
	mostDetail = 1000
	mostBanner = 300
	mostLines  = 4 << 10
	mostNames  = 200 // of a list of algorithms
)

// put turns an attempt into facts. What a former attempt answered and this one
// does not is taken back.
func (a *attempt) put(facts *fact.Set) {
	fact.HandshakeVia.Put(facts, a.via, "ssh -G")
	if a.unseen != "" {
		fact.Miss(facts, a.unseen, handshakeFacts...)
		return
	}
	source := "handshake with " + visible.Line(a.given, 300)
	fact.HandshakeStage.Put(facts, a.stage, source)
	fact.HandshakeTries.Put(facts, a.tries, source)
	fact.HandshakeFailures.Put(facts, a.failures, source)
	if a.reason == "" {
		fact.HandshakeReason.Forget(facts, "")
		fact.HandshakeDetail.Forget(facts, "")
	} else {
		fact.HandshakeReason.Put(facts, string(a.reason), source)
		fact.HandshakeDetail.Put(facts, visible.Line(a.detail, mostDetail), source)
	}
	a.putWay(facts, source)
	if a.proxy != nil {
		a.proxy.put(facts)
	}
	if a.shook == nil {
		fact.Miss(facts, "there was no connection to the server", handshakeFacts...)
		return
	}
	if a.unheard != nil {
		fact.HandshakeUnheard.Put(facts, *a.unheard, "TCP_INFO of the "+source)
	}
	if a.stage != stageNone {
		fact.HandshakeFrozen.Put(facts, a.reason == sshwire.ReasonTimedOut, source)
	}
	a.putMarks(facts, source)
	putGreeting(facts, a.shook, source)
	putLaps(facts, a.shook, source)
	putAlgorithms(facts, a.shook, source)
}

// putWay puts how the server was reached, and how far away it is.
func (a *attempt) putWay(facts *fact.Set, source string) {
	if a.via != viaDirect {
		fact.Miss(facts, "the proxy finds and connects to the server", fact.ResolveTime, fact.HandshakeAddresses, fact.ConnectTime)
	}
	if a.lookup != nil {
		fact.ResolveTime.Put(facts, a.lookup.took, a.lookup.source)
	}
	for i := range a.addresses {
		a.addresses[i].Detail = visible.Line(a.addresses[i].Detail, mostDetail)
	}
	if len(a.addresses) > 0 {
		fact.HandshakeAddresses.Put(facts, a.addresses, source)
	}
	if a.connect != nil {
		fact.ConnectTime.Put(facts, *a.connect, source)
	}
	if a.ttl > 0 {
		fact.HandshakeTTL.Put(facts, a.ttl, "the acknowledgements of the "+source)
		fact.PathDistanceBack.Put(facts, distanceBack(a.ttl), "the acknowledgements of the "+source)
	} else if a.shook != nil {
		fact.Miss(facts, "the kernel does not say it for this connection", fact.HandshakeTTL, fact.PathDistanceBack)
	}
	if a.rtt > 0 {
		fact.RTT.Put(facts, a.rtt, "TCP_INFO of the "+source)
	} else if a.shook != nil {
		fact.Miss(facts, "the kernel does not say it for this kind of connection", fact.RTT)
	}
}

// putMarks puts which traffic classes got through at the end.
func (a *attempt) putMarks(facts *fact.Set, source string) {
	switch {
	case len(a.marks) > 0:
		fact.PathMarks.Put(facts, a.marks, "TCP_INFO of the "+source)
	case a.via != viaDirect:
		fact.Miss(facts, "the path beyond a proxy cannot be tried from here", fact.PathMarks)
	case a.stage != stageKex:
		fact.Miss(facts, "the handshake was not completed", fact.PathMarks)
	default:
		fact.Miss(facts, "the kernel does not say what was lost, or something else was", fact.PathMarks)
	}
}

// distanceBack is how many hops a packet has made that arrives with this hop
// limit: systems begin with 64, 128 or 255, and no way is longer than 64.
func distanceBack(ttl int) int {
	for _, initial := range []int{64, 128} {
		if ttl <= initial {
			return initial - ttl + 1
		}
	}
	return 255 - ttl + 1
}

// putGreeting puts what came first: an identification, or what was in its
// place.
func putGreeting(facts *fact.Set, r *sshwire.Result, source string) {
	fact.HandshakeSent.Put(facts, int(r.Sent), source)
	fact.HandshakeReceived.Put(facts, int(r.Received), source)
	if r.Server != nil {
		fact.HandshakeBanner.Put(facts, visible.Line(r.Server.Raw, mostBanner), source)
		fact.FirstBytes.Forget(facts, "")
		fact.LooksLike.Forget(facts, "")
	} else if len(r.First) > 0 && r.Looks != sshwire.ProtocolSSH {
		fact.FirstBytes.Put(facts, visible.Line(string(r.First), len(r.First)), source)
		fact.LooksLike.Put(facts, string(r.Looks), source)
	}
	var lines []string
	for _, l := range r.Before.Lines {
		lines = append(lines, visible.Line(l, mostBanner))
	}
	if lines != nil {
		fact.PreBanner.Put(facts, lines, source)
	}
	if r.Refusal != "" {
		fact.Refusal.Put(facts, visible.Line(r.Refusal, mostBanner), source)
	}
	if bad, ok := errors.AsType[*sshwire.BadPacket](r.Err); ok && bad.Text != "" {
		fact.Complaint.Put(facts, visible.Line(bad.Text, mostBanner), source)
	}
	if r.Reason == sshwire.ReasonThrottled && r.Disconnect != nil {
		fact.Refusal.Put(facts, visible.Line(r.Disconnect.Text, mostBanner), source)
	}
}

// putLaps puts how long each stage took that was completed.
func putLaps(facts *fact.Set, r *sshwire.Result, source string) {
	times := map[sshwire.Stage]fact.Key[time.Duration]{
		sshwire.StageBanner: fact.BannerTime, sshwire.StageKexInit: fact.KexInitTime, sshwire.StageKex: fact.KexTime,
	}
	for _, lap := range r.Laps {
		if k, ok := times[lap.Stage]; ok && lap.Stage != r.Stage {
			k.Put(facts, lap.Took, source)
		}
	}
}

// noCommon are the words of handshake.no_common.
var noCommon = map[sshwire.Purpose]string{
	sshwire.PurposeKex: "kex", sshwire.PurposeHostKey: "host-key",
	sshwire.PurposeCipherToServer: "cipher", sshwire.PurposeCipherToClient: "cipher",
	sshwire.PurposeMACToServer: "mac", sshwire.PurposeMACToClient: "mac",
	sshwire.PurposeCompressionToServer: "compression", sshwire.PurposeCompressionToClient: "compression",
}

// putAlgorithms puts what the server offers and what came of it.
func putAlgorithms(facts *fact.Set, r *sshwire.Result, source string) {
	if k := r.Answered; k != nil {
		fact.ServerKex.Put(facts, shown(sshwire.Algorithms(k.Kex)), source)
		fact.ServerHostKey.Put(facts, shown(k.HostKeys), source)
		fact.ServerCiphers.Put(facts, shown(k.CiphersToClient), source)
		fact.ServerMACs.Put(facts, shown(k.MACsToClient), source)
	}
	if len(r.Missing) > 0 {
		fact.NoCommon.Put(facts, noCommon[r.Missing[0].What], source)
	}
	if r.KexSkipped != "" {
		fact.Miss(facts, visible.Line(r.KexSkipped, mostDetail), fact.KexUsed)
	}
	if r.HostKey == nil {
		return
	}
	fact.KexUsed.Put(facts, r.Used.Kex, source)
	if r.HostKey.Verified {
		fact.HandshakeHostKey.Put(facts, visible.Line(r.HostKey.Type+" "+r.HostKey.Fingerprint, mostBanner), source)
	} else if r.HostKey.Unverified != "" {
		fact.Miss(facts, visible.Line(r.HostKey.Unverified, mostDetail), fact.HandshakeHostKey)
	}
}

// shown makes a list of names from elsewhere printable. It is never nil.
func shown(names []string) []string {
	names = slices.Clone(names[:min(len(names), mostNames)])
	for i, n := range names {
		names[i] = visible.Line(n, 100)
	}
	return append([]string{}, names...)
}
