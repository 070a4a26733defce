//go:build linux

package commit

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sshtay/internal/change"
	"sshtay/internal/testenv"
)

// TestRefuses: what cannot be done is refused before anything is changed, with
// the reason, and nothing is left behind.
func TestRefuses(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	testenv.Need(t, "chattr", "mount", "umount")
	for name, c := range map[string]struct {
		spoil func(t *testing.T, w *world, tr *Transaction)
		code  Code
		says  string
	}{
		"changed": {func(t *testing.T, w *world, tr *Transaction) { w.write("sshd_config", "by bob\n", 0o640) }, Changed, "it is not as it was when this was planned: "},
		"came":    {func(t *testing.T, w *world, tr *Transaction) { w.write("nothing in it", "", 0o600) }, Changed, "it is not as it was"},
		"became a link": {func(t *testing.T, w *world, tr *Transaction) {
			os.Rename(w.file("sshd_config"), w.file("elsewhere"))
			os.Symlink(w.file("elsewhere"), w.file("sshd_config"))
		}, Changed, "sshd_config"},
		"read-only": {func(t *testing.T, w *world, tr *Transaction) {
			w.mount(t, "-o", "bind", w.dir, w.dir)
			w.mount(t, "-o", "remount,bind,ro", w.dir)
		}, Impossible, "Read-only file system"},
		"state read-only": {func(t *testing.T, w *world, tr *Transaction) {
			os.Mkdir(w.state, 0o700)
			w.mount(t, "-t", "tmpfs", "-o", "ro", "none", w.state)
		}, Impossible, "Read-only file system"},
		"full": {func(t *testing.T, w *world, tr *Transaction) {
			// The files move to a disk of their own, which then has no room left.
			data := w.snapshot()
			exec.Command("cp", "-a", w.dir, w.dir+".new").Run()
			w.mount(t, "-t", "tmpfs", "-o", "size=1m,mode=755", "none", w.dir)
			exec.Command("cp", "-a", w.dir+".new/.", w.dir+"/").Run()
			if w.snapshot() != data {
				t.Fatalf("not the same files:\n%s\n%s", data, w.snapshot())
			}
			exec.Command("dd", "if=/dev/zero", "of="+w.file("filler"), "bs=4096", "count=1000").Run()
		}, Impossible, "No space left on device"},
		"state full": {func(t *testing.T, w *world, tr *Transaction) {
			os.Mkdir(w.state, 0o700)
			w.mount(t, "-t", "tmpfs", "-o", "size=100k", "none", w.state)
		}, Impossible, "no room"},
		"immutable": {func(t *testing.T, w *world, tr *Transaction) { w.immutable(t, "gone") }, Impossible, "Operation not permitted"},
		"bound in place": {func(t *testing.T, w *world, tr *Transaction) {
			w.mount(t, "-o", "bind", w.file("sshd_config"), w.file("sshd_config"))
		}, Impossible, "sshd_config"},
		"not armed": {func(t *testing.T, w *world, tr *Transaction) {
			w.fake("setsid", `case "$*" in *" watch "*) exit 1 ;; esac; exec /usr/bin/setsid "$@"`)
		}, Unarmed, "could not be armed"},
		"another": {func(t *testing.T, w *world, tr *Transaction) {
			o, err := Apply(t.Context(), w.m, w.transaction("other", w.create("other", "x", 0o600)))
			if err != nil || o.Code != OK {
				t.Fatal(err, o.Err())
			}
		}, Locked, `other, "try other" by a test, is not through; it ends at `},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parent := "/dev/shm"
			if name == "immutable" {
				parent = "/tmp" // not every file system has such files
			}
			w := newWorldIn(t, parent)
			tr := w.richTransaction("t1")
			c.spoil(t, w, &tr)
			before := w.snapshot()
			o, err := Apply(t.Context(), w.m, tr)
			if err != nil || o.Code != c.code || !o.NothingChanged() || !strings.Contains(o.Err().Error(), c.says) {
				t.Errorf("%v, %v\n%s", err, o.Err(), o.Said)
			}
			if w.snapshot() != before {
				t.Errorf("changed:\n%s\nwas:\n%s", w.snapshot(), before)
			}
			if name == "another" {
				if o, err := Confirm(t.Context(), w.m, "other"); err != nil || o.Code != OK {
					t.Error(err, o.Err())
				}
			}
			w.await("its processes leave", func() bool { return len(w.procs()) == 0 })
		})
	}
}

