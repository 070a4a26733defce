package cli

import (
	"context"
	"errors"
	"testing"

	"sshtay/internal/host"
)

// here is a login to this very machine.
func here(t *testing.T) func() entered {
	return func() entered {
		m, err := host.Local{}.Remote(context.WithoutCancel(t.Context()), host.RemoteCommand{SSH: []string{"sh", "-c", `eval "$1"`, "sh"}})
		return entered{m: m, err: err}
	}
}

// TestAdvance: the check's login is taken once, if it can be worked in, and
// what nobody waits for is not begun.
func TestAdvance(t *testing.T) {
	var none *advance
	if _, was := none.take(); was {
		t.Error("there is a login where none was to stay")
	}
	a := &advance{}
	a.begin(here(t))
	e, was := a.take()
	if !was {
		t.Fatal("the login cannot be taken")
	}
	defer e.m.Close()
	if r, err := e.m.Run(t.Context(), host.Command{Argv: []string{"echo", "here"}}); err != nil || string(r.Stdout) != "here\n" {
		t.Errorf("in it: %q, %v", r.Stdout, err)
	}
	if _, was := a.take(); was {
		t.Error("it can be taken twice")
	}
	a.begin(func() entered { t.Error("it is begun when nobody waits for it"); return entered{} })

	for name, enter := range map[string]func() entered{
		"refused": func() entered { return entered{err: errors.New("refused")} },
		"ended": func() entered {
			e := here(t)()
			e.m.Close()
			return e
		},
	} {
		a := &advance{}
		a.begin(enter)
		if _, was := a.take(); was {
			t.Errorf("a login that is %s is taken", name)
		}
	}
}
