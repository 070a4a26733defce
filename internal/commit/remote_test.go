//go:build linux

package commit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"sshtay/internal/host"
)

// overSSH logs in to the trial's own sshd.
func (c *trial) overSSH() host.Host {
	c.t.Helper()
	r, err := host.Local{}.Remote(c.t.Context(), host.RemoteCommand{SSH: c.sshd.SSH("root")})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { r.Close() })
	return inWorld{r, c.env}
}

// TestRemote: sshd is changed over a login of its own, proven by a new login,
// and confirmed over the old one.
func TestRemote(t *testing.T) {
	t.Parallel()
	c := newTrial(t, good, time.Minute)
	o, err := carried(t.Context(), c.overSSH(), c.tr, func(context.Context) error { return c.sshd.LogsIn() })
	if err != nil || o.Code != OK || o.Record.State != Confirmed {
		t.Fatalf("%v, %v\n%s", err, o.Err(), o.Said)
	}
	if _, isNew := c.compare(); !isNew {
		t.Errorf("%s", c.snapshot())
	}
	if o, err = Rollback(t.Context(), c.overSSH(), "t1", "it was no good"); err != nil || o.Code != OK || c.snapshot() != c.before {
		t.Errorf("%v, %v\n%s", err, o.Err(), c.snapshot())
	}
	if all, err := History(t.Context(), c.overSSH()); err != nil || len(all) != 1 || all[0].State != Undone || all[0].Why != "it was no good" {
		t.Errorf("%+v, %v", all, err)
	}
}

// TestRemoteCut: where the connection is cut in the middle, the change comes to
// its end, and can be confirmed over a new one.
func TestRemoteCut(t *testing.T) {
	t.Parallel()
	for _, at := range []int{10, 30, 50} {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			t.Parallel()
			c := newTrial(t, good, time.Minute)
			m := c.overSSH()
			c.stopAt(at)
			over := make(chan struct{})
			var o Outcome
			var err error
			go func() {
				defer close(over)
				o, err = Apply(t.Context(), m, c.tr)
			}()
			pid, what, ok := c.stopped(over)
			if !ok {
				t.Fatalf("it did not stop: %v %v\n%s", err, o.Err(), o.Said)
			}
			for p := pid; p > 1; { // the login's sshd is above it, or above the one that waits for it
				name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p))
				if strings.HasPrefix(string(name), "sshd: root") {
					syscall.Kill(p, syscall.SIGKILL)
					break
				}
				p = parent(p)
			}
			<-over
			c.goOn(false)
			if !errors.Is(err, host.ErrLost) {
				t.Errorf("cut at %s: %v, %v", what, err, o)
			}
			c.await("it waits", func() bool { return c.record("t1").State == Waiting })
			if o, err := Confirm(t.Context(), c.overSSH(), "t1"); err != nil || o.Code != OK {
				t.Errorf("%v, %v", err, o.Err())
			}
			if _, isNew := c.compare(); !isNew {
				t.Errorf("%s", c.snapshot())
			}
		})
	}
}

func parent(pid int) (above int) {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(stat), ") ")
	fmt.Sscanf(rest, "%1s %d", new(string), &above)
	return above
}
