//go:build linux

package commit

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sshtay/internal/change"
)

// A story is what happens to a trial.
type story struct {
	kind    string
	at      [2]int    // steps at which it is stopped, the second counted from the first; 0 is never
	what    [2]string // actions
	then    string    // what the administrator does when it waits: confirm, rollback, nothing
	restart bool      // the machine is restarted after a power cut, else only the next sshtay comes
	first   bool      // what is left for the start of the machine runs before sshd

	patience time.Duration
	name     string // what it is made from
}

func (s story) String() string {
	return fmt.Sprintf("%s %s, at step %d %s, %d later %s, then %s (restart %v, before sshd %v)", s.name, s.kind, s.at[0], s.what[0], s.at[1], s.what[1], s.then, s.restart, s.first)
}

// live lets the story happen, and then holds the machine to all promises. It
// returns false when the first step was never reached.
func (c *trial) live(s story) (reached bool) {
	t := c.t
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	over := make(chan struct{})
	var o Outcome
	var err error
	c.stopAt(s.at[0])
	go func() {
		defer close(over)
		o, err = Apply(ctx, c.m, c.tr)
		if err == nil && o.Code == OK {
			switch s.then {
			case "confirm":
				o, err = Confirm(ctx, c.m, "t1")
			case "rollback":
				o, err = Rollback(ctx, c.m, "t1", "")
			}
		}
	}()
	for i, at := range s.at {
		pid, _, ok := 0, "", false
		if at > 0 {
			limit, stop := context.WithTimeout(t.Context(), 15*time.Second)
			done := limit.Done()
			if i == 0 {
				done = over
			}
			pid, _, ok = c.stopped(done)
			stop()
		}
		if !ok {
			break
		}
		reached = true
		c.stopAt(s.at[min(1, i+1)] * (1 - i)) // the second one, or none
		actions[s.what[i]](c, pid, cancel)
		c.goOn(s.what[i] == "fail")
		if s.what[i] == "power-cut" {
			c.stopAt(0)
			break
		}
	}
	c.stopAt(0)
	c.goOn(false)
	if s.what[0] == "power-cut" || s.what[1] == "power-cut" {
		if c.killAll(); s.restart {
			c.restart(s.first)
		}
	}
	select {
	case <-over:
	case <-time.After(90 * time.Second):
		t.Fatalf("%v: the command does not come back\n%s", s, c.records())
	}
	c.others.Wait()
	c.nextComes(s)
	c.judge(s, o, err)
	return reached
}

// mostPatience is how long another's change may have to wait for its confirmation
// before it is the next one's turn, and then to be put back.
const mostPatience = DefaultPatience + time.Minute

