// Package commit carries changes out on a machine so that nobody is locked
// out: as one program for the POSIX shell, which is left there and arms its own
// rollback before it changes anything. What it does and in which order stands in
// docs/design/051-transactions.md; the program itself is lib/*.sh and can be
// read as it is run.
package commit

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"sshtay/internal/change"
)

// A Transaction is a list of changes to one machine that are made together or
// not at all.
type Transaction struct {
	ID       string // lower case letters, digits and -: "20261128-104500-7f3a"; a name for one use
	Title    string // one line
	By       string // who wants it: "anna@laptop"; empty: whoever runs the program
	Changes  []change.Change
	Patience time.Duration // from arming to the rollback that nobody prevented; 0 is [DefaultPatience]
}

// DefaultPatience is long enough to log in once more by hand.
const DefaultPatience = 120 * time.Second

// Bounds of a transaction.
const (
	maxProgram  = 4 << 20 // bytes
	maxPatience = time.Hour
)

var (
	goodID   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)
	goodName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,60}$`) // an ID, or ID-2, ID-3 ...
)

// Check says why a transaction cannot be carried out at all, wherever it is
// tried.
func (t Transaction) Check() error {
	if !goodID.MatchString(t.ID) {
		return fmt.Errorf("%q is no name for a transaction", t.ID)
	}
	if p := t.patience(); p < time.Second || p > maxPatience {
		return fmt.Errorf("a rollback after %v: want 1 s to 1 h", p)
	}
	seen := map[string]bool{}
	for _, e := range t.effects() {
		if err := checkEffect(e); err != nil {
			return fmt.Errorf("%s: %w", e.Title, err)
		}
		if e.File != nil && seen[e.File.Path] {
			return fmt.Errorf("%s is changed twice", e.File.Path)
		}
		if e.File != nil {
			seen[e.File.Path] = true
		}
	}
	if len(t.effects()) == 0 {
		return errors.New("there is nothing to change")
	}
	if n := len(t.Script()); n > maxProgram {
		return fmt.Errorf("its program would have %d bytes, more than %d", n, maxProgram)
	}
	return nil
}

func checkEffect(e change.Effect) error {
	switch f, c := e.File, e.Commands; {
	case (f == nil) == (c == nil):
		return errors.New("it must be a file or commands")
	case c != nil && (strings.TrimSpace(c.Done) == "" || strings.TrimSpace(c.Apply) == ""):
		return errors.New("commands without an end that can be seen")
	case c != nil && strings.Contains(c.Done+c.Apply+c.Undo, "\x00"):
		return errors.New("a command cannot contain a NUL")
	case c != nil:
		return nil
	case f.Old == nil && f.New == nil, f.Old != nil && f.New != nil && bytes.Equal(f.Old, f.New):
		return errors.New("it changes nothing")
	case !strings.HasPrefix(f.Path, "/") || strings.HasSuffix(f.Path, "/") || strings.Contains(f.Path, "\x00"):
		return fmt.Errorf("%q is no absolute path of a file", f.Path)
	case slices.ContainsFunc(strings.Split(f.Path, "/")[1:], func(p string) bool { return p == "" || p == "." || p == ".." }):
		return fmt.Errorf("%q is not the shortest path of a file", f.Path)
	case f.Mode&^0o777 != 0:
		return fmt.Errorf("%v is no mode of a plain file", f.Mode)
	}
	return nil
}

func (t Transaction) patience() time.Duration {
	if t.Patience == 0 {
		return DefaultPatience
	}
	return t.Patience
}

// effects are those of all changes, in order.
func (t Transaction) effects() (all []change.Effect) {
	for _, c := range t.Changes {
		all = append(all, c.Effects...)
	}
	return all
}

// services are those of all changes, each once.
func (t Transaction) services() (all []change.Service) {
	for _, c := range t.Changes {
		for _, s := range c.Services {
			if !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	return all
}

// checks are the verifications of all changes, each once.
func (t Transaction) checks() (all []change.Verification) {
	for _, c := range t.Changes {
		for _, v := range c.Verify {
			if !slices.Contains(all, v) {
				all = append(all, v)
			}
		}
	}
	return all
}
