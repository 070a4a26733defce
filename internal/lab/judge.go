package lab

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Result is what came of one scenario.
type Result struct {
	Name        string   `json:"scenario"`
	Wanted      string   `json:"wanted"`
	Found       string   `json:"found"` // cause of the first finding, [Healthy], nothing, or empty when there was no report
	Verdict     Verdict  `json:"verdict"`
	Problems    []string `json:"problems,omitempty"`
	FalseAlarms []string `json:"false_alarms,omitempty"`
	Harm        string   `json:"harm,omitempty"` // why the user cannot log in after the check
	Spent       Spent    `json:"spent"`
	Report      *Report  `json:"report,omitempty"`
}

// Spent is what a scenario cost.
type Spent struct {
	Seconds     float64 `json:"seconds"`       // of the check
	World       float64 `json:"world"`         // to build the check's world and to take it down
	Truth       float64 `json:"truth"`         // to see the fault, and that it can be mended
	Fix         float64 `json:"fix,omitempty"` // to mend it, to see that it is, and to put it back
	Connections int     `json:"connections"`   // that the check made, as the network counts them
	Reported    int     `json:"reported"`      // that the check says it made
}

// Verdict sums a result up.
type Verdict string

// The verdicts. All but Right are misses.
const (
	Right   Verdict = "right"
	Wrong   Verdict = "wrong"   // the check found something else than wanted, or did harm
	Untrue  Verdict = "untrue"  // plain ssh does not do what the scenario says: nothing was judged
	Failed  Verdict = "failed"  // the world could not be built, or the check did not end with a report
	Stopped Verdict = "stopped" // the run was interrupted
)

// A Report is what the lab reads of the report that a check writes.
type Report struct {
	Schema   string    `json:"schema"`
	Verdict  string    `json:"verdict"`
	Findings []Finding `json:"findings"`
	Causes   []struct {
		Cause  string `json:"cause"`
		Status string `json:"status"`
		Reason string `json:"reason"`
	} `json:"causes"`
	Facts map[string]struct {
		Value json.RawMessage `json:"value"`
	} `json:"facts"`
	Missing []Missing `json:"missing"`
	Spent   struct {
		Seconds     float64 `json:"seconds"`
		Connections int     `json:"connections"`
	} `json:"spent"`
}

// Missing is a question that stayed open, and why.
type Missing struct {
	Fact   string `json:"fact"`
	Reason string `json:"reason"`
}

// A Finding is a cause that was found, in its own words.
type Finding struct {
	Cause    string `json:"cause"`
	Status   string `json:"status"`
	Summary  string `json:"summary"`
	Evidence []struct {
		Says string `json:"says"`
	} `json:"evidence"`
}

// sure orders the statuses of a cause, the least sure first.
var sure = []string{"unknown", "ruled-out", "possible", "likely", "confirmed"}

// judge holds a report and the exit code of the check against what is wanted.
// Its caller has filled in what was spent.
func (r *Result) judge(w Want, exit int, report Report) {
	r.Report, r.Found, r.Verdict = &report, Healthy, Right
	if report.Schema != "sshtay.report/1" {
		r.miss("the report is of the schema %q", report.Schema)
	}
	if report.Verdict != "healthy" {
		r.Found = "nothing" // it could not tell
	}
	if len(report.Findings) > 0 {
		r.Found = report.Findings[0].Cause
	}
	if r.Found != w.First {
		r.miss("found %s first, want %s", r.Found, w.First)
	}
	status := map[string]string{}
	for _, c := range report.Causes {
		status[c.Cause] = c.Status
	}
	for i, f := range report.Findings {
		if f.Cause == w.First && i == 0 && slices.Index(sure, f.Status) < slices.Index(sure, w.Status) {
			r.miss("%s is only %s, want %s", f.Cause, f.Status, w.Status)
		}
		if f.Cause != w.First && !slices.Contains(w.Beside, f.Cause) {
			r.FalseAlarms = append(r.FalseAlarms, f.Cause)
			r.miss("false alarm: %s (%s)", f.Cause, f.Status)
		}
	}
	if len(report.Findings) > 0 && w.Says != "" {
		words := report.Findings[0].Summary
		for _, e := range report.Findings[0].Evidence {
			words += "\n" + e.Says
		}
		if !strings.Contains(words, w.Says) {
			r.miss("%s does not say %q", r.Found, w.Says)
		}
	}
	if (w.First == Healthy) != (report.Verdict == "healthy") {
		r.miss("the verdict is %q", report.Verdict)
	}
	for _, c := range w.Never {
		if status[c] == "" {
			r.miss("says nothing of %s", c)
		}
		if slices.Index(sure, status[c]) >= slices.Index(sure, "possible") {
			r.miss("%s is %s and should not even be possible", c, status[c])
		}
	}
	if exit != w.Exit {
		r.miss("the check ended with %d, want %d", exit, w.Exit)
	}
	if r.Spent.Connections > w.Connections {
		r.miss("made %d connections, at most %d are fair", r.Spent.Connections, w.Connections)
	}
	for _, f := range w.Facts {
		f.hold(r, report)
	}
	for _, m := range report.Missing {
		if strings.HasSuffix(m.Reason, "left behind") {
			r.miss("what observes %s hung", m.Fact)
		}
	}
	if r.Harm != "" {
		r.miss("harm: %s", r.Harm)
	}
}

func (r *Result) miss(format string, args ...any) {
	r.Verdict = Wrong
	r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
}

// hold compares one fact of a report with what it should be.
func (f Range) hold(r *Result, report Report) {
	fact, ok := report.Facts[f.Fact]
	switch {
	case f.Text == "absent":
		if ok {
			r.miss("%s is %s, want no answer", f.Fact, fact.Value)
		}
	case !ok:
		r.miss("%s has no answer, want %s", f.Fact, f.Text)
	case f.IsNumber:
		var n float64
		if err := json.Unmarshal(fact.Value, &n); err != nil || n < f.Low || n > f.High {
			r.miss("%s is %s, want %s", f.Fact, fact.Value, f.Text)
		}
	default:
		var s string
		if json.Unmarshal(fact.Value, &s) != nil {
			s = string(fact.Value)
		}
		if !strings.Contains(s, f.Text) {
			r.miss("%s is %s, want %s", f.Fact, fact.Value, f.Text)
		}
	}
}

// A Tally sums up many results.
type Tally struct {
	Scenarios   int     `json:"scenarios"`
	Right       int     `json:"right"`
	FirstPlace  float64 `json:"first_place"` // ratio of scenarios whose first finding is the wanted one
	FalseAlarms int     `json:"false_alarms"`
	Harm        int     `json:"harm"`
	Seconds     float64 `json:"seconds"`
}

// Sum tallies results of a run that took so long.
func Sum(all []Result, took time.Duration) Tally {
	t := Tally{Scenarios: len(all), Seconds: took.Seconds()}
	first := 0
	for _, r := range all {
		if r.Verdict == Right {
			t.Right++
		}
		if r.Found == r.Wanted {
			first++
		}
		t.FalseAlarms += len(r.FalseAlarms)
		if r.Harm != "" {
			t.Harm++
		}
	}
	if len(all) > 0 {
		t.FirstPlace = float64(first) / float64(len(all))
	}
	return t
}
