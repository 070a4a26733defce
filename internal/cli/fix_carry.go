package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"sshtay/internal/change"
	"sshtay/internal/commit"
	"sshtay/internal/diagnose"
	"sshtay/internal/report"
	"sshtay/internal/visible"
)

// carryOut does what the plan says, on every machine, and keeps it only when a
// new check over new connections proves it.
func (sh *shell) carryOut(ctx context.Context, o fixOptions, w *fixWork, before report.Report) error {
	say := func(format string, args ...any) {
		if o.format == "text" {
			fmt.Fprintf(sh.out, format+"\n", args...)
		}
	}
	say("")
	var works []commit.Work
	for _, s := range w.sides {
		works = append(works, commit.Work{Name: s.name, Machine: s.machine, Transaction: s.t})
	}
	var proof report.Comparison
	checked := false
	door := sh.door(ctx, o, w)
	prove := func(ctx context.Context) error {
		say("proof    checking again over new connections")
		shut := make(chan error, 1)
		go func() { shut <- door(ctx) }()
		_, after, err := sh.diagnosed(ctx, o.checkOptions)
		whether := <-shut
		if err != nil {
			return err
		}
		proof, checked = report.Comparison{Before: before, After: after, Mended: w.mended}, true
		if still := proof.Still(); len(still) > 0 {
			return errors.New(report.InSentences(still))
		}
		return whether
	}
	done, err := commit.Together(ctx, works, prove, func(name, what string) {
		say("%s: %s", visible.Line(name, 60), visible.Line(what, 400))
	})
	if o.format == "json" {
		if err := sh.printFix(w, done, before, proof, checked, err); err != nil {
			return err
		}
	} else if checked {
		say("")
		report.CompareText(sh.out, proof, report.TextOptions{Width: width(sh.out), Color: isTerminal(sh.out) && !noColor()})
	}
	return sh.endFix(o, w, done, proof, err)
}

// door looks at the door of this machine before its own sshd is changed, by a
// new connection to it, and returns what looks again afterwards: it must not be
// shut, and where nothing can be seen of it from here, somebody has to log in. A
// host is checked over new connections anyway.
func (sh *shell) door(ctx context.Context, o fixOptions, w *fixWork) func(context.Context) error {
	changes := slices.ContainsFunc(w.sides, func(s fixSide) bool {
		return slices.ContainsFunc(s.t.Changes, func(c change.Change) bool { return len(c.Services) > 0 })
	})
	if !o.target.Local() || !changes {
		return func(context.Context) error { return nil }
	}
	before := o.knocked()
	return func(ctx context.Context) error {
		after := o.doorNow(ctx)
		switch kex := slices.Index(report.Stages, "kex"); {
		case after < before:
			return errors.New("a new connection to this machine's own sshd gets less far than before")
		case after < kex:
			return fmt.Errorf("whether others can log in: %w", commit.ErrUnproven)
		}
		return nil
	}
}

// knock begins to look at this machine's own door while a plan is made and read.
func (o fixOptions) knock(ctx context.Context) (knocked func() int) {
	knocked = sync.OnceValue(func() int { return o.doorNow(ctx) })
	go knocked()
	return knocked
}

// doorNow is how far a new connection to this machine's own sshd gets.
func (o fixOptions) doorNow(ctx context.Context) int {
	o.target.Given, o.terminal, o.progress = "localhost", false, nil
	r := o.reported(diagnose.Door(ctx, o.diagnosis()))
	return slices.Index(report.Stages, r.Reached)
}

// endFix says how it ended, and what to type to undo it.
func (sh *shell) endFix(o fixOptions, w *fixWork, done []commit.Done, proof report.Comparison, err error) error {
	if err != nil {
		hint := ""
		for _, d := range done {
			if s := d.Outcome.Record.State; s == commit.Confirmed || s != "" && !s.Ended() {
				hint = strings.TrimSpace("sshtay rollback " + o.target.Given)
			}
		}
		if errors.Is(err, commit.ErrUnproven) {
			hint = "log in to this machine from elsewhere, and there: sshtay confirm"
		}
		return exitError{exitUndone, err.Error(), hint}
	}
	if o.format == "text" {
		fmt.Fprintf(sh.out, "\nDone and proven. To undo it: sshtay rollback %s\n", visible.Line(strings.TrimSpace(o.target.Given+" "+w.sides[0].t.ID), 300))
	}
	for i, h := range w.plan.Held {
		if o.format == "text" {
			fmt.Fprintf(sh.out, "%s%s: %s\n", map[bool]string{true: "Left undone:\n"}[i == 0], visible.Line(h.Summary, 300), visible.Line(h.Why, 400))
		}
	}
	if len(w.plan.Held) > 0 {
		return exitError{code: exitFindings}
	}
	for _, f := range proof.After.Findings {
		if _, mended := w.mended[f.Cause]; !mended && o.means(f.Cause) {
			return exitError{code: exitFindings}
		}
	}
	return nil
}

// fixSchema names the contract of what fix --json prints when it changed
// something. It only grows.
const fixSchema = "sshtay.fix/1"

type fixResult struct {
	Schema   string         `json:"schema"`
	At       time.Time      `json:"at"`
	Plan     report.Plan    `json:"plan"`
	Outcomes []fixOutcome   `json:"outcomes"`
	Proven   bool           `json:"proven"`
	Error    string         `json:"error,omitempty"`
	Before   report.Report  `json:"before"`
	After    *report.Report `json:"after,omitempty"`
}

type fixOutcome struct {
	Machine string `json:"machine"`
	ID      string `json:"id"`
	State   string `json:"state"`
	Says    string `json:"says"`
}

func (sh *shell) printFix(w *fixWork, done []commit.Done, before report.Report, proof report.Comparison, checked bool, failed error) error {
	r := fixResult{Schema: fixSchema, At: time.Now().UTC().Truncate(time.Second), Plan: w.plan, Outcomes: []fixOutcome{}, Proven: failed == nil, Before: before}
	for _, d := range done {
		r.Outcomes = append(r.Outcomes, fixOutcome{d.Name, d.Transaction.ID, string(d.Outcome.Record.State), inState(d.Outcome.Record)})
	}
	if failed != nil {
		r.Error = visible.Text(failed.Error(), 4096)
	}
	if checked {
		r.After = &proof.After
	}
	enc := json.NewEncoder(sh.out)
	enc.SetIndent("", "  ")
	if err := enc.Encode(r); err != nil {
		return usage("", "cannot write the result: %v", err)
	}
	return nil
}
