//go:build linux

package commit

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sshtay/internal/change"
	"sshtay/internal/testenv"
)

// A trial is a change to the configuration of a real sshd, and to other things,
// in a world that can be stopped at every step.
type trial struct {
	*world
	sshd   *testenv.SSHD
	tr     Transaction
	before string            // all that can be told of the files
	old    map[string]string // contents before
	new    map[string]string // contents afterwards
	others sync.WaitGroup    // what other people have going
	bob    string            // what another administrator added to sshd_config, if he did
	taken  net.Listener      // holds the port that a bad configuration names
}

// kinds of configurations that are tried.
const (
	good       = "good"
	invalid    = "invalid"      // sshd -t refuses it
	doesNotRun = "does-not-run" // sshd -t takes it, and sshd dies of it: its port is taken
)

func newTrial(t testing.TB, kind string, patience time.Duration) *trial {
	t.Helper()
	testenv.Need(t, "ssh-keyscan", "setfacl", "getfacl", "setfattr", "getfattr")
	c := &trial{world: newWorld(t), sshd: testenv.NewSSHD(t, "Match User nobody\n\tX11Forwarding no")}
	data, err := os.ReadFile(c.sshd.Config)
	if err != nil {
		t.Fatal(err)
	}
	config := string(data)
	c.sshd.Config = c.write("sshd_config", config, 0o640)
	exec.Command("setfacl", "-m", "u:12:r", c.sshd.Config).Run()
	exec.Command("setfattr", "-n", "user.note", "-v", "keep me", c.sshd.Config).Run()
	os.Chown(c.sshd.Config, 3, 4)
	c.write("other", "a\nb\n", 0o444)
	c.sshd.Start(t)
	t.Cleanup(func() { c.stopServer() })

	better := strings.Replace(config, "Match User", "ClientAliveInterval 60\nMatch User", 1)
	switch kind {
	case invalid:
		better = "NoSuchOption yes\n" + config
	case doesNotRun:
		if c.taken, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.taken.Close() })
		better = strings.Replace(config, "Port "+strconv.Itoa(c.sshd.Port), "Port "+strconv.Itoa(c.taken.Addr().(*net.TCPAddr).Port), 1)
	}
	started := c.file("started")
	c.tr = c.transaction("t1", c.create("conf.d/new", "new\n", 0o600), c.replace("sshd_config", better), c.remove("other"),
		change.Effect{Title: "start it", Commands: &change.Commands{Done: "[ -e '" + started + "' ]", Apply: "echo yes >'" + started + "'", Undo: "rm -f '" + started + "'"}})
	c.tr.Patience = patience
	f := func(s string) string { return strings.ReplaceAll(s, "CONFIG", "'"+c.sshd.Config+"'") }
	c.tr.Changes[0].Services = []change.Service{{
		Name:     "sshd",
		Validate: f("sshd -t -f CONFIG"),
		Reload:   "kill -HUP \"$(cat '" + c.sshd.File("pid") + "')\"",
		Alive:    f(`ssh-keyscan -T 3 -p "$(/usr/sbin/sshd -T -f CONFIG | sed -n 's/^port //p')" 127.0.0.1 2>/dev/null | grep -q ssh`),
		Start:    f("/usr/sbin/sshd -f CONFIG"),
	}}
	c.before = c.snapshot()
	c.old = map[string]string{"/sshd_config": config, "/other": "a\nb\n"}
	c.new = map[string]string{"/sshd_config": better, "/conf.d/new": "new\n", "/started": "yes\n"}
	c.stoppers()
	return c
}

func (c *trial) stopServer() {
	data, _ := os.ReadFile(c.sshd.File("pid"))
	if pid, err := strconv.Atoi(strings.TrimSpace(string(data))); err == nil && pid > 1 {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	os.Remove(c.sshd.File("pid"))
}

// restart is what the machine's own start does: what is left for it runs, before
// sshd where that can be had, else after it.
func (c *trial) restart(hookFirst bool) {
	c.stopServer()
	c.await("the old sshd is gone", func() bool { return !c.sshd.Listens() })
	hook := func() {
		if _, err := os.Stat(c.state + "/t1/run"); err == nil {
			c.program(c.state+"/t1/run", "boot")
		}
	}
	if hookFirst {
		hook()
	}
	for end := time.Now().Add(20 * time.Second); !c.sshd.Listens() && time.Now().Before(end); { // the port may linger
		exec.Command("/usr/sbin/sshd", "-f", c.sshd.Config).Run()
		time.Sleep(20 * time.Millisecond)
	}
	if !hookFirst {
		hook()
	}
}

// actions are what may happen at a step.
var actions = map[string]func(c *trial, pid int, cancel func()){
	"kill":           func(c *trial, pid int, _ func()) { syscall.Kill(pid, syscall.SIGKILL) },
	"kill-session":   func(c *trial, pid int, _ func()) { c.killSession(pid) },
	"power-cut":      func(c *trial, _ int, _ func()) { c.killAll() },
	"kill-watchers":  func(c *trial, _ int, _ func()) { c.killWatchers(1, 2) },
	"kill-watcher":   func(c *trial, _ int, _ func()) { c.killWatchers(1 + rand.IntN(2)) },
	"cut-connection": func(c *trial, _ int, cancel func()) { cancel() },
	"fail":           func(*trial, int, func()) {}, // the step itself fails
	"rollback":       func(c *trial, _ int, _ func()) { c.others.Go(func() { Rollback(context.Background(), c.m, "t1", "") }) },
	"three-rollbacks": func(c *trial, _ int, _ func()) {
		for range 3 {
			c.others.Go(func() { Rollback(context.Background(), c.m, "t1", "") })
		}
	},
	"another": func(c *trial, _ int, _ func()) { c.another() },
	"bob":     func(c *trial, _ int, _ func()) { c.edit() },
}

func (c *trial) killSession(pid int) {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(stat), ") ")
	if f := strings.Fields(rest); len(f) > 3 {
		session := f[3]
		for _, p := range c.procs() {
			stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p))
			_, rest, _ := strings.Cut(string(stat), ") ")
			if f := strings.Fields(rest); len(f) > 3 && f[3] == session {
				syscall.Kill(p, syscall.SIGKILL)
			}
		}
	}
}

