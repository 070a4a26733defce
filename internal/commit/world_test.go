//go:build linux

package commit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sshtay/internal/change"
	"sshtay/internal/host"
)

// A world is a folder with files that are changed, and a state folder of its
// own, so that nothing of the machine itself is touched.
type world struct {
	t     testing.TB
	dir   string // the files
	state string // the records
	bin   string // programs that come first on the PATH
	env   []string
	m     host.Host
}

// inWorld is a machine with the environment of a world.
type inWorld struct {
	host.Host
	env []string
}

func (m inWorld) Run(ctx context.Context, c host.Command) (host.Result, error) {
	c.Env = append(append([]string{}, m.env...), c.Env...)
	return m.Host.Run(ctx, c)
}

func newWorld(t testing.TB) *world {
	t.Helper()
	parent := "/dev/shm" // syncing costs nothing there
	if _, err := os.Stat(parent); err != nil {
		parent = "/tmp"
	}
	return newWorldIn(t, parent)
}

func newWorldIn(t testing.TB, parent string) *world {
	t.Helper()
	top, err := os.MkdirTemp(parent, "sshtay-commit-")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dir: top + "/etc dir", state: top + "/state", bin: top + "/bin"}
	for _, d := range []string{w.dir, w.bin} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	w.env = []string{
		"SSHTAY_STATE=" + w.state,
		"SSHTAY_ROOT=" + top, // no systemd, no cron: what this machine has must not matter
		"PATH=" + w.bin + ":" + os.Getenv("PATH"),
	}
	w.m = inWorld{host.Local{}, w.env}
	t.Cleanup(func() {
		w.killAll()
		exec.Command("chattr", "-R", "-i", top).Run()
		os.RemoveAll(top)
	})
	return w
}

// program runs one word of the program of a transaction, as a person or a timer
// would, and returns what it said and its status.
func (w *world) program(path string, words ...string) (said string, code int) {
	cmd := exec.Command("sh", append([]string{path}, words...)...)
	cmd.Env = append(os.Environ(), w.env...)
	out, err := cmd.CombinedOutput()
	if e := (*exec.ExitError)(nil); errors.As(err, &e) {
		code = e.ExitCode()
	} else if err != nil {
		w.t.Fatal(err)
	}
	return string(out), code
}

// file is the path of a file of the world.
func (w *world) file(name string) string { return filepath.Join(w.dir, name) }

func (w *world) write(name, text string, mode os.FileMode) string {
	w.t.Helper()
	if err := os.MkdirAll(filepath.Dir(w.file(name)), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(w.file(name), []byte(text), mode); err != nil {
		w.t.Fatal(err)
	}
	os.Chmod(w.file(name), mode)
	return w.file(name)
}

// fake puts a program on the PATH, before all others.
func (w *world) fake(name, script string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.bin, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		w.t.Fatal(err)
	}
}

// replace, create and remove are effects on the files of the world.
func (w *world) replace(name, text string) change.Effect {
	old, err := os.ReadFile(w.file(name))
	if err != nil {
		w.t.Fatal(err)
	}
	return change.Effect{Title: "write " + name, File: &change.File{Path: w.file(name), Old: old, New: []byte(text)}}
}

func (w *world) create(name, text string, mode os.FileMode) change.Effect {
	return change.Effect{Title: "make " + name, File: &change.File{Path: w.file(name), New: []byte(text), Mode: mode}}
}

func (w *world) remove(name string) change.Effect {
	e := w.replace(name, "")
	e.Title, e.File.New = "remove "+name, nil
	return e
}

