// Package report is what a check says in the end: one value, and the ways to
// write it. It is pure: a value in, text out.
//
// The JSON form is a contract, published as docs/report.schema.json: later
// versions only add to it. Because it holds every fact, a report can be judged
// again anywhere ([Read], [FactSet], [Report.Rejudge]).
package report

import (
	"encoding/json"
	"time"
)

// Schema names the contract in every report.
const Schema = "sshtay.report/1"

// A Report is the outcome of one check. No array in it is ever null.
type Report struct {
	Schema   string          `json:"schema"`
	At       time.Time       `json:"at"`      // when the check began, UTC
	Version  string          `json:"version"` // of the program that judged
	Target   Target          `json:"target"`
	NoLogin  bool            `json:"no_login,omitempty"` // the user asked for no login
	Verdict  Verdict         `json:"verdict"`
	Reached  string          `json:"reached"`  // the last stage completed, one of [Stages]; "" when not even the name was resolved, or without a host
	Findings []Finding       `json:"findings"` // likely and confirmed, worst first
	Causes   []Judged        `json:"causes"`   // every cause, sorted by ID
	Facts    map[string]Fact `json:"facts"`
	Missing  []Missing       `json:"missing"` // sorted by fact
	Spent    Spent           `json:"spent"`
}

// Verdict is the outcome in a word.
type Verdict string

// The verdicts.
const (
	Healthy Verdict = "healthy" // no finding, and the connection got as far as was asked
	AtRisk  Verdict = "at-risk" // findings, but none that breaks connections now
	Broken  Verdict = "broken"  // a finding breaks connections now
	Unknown Verdict = "unknown" // no finding, and the connection did not get far enough to say more
)

// Stages lists the stages of a connection in order.
var Stages = []string{"resolve", "connect", "banner", "kex", "auth", "session", "bulk", "idle"}

// Target is what was checked. Given is as typed, and empty for this machine;
// the rest is where it led.
type Target struct {
	Given string   `json:"given"`
	User  string   `json:"user"`
	Host  string   `json:"host"`
	Port  int      `json:"port"`
	Jumps []string `json:"jumps"`
}

// Local says whether this machine itself was checked.
func (t Target) Local() bool { return t.Given == "" }

// A Finding is a cause that is likely or confirmed, with all that is needed to
// believe it and to act on it.
type Finding struct {
	Cause    string     `json:"cause"`
	Status   string     `json:"status"` // likely or confirmed
	Impact   string     `json:"impact"` // breaks, will-break or risk
	Title    string     `json:"title"`
	Summary  string     `json:"summary"`
	Why      string     `json:"why"`
	Evidence []Evidence `json:"evidence"`
	Remedies []Remedy   `json:"remedies"`
}

// Evidence is one fact, what it says here, and where it was seen.
type Evidence struct {
	Fact   string `json:"fact"`
	Says   string `json:"says"`
	Source string `json:"source"`
}

// A Remedy is one way to mend a finding. A step is what a person would do; its
// lines that begin with white space are there to be copied, and no renderer
// breaks them.
type Remedy struct {
	ID      string   `json:"id"`
	Side    string   `json:"side"` // client, server or network
	Risk    string   `json:"risk"` // harmless, reloads-sshd or can-lock-out
	Summary string   `json:"summary"`
	Steps   []string `json:"steps"`
}

// Judged is a cause, how sure we are of it, and why.
type Judged struct {
	Cause  string `json:"cause"`
	Status string `json:"status"`           // unknown, ruled-out, possible, likely or confirmed
	Impact string `json:"impact,omitempty"` // breaks, will-break or risk, from possible on
	Reason string `json:"reason"`
}

// Fact is the answer to one question: a duration in seconds (unit "s"), a size
// in bytes ("B"), a ratio from 0 to 1 ("ratio"), or a value without a unit.
type Fact struct {
	Value  json.RawMessage `json:"value"`
	Unit   string          `json:"unit"`
	Source string          `json:"source"`
	At     time.Time       `json:"at"`
}

// Missing is a question that stayed open, and why.
type Missing struct {
	Fact   string `json:"fact"`
	Reason string `json:"reason"`
}

// Spent is what the check cost: time, and unauthenticated connections to the
// target.
type Spent struct {
	Seconds     float64 `json:"seconds"`
	Connections int     `json:"connections"`
}

// ExitCode is what a check that ends with this report exits with: 0 healthy, 1
// findings, 3 nothing could be judged. (2 is for wrong usage, where there is no
// report.)
func (r Report) ExitCode() int {
	switch r.Verdict {
	case Healthy:
		return 0
	case AtRisk, Broken:
		return 1
	}
	return 3
}
