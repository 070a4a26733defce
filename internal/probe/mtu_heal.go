package probe

import (
	"context"
	"strings"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/sock"
)

// hangs is for how long connections were stuck in each direction, until they
// went on by themselves.
type hangs struct{ to, from time.Duration }

func (h *hangs) join(other hangs) { h.to, h.from = max(h.to, other.to), max(h.from, other.from) }

// getOver notes that what was stuck moves again: our data was acknowledged, or
// what was missing came.
func (s *stall) getOver(now time.Time, i sock.Info) {
	switch {
	case s.at == toServer && i.BytesAcked != s.acked:
		s.hung.to = max(s.hung.to, now.Sub(s.since))
	case s.at == fromServer && i.BytesReceived != s.received:
		s.hung.from = max(s.hung.from, now.Sub(s.since))
	default:
		return
	}
	s.at = ""
}

// probingFile says whether this kernel looks for the limit by itself when a
// connection that it sends on is stuck (net.ipv4.tcp_mtu_probing; it holds for
// IPv6, too). An answer is "0", "1" or "2".
const probingFile = "/proc/sys/net/ipv4/tcp_mtu_probing"

// ownProbing is what this machine's kernel says.
func ownProbing(ctx context.Context, env *Env) string {
	said, _ := env.Local.ReadFile(ctx, probingFile, 100)
	return strings.TrimSpace(string(said))
}

// probing says whether a kernel does, by what it said: "" is not known.
func probing(said string) bool { return said == "1" || said == "2" }

// mendsItself says that each kernel that sends where long packets vanish will
// find the limit by itself: then a connection that is stuck is given the time.
func (m *mtuRun) mendsItself() bool {
	return (!m.server.hole() || probing(m.ourProbing)) && (!m.client.hole() || probing(m.itsProbing))
}

// healTime is enough for a kernel to find the limit: it doubles its wait, which
// begins at 200 ms and a round trip, until three seconds are over (as
// tcp_retries1 has it), and then sends segments of at most 1024 bytes
// (tcp_base_mss); where these vanish, too, it halves them the next time.
func healTime(i sock.Info) time.Duration {
	wait, waits := 200*time.Millisecond+i.RTT, time.Duration(15)
	if 14*wait < 3200*time.Millisecond {
		waits = 31
	}
	return waits*wait + 3*i.RTT + 500*time.Millisecond
}

// mayHeal says that a connection that is stuck may go on yet.
func (m *mtuRun) mayHeal(now time.Time, s *stall, i sock.Info) bool {
	return m.mendsItself() && now.Sub(s.since) < healTime(i)
}

// hung is for how long the connections of the handshake and the login were
// stuck in each direction, and went on.
func (m *mtuRun) hung() (h hangs) {
	h.join(m.shaking.hung)
	for _, l := range m.logins {
		h.join(l.hung)
	}
	return h
}

// putHangs says where connections got over a hole. In a direction in which one
// had to be ended they do not, and where the kernel that sends does not look for
// the limit, what moved again was lost by chance.
func (m *mtuRun) putHangs(source string) {
	h := m.hung()
	if m.server.hole() && h.to > 0 && !m.cut[toServer] && m.ourProbing != "0" {
		fact.PathHungToServer.Put(m.facts, h.to, source)
	}
	if m.client.hole() && h.from > 0 && !m.cut[fromServer] && m.itsProbing != "0" {
		fact.PathHungFromServer.Put(m.facts, h.from, source)
	}
}
