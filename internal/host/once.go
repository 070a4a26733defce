package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
)

// Once is a machine that is asked nothing twice: what it answered is remembered
// for good, and what it is just being asked is waited for. It is for looking at a
// machine that does not change meanwhile. What got no answer is asked again.
func Once(m Host) Host { return &once{m: m, known: map[string]*answer{}} }

type once struct {
	m     Host
	mu    sync.Mutex
	known map[string]*answer
}

// An answer is what a machine said, once done is closed.
type answer struct {
	done   chan struct{}
	result Result
	data   []byte
	err    error
}

// Run implements [Host].
func (o *once) Run(ctx context.Context, c Command) (Result, error) {
	if c.Stdin != nil || c.Stdout != nil || c.Stderr != nil || c.Terminal || c.Standard || c.Inside != nil || c.As != nil {
		return o.m.Run(ctx, c) // it is more than a question
	}
	a := o.ask(ctx, fmt.Sprintf("run %q %q %q %d", c.Argv, c.Env, c.Dir, c.Limit), func(a *answer) { a.result, a.err = o.m.Run(ctx, c) })
	return a.result, a.err
}

// ReadFile implements [Host].
func (o *once) ReadFile(ctx context.Context, name string, limit int) ([]byte, error) {
	a := o.ask(ctx, fmt.Sprintf("read %q %d", name, limit), func(a *answer) { a.data, a.err = o.m.ReadFile(ctx, name, limit) })
	return a.data, a.err
}

// answered says whether the machine itself said so.
func answered(err error) bool {
	return err == nil || slices.ContainsFunc([]error{fs.ErrNotExist, fs.ErrPermission, ErrTooLarge, ErrNotFound}, func(is error) bool { return errors.Is(err, is) })
}

// ask asks, unless that is known.
func (o *once) ask(ctx context.Context, question string, how func(*answer)) *answer {
	o.mu.Lock()
	a := o.known[question]
	if a == nil {
		a = &answer{done: make(chan struct{})}
		o.known[question] = a
		o.mu.Unlock()
		how(a)
		if !answered(a.err) {
			o.mu.Lock()
			delete(o.known, question)
			o.mu.Unlock()
		}
		close(a.done)
		return a
	}
	o.mu.Unlock()
	select {
	case <-a.done:
		return a
	case <-ctx.Done():
		return &answer{err: context.Cause(ctx)}
	}
}
