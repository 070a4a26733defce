package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/sock"
	"sshtay/internal/sshlog"
	"sshtay/internal/sshwire"
	"sshtay/internal/visible"
)

// experiment finds out whether long packets vanish, from which length on, and
// whether a connection with shorter ones works. It returns whether all of that
// is so.
func (m *mtuRun) experiment(ctx context.Context, at fact.Stall) bool {
	m.env.Progress("finding out which packets are too long for the path")
	m.seen(m.lastSeen)
	if at.Direction == toServer {
		var err error
		if m.server, err = climb(ctx, m.env, m, m.server); err != nil {
			m.why = err.Error()
			return false
		}
		if !m.server.hole() {
			m.fullTo = true
			m.why = "segments of all sizes reached the server, so what was stuck before was not too long"
			return false
		}
	}
	if !m.env.Login || m.env.Self == "" || !m.bySession(ctx) {
		m.byHandshakes(ctx)
	}
	if m.hole() {
		m.refine(ctx)
		return true
	}
	if m.lossy { // then what looks like a limit may be chance
		m.server.vanishes, m.client.vanishes = 0, 0
		m.why = "the path loses packets of any length, too many of them to tell whether all long ones vanish"
	}
	return false
}

// hole says that long packets vanish and that a connection without them works.
func (m *mtuRun) hole() bool {
	passed := false
	for _, t := range m.trials {
		passed = passed || t.Passed
	}
	return passed && (m.server.hole() || m.client.hole())
}

// segment is the value of TCP_MAXSEG for packets of at most n bytes: the
// option does not count timestamps.
func (m *mtuRun) segment(n int) int { return n - headers(m.to.Addr().Is4(), false) }

// bySession finds the limit from the server in a session, and sees whether
// sessions below the limits work. It returns false where no session can be
// had.
func (m *mtuRun) bySession(ctx context.Context) bool {
	t := trial{SSH: shortKex(m.env)}
	if m.server.hole() {
		t.Socket.SendMSS = m.segment(m.server.arrives)
	}
	err := m.tapWith(ctx, t)
	if err != nil && !errors.As(err, new(stuckError)) {
		m.why = err.Error()
		return false
	}
	if stuck, ok := errors.AsType[stuckError](err); ok && stuck.direction == toServer && !m.server.hole() {
		// Only what the session itself sends was long enough.
		if m.server, err = climb(ctx, m.env, m, m.server); err != nil {
			m.why = err.Error()
		}
	}
	switch {
	case err != nil:
		m.why = err.Error()
	case !m.server.hole() && !m.client.hole():
		m.fullTo = true
		m.why = "a session carried packets of all sizes both ways, so what was stuck before was not too long"
		if !m.fullFrom {
			m.why = "this kernel was told of a limit meanwhile and asks the server for no longer packets, so a session showed nothing of those that were stuck"
		}
		return true
	case m.fullFrom && t.Socket.SendMSS > 0:
		m.trials = append(m.trials, fact.Trial{MSS: t.Socket.SendMSS, Only: toServer, Kind: "login", Passed: true})
		return true
	}
	return m.tryLogin(ctx)
}

// tapWith finds the limit from the server in one session, and where there is
// none sees whether it carries long data both ways.
func (m *mtuRun) tapWith(ctx context.Context, t trial) error {
	ctx, cancel := context.WithTimeout(ctx, 2*experimentTime)
	defer cancel()
	p, err := m.openTap(ctx, t)
	if err != nil {
		return err
	}
	defer p.close()
	if m.client, m.fullFrom, err = p.climb(ctx); err != nil || !m.fullFrom {
		return err
	}
	if err = p.carries(ctx); err == nil {
		m.askedForLess(p)
	}
	return err
}

// askedForLess is for a kernel that a router has told meanwhile how short our own
// packets have to be: it asks the server for no longer ones from then on. A
// session then shows that these pass, and nothing of those that were stuck.
func (m *mtuRun) askedForLess(p *tap) {
	info, err := p.Info()
	if err != nil || m.stalled.Direction != fromServer || info.AdvertisedMSS >= m.allowed {
		return
	}
	m.fullFrom = false
	if m.stalled.Detail != silence {
		m.client.vanishes, m.doubtful = m.allowed+headers(p.v4, info.Timestamps), m.lossy
	}
}

