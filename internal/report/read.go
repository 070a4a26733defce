package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"sshtay/internal/cause"
	"sshtay/internal/fact"
	"sshtay/internal/remedy"
)

// MaxSize is the largest report that [Read] takes, in bytes.
const MaxSize = 4 << 20

// Read reads the JSON form back. Fields and facts that it does not know are
// passed over: a newer version may have added them. Everything else that
// breaks the contract is an error that says where and what.
func Read(r io.Reader) (Report, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	switch {
	case err != nil:
		return Report{}, err
	case len(text) > MaxSize:
		return Report{}, fmt.Errorf("larger than the %d MiB that a report may have", MaxSize>>20)
	case len(bytes.TrimSpace(text)) == 0:
		return Report{}, errors.New("empty: a report is what `sshtay check --json` prints")
	case !utf8.Valid(text):
		return Report{}, errors.New("not UTF-8, so it is no report")
	}
	var rep Report
	if err := json.Unmarshal(text, &rep); err != nil {
		return Report{}, explain(text, err)
	}
	rep.normalise()
	if err := rep.check(); err != nil {
		return Report{}, err
	}
	return rep, nil
}

// explain turns a complaint of package json into a place and what is wrong
// there.
func explain(text []byte, err error) error {
	var syntax *json.SyntaxError
	var wrong *json.UnmarshalTypeError
	var moment *time.ParseError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("line %d is not JSON: %s", line(text, syntax.Offset), syntax)
	case errors.As(err, &wrong) && wrong.Field == "":
		return fmt.Errorf("a report is a JSON object, this is a JSON %s", wrong.Value)
	case errors.As(err, &wrong):
		return fmt.Errorf("line %d: %s holds a %s; want %s", line(text, wrong.Offset), wrong.Field, wrong.Value, wrong.Type)
	case errors.As(err, &moment):
		return fmt.Errorf("%.64q is not a time as RFC 3339 writes it, such as 2026-11-20T10:00:00Z", moment.Value)
	}
	return fmt.Errorf("not a report: %w", err)
}

func line(text []byte, offset int64) int {
	return 1 + bytes.Count(text[:min(int(offset), len(text))], []byte("\n"))
}

// normalise gives times the zone of the contract, and null its empty value.
func (r *Report) normalise() {
	r.At = r.At.UTC()
	r.Target.Jumps = filled(r.Target.Jumps)
	r.Findings, r.Causes, r.Missing = filled(r.Findings), filled(r.Causes), filled(r.Missing)
	for i := range r.Findings {
		f := &r.Findings[i]
		f.Evidence, f.Remedies = filled(f.Evidence), filled(f.Remedies)
		for k := range f.Remedies {
			f.Remedies[k].Steps = filled(f.Remedies[k].Steps)
		}
	}
	if r.Facts == nil {
		r.Facts = map[string]Fact{}
	}
	for name, f := range r.Facts {
		f.At = f.At.UTC()
		r.Facts[name] = f
	}
}

// The closed lists of the contract.
var (
	verdicts = []Verdict{Healthy, AtRisk, Broken, Unknown}
	found    = []cause.Status{cause.Likely, cause.Confirmed}
	statuses = []cause.Status{cause.Unknown, cause.RuledOut, cause.Possible, cause.Likely, cause.Confirmed}
	impacts  = []cause.Impact{cause.Breaks, cause.WillBreak, cause.Risk}
	sides    = []remedy.Side{remedy.Client, remedy.Server, remedy.Network}
	risks    = []remedy.Risk{remedy.Harmless, remedy.ReloadsSSHD, remedy.CanLockOut}
)

func (r *Report) check() error {
	if r.Schema != Schema {
		if strings.HasPrefix(r.Schema, "sshtay.report/") {
			return fmt.Errorf("written to the contract %.64q; this version of sshtay reads %q", r.Schema, Schema)
		}
		return fmt.Errorf("no report of sshtay: its schema is %.64q; want %q", r.Schema, Schema)
	}
	if r.At.IsZero() {
		return errors.New("at: the time of the check is missing")
	}
	if p := r.Target.Port; p < 0 || p > 65535 {
		return fmt.Errorf("target.port: %d is not between 0 and 65535", p)
	}
	if r.Spent.Seconds < 0 || r.Spent.Connections < 0 {
		return errors.New("spent: less than nothing")
	}
	problems := []error{
		oneOf("verdict", string(r.Verdict), verdicts),
		oneOf("reached", r.Reached, append([]string{""}, Stages...)),
	}
	for i, f := range r.Findings {
		at := fmt.Sprintf("findings[%d].", i)
		problems = append(problems, oneOf(at+"status", f.Status, found), oneOf(at+"impact", f.Impact, impacts))
		for k, m := range f.Remedies {
			at := fmt.Sprintf("%sremedies[%d].", at, k)
			problems = append(problems, oneOf(at+"side", m.Side, sides), oneOf(at+"risk", m.Risk, risks))
		}
	}
	for i, c := range r.Causes {
		problems = append(problems, oneOf(fmt.Sprintf("causes[%d].status", i), c.Status, statuses))
	}
	for _, err := range problems {
		if err != nil {
			return err
		}
	}
	return r.checkFacts()
}

// checkFacts refuses values that the vocabulary would not take, so that a
// judge never sees half a report.
func (r *Report) checkFacts() error {
	var scratch fact.Set
	for _, name := range slices.Sorted(maps.Keys(r.Facts)) {
		f := r.Facts[name]
		if len(f.Value) == 0 || string(f.Value) == "null" {
			return fmt.Errorf("facts: %.64q has no value; a fact that was not observed belongs under missing", name)
		}
		if err := scratch.Decode(name, f.Value, f.Source, f.At); err != nil && !errors.Is(err, fact.ErrUnknown) {
			return err
		}
	}
	return nil
}

// oneOf complains when got is none of the closed list.
func oneOf[T any](where, got string, list []T) error {
	var names []string
	for _, v := range list {
		if name := fmt.Sprint(v); name != got {
			names = append(names, name)
		} else {
			return nil
		}
	}
	return fmt.Errorf("%s: %.64q is none of %s", where, got, strings.TrimSpace(strings.Join(names, " ")))
}

// FactSet returns the observations of a report, to be judged again, and the
// names of the facts that this version does not know, sorted: a newer version
// wrote them, and no judge here asks for them.
func FactSet(r Report) (set *fact.Set, ignored []string) {
	set = &fact.Set{}
	for name, f := range r.Facts {
		if set.Decode(name, f.Value, f.Source, f.At) != nil {
			ignored = append(ignored, name)
		}
	}
	for _, m := range r.Missing {
		if _, ok := fact.Lookup(m.Fact); !ok {
			ignored = append(ignored, m.Fact)
			continue
		}
		set.DecodeMissing(m.Fact, m.Reason)
	}
	slices.Sort(ignored)
	return set, slices.Compact(ignored)
}