// mount mounts something until the test ends.
func (w *world) mount(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("mount", args...).CombinedOutput(); err != nil {
		t.Fatalf("mount %v: %v %s", args, err, out)
	}
	where := args[len(args)-1]
	t.Cleanup(func() { exec.Command("umount", "-l", where).Run() })
}

// immutable has a file that not even root may touch.
func (w *world) immutable(t *testing.T, name string) {
	t.Helper()
	if out, err := exec.Command("chattr", "+i", w.file(name)).CombinedOutput(); err != nil {
		t.Fatalf("chattr: %v %s", err, out)
	}
	t.Cleanup(func() { exec.Command("chattr", "-i", w.file(name)).Run() })
}

// TestClockSetBack: the time to confirm does not get longer by that.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	back := filepath.Join(filepath.Dir(w.bin), "back")
	w.fake("date", `[ "$*" != +%s ] || [ ! -e '`+back+`' ] || { echo 1000000000; exit; }; exec /bin/date "$@"`)
	w.write("f", "old\n", 0o644)
	tr := w.transaction("t1", w.replace("f", "new\n"))
	tr.Patience = 3 * time.Second
	if o, err := Apply(t.Context(), w.m, tr); err != nil || o.Code != OK {
		t.Fatal(err, o.Err())
	}
	os.WriteFile(back, nil, 0o644) // to 2001
	w.await("it is put back", func() bool { return w.record("t1").State == RolledBack })
	if data, _ := os.ReadFile(w.file("f")); string(data) != "old\n" {
		t.Errorf("%q", data)
	}
}

// TestClockSetForward: it is put back early, and not late.
func TestClockSetForward(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	forward := filepath.Join(filepath.Dir(w.bin), "forward")
	w.fake("date", `[ "$*" != +%s ] || [ ! -e '`+forward+`' ] || { echo 9000000000; exit; }; exec /bin/date "$@"`)
	w.write("f", "old\n", 0o644)
	if o, err := Apply(t.Context(), w.m, w.transaction("t1", w.replace("f", "new\n"))); err != nil || o.Code != OK {
		t.Fatal(err, o.Err())
	}
	os.WriteFile(forward, nil, 0o644)
	w.await("it is put back", func() bool { return w.record("t1").State == RolledBack })
}

// TestCannotPutBack: what was changed cannot be put back while its file system
// is read-only; that is said, and tried until it works.
func TestCannotPutBack(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	w := newWorld(t)
	w.write("f", "old\n", 0o644)
	before := w.snapshot()
	w.mount(t, "-o", "bind", w.dir, w.dir)
	ro := "mount -o remount,bind,ro '" + w.dir + "'"
	tr := w.transaction("t1", w.replace("f", "new\n"), change.Effect{Title: "break the disk", Commands: &change.Commands{Done: "false", Apply: ro + "; echo the disk is broken; exit 1", Undo: "true"}})
	tr.Patience = 3 * time.Second
	o, err := Apply(t.Context(), w.m, tr)
	if err != nil || o.Code != NotPutBack || o.Record.State != Stuck || !strings.Contains(o.Err().Error(), "the disk is broken") || !strings.Contains(o.Err().Error(), "cannot put back what was before: write f") {
		t.Fatalf("%v, %v\n%s", err, o.Err(), o.Said)
	}
	if p, err := Pending(t.Context(), w.m); err != nil || p == nil || p.State != Stuck {
		t.Errorf("pending: %+v, %v", p, err)
	}
	if out, err := exec.Command("mount", "-o", "remount,bind,rw", w.dir).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	w.await("it is put back", func() bool { return w.record("t1").State == RolledBack })
	if w.snapshot() != before {
		t.Errorf("%s", w.snapshot())
	}
	if p, err := Pending(t.Context(), w.m); err != nil || p != nil {
		t.Errorf("pending: %+v, %v", p, err)
	}
}

// TestDiskFills: the disk is full just when it fails: putting back needs none
// of it.
func TestDiskFills(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	w := newWorld(t)
	w.mount(t, "-t", "tmpfs", "-o", "size=2m", "none", w.dir)
	os.Mkdir(w.state, 0o700)
	w.mount(t, "-t", "tmpfs", "-o", "size=1m", "none", w.state)
	w.write("f", strings.Repeat("old\n", 1000), 0o644)
	w.write("g", "gone\n", 0o644)
	fill := "dd if=/dev/zero of='" + w.file("filler") + "' bs=4096 2>/dev/null || dd if=/dev/zero of='" + w.state + "/filler' bs=4096"
	tr := w.transaction("t1", w.replace("f", strings.Repeat("new\n", 1000)), w.remove("g"), w.create("made/new", "x", 0o600),
		change.Effect{Title: "fill the disk", Commands: &change.Commands{Done: "false", Apply: fill, Undo: "true"}})
	before := w.content()
	o, err := Apply(t.Context(), w.m, tr)
	os.Remove(w.file("filler"))
	if err != nil || o.Code != PutBack || o.Record.State != RolledBack || o.Record.Why != "failed: fill the disk" {
		t.Errorf("%v, %v\n%s\n%s", err, o.Err(), o.Said, w.records())
	}
	if w.content() != before {
		t.Errorf("%s", w.content())
	}
}

