package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/sock"
)

// MTU looks on while the handshake and the login work, and sees from the
// kernel's counters that long packets pass, each way, without a packet of its
// own. Where one of these connections is stuck as long packets that vanish
// leave it, it finds the limit by experiment, and when that was found it ends
// them: there is nothing to wait for.
var MTU = Probe{Name: "mtu", Yields: mtuFacts, Watch: watchMTU}

var mtuFacts = []fact.Any{
	fact.PathMTUToServer, fact.PathMTUFromServer, fact.PathLostToServer, fact.PathLostFromServer, fact.PathFullToServer, fact.PathFullFromServer,
	fact.PathMTUKernel, fact.PathMTUInterface, fact.PathMTUDevice, fact.PathMTUTold, fact.PathMSS, fact.PathStall, fact.PathMTUTrials, fact.PathHungToServer, fact.PathHungFromServer,
}

// errHole is why a connection of ours is ended that is stuck.
var errHole = errors.New("it was stuck: packets above a certain length vanish on the way, as connections with shorter ones showed (see path-mtu)")

// errMarked is why a login of ours is ended that is stuck.
var errMarked = errors.New("it was stuck where it began to mark what it sends, and on another connection what was so marked was lost (see traffic-class)")

const (
	lookEvery = 50 * time.Millisecond
	// quietTime is how long a key exchange may rest, with nothing on the way and
	// nothing long ever seen from the server, before it is tried whether
	// everything that the server says vanishes.
	quietTime = 2500 * time.Millisecond
	// experimentTime bounds each connection of an experiment.
	experimentTime = 6 * time.Second
)

// mtuRun is the probe at work.
type mtuRun struct {
	env   *Env
	facts *fact.Set
	to    netip.AddrPort

	near     netip.AddrPort // our end of the handshake's connection
	shaking  stall
	lastSeen sock.Info
	before   map[uint64]bool // connections that were there before the login's
	logins   map[uint64]*loginFlow

	stalled  *fact.Stall
	allowed  int     // how long segments the connection that is stuck asked the server for
	server   bracket // to the server
	client   bracket // from the server
	fullTo   bool
	fullFrom bool
	trials   []fact.Trial
	tried    bool
	lossy    bool   // packets of any length were lost, too
	doubtful bool   // so that what was stuck from the server may have been lost by chance, see [mtuRun.outlasts]
	why      string // why the experiment ended without an answer

	ourProbing string // what the kernels say of looking for the limit by themselves, see [probing]
	itsProbing string
	cut        map[string]bool // the directions in which connections were ended that were stuck
}

// A loginFlow is the TCP connection of the user's own ssh.
type loginFlow struct {
	stall
	begun time.Time
	info  sock.Info
	stuck string
}

