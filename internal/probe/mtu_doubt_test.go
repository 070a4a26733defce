package probe

import (
	"testing"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/sock"
)

// TestOutlasts: where packets of any length are lost, what is stuck is a hole
// only when it stays so, and what moved again leaves no trace of one.
func TestOutlasts(t *testing.T) {
	ago := func(d time.Duration) time.Time { return time.Now().Add(-d) }
	for name, c := range map[string]struct {
		doubtful bool
		shaking  stall
		login    stall
		want     bool
	}{
		"nothing else was lost":             {false, stall{since: ago(time.Second), at: fromServer}, stall{}, true},
		"the handshake is stuck for long":   {true, stall{since: ago(10 * time.Second), at: fromServer}, stall{}, true},
		"it is stuck, and will be for long": {true, stall{since: ago(2900 * time.Millisecond), at: fromServer}, stall{}, true},
		"the login is stuck for long":       {true, stall{}, stall{since: ago(10 * time.Second), at: fromServer}, true},
		"what was stuck moved":              {true, stall{since: ago(10 * time.Second)}, stall{since: ago(10 * time.Second)}, false},
		"only the other direction is stuck": {true, stall{since: ago(10 * time.Second), at: toServer}, stall{}, false},
	} {
		m := mtuRun{
			env: &Env{}, doubtful: c.doubtful, shaking: c.shaking, lastSeen: sock.Info{RTT: time.Millisecond},
			logins: map[uint64]*loginFlow{1: {stall: c.login}}, client: bracket{1280, 1500},
			stalled: &fact.Stall{}, trials: []fact.Trial{{Passed: true}},
		}
		got := m.outlasts(t.Context(), nil)
		if traces := m.hole() && m.stalled != nil; got != c.want || traces != c.want {
			t.Errorf("%s: outlasts %t and leaves a hole %t, want %t", name, got, traces, c.want)
		}
	}
}

// TestForgetSilence: a server that took its time leaves no connection that was
// stuck behind; what never went on, or a hole, stays.
func TestForgetSilence(t *testing.T) {
	hole := bracket{1280, 1500}
	for name, c := range map[string]struct {
		detail string
		at     string
		client bracket
		want   bool
	}{
		"it went on":                       {silence, "", bracket{}, false},
		"it never went on":                 {silence, fromServer, bracket{}, true},
		"a hole was found":                 {silence, "", hole, true},
		"segments came whose tail did not": {"1 segments came", "", bracket{}, true},
	} {
		m := mtuRun{stalled: &fact.Stall{Detail: c.detail}, shaking: stall{at: c.at}, client: c.client, trials: []fact.Trial{{Passed: true}}}
		if m.forgetSilence(); (m.stalled != nil) != c.want {
			t.Errorf("%s: kept %t, want %t", name, m.stalled != nil, c.want)
		}
	}
}
