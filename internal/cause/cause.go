// Package cause is the catalogue of reasons for which an SSH connection is
// refused, reset, dropped or frozen.
//
// One file, one cause: what is observed, how it is judged, how it is
// explained, how it is mended. A judge is a pure function of facts: the same
// facts give the same verdict on any machine at any time.
package cause

import (
	"cmp"
	"fmt"
	"slices"

	"sshtay/internal/fact"
	"sshtay/internal/remedy"
)

// A Cause is one reason. The name of its file is its ID.
type Cause struct {
	ID    string
	Title string // as the user would say it, at most 60 letters
	Doc   Doc
	Needs []fact.Any // the facts it reads; they decide what is probed at all
	Judge func(*fact.View) Verdict
	Fix   func(*fact.View) []remedy.Remedy // asked from Possible on
	Masks []string                         // causes that say nothing new while this one is likely
}

// Doc tells the story of a cause, a paragraph or two each.
type Doc struct{ Observed, Judged, Explained, Fixed string }

// A Verdict is how sure we are, and why.
type Verdict struct {
	Status   Status
	Impact   Impact // what it does to connections; asked from Possible on
	Reason   string // one line: why this status
	Summary  string // one or two sentences for the finding; needed from Likely on
	Why      string // why this breaks connections; needed from Likely on
	Evidence []Evidence
}

// Evidence is one fact and what it says here.
type Evidence struct {
	Fact   string
	Says   string
	Source string // filled in by [Judge]
}

// Status is how sure a verdict is.
type Status int

// The statuses, least sure first.
const (
	Unknown   Status = iota // what would be needed was not observed
	RuledOut                // the facts exclude it
	Possible                // the facts allow it
	Likely                  // the facts point to it
	Confirmed               // it was made to happen and to stop, or the condition itself was read
)

var statuses = [...]string{"unknown", "ruled-out", "possible", "likely", "confirmed"}

func (s Status) String() string { return statuses[s] }

// Impact is what a cause does to connections.
type Impact int

// The impacts, worst last.
const (
	Risk      Impact = iota // it may break connections when something else happens
	WillBreak               // it breaks connections sooner or later
	Breaks                  // it breaks this connection now
)

var impacts = [...]string{"risk", "will-break", "breaks"}

func (i Impact) String() string { return impacts[i] }

var all []*Cause

// register adds a cause to the catalogue; each file of a cause calls it once.
func register(c Cause) *Cause {
	all = append(all, &c)
	return &c
}

// All returns the catalogue, sorted by ID.
func All() []*Cause {
	return slices.SortedFunc(slices.Values(all), func(a, b *Cause) int { return cmp.Compare(a.ID, b.ID) })
}

// A Judgement is a cause with its verdict and, where it may be at work, its
// remedies.
type Judgement struct {
	*Cause
	Verdict
	Remedies []remedy.Remedy
}

// IsFinding says whether the judgement belongs among the report's findings.
func (j Judgement) IsFinding() bool { return j.Status >= Likely }

// JudgeAll holds every cause against the facts and returns all judgements,
// findings first, the worst and surest of them first.
func JudgeAll(s *fact.Set) []Judgement {
	var out []Judgement
	masked := map[string]string{}
	for _, c := range All() {
		v := s.View()
		j := Judgement{Cause: c, Verdict: c.Judge(v)}
		for i, e := range j.Evidence {
			entry, _ := s.Entry(e.Fact)
			j.Evidence[i].Source = entry.Source
		}
		if j.Status >= Possible && c.Fix != nil {
			j.Remedies = c.Fix(v)
		}
		if j.Status >= Likely {
			for _, id := range c.Masks {
				masked[id] = c.ID
			}
		}
		out = append(out, j)
	}
	for i := range out {
		by, is := masked[out[i].ID]
		if is && out[i].Status >= Likely {
			out[i].Status = Possible
			out[i].Reason = fmt.Sprintf("says nothing new beside %s: %s", by, out[i].Reason)
		}
	}
	slices.SortStableFunc(out, func(a, b Judgement) int {
		if a.IsFinding() != b.IsFinding() {
			return cmp.Compare(b.Status, a.Status)
		}
		if a.IsFinding() {
			return cmp.Or(cmp.Compare(b.Impact, a.Impact), cmp.Compare(b.Status, a.Status), cmp.Compare(a.ID, b.ID))
		}
		return cmp.Compare(a.ID, b.ID)
	})
	return out
}