// tryLogin logs in with segments below both limits, and carries long data both
// ways.
func (m *mtuRun) tryLogin(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, experimentTime)
	defer cancel()
	mss := m.segment(m.safe())
	p, err := m.openTap(ctx, trial{Socket: sock.Options{MSS: mss}})
	if err == nil {
		err = p.carries(ctx)
		p.close()
	}
	if errors.Is(err, errNoBudget) {
		m.why = err.Error()
		return false
	}
	t := fact.Trial{MSS: mss, Kind: "login", Passed: err == nil}
	if err != nil {
		t.Detail = visible.Line(err.Error(), mostDetail)
	}
	m.trials = append(m.trials, t)
	return true
}

// safe is the longest packet that passes both ways as far as is known.
func (m *mtuRun) safe() int {
	n := leastSize
	switch {
	case m.server.hole() && m.client.hole():
		n = min(m.server.arrives, m.client.arrives)
	case m.server.hole():
		n = m.server.arrives
	case m.client.hole():
		n = m.client.arrives
	}
	return n
}

// byHandshakes finds out by unauthenticated connections, each of which asks
// the server for segments of one size: those that complete the key exchange
// are below the limit.
func (m *mtuRun) byHandshakes(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*experimentTime)
	defer cancel()
	if m.server.hole() {
		m.shakeWith(ctx, m.server.arrives)
		return
	}
	top := m.lastSeen.AdvertisedMSS + headers(m.to.Addr().Is4(), m.lastSeen.Timestamps)
	if !m.shakeWith(ctx, leastSize) {
		return
	}
	m.client = bracket{leastSize, top}
	for m.client.vanishes-m.client.arrives > fineEnough && m.env.Budget.Left() > 0 {
		middle := (m.client.arrives + m.client.vanishes) / 2
		if m.shakeWith(ctx, middle) {
			m.client.arrives = middle
		} else {
			m.client.vanishes = middle
		}
	}
}

// fineEnough is how exact the limit from the server has to be.
const fineEnough = 40

// shakeWith says whether a handshake is completed with packets of at most n
// bytes.
func (m *mtuRun) shakeWith(ctx context.Context, n int) bool {
	if !m.env.Budget.Take() {
		m.why = noBudget
		return false
	}
	t := fact.Trial{MSS: m.segment(n), Kind: "handshake"}
	conn, err := m.dial(ctx, sock.Options{MSS: t.MSS})
	if err == nil {
		ctx, cut := context.WithCancelCause(ctx)
		var s stall
		go poll(ctx, conn, func(now time.Time, i sock.Info) (bool, error) {
			if at := s.look(now, i); at != "" || s.quiet(now, i) >= quietTime {
				cut(stuckError{cmpOr(at, fromServer)})
				return true, nil
			}
			return false, nil
		})
		r := sshwire.Handshake(ctx, conn, sshwire.Options{Ident: sshwire.OurIdent(m.env.Version), Offer: offer(m.env), StageTimeout: stageTime, Timeout: experimentTime})
		if err = r.Err; context.Cause(ctx) != nil {
			err = context.Cause(ctx)
		}
		cut(nil)
		sock.Abort(conn)
	}
	if t.Passed = err == nil; !t.Passed {
		t.Detail = visible.Line(err.Error(), mostDetail)
	}
	m.trials = append(m.trials, t)
	return t.Passed
}

