package probe

import (
	"context"
	"time"
)

// outlasts waits, where packets of any length are lost, too, until what is stuck
// from the server was sent again so often that chance does not explain it. It
// returns false when it moved, and then there was no hole.
func (m *mtuRun) outlasts(ctx context.Context, others <-chan struct{}) bool {
	if !m.doubtful {
		return true
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for stuck, long := true, false; stuck && !long; {
		select {
		case <-others: // they ended; what they counted at last says how
			m.hearEnds(ctx)
			for _, l := range m.logins {
				l.look(time.Now(), l.info)
			}
			stuck, _ = m.stuckFromServer(time.Now())
			long = stuck
		case now := <-tick.C:
			m.look(ctx, now)
			stuck, long = m.stuckFromServer(now)
		}
		if long {
			return true
		}
	}
	m.client.vanishes, m.stalled, m.trials = 0, nil, nil
	m.why = "the path loses packets of any length, and what was stuck went on by itself"
	return false
}

// forgetSilence is for a server that only took its time: what was silent went on,
// and no hole was found.
func (m *mtuRun) forgetSilence() {
	stuck, _ := m.stuckFromServer(time.Now())
	if m.stalled != nil && m.stalled.Detail == silence && !stuck && !m.hole() {
		m.stalled = nil
	}
}

// stuckFromServer says whether a connection of the handshake or the login is
// stuck in that direction, and whether for as long as a path that loses packets
// wants.
func (m *mtuRun) stuckFromServer(now time.Time) (stuck, long bool) {
	patience := stall{lossy: true}
	consider := func(s *stall) {
		if s.at == fromServer {
			stuck = true
			long = long || now.Sub(s.since) >= patience.resendTime(m.lastSeen)
		}
	}
	consider(&m.shaking)
	for _, l := range m.logins {
		consider(&l.stall)
	}
	return stuck, long
}
