package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sshtay/internal/cause"
	"sshtay/internal/change"
	"sshtay/internal/remedy"
)

// TestFallback: a remedy that turns out to be impossible on its machine makes no other
// one needless, on whichever machine that is.
func TestFallback(t *testing.T) {
	step := func(kind remedy.Kind) []remedy.Step { return []remedy.Step{{Kind: kind}} }
	found := []cause.Judgement{{Cause: &cause.Cause{ID: "sick"}, Verdict: cause.Verdict{Status: cause.Confirmed}, Remedies: []remedy.Remedy{
		{ID: "best", Side: remedy.Server, Steps: step(remedy.Sysctl)},
		{ID: "second", Side: remedy.Server, Steps: step(remedy.SSHDConfig), Unless: []string{"best"}},
		{ID: "third", Side: remedy.Client, Steps: step(remedy.SSHConfig), Unless: []string{"best", "second"}},
		{ID: "beside", Side: remedy.Client, Steps: step(remedy.Sysctl)},
		{ID: "call", Side: remedy.Network, Steps: step(remedy.Advice), Unless: []string{"best", "second", "third"}},
	}}}
	for _, c := range []struct {
		name       string
		impossible string // words
		closed     remedy.Side
		only       string
		server     string // what is done there
		client     string
		byHand     string
		looks      int // at a machine
	}{
		{"all is possible", "", "", "", "best", "beside", "", 2},
		{"the best is not", "best", "", "", "second", "beside", "best", 3},
		{"two are not", "best second", "", "", "", "third beside", "best second", 5},
		{"the server cannot be entered", "", remedy.Server, "", "", "third beside", "best second", 4},
		{"nothing is", "best second third beside", "", "", "", "", "best second third beside call", 7},
		{"one is asked for", "best", "", "sick/best", "", "", "best", 2},
	} {
		var o fixOptions
		o.target.Given = "web1"
		if c.only != "" {
			o.only = []string{c.only}
		}
		w, looks := &fixWork{}, make(chan remedy.Side, 20)
		all := w.lookAll(o, found, func(l *looked) {
			looks <- l.side
			if l.side == c.closed {
				l.closed = errors.New("no way in")
				return
			}
			l.changes = nil
			for _, x := range l.wanted {
				if slices.Contains(strings.Fields(c.impossible), x.ID) {
					l.left = append(l.left, change.Left{Wanted: x, Why: "not here"})
				} else {
					l.changes = append(l.changes, change.Change{Kind: x.ID})
				}
			}
		})
		done := map[remedy.Side][]string{}
		var left []string
		for _, l := range all {
			for _, x := range l.changes {
				done[l.side] = append(done[l.side], x.Kind)
			}
			for _, x := range l.left {
				left = append(left, x.ID)
			}
			if l.closed != nil {
				for _, x := range l.wanted {
					left = append(left, x.ID)
				}
			}
		}
		for _, b := range w.plan.ByHand {
			left = append(left, b.Remedy)
		}
		for what, pair := range map[string][2]string{
			"server":  {sorted(done[remedy.Server]), c.server},
			"client":  {sorted(done[remedy.Client]), c.client},
			"by hand": {sorted(left), c.byHand},
			"looks":   {fmt.Sprint(len(looks)), fmt.Sprint(c.looks)},
		} {
			if got, want := pair[0], sorted(strings.Fields(pair[1])); got != want {
				t.Errorf("%s: %s: %q, want %q", c.name, what, got, want)
			}
		}
	}
}

// sorted are words in order, whichever machine was looked at first.
func sorted(all []string) string { return strings.Join(slices.Sorted(slices.Values(all)), " ") }
