package host

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

func TestRun(t *testing.T) {
	r, err := Local{}.Run(t.Context(), Command{Argv: []string{"sh", "-c", "echo out; echo err >&2; exit 3"}})
	if err != nil || string(r.Stdout) != "out\n" || string(r.Stderr) != "err\n" || r.Exit != 3 {
		t.Errorf("got %q %q exit %d, %v", r.Stdout, r.Stderr, r.Exit, err)
	}
	r, err = Local{}.Run(t.Context(), Command{Argv: []string{"sh", "-c", "kill -TERM $$"}})
	if err != nil || r.Exit != 128+15 {
		t.Errorf("killed: exit %d, %v", r.Exit, err)
	}
	r, err = Local{}.Run(t.Context(), Command{Argv: []string{"sh", "-c", "yes | head -c 100000"}, Limit: 10})
	if err != nil || len(r.Stdout) != 10 || !r.Truncated {
		t.Errorf("kept %d bytes, truncated %v, %v", len(r.Stdout), r.Truncated, err)
	}
	if _, err = (Local{}).Run(t.Context(), Command{Argv: []string{"no-such-program-here"}}); !errors.Is(err, ErrNotFound) {
		t.Errorf("missing program: %v", err)
	}
	if _, err = (Local{}).Run(t.Context(), Command{}); err == nil {
		t.Error("ran nothing without an error")
	}
}

// TestRunEnds: the end of the context reaches the program and its children,
// even those that hold its output open.
func TestRunEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	started := writerFunc(func(p []byte) (int, error) { cancel(); return len(p), nil })
	done := make(chan error, 1)
	go func() {
		_, err := Local{}.Run(ctx, Command{Argv: []string{"sh", "-c", "echo here; sleep 1000 & sleep 1000"}, Stdout: started})
		done <- err
	}()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the program outlived its context")
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestReadFile(t *testing.T) {
	name := t.TempDir() + "/f"
	if err := os.WriteFile(name, []byte(strings.Repeat("x", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := (Local{}).ReadFile(t.Context(), name, 100); err != nil || len(b) != 100 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if b, err := (Local{}).ReadFile(t.Context(), name, 99); !errors.Is(err, ErrTooLarge) || len(b) != 99 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if _, err := (Local{}).ReadFile(t.Context(), name+"x", 1); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

func TestDir(t *testing.T) {
	d, err := Local{}.TempDir()
	if err != nil {
		t.Fatal(err)
	}
	path, err := d.Write("a/b", []byte("x"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Write("../escape", nil, 0o600); err == nil {
		t.Error("wrote outside the folder")
	}
	if err := d.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder outlived its removal: %v", err)
	}
	if err := (Dir{}).Remove(); err != nil {
		t.Errorf("removing nothing: %v", err)
	}
}
