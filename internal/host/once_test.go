package host

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"sync"
	"testing"
)

// A counter answers by what it is asked, and counts.
type counter struct {
	mu    sync.Mutex
	asked map[string]int
	hold  chan struct{} // what is asked waits for it
}

func (c *counter) ask(what string) {
	c.mu.Lock()
	c.asked[what]++
	c.mu.Unlock()
	<-c.hold
}

func (c *counter) Run(_ context.Context, cmd Command) (Result, error) {
	c.ask(strings.Join(cmd.Argv, " "))
	if cmd.Argv[0] == "lost" {
		return Result{}, ErrLost
	}
	return Result{Stdout: []byte(cmd.Argv[0] + strings.Join(cmd.Env, ""))}, nil
}

func (c *counter) ReadFile(_ context.Context, name string, _ int) ([]byte, error) {
	c.ask(name)
	return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
}

// TestOnce: nothing is asked twice, not even at the same time; what got no
// answer is.
func TestOnce(t *testing.T) {
	c := &counter{asked: map[string]int{}, hold: make(chan struct{})}
	m := Once(c)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if r, err := m.Run(t.Context(), Command{Argv: []string{"id", "-u"}}); err != nil || string(r.Stdout) != "id" {
				t.Errorf("got %q, %v", r.Stdout, err)
			}
		})
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for c.count("id -u") == 0 { // somebody asks it just now
	}
	if _, err := m.Run(gone, Command{Argv: []string{"id", "-u"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("who does not wait gets %v", err)
	}
	close(c.hold)
	all.Wait()
	for range 2 {
		m.Run(t.Context(), Command{Argv: []string{"id", "-u"}})
		m.Run(t.Context(), Command{Argv: []string{"lost"}})
		m.Run(t.Context(), Command{Argv: []string{"cat"}, Stdin: strings.NewReader("x")})
		if _, err := m.ReadFile(t.Context(), "/none", 10); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("of a missing file it says %v", err)
		}
	}
	if r, _ := m.Run(t.Context(), Command{Argv: []string{"id", "-u"}, Env: []string{"A=b"}}); string(r.Stdout) != "idA=b" {
		t.Errorf("another question got the answer %q", r.Stdout)
	}
	for what, want := range map[string]int{"id -u": 2, "lost": 2, "cat": 2, "/none": 1} {
		if got := c.count(what); got != want {
			t.Errorf("%s was asked %d times, not %d", what, got, want)
		}
	}
}

func (c *counter) count(what string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked[what]
}
