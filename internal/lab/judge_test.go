package lab

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

const aReport = `{"schema": "sshtay.report/1", "verdict": "broken",
 "findings": [{"cause": "unreachable", "status": "confirmed"}, {"cause": "keepalive", "status": "likely"}],
 "causes": [{"cause": "not-ssh", "status": "ruled-out"}, {"cause": "auth", "status": "possible"}],
 "facts": {"path.rtt": {"value": 0.05}, "handshake.stage": {"value": "connect"}, "server.tcp_keep_alive": {"value": false}},
 "spent": {"connections": 2}}`

func TestJudge(t *testing.T) {
	fits := Want{First: "unreachable", Status: "confirmed", Beside: []string{"keepalive"}, Never: []string{"not-ssh"}, Exit: 1, Connections: 4,
		Facts: []Range{{Fact: "path.rtt", Low: 0.04, High: 0.06, IsNumber: true, Text: "0.04..0.06"}, {Fact: "handshake.stage", Text: "connect"}, {Fact: "server.tcp_keep_alive", Text: "false"}, {Fact: "login.stage", Text: "absent"}}}
	for _, c := range []struct {
		name   string
		change func(*Want, *Result)
		says   string // "" is right
		alarms int
	}{
		{"all as wanted", func(*Want, *Result) {}, "", 0},
		{"another cause first", func(w *Want, _ *Result) { w.First, w.Beside = "keepalive", []string{"unreachable"} }, "found unreachable first", 0},
		{"healthy was wanted", func(w *Want, _ *Result) { w.First, w.Exit = Healthy, 0 }, `the verdict is "broken"`, 1},
		{"something beside it", func(w *Want, _ *Result) { w.Beside = nil }, "false alarm: keepalive", 1},
		{"what should not be possible", func(w *Want, _ *Result) { w.Never = []string{"auth"} }, "auth is possible", 0},
		{"a cause that it says nothing of", func(w *Want, _ *Result) { w.Never = []string{"no-such"} }, "says nothing of no-such", 0},
		{"the exit code", func(w *Want, _ *Result) { w.Exit = 3 }, "ended with 1, want 3", 0},
		{"too many connections", func(_ *Want, r *Result) { r.Spent.Connections = 5 }, "made 5 connections", 0},
		{"harm", func(_ *Want, r *Result) { r.Harm = "locked out" }, "harm: locked out", 0},
		{"a number outside", func(w *Want, _ *Result) {
			w.Facts = []Range{{Fact: "path.rtt", Low: 1, High: 2, IsNumber: true, Text: "1..2"}}
		}, "path.rtt is 0.05, want 1..2", 0},
		{"a text that is no number", func(w *Want, _ *Result) {
			w.Facts = []Range{{Fact: "handshake.stage", High: 2, IsNumber: true, Text: "0..2"}}
		}, "handshake.stage", 0},
		{"another text", func(w *Want, _ *Result) { w.Facts = []Range{{Fact: "handshake.stage", Text: "kex"}} }, `"connect", want kex`, 0},
		{"a fact that is missing", func(w *Want, _ *Result) { w.Facts = []Range{{Fact: "login.stage", Text: "kex"}} }, "login.stage has no answer", 0},
		{"a fact that should be", func(w *Want, _ *Result) { w.Facts = []Range{{Fact: "path.rtt", Text: "absent"}} }, "want no answer", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, r := fits, Result{Wanted: "unreachable"}
			c.change(&w, &r)
			var report Report
			if err := json.Unmarshal([]byte(aReport), &report); err != nil {
				t.Fatal(err)
			}
			r.judge(w, 1, report)
			problems := strings.Join(r.Problems, "\n")
			if (c.says == "") != (r.Verdict == Right) || !strings.Contains(problems, c.says) || len(r.FalseAlarms) != c.alarms {
				t.Errorf("%s, %d false alarms: %s", r.Verdict, len(r.FalseAlarms), problems)
			}
		})
	}
}

// TestJudgeHung: a check that had to leave something behind is not right, whatever
// it found.
func TestJudgeHung(t *testing.T) {
	var r Result
	healthy := Report{Schema: "sshtay.report/1", Verdict: "healthy", Missing: []Missing{{"path.loss", "it did not end in time, and was left behind"}}}
	r.judge(Want{First: Healthy}, 0, healthy)
	if r.Verdict != Wrong || !slices.Equal(r.Problems, []string{"what observes path.loss hung"}) {
		t.Errorf("%s: %q", r.Verdict, r.Problems)
	}
}

// TestJudgeNothing: a report that could not tell is not one that found all
// well, and one without a schema is none.
func TestJudgeNothing(t *testing.T) {
	var r Result
	r.judge(Want{First: Healthy}, 0, Report{Verdict: "unknown"})
	if r.Found != "nothing" || r.Verdict != Wrong || !strings.Contains(strings.Join(r.Problems, " "), "schema") {
		t.Errorf("%+v", r)
	}
}

func TestTable(t *testing.T) {
	all := []Result{
		{Name: "one", Wanted: "auth", Found: "auth", Verdict: Right, Spent: Spent{Seconds: 1.25, Connections: 2}},
		{Name: "two", Wanted: Healthy, Found: "auth", Verdict: Wrong, FalseAlarms: []string{"auth"}, Problems: []string{"false alarm:\x1b[2J auth"}, Harm: "locked out"},
		{Name: "three", Wanted: "auth", Verdict: Untrue, Problems: []string{"ssh works"}},
		{Name: "four", Wanted: Healthy, Found: Healthy, Verdict: Right},
	}
	tally := Sum(all, 90*time.Second)
	if tally != (Tally{Scenarios: 4, Right: 2, FirstPlace: 0.5, FalseAlarms: 1, Harm: 1, Seconds: 90}) {
		t.Errorf("%+v", tally)
	}
	var b strings.Builder
	if err := Table(&b, all, tally); err != nil {
		t.Fatal(err)
	}
	want := `SCENARIO  WANTED   FOUND    VERDICT  SECONDS  CONNECTIONS
one       auth     auth     right    1.2      2
two       healthy  auth     wrong    0.0      0
three     auth     -        untrue   0.0      0
four      healthy  healthy  right    0.0      0

two: false alarm:?[2J auth
three: ssh works

2 of 4 right; first place 50 %, false alarms 1, harm done 1; 90 s
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
