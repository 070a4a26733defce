package probe

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"sshtay/internal/sshlog"
)

// A transcript of a login, fed to a watch in pieces of every size: what it
// sees must not depend on how the bytes were cut.
func TestWatchInPieces(t *testing.T) {
	const out = "hello\n\n=NONCE begin\n\n=NONCE cpus\n2\n\n=NONCE end\n"
	const errs = "debug1: Connection established.\r\ndebug1: Sending command: x\r\nfrom the shell\r\nlast"
	for size := 1; size <= len(errs); size++ {
		ctx, cut := context.WithCancelCause(context.Background())
		w := newWatch(patient, "NONCE", false, cut)
		for _, s := range []struct {
			text  string
			write func([]byte) (int, error)
		}{{errs, (*watchErr)(w).Write}, {out, (*watchOut)(w).Write}} {
			for rest := s.text; rest != ""; {
				n := min(size, len(rest))
				if m, err := s.write([]byte(rest[:n])); m != n || err != nil {
					t.Fatalf("write: %d, %v", m, err)
				}
				rest = rest[n:]
			}
		}
		w.finish()
		text, ran := w.collected()
		cpus, _ := parseSections(text, "NONCE").number("cpus")
		if !ran || !w.ended || cpus != 2 || string(w.noise) != "hello\n" || string(w.errs) != "from the shell\r\n" && string(w.errs) != "from the shell\n" || w.trace.Stage() != sshlog.Session {
			t.Errorf("in pieces of %d: ran %v, ended %v, cpus %d, noise %q, errors %q, stage %s", size, ran, w.ended, cpus, w.noise, w.errs, w.trace.Stage())
		}
		if ctx.Err() != nil {
			t.Errorf("in pieces of %d: the login was cut: %v", size, context.Cause(ctx))
		}
		cut(nil)
	}
}

// TestWatchCuts: floods are cut, each for its reason, and not kept.
func TestWatchCuts(t *testing.T) {
	small := limits{login: time.Hour, asking: time.Hour, answer: time.Hour, collect: time.Hour, linger: time.Hour, noise: 1000, output: 10000}
	flood := []byte(strings.Repeat("x", 1000))
	for name, c := range map[string]struct {
		before string
		write  func(w *watch) (int, error)
		want   error
	}{
		"output before our command": {"", func(w *watch) (int, error) { return (*watchOut)(w).Write(flood) }, errEndless},
		"errors before our command": {"", func(w *watch) (int, error) { return (*watchErr)(w).Write(flood) }, errEndless},
		"output of our command":     {"\n=NONCE begin\n", func(w *watch) (int, error) { return (*watchOut)(w).Write(flood) }, errCollect},
	} {
		ctx, cut := context.WithCancelCause(context.Background())
		w := newWatch(small, "NONCE", false, cut)
		(*watchOut)(w).Write([]byte(c.before))
		for range 100 {
			if n, err := c.write(w); n != len(flood) || err != nil {
				t.Fatalf("%s: the writer was told %d, %v", name, n, err)
			}
		}
		if !errors.Is(context.Cause(ctx), c.want) {
			t.Errorf("%s: cut because %v, want %v", name, context.Cause(ctx), c.want)
		}
		if kept := len(w.out) + len(w.errs) + len(w.line); kept > 20000 {
			t.Errorf("%s: %d bytes were kept", name, kept)
		}
		w.finish()
	}
}

// TestWatchExpectsNoBanner: once the handshake has met something else than SSH,
// ssh is given little more time, but for one that a balancer leads elsewhere.
func TestWatchExpectsNoBanner(t *testing.T) {
	const connected, banner = "debug1: Connection established.\n", "debug1: Remote protocol version 2.0, remote software version OpenSSH_9.2\n"
	for name, c := range map[string]struct {
		before, after string
		cut           bool
	}{
		"connected":            {connected, "", true},
		"not even connected":   {"", "", true},
		"greeted before":       {connected + banner, "", false},
		"greeted at that time": {connected, banner, false},
	} {
		ctx, cut := context.WithCancelCause(context.Background())
		lim := patient
		if lim.foreign = time.Millisecond; !c.cut {
			lim.foreign = time.Hour
		}
		w := newWatch(lim, "NONCE", false, cut)
		(*watchErr)(w).Write([]byte(c.before))
		w.expectNoBanner()
		(*watchErr)(w).Write([]byte(c.after))
		if c.cut {
			<-ctx.Done()
			if err := context.Cause(ctx); !errors.Is(err, errNotSSH) || w.reason(255, err) != "not-ssh" {
				t.Errorf("%s: cut because %v", name, err)
			}
		}
		if why := w.why(); strings.Contains(why, "something else than SSH") != c.cut {
			t.Errorf("%s: %s", name, why)
		}
		w.finish()
		cut(nil)
	}
}