// watchMTU implements [MTU].
func watchMTU(ctx context.Context, env *Env, facts *fact.Set, others <-chan struct{}) {
	m := &mtuRun{env: env, facts: facts, logins: map[uint64]*loginFlow{}, ourProbing: ownProbing(ctx, env)}
	m.before = map[uint64]bool{}
	if flows, err := sock.FlowsTo(ctx, uint16(env.Resolved.Port)); err == nil {
		for _, f := range flows {
			m.before[f.Cookie] = true
		}
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var experiment sync.WaitGroup
	done := make(chan bool, 1)
	for going := true; going; {
		select {
		case <-others:
			going = false
		case hole := <-done:
			if hole && m.outlasts(ctx, others) {
				m.endStuck(ctx, others)
			}
		case now := <-tick.C:
			switch at, stuck := m.look(ctx, now); {
			case m.byMark():
				m.env.Marked.Give()
			case stuck && !m.tried:
				m.tried, m.stalled, m.allowed = true, &at, m.askedFor(at)
				experiment.Go(func() { done <- m.experiment(ctx, at) })
			}
		}
	}
	experiment.Wait()
	m.hearEnds(ctx)
	m.forgetSilence()
	m.put()
}

// look asks the kernel about the connections of the handshake and the login,
// and returns where one is stuck.
func (m *mtuRun) look(ctx context.Context, now time.Time) (fact.Stall, bool) {
	conn, begun := m.env.Shaking.now()
	if conn == nil {
		return fact.Stall{}, false
	}
	m.meet(conn)
	login, stuck := m.lookAtLogin(ctx, now)
	if info, err := sock.InfoOf(conn); err == nil && !begun.IsZero() {
		m.lastSeen = info
		switch at := m.shaking.look(now, info); {
		case at == toServer && !m.fullTo, at == fromServer && !m.fullFrom:
			return fact.Stall{Where: "handshake", Direction: at, After: now.Sub(begun).Seconds(), Detail: countersOf(at, info)}, true
		case m.env.Shaking.exchanging() && m.shaking.quiet(now, info) >= quietTime:
			m.shaking.at = fromServer
			return fact.Stall{Where: "handshake", Direction: fromServer, After: now.Sub(begun).Seconds(), Detail: silence}, true
		}
	}
	return login, stuck
}

// askedFor is how long segments the connection that is stuck asked the server for.
func (m *mtuRun) askedFor(at fact.Stall) int {
	if at.Where == "handshake" {
		return m.lastSeen.AdvertisedMSS
	}
	most := 0
	for _, l := range m.logins {
		if l.stuck == at.Direction {
			most = max(most, l.info.AdvertisedMSS)
		}
	}
	return most
}

// silence is what a connection shows on which everything that the server sends
// is too long. A server that hangs shows the same.
const silence = "all that was sent was acknowledged, and nothing came any more"

// countersOf says what the counters of a stuck connection are.
func countersOf(direction string, i sock.Info) string {
	if direction == toServer {
		return fmt.Sprintf("%d bytes on the way were not acknowledged and sent again %d times; %d segments behind them were acknowledged", outstanding(i), i.TotalRetrans, i.Sacked)
	}
	return fmt.Sprintf("all that was sent was acknowledged; %d segments came whose predecessors are missing, and these were not sent again with success", i.OutOfOrder)
}

// byMark says whether the login is stuck for how it marks what it sends, and
// not for its length: on the handshake's connection something as long arrived,
// and something that was marked as a command is did not. Where more than marks
// was lost there, it takes more patience to say so.
func (m *mtuRun) byMark() bool {
	backoff := 0
	for _, l := range m.logins {
		if l.stuck == toServer {
			backoff = max(backoff, l.info.Backoff)
		}
	}
	if backoff == 0 || !m.env.Shaken.Given() {
		return false
	}
	full, again := m.env.Shaking.full()
	marks, _ := fact.PathMarks.Get(m.facts)
	lost, commands := 0, false
	for _, k := range marks {
		if k.Way == toServer && !k.Passed {
			lost++
			commands = commands || k.Class == bulk
		}
	}
	return full && commands && (again <= lost || backoff >= 2*stuckBackoff)
}

// meet notes where the handshake went.
func (m *mtuRun) meet(conn *net.TCPConn) {
	far, near := conn.RemoteAddr().(*net.TCPAddr).AddrPort(), conn.LocalAddr().(*net.TCPAddr).AddrPort()
	m.to = netip.AddrPortFrom(far.Addr().Unmap(), far.Port())
	m.near = netip.AddrPortFrom(near.Addr().Unmap(), near.Port())
}

// lookAtLogin looks at the connection of the user's own ssh: one to the same
// address that was not there before.
func (m *mtuRun) lookAtLogin(ctx context.Context, now time.Time) (at fact.Stall, stuck bool) {
	flows, _ := sock.FlowsTo(ctx, m.to.Port())
	for _, f := range flows {
		if !m.isLogin(f) || m.tried && m.logins[f.Cookie] == nil { // later ones are of the experiment
			continue
		}
		l := m.logins[f.Cookie]
		if l == nil {
			l = &loginFlow{begun: now}
			m.logins[f.Cookie] = l
		}
		l.info = f.Info
		l.stuck = l.look(now, f.Info)
		detail := countersOf(l.stuck, f.Info)
		if m.env.Running.Given() && l.quiet(now, f.Info) >= quietTime {
			l.at, l.stuck, detail = fromServer, fromServer, silence
		}
		if l.stuck == toServer && !m.fullTo || l.stuck == fromServer && !m.fullFrom && f.Info.ReceiveMSS < f.Info.AdvertisedMSS {
			at, stuck = fact.Stall{Where: "login", Direction: l.stuck, After: now.Sub(l.begun).Seconds(), Detail: detail}, true
		}
	}
	return at, stuck
}

func (m *mtuRun) isLogin(f sock.Flow) bool {
	return f.Remote.Addr() == m.to.Addr().WithZone("") && f.Remote.Port() == m.to.Port() && f.Local != m.near && !m.before[f.Cookie]
}

// endStuck ends the connections once all of them are stuck, or have ended by
// themselves. Where the kernels that send find the limit by themselves, it waits
// for that first.
func (m *mtuRun) endStuck(ctx context.Context, others <-chan struct{}) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-others:
			return
		case now := <-tick.C:
			m.look(ctx, now)
			flows, err := sock.FlowsTo(ctx, m.to.Port())
			free, stuck := false, map[string]bool{}
			if m.env.Shaking.exchanging() {
				free, stuck[m.shaking.at] = m.mayHeal(now, &m.shaking, m.lastSeen), true
			}
			for _, f := range flows {
				if l := m.logins[f.Cookie]; l != nil {
					stuck[l.at] = true
					free = free || l.stuck == "" || m.mayHeal(now, &l.stall, f.Info)
				}
			}
			if err == nil && !free {
				m.cut = stuck
				m.env.Hole.Give()
				return
			}
		}
	}
}

// hearEnds takes the last counters of the handshake's and the login's connections:
// they may have ended before anybody looked again.
func (m *mtuRun) hearEnds(ctx context.Context) {
	if over, last := m.env.Shaking.over(); !over.IsZero() {
		m.shaking.look(over, last)
	}
	flows, _ := m.env.flows.all(ctx)
	for _, f := range flows {
		if l := m.logins[f.Cookie]; l != nil {
			l.info = f.Info
		} else if m.isLogin(f.Flow) && !m.tried {
			m.logins[f.Cookie] = &loginFlow{info: f.Info}
		}
	}
}