// snapshot tells all that can be told of the files of the world: names, types,
// modes, owners, ACLs, attributes, links, contents; not times and inodes.
func (w *world) snapshot() string {
	w.t.Helper()
	var all []string
	filepath.Walk(w.dir, func(p string, info os.FileInfo, err error) error {
		if err != nil {
			w.t.Fatal(err)
		}
		st := info.Sys().(*syscall.Stat_t)
		line := fmt.Sprintf("%s %v %d:%d", strings.TrimPrefix(p, w.dir), info.Mode(), st.Uid, st.Gid)
		switch {
		case info.Mode().IsRegular():
			data, _ := os.ReadFile(p)
			line += fmt.Sprintf(" links %d %s", st.Nlink, shown(data))
			line += w.attributesOf(p)
		case info.Mode()&os.ModeSymlink != 0:
			to, _ := os.Readlink(p)
			line += " -> " + to
		}
		all = append(all, line)
		return nil
	})
	sort.Strings(all)
	return strings.Join(all, "\n")
}

// attributesOf is the part of the snapshot of a file that tells its owner, mode,
// ACLs, attributes and label.
func (w *world) attributesOf(path string) (all string) {
	for _, cmd := range [][]string{{"getfacl", "-np"}, {"getfattr", "-d", "-m", "-", "--absolute-names"}} {
		if out, err := exec.Command(cmd[0], append(cmd[1:], path)...).Output(); err == nil {
			all += " " + strconv.Quote(string(out))
		}
	}
	return all
}

// shown is content in quotes, or its sum where it is long.
func shown(data []byte) string {
	if len(data) > 500 {
		return sums(data)
	}
	return strconv.Quote(string(data))
}

// content is the snapshot of contents alone: two of these differ exactly when
// some file has another content, or is missing. What stands beside a file until
// all is over is left out.
func (w *world) content() string {
	var b strings.Builder
	filepath.Walk(w.dir, func(p string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() && !strings.HasPrefix(info.Name(), ".sshtay-") {
			data, _ := os.ReadFile(p)
			fmt.Fprintf(&b, "%s %s\n", strings.TrimPrefix(p, w.dir), shown(data))
		}
		return nil
	})
	return b.String()
}

// procs are the processes that run a program of this world.
func (w *world) procs() (pids []int) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, d := range dirs {
		line, _ := os.ReadFile(d + "/cmdline")
		env, _ := os.ReadFile(d + "/environ")
		if bytes.HasPrefix(line, []byte("sshd: ")) || bytes.HasPrefix(line, []byte("/usr/sbin/sshd")) {
			continue // started by us when it had died, and to stay
		}
		if bytes.Contains(line, []byte(w.state)) || bytes.Contains(env, []byte("SSHTAY_WORK="+w.state)) {
			if pid, err := strconv.Atoi(filepath.Base(d)); err == nil && pid != os.Getpid() {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// killAll is what a power cut does to our processes.
func (w *world) killAll() {
	for range 200 {
		pids := w.procs()
		if len(pids) == 0 {
			return
		}
		for _, p := range pids {
			syscall.Kill(p, syscall.SIGKILL)
		}
		time.Sleep(time.Millisecond)
	}
	w.t.Errorf("processes that cannot be killed: %v", w.procs())
}

// await waits until something is so.
func (w *world) await(what string, so func() bool) {
	w.t.Helper()
	for end := time.Now().Add(60 * time.Second); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("never: %s\n%s", what, w.records())
		}
	}
}

// records is what the state folder says, for a person.
func (w *world) records() string {
	out, _ := exec.Command("sh", "-c", `cd "$1" && ls -l . */ && cat */record`, "sh", w.state).CombinedOutput()
	return string(out)
}

// record is what the machine knows of a transaction.
func (w *world) record(id string) Record {
	w.t.Helper()
	all, err := History(w.t.Context(), w.m)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range all {
		if r.ID == id {
			return r
		}
	}
	return Record{}
}

func (w *world) transaction(id string, effects ...change.Effect) Transaction {
	return Transaction{ID: id, Title: "try " + id, By: "a test", Changes: []change.Change{{Effects: effects}}}
}

// label gives a file the label that SELinux would; every kernel keeps it.
func (w *world) label(path string) {
	w.t.Helper()
	if out, err := exec.Command("setfattr", "-n", "security.selinux", "-v", "system_u:object_r:etc_t:s0", path).CombinedOutput(); err != nil {
		w.t.Fatalf("setfattr: %v: %s", err, out)
	}
}
