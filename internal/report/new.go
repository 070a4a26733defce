package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"sshtay/internal/cause"
	"sshtay/internal/fact"
	"sshtay/internal/remedy"
	"sshtay/internal/target"
)

// Input is all that a report is made of.
type Input struct {
	Target      target.Target
	Resolved    target.Resolved
	NoLogin     bool // the user asked for no login: a key exchange is far enough
	Facts       *fact.Set
	Judgements  []cause.Judgement
	Version     string
	At          time.Time     // when the check began
	Took        time.Duration // how long it took
	Connections int           // unauthenticated connections made to the target
}

// New makes the report of a check.
func New(in Input) Report {
	at := in.At.UTC().Truncate(time.Second)
	r := Report{
		Schema: Schema,
		At:     at,
		Target: Target{
			Given: in.Target.Given,
			User:  in.Resolved.User,
			Host:  in.Resolved.Host,
			Port:  in.Resolved.Port,
			Jumps: filled(in.Resolved.Jumps),
		},
		NoLogin: in.NoLogin,
		Facts:   map[string]Fact{},
		Missing: []Missing{},
		Spent:   Spent{Seconds: in.Took.Round(time.Millisecond).Seconds(), Connections: in.Connections},
	}
	for name, reason := range in.Facts.Missing() {
		r.Missing = append(r.Missing, Missing{name, reason})
	}
	for name, e := range in.Facts.Entries() {
		f, err := carry(name, e, at)
		if err != nil {
			r.Missing = append(r.Missing, Missing{name, err.Error()})
			continue
		}
		r.Facts[name] = f
	}
	slices.SortFunc(r.Missing, func(a, b Missing) int { return cmp.Compare(a.Fact, b.Fact) })
	return r.Rejudge(in.Judgements, in.Version)
}

// carry gives a fact the form of the report. One without a time of its own
// (nobody gave the set a clock) was known when the check began.
func carry(name string, e fact.Entry, at time.Time) (Fact, error) {
	raw, err := json.Marshal(fact.Seconds(e.Value))
	if err != nil {
		return Fact{}, fmt.Errorf("its value cannot be written down: %w", err)
	}
	f := Fact{Value: raw, Source: e.Source, At: at}
	if !e.At.IsZero() {
		f.At = e.At.UTC().Truncate(time.Millisecond)
	}
	if k, ok := fact.Lookup(name); ok {
		f.Unit = k.Unit()
	}
	return f, nil
}

// Rejudge returns the same observations under other judgements: those of the
// program of that version.
func (r Report) Rejudge(judgements []cause.Judgement, version string) Report {
	r.Version = version
	r.Findings, r.Causes = []Finding{}, []Judged{}
	for _, j := range slices.SortedStableFunc(slices.Values(judgements), worstFirst) {
		judged := Judged{Cause: j.ID, Status: j.Status.String(), Reason: j.Reason}
		if j.Status >= cause.Possible {
			judged.Impact = j.Impact.String()
		}
		r.Causes = append(r.Causes, judged)
		if j.IsFinding() {
			r.Findings = append(r.Findings, finding(j))
		}
	}
	slices.SortFunc(r.Causes, func(a, b Judged) int { return cmp.Compare(a.Cause, b.Cause) })
	r.Reached = r.reached()
	r.Verdict = r.verdict()
	return r
}

func worstFirst(a, b cause.Judgement) int {
	return cmp.Or(cmp.Compare(b.Impact, a.Impact), cmp.Compare(b.Status, a.Status), cmp.Compare(a.ID, b.ID))
}

func finding(j cause.Judgement) Finding {
	f := Finding{
		Cause:    j.ID,
		Status:   j.Status.String(),
		Impact:   j.Impact.String(),
		Title:    j.Title,
		Summary:  j.Summary,
		Why:      j.Why,
		Evidence: []Evidence{},
		Remedies: []Remedy{},
	}
	for _, e := range j.Evidence {
		if e.Says != "" { // a fact that says nothing here is no evidence
			f.Evidence = append(f.Evidence, Evidence(e))
		}
	}
	for _, m := range j.Remedies {
		f.Remedies = append(f.Remedies, mend(m))
	}
	return f
}

func mend(m remedy.Remedy) Remedy {
	out := Remedy{ID: m.ID, Side: string(m.Side), Risk: string(m.Risk), Summary: m.Summary, Steps: []string{}}
	for _, s := range m.Steps {
		out.Steps = append(out.Steps, setOut(s))
	}
	return out
}

// reached is the farther of what our own handshake and the user's ssh
// completed.
func (r Report) reached() string {
	ours := slices.Index(Stages, r.text(fact.HandshakeStage))
	theirs := slices.Index(Stages, r.text(fact.LoginStage))
	if best := max(ours, theirs); best >= 0 {
		return Stages[best]
	}
	return ""
}

func (r Report) verdict() Verdict {
	for _, f := range r.Findings {
		if f.Impact == cause.Breaks.String() {
			return Broken
		}
	}
	if len(r.Findings) > 0 {
		return AtRisk
	}
	if r.farEnough() {
		return Healthy
	}
	return Unknown
}

// farEnough says whether the absence of findings means health: the connection
// came as far as the user asked for or, without a host, something was judged.
func (r Report) farEnough() bool {
	switch {
	case r.Target.Local():
		return slices.ContainsFunc(r.Causes, func(j Judged) bool { return j.Status != cause.Unknown.String() })
	case r.NoLogin:
		return r.came("kex")
	}
	return r.came("session") && slices.Contains([]string{"", "other-command"}, r.text(fact.LoginReason))
}

// came says whether the connection completed the stage.
func (r Report) came(stage string) bool {
	return slices.Index(Stages, r.Reached) >= slices.Index(Stages, stage)
}

// text is the answer to a question that is answered in words, or "".
func (r Report) text(k fact.Any) string {
	var s string
	if json.Unmarshal(r.Facts[k.Name()].Value, &s) != nil {
		return ""
	}
	return s
}

// seconds is the answer to a question for a duration, and whether there is
// one.
func (r Report) seconds(k fact.Any) (float64, bool) {
	var s *float64
	if json.Unmarshal(r.Facts[k.Name()].Value, &s) != nil || s == nil {
		return 0, false
	}
	return *s, true
}

// filled returns s, or an empty slice for nil: JSON shall say [], never null.
func filled[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
