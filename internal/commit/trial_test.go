//go:build linux

package commit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
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
	c.label(c.sshd.Config)
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
		Alive:    f(`ssh-keyscan -t ed25519 -T 3 -p "$(/usr/sbin/sshd -T -f CONFIG | sed -n 's/^port //p')" 127.0.0.1 2>/dev/null | grep -q ssh`),
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
	hook := func(how ...string) {
		if _, err := os.Stat(c.state + "/t1/run"); err == nil {
			c.program(c.state+"/t1/run", append([]string{"boot"}, how...)...)
		}
	}
	if hookFirst {
		hook("early")
	}
	for end := time.Now().Add(4 * time.Second); !c.sshd.Listens() && time.Now().Before(end); { // the port may linger
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
	"orphan":         func(c *trial, pid int, _ func()) { c.orphan(pid) },
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

// orphan kills the process that takes the step, but not the step, which is only
// taken after all was put back: it must not be.
func (c *trial) orphan(pid int) {
	syscall.Kill(pid, syscall.SIGKILL)
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(c.state + "/t1/end"); err == nil {
			return
		}
	}
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