func cmpOr(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// refine finds the limit to the server to the byte, where the first ladder did
// not and one more connection may be made.
func (m *mtuRun) refine(ctx context.Context) {
	if !m.server.hole() || m.server.exact() || m.env.Budget.Left() == 0 {
		return
	}
	if b, err := climb(ctx, m.env, m, m.server); err == nil && b.hole() {
		m.server = b
	}
}

// seen takes from the handshake's counters what they prove.
func (m *mtuRun) seen(i sock.Info) {
	s := m.env.Shaking
	s.mu.Lock()
	defer s.mu.Unlock()
	head := headers(m.to.Addr().Is4(), i.Timestamps)
	if s.sentLong(i) {
		m.server.arrives = max(m.server.arrives, min(s.longest, i.SendMSS)+head)
		m.fullTo = m.fullTo || s.longest >= i.SendMSS
	}
	if i.ReceiveMSS > smallSegment {
		m.client.arrives = max(m.client.arrives, i.ReceiveMSS+head)
		// Longer than one segment: the server filled it.
		m.fullFrom = m.fullFrom || s.reply > int64(i.ReceiveMSS) || i.ReceiveMSS >= i.AdvertisedMSS
	}
}

// put gives the answers.
func (m *mtuRun) put() {
	facts, s := m.facts, m.env.Shaking
	if via, _ := fact.HandshakeVia.Get(facts); via != viaDirect {
		fact.Miss(facts, "the connection goes through a proxy or a jump host, whose path is another one", mtuFacts...)
		return
	}
	if s == nil || s.last.SendMSS == 0 {
		fact.Miss(facts, "there was no connection whose packets the kernel tells of", mtuFacts...)
		return
	}
	m.seen(s.last)
	m.seenOfLogin()
	source := fmt.Sprintf("TCP_INFO of connections to %s", m.to)
	head := headers(m.to.Addr().Is4(), s.last.Timestamps)
	if m.server.arrives > 0 {
		fact.PathMTUToServer.Put(facts, m.server.arrives, source)
	}
	if m.client.arrives > 0 {
		fact.PathMTUFromServer.Put(facts, m.client.arrives, source)
	}
	if m.server.hole() {
		fact.PathLostToServer.Put(facts, m.server.vanishes, source)
		fact.PathFullToServer.Put(facts, false, source)
	} else if m.fullTo {
		fact.PathFullToServer.Put(facts, true, source)
	}
	if m.client.hole() {
		fact.PathLostFromServer.Put(facts, m.client.vanishes, source)
		fact.PathFullFromServer.Put(facts, false, source)
	} else if m.fullFrom {
		fact.PathFullFromServer.Put(facts, true, source)
	}
	fact.PathMTUKernel.Put(facts, s.last.PathMTU, source)
	fact.PathMSS.Put(facts, s.first.SendMSS+head-headers(m.to.Addr().Is4(), false), source)
	if device, n := interfaceOfOurs(m.near.Addr()); n > 0 {
		fact.PathMTUInterface.Put(facts, n, "this machine's interfaces")
		fact.PathMTUDevice.Put(facts, visible.Line(device, 60), "this machine's interfaces")
		fact.PathMTUTold.Put(facts, s.last.PathMTU < n, source)
	}
	if m.stalled != nil {
		fact.PathStall.Put(facts, *m.stalled, source)
	}
	m.putHangs(source)
	if m.trials != nil {
		fact.PathMTUTrials.Put(facts, m.trials, source)
	}
	m.leaveOpen()
}

// seenOfLogin takes from the login's counters what they prove. Its command is
// one message, longer than any segment of an ordinary path.
func (m *mtuRun) seenOfLogin() {
	ran := false
	if stage, _ := fact.LoginStage.Get(m.facts); stage == sshlog.Session {
		_, failed := fact.LoginReason.Get(m.facts)
		ran = !failed
	}
	for _, l := range m.logins {
		i := l.info
		head := headers(m.to.Addr().Is4(), i.Timestamps)
		if ran && i.SendMSS > 0 && i.BytesAcked > uint64(len(collector)) {
			m.server.arrives = max(m.server.arrives, min(i.SendMSS, len(collector))+head)
			m.fullTo = m.fullTo || len(collector) >= i.SendMSS
		}
		if i.ReceiveMSS > smallSegment {
			m.client.arrives = max(m.client.arrives, i.ReceiveMSS+head)
			m.fullFrom = m.fullFrom || i.ReceiveMSS >= i.AdvertisedMSS
		}
	}
}

// leaveOpen says why there are no answers to what remains.
func (m *mtuRun) leaveOpen() {
	why := fact.NotNeeded + "no connection got stuck"
	if m.tried {
		why = "what was tried did not come so far"
		if m.why != "" {
			why = visible.Line(m.why, mostDetail)
		}
	}
	fact.Miss(m.facts, "no packet so long was sent", fact.PathFullToServer, fact.PathMTUToServer)
	fact.Miss(m.facts, "no packet came that was surely as long as the server makes them", fact.PathFullFromServer, fact.PathMTUFromServer)
	fact.Miss(m.facts, fact.NotNeeded+"no connection got stuck", fact.PathStall)
	fact.Miss(m.facts, "no connection that was stuck in this direction went on by itself", fact.PathHungToServer, fact.PathHungFromServer)
	fact.Miss(m.facts, why, mtuFacts...)
}

// interfaceOfOurs is the interface that has an address, and its MTU; or "", 0.
func interfaceOfOurs(a netip.Addr) (name string, mtu int) {
	all, _ := net.Interfaces()
	for _, i := range all {
		addresses, _ := i.Addrs()
		for _, has := range addresses {
			if p, err := netip.ParsePrefix(has.String()); err == nil && p.Addr().Unmap() == a.WithZone("") {
				return i.Name, i.MTU
			}
		}
	}
	return "", 0
}
