package diagnose

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sshtay/internal/cause"
	"sshtay/internal/fact"
	"sshtay/internal/host"
	"sshtay/internal/probe"
	"sshtay/internal/target"
)

// everything is each plan that a run can have.
var everything = []Options{
	{Target: target.Target{Given: "web1"}, Login: true},
	{Target: target.Target{Given: "web1"}},
	{},
}

// TestEveryNeedIsProbed: a fact that a cause reads and no probe yields would
// keep that cause blind without anybody noticing.
func TestEveryNeedIsProbed(t *testing.T) {
	yielded := map[string]bool{}
	for _, o := range everything {
		for _, step := range plan(o) {
			for _, p := range step {
				for _, k := range p.Yields {
					yielded[k.Name()] = true
				}
			}
		}
	}
	if len(yielded) == 0 {
		t.Fatal("no probe yields anything")
	}
	for _, c := range cause.All() {
		for _, k := range c.Needs {
			if !yielded[k.Name()] {
				t.Errorf("%s needs %s, which no probe yields", c.ID, k.Name())
			}
		}
	}
}

// TestEveryProbeIsWanted: a probe whose answers nobody reads costs time.
func TestEveryProbeIsWanted(t *testing.T) {
	for _, o := range everything {
		for _, step := range plan(o) {
			if kept := wanted(step); len(kept) != len(step) {
				t.Errorf("of %d probes of a step only %d are wanted", len(step), len(kept))
			}
		}
	}
	if kept := wanted([]probe.Probe{{Name: "idle talk", Yields: nil}}); len(kept) != 0 {
		t.Error("a probe that answers nothing is run")
	}
}

// A machine answers for programs by name, and counts them.
type machine map[string]host.Result

func (m machine) Run(_ context.Context, c host.Command) (host.Result, error) {
	r, ok := m[strings.Join(c.Argv[:min(2, len(c.Argv))], " ")]
	if !ok {
		return host.Result{}, host.ErrNotFound
	}
	return r, nil
}

func (machine) ReadFile(context.Context, string, int) ([]byte, error) { return nil, fs.ErrNotExist }

// TestRefusedConfiguration: when ssh refuses its configuration nothing is
// connected to, and the report says why each question stayed open.
func TestRefusedConfiguration(t *testing.T) {
	r := Run(t.Context(), Options{
		Target: target.Target{Given: "web1"}, Login: true, MaxConnections: 5, Timeout: 10 * time.Second,
		Local: machine{
			"ssh -G": {Exit: 255, Stderr: []byte("/home/me/.ssh/config: line 3: Bad configuration option: serveralive\n")},
			"ssh -V": {Stderr: []byte("OpenSSH_9.2p1\n")},
		},
	})
	if r.Connections != 0 {
		t.Errorf("made %d connections", r.Connections)
	}
	if reason := r.Facts.Missing()[fact.HandshakeStage.Name()]; !strings.Contains(reason, "line 3") {
		t.Errorf("the handshake is missing because %q", reason)
	}
	if first := r.Judgements[0]; first.ID != "client-side" || first.Status != cause.Confirmed {
		t.Errorf("the first judgement is %s: %v", first.ID, first.Status)
	}
}

// TestEndsInTime: the one timeout holds for everything.
func TestEndsInTime(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the user has gone"))
	r := Run(ctx, Options{Target: target.Target{Given: "192.0.2.1"}, Login: true, MaxConnections: 5, Timeout: time.Minute, Local: machine{}})
	for _, j := range r.Judgements {
		if j.IsFinding() {
			t.Errorf("%s is %v, though nothing could be seen: %s", j.ID, j.Status, j.Reason)
		}
	}
}

// TestLeavesWhatHangs: a probe that hears no end, as one does that waits for a
// dead disk, holds up neither the others nor the report.
func TestLeavesWhatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		facts, began := &fact.Set{}, time.Now()
		together(ctx, &probe.Env{}, facts, []probe.Probe{
			{Yields: []fact.Any{fact.PathLoss}, Run: func(context.Context, *probe.Env, *fact.Set) { <-release }},
			{Yields: []fact.Any{fact.PathMSS}, Run: func(_ context.Context, _ *probe.Env, facts *fact.Set) { fact.PathMSS.Put(facts, 1440, "test") }},
			{Yields: []fact.Any{fact.PathMTUKernel}, Watch: func(_ context.Context, _ *probe.Env, facts *fact.Set, others <-chan struct{}) {
				<-others
				fact.PathMTUKernel.Put(facts, 1500, "test")
			}},
		})
		if took := time.Since(began); took != time.Minute+overrun {
			t.Errorf("waited for %v", took)
		}
		_, watched := fact.PathMTUKernel.Get(facts)
		if mss, _ := fact.PathMSS.Get(facts); mss != 1440 || !watched || facts.Missing()[fact.PathLoss.Name()] != leftBehind {
			t.Errorf("the other probes gave %d and %t, and the one that hung %q", mss, watched, facts.Missing()[fact.PathLoss.Name()])
		}
	})
}
