package report

import (
	"math"
	"slices"
	"testing"
	"time"

	"sshtay/internal/cause"
	"sshtay/internal/fact"
	"sshtay/internal/target"
)

// judgedAs is judged with an impact.
func judgedAs(id string, s cause.Status, i cause.Impact) cause.Judgement {
	j := judged(id, s, "because")
	j.Impact = i
	return j
}

func TestVerdict(t *testing.T) {
	fine := ruledOut("keepalive version")
	silent := []cause.Judgement{judged("keepalive", cause.Unknown, "could not see")}
	for _, c := range []struct {
		name    string
		given   string
		noLogin bool
		facts   string
		judged  []cause.Judgement
		want    Verdict
		reached string
		exit    int
	}{
		{"a session and no finding", "web1", false, "handshake.stage = kex\nlogin.stage = session", fine, Healthy, "session", 0},
		{"a session, nothing judged", "web1", false, "handshake.stage = kex\nlogin.stage = session", silent, Healthy, "session", 0},
		{"a possible cause is no finding", "web1", false, "login.stage = session", []cause.Judgement{judgedAs("keepalive", cause.Possible, cause.Breaks)}, Healthy, "session", 0},
		{"no session", "web1", false, "handshake.stage = kex\nlogin.stage = kex", fine, Unknown, "kex", 3},
		{"no login asked for", "web1", true, "handshake.stage = kex", fine, Healthy, "kex", 0},
		{"no login asked for, no key exchange", "web1", true, "handshake.stage = banner", fine, Unknown, "banner", 3},
		{"not even a name", "web1", false, "handshake.stage = none\nlogin.stage = none", fine, Unknown, "", 3},
		{"nothing observed", "web1", false, "", fine, Unknown, "", 3},
		{"the login came farther", "web1", false, "handshake.stage = connect\nlogin.stage = auth", fine, Unknown, "auth", 3},
		{"the handshake came farther", "web1", false, "handshake.stage = banner\nlogin.stage = connect", fine, Unknown, "banner", 3},
		{"a risk", "web1", false, "login.stage = session", append(fine, judgedAs("x", cause.Confirmed, cause.Risk)), AtRisk, "session", 1},
		{"it will break", "web1", false, "login.stage = session", append(fine, judgedAs("x", cause.Likely, cause.WillBreak)), AtRisk, "session", 1},
		{"it breaks", "web1", false, "login.stage = session", append(fine, judgedAs("x", cause.Confirmed, cause.Risk), judgedAs("y", cause.Likely, cause.Breaks)), Broken, "session", 1},
		{"this machine, something judged", "", false, "", fine, Healthy, "", 0},
		{"this machine, nothing judged", "", false, "", silent, Unknown, "", 3},
		{"this machine, a finding", "", false, "", []cause.Judgement{judgedAs("x", cause.Likely, cause.Risk)}, AtRisk, "", 1},
	} {
		r := New(Input{Target: target.Target{Given: c.given}, NoLogin: c.noLogin, Facts: facts(t, c.facts), Judgements: c.judged, At: start})
		if r.Verdict != c.want || r.Reached != c.reached || r.ExitCode() != c.exit {
			t.Errorf("%s: %s, reached %q, exit %d; want %s, %q, %d", c.name, r.Verdict, r.Reached, r.ExitCode(), c.want, c.reached, c.exit)
		}
		if r.says() == "" || r.who() == "" {
			t.Errorf("%s: %q says %q", c.name, r.who(), r.says())
		}
	}
}

func TestOrder(t *testing.T) {
	r := New(Input{Facts: facts(t, "server.load1 ? b\nclient.os ? a"), At: start, Judgements: []cause.Judgement{
		judgedAs("b-risk", cause.Confirmed, cause.Risk), judgedAs("z-breaks", cause.Likely, cause.Breaks), judgedAs("y-breaks", cause.Likely, cause.Breaks),
		judgedAs("a-possible", cause.Possible, cause.Breaks), judgedAs("x-breaks", cause.Confirmed, cause.Breaks), judgedAs("c-will", cause.Confirmed, cause.WillBreak),
	}})
	var findings, causes, missing []string
	for _, f := range r.Findings {
		findings = append(findings, f.Cause)
	}
	for _, c := range r.Causes {
		causes = append(causes, c.Cause)
	}
	for _, m := range r.Missing {
		missing = append(missing, m.Fact)
	}
	if want := []string{"x-breaks", "y-breaks", "z-breaks", "c-will", "b-risk"}; !slices.Equal(findings, want) {
		t.Errorf("findings %v, want %v", findings, want)
	}
	if len(causes) != 6 || !slices.IsSorted(causes) {
		t.Errorf("causes %v: want all six, sorted", causes)
	}
	if want := []string{"client.os", "server.load1"}; !slices.Equal(missing, want) {
		t.Errorf("missing %v, want %v", missing, want)
	}
}

func TestEvidenceSaysSomething(t *testing.T) {
	j := judgedAs("x", cause.Likely, cause.Risk)
	j.Evidence = []cause.Evidence{{Fact: "path.rtt"}, {Fact: "server.load1", Says: "the load is 90"}}
	r := New(Input{Facts: facts(t, ""), At: start, Judgements: []cause.Judgement{j}})
	if e := r.Findings[0].Evidence; len(e) != 1 || e[0].Fact != "server.load1" {
		t.Errorf("evidence %v", e)
	}
}

// TestFacts: what cannot be written down is missing, with the reason; a set
// without a clock gets the report's time; times are UTC.
func TestFacts(t *testing.T) {
	s := &fact.Set{}
	fact.Load1.Put(s, math.NaN(), "proc")
	fact.RTT.Put(s, 20300*time.Microsecond, "tcpinfo")
	berlin := time.FixedZone("CET", 3600)
	r := New(Input{Facts: s, At: start.In(berlin)})
	if _, there := r.Facts["server.load1"]; there || len(r.Missing) != 1 || r.Missing[0].Fact != "server.load1" {
		t.Errorf("a load of NaN: facts %v, missing %v", r.Facts, r.Missing)
	}
	f := r.Facts["path.rtt"]
	if string(f.Value) != "0.0203" || f.Unit != "s" || !f.At.Equal(start) || f.At.Location() != time.UTC || r.At.Location() != time.UTC {
		t.Errorf("path.rtt = %s %s at %v; the check was at %v", f.Value, f.Unit, f.At, r.At)
	}
}
