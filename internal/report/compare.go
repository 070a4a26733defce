package report

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"sshtay/internal/cause"
)

// A Comparison holds a check against the one that was made before something
// was changed.
type Comparison struct {
	Before, After Report
	Mended        map[string][]string // causes that the change was to cure, with the facts that must read differently
}

// Still says, for each cause that was to be cured and is not, why; and what else
// got worse. None: the change is proven.
func (c Comparison) Still() (all []string) {
	for _, id := range slices.Sorted(maps.Keys(c.Mended)) {
		if f, is := c.After.finding(id); is && !c.better(f) {
			all = append(all, fmt.Sprintf("%s is still %s: %s", id, f.Status, f.Summary))
		}
	}
	if reach(c.After) < reach(c.Before) {
		all = append(all, fmt.Sprintf("a new connection reaches %s only, and reached %s before", cmp.Or(c.After.Reached, "nothing"), c.Before.Reached))
	}
	for _, f := range c.After.Findings {
		if _, was := c.Before.finding(f.Cause); !was && f.Impact == "breaks" && c.Mended[f.Cause] == nil && reach(c.After) <= reach(c.Before) {
			all = append(all, fmt.Sprintf("%s came with it: %s", f.Cause, f.Summary))
		}
	}
	return all
}

// better says that a cause that is still a finding was mended nevertheless: it
// does less harm than before, or what was wrong reads differently, and what is
// left is what the logs remember.
func (c Comparison) better(now Finding) bool {
	before, _ := c.Before.finding(now.Cause)
	if harm(now) < harm(before) {
		return true
	}
	return now.Impact != "breaks" && slices.ContainsFunc(c.Mended[now.Cause], func(fact string) bool {
		if machine, _, _ := strings.Cut(fact, "."); machine != "client" && machine != "server" {
			return false // it is measured, and never twice the same
		}
		return !bytes.Equal(setting(c.Before.Facts[fact].Value), setting(c.After.Facts[fact].Value))
	})
}

// setting is the part of a fact that stays as it is until somebody changes it: of how
// many there are of how many that can be, the latter. The other moves by itself.
func setting(value json.RawMessage) json.RawMessage {
	var full struct{ Count, Max json.RawMessage }
	if json.Unmarshal(value, &full) == nil && full.Count != nil && full.Max != nil {
		return full.Max
	}
	return value
}

// harm orders findings by what they do to connections.
func harm(f Finding) int {
	return -slices.IndexFunc(impacts, func(i cause.Impact) bool { return i.String() == f.Impact })
}

// reach is how far a check's connections got.
func reach(r Report) int { return slices.Index(Stages, r.Reached) }

// finding is the finding of a cause, if it is one.
func (r Report) finding(id string) (Finding, bool) {
	i := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.Cause == id })
	if i < 0 {
		return Finding{}, false
	}
	return r.Findings[i], true
}

// status is what a check says of a cause.
func (r Report) status(id string) string {
	i := slices.IndexFunc(r.Causes, func(j Judged) bool { return j.Cause == id })
	if i < 0 {
		return "unknown"
	}
	return r.Causes[i].Status
}

// CompareText writes what was before beside what is now, and what stands next
// in the way.
func CompareText(w io.Writer, c Comparison, o TextOptions) error {
	if o.Width <= 0 {
		o.Width = 80
	}
	t := &terminal{width: min(max(o.Width, 40), 100), color: o.Color}
	row := func(name, before, after string, st style) {
		t.line("", []word{{pad(cleanName(name), 20), normal}, {pad(inWords(before), 14), dim}, {"→", dim}, {inWords(after), st}})
	}
	row("verdict", string(c.Before.Verdict), string(c.After.Verdict), verdictStyles[inWords(string(c.After.Verdict))])
	row("reached", cmp.Or(c.Before.Reached, "nothing"), cmp.Or(c.After.Reached, "nothing"), normal)
	for _, id := range c.changed() {
		st := green
		if _, is := c.After.finding(id); is {
			st = red
		}
		row(id, c.Before.status(id), c.After.status(id), st)
	}
	for i, f := range c.After.Findings {
		t.item(0, once(i, "next"), append(words(bold, cleanLine(f.Title)), words(dim, "["+cleanName(f.Cause)+"]")...))
	}
	_, err := io.WriteString(w, t.b.String())
	return err
}

// changed are the causes worth a line: those that are or were findings.
func (c Comparison) changed() (ids []string) {
	for _, f := range slices.Concat(c.Before.Findings, c.After.Findings) {
		if !slices.Contains(ids, f.Cause) {
			ids = append(ids, f.Cause)
		}
	}
	return ids
}

// InSentences joins what [Comparison.Still] says.
func InSentences(all []string) string {
	var out []string
	for _, s := range all {
		out = append(out, ended(cleanLine(s)))
	}
	return strings.Join(out, " ")
}
