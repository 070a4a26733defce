package commit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sshtay/internal/host"
	"sshtay/internal/visible"
)

// A Work is a transaction and the machine that it is for.
type Work struct {
	Name        string // of the machine, for people
	Machine     host.Host
	Transaction Transaction
}

// Done is what became of a work.
type Done struct {
	Work
	Outcome Outcome
	Err     error // nil: it was applied and confirmed
}

// ErrUnproven is what a verification returns that could neither prove a change
// nor disprove it: it stays, and waits for somebody to confirm it in time.
var ErrUnproven = errors.New("that cannot be proven from here")

// Together carries transactions out on several machines, or on one: all are
// applied, side by side, for each machine is armed by itself before anything
// changes there; then the caller verifies, over a way of his own, that the
// machines can be reached and that what was wrong is right; then all are
// confirmed. Where one fails, or the verification does, or the context ends, all
// are put back. Say is told what happens, by the machine's name. The error is why
// it was not kept.
func Together(ctx context.Context, works []Work, verify func(context.Context) error, say func(name, what string)) ([]Done, error) {
	done := sideBySide(works, func(w Work) Done {
		o, err := Apply(ctx, w.Machine, w.Transaction)
		if err == nil {
			err = o.Err()
		}
		return Done{w, o, err}
	})
	var failed error
	for _, d := range done {
		if d.Err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", d.Name, d.Err))
			continue
		}
		say(d.Name, fmt.Sprintf("changed; put back at %s by %s unless it proves itself", clock(d.Outcome), d.Outcome.Record.Armed))
	}
	if failed == nil {
		limited, cancel := context.WithTimeout(ctx, shortest(works))
		failed = verify(limited)
		cancel()
		if failed == nil {
			failed = ctx.Err()
		}
	}
	// What was begun is brought to its end even when nobody wants it any more.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if failed == nil {
		return done, confirmAll(ctx, done, say)
	}
	if errors.Is(failed, ErrUnproven) {
		return done, failed
	}
	return done, errors.Join(failed, putBackAll(ctx, done, failed, say))
}

// sideBySide does something with all of them at the same time, and keeps their
// order.
func sideBySide[A, B any](all []A, do func(A) B) []B {
	results := make([]B, len(all))
	var working sync.WaitGroup
	for i, one := range all {
		working.Go(func() { results[i] = do(one) })
	}
	working.Wait()
	return results
}

// shortest is the patience of the machine that has the least.
func shortest(works []Work) time.Duration {
	least := maxPatience
	for _, w := range works {
		least = min(least, w.Transaction.patience())
	}
	return least
}

func confirmAll(ctx context.Context, done []Done, say func(name, what string)) error {
	copy(done, sideBySide(done, func(d Done) Done {
		var o Outcome
		if o, d.Err = Confirm(ctx, d.Machine, d.Outcome.Record.ID); d.Err == nil {
			d.Outcome, d.Err = o, o.Err()
		}
		return d
	}))
	var failed error
	for i, d := range done {
		if d.Err != nil {
			done[i].Err = fmt.Errorf("%s cannot be told that it is proven, and will put it back at %s: %w", d.Name, clock(d.Outcome), d.Err)
			failed = errors.Join(failed, done[i].Err)
		} else {
			say(d.Name, "confirmed")
		}
	}
	return failed
}

// putBackAll undoes what was applied and not undone already, the last first.
func putBackAll(ctx context.Context, done []Done, why error, say func(name, what string)) error {
	var failed error
	for i := len(done) - 1; i >= 0; i-- {
		d := &done[i]
		if d.Err != nil { // it has put itself back, or does so by itself
			continue
		}
		o, err := Rollback(ctx, d.Machine, d.Outcome.Record.ID, visible.Line(why.Error(), 250))
		if err == nil {
			err = o.Err()
		}
		if err != nil {
			err = fmt.Errorf("%s cannot be told to put it back now, and does it by itself at %s: %w", d.Name, clock(d.Outcome), err)
			failed = errors.Join(failed, err)
		} else {
			d.Outcome = o
			say(d.Name, "everything is as it was")
		}
		d.Err = errors.Join(why, err)
	}
	return failed
}
