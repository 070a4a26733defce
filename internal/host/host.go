// Package host is the one door to a machine. It alone runs programs and writes
// files, so that every effect can be recorded, faked, bounded and refused in
// one place.
package host

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"
)

// A Host is a machine we may look at.
type Host interface {
	// Run runs a program to its end and returns what it said. A program that
	// ends with a status other than 0 is no error: see [Result.Exit].
	Run(ctx context.Context, cmd Command) (Result, error)
	// ReadFile reads a file of at most limit bytes; a longer one is
	// [ErrTooLarge] and gives its first limit bytes.
	ReadFile(ctx context.Context, name string, limit int) ([]byte, error)
}

// A Command is a program to run, without a shell in between.
type Command struct {
	Argv  []string
	Env   []string // added to our own environment, as "NAME=value"
	Dir   string
	Stdin io.Reader // nil is /dev/null
	// Limit bounds what is kept of standard output and of standard error, in
	// bytes each; 0 is [DefaultLimit]. What comes beyond is read and dropped.
	Limit int
	// Stdout and Stderr, when set, see the output as it comes, before the
	// limit is applied.
	Stdout, Stderr io.Writer
	// Terminal leaves the program in our process group, so that it may ask
	// the user on the terminal.
	Terminal bool
	// Grace is how long the program may live on after it was asked to end
	// because ctx was done; 0 is [DefaultGrace].
	Grace time.Duration
	// Standard gives the program our own standard streams instead of the
	// fields above; nothing of its output is kept.
	Standard bool
	// Inside runs the program in these namespaces, found there by its name,
	// with Env alone for an environment.
	Inside *Namespaces
	// As runs the program as this user, in this group alone; nil is as us.
	As *Owner
}

// Bounds for commands that state none.
const (
	DefaultLimit = 1 << 20
	DefaultGrace = 200 * time.Millisecond
)

// A Result is what a program left behind.
type Result struct {
	Stdout, Stderr []byte
	Exit           int  // status, or 128 + the signal that ended it
	Truncated      bool // the output was longer than the limit
	Took           time.Duration
}

// ErrTooLarge is the error for a file longer than the reader allows.
var ErrTooLarge = errors.New("file is too large")

// ErrNotFound is the error for a program that is not installed.
var ErrNotFound = errors.New("program not found")

// Local is the machine we run on.
type Local struct{}

// ReadFile implements [Host]. A pipe or a device is refused: it may never end.
func (l Local) ReadFile(_ context.Context, name string, limit int) ([]byte, error) {
	f, err := l.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if len(data) > limit {
		return data[:limit], ErrTooLarge
	}
	return data, err
}

// Open opens a file to be read as a stream, as large logs are. A pipe or a
// device is refused: it may never end.
func (Local) Open(name string) (*os.File, error) {
	info, err := os.Stat(name)
	if err == nil && !info.Mode().IsRegular() && !info.IsDir() && name != os.DevNull {
		err = &fs.PathError{Op: "read", Path: name, Err: errors.New("not a regular file")}
	}
	if err != nil {
		return nil, err
	}
	return os.Open(name)
}