func (c *trial) killWatchers(which ...int) {
	for _, n := range which {
		data, _ := os.ReadFile(fmt.Sprintf("%s/t1/watch.%d", c.state, n))
		text, _, _ := strings.Cut(strings.TrimPrefix(string(data), "pid="), "\n")
		if pid, err := strconv.Atoi(text); err == nil && pid > 1 {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// another administrator's change must wait, or find that it is its turn; it
// never comes in between.
func (c *trial) another() {
	mine := Transaction{ID: "u1", Title: "another", By: "bob", Changes: []change.Change{{Effects: []change.Effect{c.create("bobs", "bob\n", 0o644)}}}}
	c.others.Go(func() {
		if o, err := Apply(context.Background(), c.m, mine); err == nil && o.Code == OK {
			Rollback(context.Background(), c.m, "u1", "")
		}
	})
}

// edit is somebody who changes sshd_config with an editor that writes in place.
func (c *trial) edit() {
	f, err := os.OpenFile(c.sshd.Config, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return // just then there is none
	}
	defer f.Close()
	c.bob = "# bob was here\n"
	f.WriteString(c.bob)
}

// A story is what happens to a trial.
type story struct {
	kind    string
	at      [2]int    // steps at which it is stopped, the second counted from the first; 0 is never
	what    [2]string // actions
	then    string    // what the administrator does when it waits: confirm, rollback, nothing
	restart bool      // the machine is restarted after a power cut, else only the next sshtay comes
	first   bool      // what is left for the start of the machine runs before sshd
}

func (s story) String() string {
	return fmt.Sprintf("%s, at step %d %s, %d later %s, then %s (restart %v, before sshd %v)", s.kind, s.at[0], s.what[0], s.at[1], s.what[1], s.then, s.restart, s.first)
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

// nextComes is the next administrator: within a time that follows from the
// patience it is his turn.
func (c *trial) nextComes(s story) {
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
		case err != nil || o.Code != Locked || i > 300:
			c.t.Fatalf("%v: it is never the next one's turn: %v, %v\n%s", s, err, o.Err(), c.records())
		}
		time.Sleep(200 * time.Millisecond)
	}
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
	case err == nil && o.Code == OK && s.then == "confirm" && r.State != Confirmed:
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
		got["/sshd_config"] = strings.TrimSuffix(got["/sshd_config"], c.bob)
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
// every 16th step; SSHTAY_COMMIT_STRIDE=1 is all of them.
func TestSurvivesEverywhere(t *testing.T) {
	stride, slots := number(t, "SSHTAY_COMMIT_STRIDE", 16), slots(t)
	dry := newTrial(t, good, time.Minute)
	if dry.live(story{kind: good, then: "confirm"}) {
		t.Fatal("it stopped at no step")
	}
	const least = 60
	all := dry.count() // with those of the next administrator, who comes to what was left
	if all < least {
		t.Fatalf("only %d steps", all)
	}
	t.Logf("%d steps", all)
	for _, what := range []string{"kill", "power-cut", "fail"} {
		for at := 1; at <= all; at += stride {
			t.Run(what+"/"+strconv.Itoa(at), func(t *testing.T) {
				t.Parallel()
				slots <- true
				defer func() { <-slots }()
				newTrial(t, good, 5*time.Second).live(story{kind: good, at: [2]int{at, 0}, what: [2]string{what, ""}, then: "confirm", restart: true, first: at%2 == 0})
			})
		}
	}
}

// slots bounds how many trials live at the same time; each mostly waits.
func slots(t *testing.T) chan bool { return make(chan bool, number(t, "SSHTAY_COMMIT_PARALLEL", 6)) }

// TestSurvivesChance lives random stories, each from its seed.
func TestSurvivesChance(t *testing.T) {
	n, first := number(t, "SSHTAY_COMMIT_SEEDS", 24), number(t, "SSHTAY_COMMIT_FIRST", 1)
	names := slices.Sorted(maps.Keys(actions)) // the order of a map is another one each time
	slots := slots(t)
	for seed := first; seed < first+n; seed++ {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			t.Parallel()
			slots <- true
			defer func() { <-slots }()
			r := rand.New(rand.NewPCG(uint64(seed), 7))
			s := story{kind: []string{good, good, good, invalid, doesNotRun}[r.IntN(5)], then: []string{"confirm", "rollback", "nothing"}[r.IntN(3)], restart: r.IntN(2) == 0, first: r.IntN(2) == 0}
			s.at = [2]int{1 + r.IntN(150), r.IntN(2) * (1 + r.IntN(60))}
			s.what = [2]string{names[r.IntN(len(names))], names[r.IntN(len(names))]}
			newTrial(t, s.kind, time.Duration(3+r.IntN(4))*time.Second).live(s)
		})
	}
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
