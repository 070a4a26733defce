package probe

import (
	"context"
	"strings"
	"testing"
	"time"

	"sshtay/internal/idle"
)

// loopIdleRun is a run against a server on loopback.
func loopIdleRun(t *testing.T, user string, shell bool, upTo time.Duration) *idleRun {
	t.Helper()
	s := newServer(t, "MaxStartups 50\n")
	env, to := sessionEnv(t, s, user)
	return &idleRun{
		IdleRun: IdleRun{UpTo: upTo}, env: env, open: idleSession(env, to, shell), gate: newGate(env.Budget, Pace{Logins: 100, Within: time.Second}),
		plan: idle.New(idle.Options{UpTo: upTo, Slots: 4, Hops: 1}),
	}
}

// TestIdleConn: a connection that is told to be silent is, on the wire; and it
// answers when it is woken, by the shell there or by the kernel.
func TestIdleConn(t *testing.T) {
	for what, shell := range map[string]bool{"shell": true, "kernel": false} {
		t.Run(what, func(t *testing.T) {
			r := loopIdleRun(t, "root", shell, time.Second)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			c, err := r.open(ctx, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer c.close()
			if came := c.ask(ctx, leastResent); came != idle.Alive {
				t.Fatalf("it is %s", came)
			}
			time.Sleep(settle) // for the last acknowledgement
			begin := time.Now()
			c.fallSilent(func() time.Duration { return time.Since(begin) }, 0, 0)
			time.Sleep(1500 * time.Millisecond)
			info, err := c.line.Info()
			if err != nil || info.SegmentsOut != c.seen.SegmentsOut || info.SegmentsIn != c.seen.SegmentsIn {
				t.Errorf("it spoke: %d and %d segments before, %d and %d after, %v", c.seen.SegmentsOut, c.seen.SegmentsIn, info.SegmentsOut, info.SegmentsIn, err)
			}
			if _, is := c.heard(time.Since(begin)); is {
				t.Error("says that somebody spoke to it")
			}
			if came := c.ask(ctx, leastResent); came != idle.Alive {
				t.Errorf("after its silence it is %s", came)
			}
			c.fallSilent(func() time.Duration { return time.Since(begin) }, idle.Full, time.Second)
			time.Sleep(2200 * time.Millisecond)
			if info, _ := c.line.Info(); info.SegmentsOut == c.seen.SegmentsOut {
				t.Error("no keepalive was sent")
			}
			c.rouse()
			if came := c.ask(ctx, leastResent); came != idle.Alive {
				t.Errorf("with keepalives it is %s", came)
			}
		})
	}
}

// TestIdleRun: on loopback nothing forgets, and the run says so soon after the
// longest silence, whatever answers there.
func TestIdleRun(t *testing.T) {
	for what, shell := range map[string]bool{"shell": true, "kernel": false} {
		t.Run(what, func(t *testing.T) {
			r := loopIdleRun(t, "root", shell, 2500*time.Millisecond)
			ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
			defer cancel()
			seen := 0
			r.Watch = func(v idle.View) { seen++ }
			f := r.run(ctx)
			if f.Low < r.UpTo*99/100 || f.High != 0 || f.Lost != 0 || f.Refused != "" || ctx.Err() != nil {
				t.Errorf("%+v", f)
			}
			if seen == 0 || r.env.Budget.Spent() > 30 {
				t.Errorf("shown %d times, %d connections", seen, r.env.Budget.Spent())
			}
		})
	}
}

// TestIdleRunRefused: the first login that is refused is the last one.
func TestIdleRunRefused(t *testing.T) {
	r := loopIdleRun(t, "root", true, time.Minute)
	r.env.Target.Identities = nil
	r.env.Target.Options = append(r.env.Target.Options, "PubkeyAuthentication=no", "PasswordAuthentication=no", "KbdInteractiveAuthentication=no")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	f := r.run(ctx)
	if !strings.Contains(f.Refused, "Permission denied") || r.env.Budget.Spent() != 1 || ctx.Err() != nil {
		t.Errorf("refused %q, %d connections, %v", f.Refused, r.env.Budget.Spent(), ctx.Err())
	}
}

// TestIdleRunCut: who is interrupted tells what is known, and leaves nothing
// behind.
func TestIdleRunCut(t *testing.T) {
	r := loopIdleRun(t, "root", true, time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r.Watch = func(v idle.View) {
		if len(v.Bars) >= 3 && v.Bars[2].State == "silent" {
			cancel()
		}
	}
	f := r.run(ctx)
	if f.High != 0 || f.Opened < 3 {
		t.Errorf("%+v", f)
	}
	for id, c := range r.conns {
		select {
		case <-c.line.Ended():
		default:
			t.Errorf("the ssh of connection %d lives on", id)
		}
	}
}
