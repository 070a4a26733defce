package probe

import (
	"context"
	"net/netip"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/sshwire"
)

// Again shakes hands once or twice more where a connection was closed or
// reset before the banner without a word. A server that drops at random
// (MaxStartups) and one that refuses us (a ban) look the same otherwise. At a
// refusal in words it stops. It runs after [Handshake] and the login.
var Again = Probe{Name: "again", Yields: []fact.Any{fact.HandshakeTries, fact.HandshakeFailures}, Run: runAgain}

const (
	mostAgain  = 2
	againPause = 500 * time.Millisecond
)

func runAgain(ctx context.Context, env *Env, facts *fact.Set) {
	if !worthAgain(facts) {
		return
	}
	tries, _ := fact.HandshakeTries.Get(facts)
	failures, _ := fact.HandshakeFailures.Get(facts)
	for range mostAgain {
		if env.Budget.Spent() >= mostSpent || env.Budget.Left() == 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(againPause):
		}
		env.Progress("shaking hands once more")
		a := newAttempt(env)
		a.repeat(ctx, env, facts)
		if a.unseen != "" || a.reason == sshwire.ReasonCancelled {
			return
		}
		tries++
		if !a.greeted() {
			failures++
		}
		a.tries, a.failures = tries, failures
		a.put(facts)
		if a.reason == sshwire.ReasonThrottled {
			return
		}
	}
}

// worthAgain says whether a connection ended before the banner, and nobody
// said why.
func worthAgain(facts *fact.Set) bool {
	if _, said := fact.Refusal.Get(facts); said {
		return false
	}
	mute := func(reason string) bool {
		return reason == string(sshwire.ReasonClosed) || reason == string(sshwire.ReasonReset)
	}
	stage, ok := fact.HandshakeStage.Get(facts)
	reason, _ := fact.HandshakeReason.Get(facts)
	switch {
	case !ok:
		return false
	case stage == stageConnect && mute(reason):
		return true
	}
	login, _ := fact.LoginStage.Get(facts)
	why, _ := fact.LoginReason.Get(facts)
	return stage == stageKex && (login == stageNone || login == stageConnect) && mute(why)
}

// repeat goes the same way as the first attempt: to the address that
// accepted.
func (a *attempt) repeat(ctx context.Context, env *Env, facts *fact.Set) {
	if a.via != viaDirect {
		a.proxied(ctx, env)
		return
	}
	a.addresses, _ = fact.HandshakeAddresses.Get(facts)
	for _, known := range a.addresses {
		addr, err := netip.ParseAddr(known.Address)
		if err != nil || known.Stage == "" || known.Stage == stageResolve {
			continue
		}
		a.stage = stageResolve
		if conn := a.first(ctx, env, []netip.Addr{addr}); conn != nil {
			defer conn.Close()
			a.shake(ctx, env, conn, stageTime/2)
			at := a.at(addr)
			at.Stage, at.Reason, at.Detail = a.stage, string(a.reason), a.detail
		}
		return
	}
	a.unseen = "no address accepted a connection"
}
