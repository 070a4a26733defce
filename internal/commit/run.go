package commit

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"sshtay/internal/host"
	"sshtay/internal/visible"
)

// A Code is how a program ended: its exit status.
type Code int

// The codes, as the head of each program explains them.
const (
	OK           Code = 0
	Locked       Code = 10 // refused: somebody else's change is not through
	Changed      Code = 11 // refused: a file is not as it was when this was planned
	Impossible   Code = 12 // refused: no room, no permission, a file that must not be touched
	Unarmed      Code = 13 // refused: the rollback could not be armed
	PutBack      Code = 20 // failed, and everything is as it was
	NotPutBack   Code = 21 // failed, and not everything could be put back; that is tried again
	TooLate      Code = 30 // it was decided otherwise
	NotApplied   Code = 31 // or not through
	ChangedSince Code = 32 // not undone: somebody changed a file since
	Missing      Code = 65 // there is no such transaction on the machine
	Homeless     Code = 66 // the machine has no folder to keep a record in
)

// An Outcome is what became of a transaction that was asked for something.
type Outcome struct {
	Code   Code
	Record Record // as it was then; empty where nothing was begun
	Said   string // what the program printed, safe to print
}

// NothingChanged says whether it ended before anything was touched.
func (o Outcome) NothingChanged() bool { return o.Code >= Locked && o.Code <= Unarmed }

// Err is nil for what went as asked, and else says what happened and what is
// so now.
func (o Outcome) Err() error {
	why := o.Record.Why
	if why == "" {
		for l := range strings.Lines(o.Said) {
			if why = strings.TrimSpace(l); strings.HasPrefix(l, "Nothing was ") {
				_, why, _ = strings.Cut(why, ": ")
				break
			}
		}
	}
	switch o.Code {
	case OK:
		return nil
	case Locked, Changed, Impossible, Unarmed:
		return fmt.Errorf("nothing was changed: %s", why)
	case PutBack:
		return fmt.Errorf("it failed, and everything is as it was: %s", why)
	case NotPutBack:
		return fmt.Errorf("it failed (%s), and not everything could be put back: %s; this is tried again and again by %s; to try it by hand: sh %s rollback",
			o.Record.Why, o.Record.Stuck, o.Record.Armed, o.Record.Program)
	case TooLate:
		return fmt.Errorf("too late, it is %s: %s", o.Record.State, why)
	case NotApplied:
		return errors.New("it was not applied, or is not through yet")
	case ChangedSince:
		return fmt.Errorf("nothing was undone: %s", why)
	case Missing:
		return errors.New("this machine knows no such change: sshtay history lists those it knows")
	case Homeless:
		return errors.New("the machine has no folder to keep a record in: neither XDG_STATE_HOME nor HOME is set")
	}
	return fmt.Errorf("the program on the machine ended with status %d: %s", o.Code, why)
}

// Apply carries a transaction out on a machine, up to where it waits to be
// confirmed: until then the machine itself puts everything back in time. An
// error is a machine that could not be asked, or is heard no more; then what was
// begun comes to its end there, or is put back.
func Apply(ctx context.Context, m host.Host, t Transaction) (Outcome, error) {
	if err := t.Check(); err != nil {
		return Outcome{}, err
	}
	program := t.Script()
	return ask(ctx, m, bytes.NewReader(program), `DIR=$STATE/$1; bring "$1" "$2" "$MARK"`, t.ID, fmt.Sprintf("%d %d", cksum(program), len(program)))
}

// Confirm lets what a transaction changed stay.
func Confirm(ctx context.Context, m host.Host, id string) (Outcome, error) {
	return told(ctx, m, id, "confirm", "")
}

// Rollback puts everything back: what waits, what was left unfinished, and what
// was confirmed, if nobody changed one of the files since. Why is for the
// record.
func Rollback(ctx context.Context, m host.Host, id, why string) (Outcome, error) {
	if why == "" {
		why = "it was asked for"
	}
	return told(ctx, m, id, "rollback", why)
}

func told(ctx context.Context, m host.Host, id, word, why string) (Outcome, error) {
	if !goodName.MatchString(id) {
		return Outcome{}, fmt.Errorf("%q is no name of a change", id)
	}
	return ask(ctx, m, nil, `DIR=$STATE/$1; tell "$2" "$3" "$MARK"`, id, word, why)
}

func clock(o Outcome) string { return o.Record.Until.Format("15:04:05") }

// History is what a machine knows of the transactions of this user, oldest
// first.
func History(ctx context.Context, m host.Host) ([]Record, error) {
	mark := rand.Text()
	r, err := m.Run(ctx, command(nil, mark, `history_of_all "$MARK"`))
	if err != nil {
		return nil, err
	}
	if r.Exit != 0 {
		return nil, fmt.Errorf("cannot read the history: %w", Outcome{Code: Code(r.Exit), Said: visible.Text(string(r.Stderr), 1000)}.Err())
	}
	records, _ := parseReports(r.Stdout, mark)
	return records, nil
}

// Pending is the transaction that is not through, or nil.
func Pending(ctx context.Context, m host.Host) (*Record, error) {
	all, err := History(ctx, m)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	for i := len(all) - 1; i >= 0; i-- {
		if !all[i].State.Ended() {
			return &all[i], nil
		}
	}
	return nil, nil
}

// ask runs one piece of sh on the machine and reads its report.
func ask(ctx context.Context, m host.Host, stdin *bytes.Reader, what string, args ...string) (Outcome, error) {
	mark := rand.Text()
	r, err := m.Run(ctx, command(stdin, mark, what, args...))
	if err != nil {
		return Outcome{}, err
	}
	records, said := parseReports(r.Stdout, mark)
	o := Outcome{Code: Code(r.Exit), Said: visible.Text(strings.TrimSpace(said+string(r.Stderr)), 8<<10)}
	if len(records) > 0 {
		o.Record = records[0]
	}
	switch o.Code {
	case OK, Locked, Changed, Impossible, Unarmed, PutBack, NotPutBack, TooLate, NotApplied, ChangedSince, Missing, Homeless:
		return o, nil
	}
	return o, o.Err()
}

// command is a piece of sh with what it needs before it.
func command(stdin *bytes.Reader, mark, what string, args ...string) host.Command {
	var text strings.Builder
	for _, p := range []string{"where", "ask"} {
		b, err := library.ReadFile("lib/" + p + ".sh")
		if err != nil {
			panic(err) // it is in this package
		}
		text.Write(b)
	}
	fmt.Fprintf(&text, "\nMARK=%s\n%s\n", mark, what)
	c := host.Command{Argv: append([]string{"sh", "-c", text.String(), "sshtay"}, args...), Limit: 16 << 20}
	if stdin != nil {
		c.Stdin = stdin
	}
	return c
}