// TestChangedBetween: what somebody writes into a file before it is replaced is
// left alone, and what he writes into the new one is kept, whatever becomes of it.
func TestChangedBetween(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"before", "after", "restored"} {
		w.write("f", "old\n", 0o644)
		w.write("bob", "old\n", 0o644)
		write := change.Effect{Title: "let bob write", Commands: &change.Commands{Done: "false", Apply: "echo bob >>'" + w.file("f") + "'", Undo: ":"}}
		tr := w.transaction(name, w.replace("bob", "new\n"), write, w.replace("f", "new\n"))
		want, theirs := "old\nbob\n", w.file("f")
		write.Commands.Done = "grep -q bob '" + w.file("f") + "'"
		if name == "after" {
			tr = w.transaction(name, w.replace("bob", "new\n"), w.replace("f", "new\n"), write)
			tr.Changes[0].Verify = []change.Verification{{Title: "bob is right", Run: "false"}}
			want, theirs = "old\n", w.state+"/after/theirs.2"
		}
		if name == "restored" { // into the old one that is there again, while the rest is still being undone, and that is killed
			write.Commands = &change.Commands{Done: "[ -e '" + w.file("begun") + "' ]", Apply: ": >'" + w.file("begun") + "'", Undo: "[ -e '" + w.file("once") + "' ] || { : >'" + w.file("once") + "'; echo bob >>'" + w.file("f") + "'; kill -9 $PPID; }"}
			tr = w.transaction(name, w.replace("bob", "new\n"), write, w.replace("f", "new\n"))
			tr.Changes[0].Verify = []change.Verification{{Title: "bob is right", Run: "false"}}
		}
		o, err := Apply(t.Context(), w.m, tr)
		if err != nil || o.Code != PutBack || len(o.Record.Theirs) != 1 || o.Record.Theirs[0] != theirs {
			t.Errorf("%s: %v, %v %+v\n%s", name, err, o.Err(), o, w.records())
		}
		if got, _ := os.ReadFile(w.file("f")); string(got) != want {
			t.Errorf("%s: %q", name, got)
		}
		if got, _ := os.ReadFile(theirs); !strings.HasSuffix(string(got), "bob\n") {
			t.Errorf("%s: bob wrote %q", name, got)
		}
		if got, _ := os.ReadFile(w.file("bob")); string(got) != "old\n" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestUndoLater: what was confirmed is undone when nobody changed it since.
func TestUndoLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("f", "old\n", 0o644)
	w.write("g", "old\n", 0o644)
	if o, err := Apply(t.Context(), w.m, w.transaction("t1", w.replace("f", "new\n"), w.replace("g", "new\n"))); err != nil || o.Code != OK {
		t.Fatal(err, o.Err())
	}
	if o, err := Confirm(t.Context(), w.m, "t1"); err != nil || o.Code != OK {
		t.Fatal(err, o.Err())
	}
	w.write("f", "by bob\n", 0o644)
	before := w.snapshot()
	if o, err := Rollback(t.Context(), w.m, "t1", ""); err != nil || o.Code != ChangedSince || !strings.Contains(o.Err().Error(), "somebody changed it since: "+w.file("f")) || w.snapshot() != before {
		t.Errorf("%v, %v\n%s", err, o.Err(), w.snapshot())
	}
	w.write("f", "new\n", 0o644)
	if o, err := Rollback(t.Context(), w.m, "t1", ""); err != nil || o.Code != OK || w.content() != "/f \"old\\n\"\n/g \"old\\n\"\n" {
		t.Errorf("%v, %v\n%s\n%s", err, o.Err(), w.content(), w.records())
	}
	if o, err := Rollback(t.Context(), w.m, "t9", ""); err != nil || o.Code != Missing {
		t.Errorf("unknown: %v, %v", err, o.Err())
	}
	if _, err := Rollback(t.Context(), w.m, "../t1", ""); err == nil {
		t.Error("took a path for a name")
	}
}