// nextComes is the next administrator: within a time that follows from the
// patience it is his turn. He looks again when some change has come to its end, and
// every second, for it may be he who finds that its time is over.
func (c *trial) nextComes(s story) {
	limit := time.Now().Add(mostPatience)
	for i := 1; ; i++ {
		next := Transaction{ID: fmt.Sprintf("n%d", i), Title: "the next", By: "carol", Changes: []change.Change{{Effects: []change.Effect{c.create("carols", "carol\n", 0o644)}}}}
		o, err := Apply(c.t.Context(), c.m, next)
		switch {
		case err == nil && o.Code == OK:
			if o, err := Rollback(c.t.Context(), c.m, next.ID, ""); err != nil || o.Code != OK {
				c.t.Fatalf("%v: the next one cannot put back: %v %v", s, err, o.Err())
			}
			c.await("all processes leave", func() bool { return len(c.procs()) == 0 })
			return
		case err != nil || o.Code != Locked || time.Now().After(limit):
			c.t.Fatalf("%v: it is never the next one's turn: %v, %v\n%s", s, err, o.Err(), c.records())
		}
		ended := c.ended() // with that of the refused try
		for again := time.Now().Add(time.Second); c.ended() == ended && time.Now().Before(again); {
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// ended counts the changes that have come to their end.
func (c *trial) ended() int {
	all, _ := filepath.Glob(c.state + "/*/end")
	return len(all)
}

// judge holds the machine to what was promised.
func (c *trial) judge(s story, o Outcome, err error) {
	fail := func(format string, args ...any) {
		c.t.Helper()
		c.t.Errorf("%v: %s\noutcome %+v, %v\n%s\n%s", s, fmt.Sprintf(format, args...), o, err, c.snapshot(), c.records())
	}
	if err := c.sshd.LogsIn(); err != nil {
		fail("LOCKED OUT: %v", err)
	}
	isOld, isNew := c.compare()
	if isOld == isNew {
		fail("MIXED: all old %v, all new %v", isOld, isNew)
	}
	r := c.record("t1")
	switch {
	case r.ID == "" && isNew, r.ID != "" && !r.State.Ended():
		fail("UNREPORTED: it is %+v", r)
	case (r.State == Confirmed) != isNew:
		fail("UNREPORTED: the record says %s, and all new is %v", r.State, isNew)
	case (r.State == RolledBack || r.State == RefusedState) && r.Why == "":
		fail("UNREPORTED: no reason")
	case err == nil && o.Code == OK && s.then == "confirm" && r.State != Confirmed && !(r.State == Undone && strings.Contains(s.what[0]+s.what[1], "rollback")):
		fail("UNREPORTED: it was confirmed, and is %s", r.State)
	}
	if isOld && c.bob == "" && c.snapshot() != c.before {
		fail("MIXED: not as it was before:\n%s", c.before)
	}
	if c.bob != "" && !c.bobsIsSomewhere(r) {
		fail("TRAMPLED: what bob wrote is nowhere")
	}
}

// compare says whether all files are as before, or all as wanted; what bob
// added does not count.
func (c *trial) compare() (isOld, isNew bool) {
	got := map[string]string{}
	filepath.Walk(c.dir, func(p string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			data, _ := os.ReadFile(p)
			got[strings.TrimPrefix(p, c.dir)] = string(data)
		}
		return nil
	})
	if c.bob != "" {
		got["/sshd_config"] = strings.ReplaceAll(got["/sshd_config"], c.bob, "")
	}
	equal := func(want map[string]string) bool { return fmt.Sprint(got) == fmt.Sprint(want) }
	return equal(c.old), equal(c.new)
}

func (c *trial) bobsIsSomewhere(r Record) bool {
	for _, p := range append(r.Theirs, c.sshd.Config) {
		if data, err := os.ReadFile(p); err == nil && strings.HasSuffix(string(data), c.bob) {
			return true
		}
	}
	return false
}

// TestSurvivesEverywhere: at every step up to the confirmation the process that
// takes it is killed, the power is cut, or the step fails. Ordinarily that is
// every 24th step; SSHTAY_COMMIT_STRIDE=1 is all of them.
func TestSurvivesEverywhere(t *testing.T) {
	stride := number(t, "SSHTAY_COMMIT_STRIDE", 24)
	dry := newTrial(t, good, time.Minute)
	if dry.live(story{kind: good, then: "confirm"}) {
		t.Fatal("it stopped at no step")
	}
	all := dry.count() // with those of the next administrator, who comes to what was left
	if all < 60 {
		t.Fatalf("only %d steps", all)
	}
	var stories []story
	for _, what := range []string{"kill", "orphan", "power-cut", "fail"} {
		for at := 1; at <= all; at += stride {
			stories = append(stories, story{kind: good, at: [2]int{at, 0}, what: [2]string{what, ""}, then: "confirm", restart: true, first: at%2 == 0, patience: 5 * time.Second})
		}
	}
	together(t, stories)
}

// TestSurvivesChance lives random stories, each from its seed.
func TestSurvivesChance(t *testing.T) {
	n, first := number(t, "SSHTAY_COMMIT_SEEDS", 40), number(t, "SSHTAY_COMMIT_FIRST", 1)
	names := slices.Sorted(maps.Keys(actions)) // the order of a map is another one each time
	var stories []story
	for seed := first; seed < first+n; seed++ {
		r := rand.New(rand.NewPCG(uint64(seed), 7))
		s := story{kind: []string{good, good, good, invalid, doesNotRun}[r.IntN(5)], then: []string{"confirm", "rollback", "nothing"}[r.IntN(3)], restart: r.IntN(2) == 0, first: r.IntN(2) == 0}
		s.at = [2]int{1 + r.IntN(150), r.IntN(2) * (1 + r.IntN(60))}
		s.what = [2]string{names[r.IntN(len(names))], names[r.IntN(len(names))]}
		s.patience, s.name = time.Duration(3+r.IntN(4))*time.Second, "seed "+strconv.Itoa(seed)
		stories = append(stories, s)
	}
	together(t, stories)
}

// together lives the stories, some at the same time however few processors
// there are: they mostly wait.
func together(t *testing.T, stories []story) {
	next := make(chan story)
	var lives sync.WaitGroup
	for range number(t, "SSHTAY_COMMIT_PARALLEL", 10) {
		lives.Go(func() {
			for s := range next {
				t.Run(s.String(), func(t *testing.T) { newTrial(t, s.kind, s.patience).live(s) })
			}
		})
	}
	for _, s := range stories {
		next <- s
	}
	close(next)
	lives.Wait()
}

// number is a setting of the tests from the environment.
func number(t *testing.T, name string, normally int) int {
	text := os.Getenv(name)
	if text == "" {
		return normally
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q is no number", name, text)
	}
	return n
}
