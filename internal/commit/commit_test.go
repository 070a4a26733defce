//go:build linux

package commit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sshtay/internal/change"
	"sshtay/internal/host"
	"sshtay/internal/testenv"
)

// shells are those that a program must run under, by the command that makes
// each of them "sh".
var shells = map[string][]string{"dash": {"dash"}, "bash": {"bash"}, "busybox": {"busybox", "sh"}}

// as has the world's sh be this shell.
func (w *world) as(shell string) {
	w.t.Helper()
	path := testenv.Need(w.t, shells[shell][0])[0]
	if err := os.Symlink(path, filepath.Join(w.bin, "sh")); err != nil { // bash and busybox look at the name
		w.t.Fatal(err)
	}
}

// rich fills the world with files of all kinds, and returns effects on all of
// them.
func (w *world) rich() []change.Effect {
	testenv.Need(w.t, "setfacl", "getfacl", "setfattr", "getfattr")
	testenv.NeedRoot(w.t)
	attributes := func(path string) string {
		exec.Command("setfacl", "-m", "u:12:r,g:34:rw", path).Run()
		exec.Command("setfattr", "-n", "user.note", "-v", "keep me", path).Run()
		w.label(path)
		os.Chown(path, 3, 4)
		return path
	}
	attributes(w.write("sshd_config", "Port 22\nX11Forwarding yes\nMatch User bob\n\tX11Forwarding no\n", 0o640))
	w.write("crlf", "a\r\nb\r\nc", 0o444)
	w.write("it's \"odd\" \\ $(name)", "one\n", 0o600)
	w.write("new\nline", "1\n2\n3\n", 0o644)
	w.write("gone", "bytes \x00\x01\xff\n", 0o751)
	w.write("empty", "", 0o644)
	w.write("long", strings.Repeat("a line of a long file\n", 10000), 0o644)
	return []change.Effect{
		w.replace("sshd_config", "Port 22\nClientAliveInterval 60\nX11Forwarding yes\nMatch User bob\n\tX11Forwarding no\n"),
		w.replace("crlf", "a\r\nB 100% \\n 'x'\r\nc\r\n\x00\x81\xc3\xa4END\n"),
		w.replace("it's \"odd\" \\ $(name)", "END\nEND_\n$(id) `id` \\\n"),
		w.replace("new\nline", ""),
		w.remove("gone"),
		w.replace("empty", "-n no end"),
		w.replace("long", strings.Repeat("a line of a long file\n", 5000)+"here\n"+strings.Repeat("a line of a long file\n", 5000)),
		w.create("made/of many/levels", "new\n", 0o600),
		w.create("nothing in it", "", 0o644),
		{Title: "start it", Commands: &change.Commands{
			Done:  "[ -e '" + w.file("started") + "' ]",
			Apply: "echo started >'" + w.file("started") + "'\n[ -e '" + w.file("sshd_config") + "' ]",
			Undo:  "rm -f '" + w.file("started") + "'",
		}},
	}
}

func (w *world) richTransaction(id string) Transaction {
	return w.transaction(id, w.rich()...)
}

// TestLife: applied, confirmed, undone, under every shell; and what is undone
// is as it was in every respect.
func TestLife(t *testing.T) {
	for shell := range shells {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.as(shell)
			tr := w.richTransaction("t1")
			before := w.snapshot()
			o, err := Apply(t.Context(), w.m, tr)
			if err != nil || o.Code != OK || o.Record.State != Waiting {
				t.Fatalf("apply: %v, %v\n%s", err, o.Err(), o.Said)
			}
			applied := w.content()
			for _, e := range tr.effects() {
				if e.File == nil {
					continue
				}
				got, err := os.ReadFile(e.File.Path)
				if e.File.New == nil && !os.IsNotExist(err) || string(got) != string(e.File.New) {
					t.Errorf("%q: %.100q, %v", e.File.Path, got, err)
				}
			}
			if got := w.attributesOf(w.file("sshd_config")); !strings.Contains(got, "security.selinux") || !strings.Contains(before, got) {
				t.Errorf("attributes of what was replaced: %s", got)
			}
			if o, err := Apply(t.Context(), w.m, tr); err != nil || o.Code != OK || w.content() != applied {
				t.Errorf("applied again: %v, %v", err, o.Err())
			}
			if o, err := Confirm(t.Context(), w.m, "t1"); err != nil || o.Code != OK || o.Record.State != Confirmed {
				t.Errorf("confirm: %v, %v\n%s", err, o.Err(), o.Said)
			}
			if w.content() != applied || strings.Contains(w.snapshot(), ".sshtay") {
				t.Errorf("after the confirmation: %s", w.content())
			}
			w.await("its processes leave", func() bool { return len(w.procs()) == 0 })
			if o, err := Rollback(t.Context(), w.m, "t1", ""); err != nil || o.Code != OK || o.Record.State != Undone {
				t.Errorf("rollback: %v, %v\n%s", err, o.Err(), o.Said)
			}
			if after := w.snapshot(); after != before {
				t.Errorf("undone, it is not as it was:\n%s\nwas:\n%s", after, before)
			}
			w.await("its processes leave", func() bool { return len(w.procs()) == 0 })
		})
	}
}

// carried is [Together] on one machine.
func carried(ctx context.Context, m host.Host, tr Transaction, verify func(context.Context) error) (Outcome, error) {
	done, err := Together(ctx, []Work{{"it", m, tr}}, verify, func(string, string) {})
	return done[0].Outcome, err
}

func TestTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tr := w.richTransaction("t1")
	before := w.snapshot()
	applied := ""
	o, err := carried(t.Context(), w.m, tr, func(context.Context) error {
		applied = w.content()
		return errors.New("no new login: \x1b[31mrefused")
	})
	if err == nil || o.Record.State != RolledBack || !strings.Contains(o.Record.Why, `no new login: \x1b[31mrefused`) {
		t.Fatalf("%v, %+v", err, o)
	}
	if w.snapshot() != before || applied == w.content() {
		t.Errorf("not put back: %s", w.snapshot())
	}
	tr.ID = "t2"
	if o, err = carried(t.Context(), w.m, tr, func(context.Context) error { return nil }); err != nil || o.Record.State != Confirmed || w.content() != applied {
		t.Fatalf("%v, %+v", err, o)
	}
	ctx, cancel := context.WithCancel(t.Context())
	tr = w.transaction("t3", w.replace("sshd_config", "x\n"))
	if o, err = carried(ctx, w.m, tr, func(context.Context) error { cancel(); return nil }); err == nil || o.Record.State != RolledBack || w.content() != applied {
		t.Fatalf("cancelled: %v, %+v", err, o)
	}
	all, err := History(t.Context(), w.m)
	if err != nil || len(all) != 3 || all[0].State != RolledBack || all[1].State != Confirmed || all[2].State != RolledBack || all[1].ID != "t2" ||
		all[0].Title != "try t1" || all[0].By != "a test" || all[0].Effects != 10 {
		t.Errorf("history: %+v, %v", all, err)
	}
}

// TestTogetherOnTwo: when the second machine cannot be changed, the first is
// put back, and nobody verifies anything.
func TestTogetherOnTwo(t *testing.T) {
	t.Parallel()
	one, two := newWorld(t), newWorld(t)
	for _, w := range []*world{one, two} {
		w.write("sshd_config", "Port 22\n", 0o644)
	}
	works := []Work{
		{"one", one.m, one.transaction("t1", one.replace("sshd_config", "x\n"))},
		{"two", two.m, two.transaction("t1", two.replace("sshd_config", "x\n"))},
	}
	if err := os.WriteFile(two.dir+"/sshd_config", []byte("somebody else was here\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	before, theirs := one.snapshot(), two.snapshot()
	var said []string
	done, err := Together(t.Context(), works, func(context.Context) error { t.Error("verified"); return nil }, func(name, what string) { said = append(said, name+": "+what) })
	if err == nil || !strings.Contains(err.Error(), "two: nothing was changed") || len(done) != 2 || done[0].Outcome.Record.State != RolledBack || one.snapshot() != before || two.snapshot() != theirs {
		t.Errorf("%v, %+v\n%s", err, done, one.snapshot())
	}
	if want := []string{"one: everything is as it was"}; len(said) != 2 || said[1] != want[0] {
		t.Errorf("said %q", said)
	}
}

// TestTogetherUnproven: what can be neither proven nor disproven waits for
// somebody.
func TestTogetherUnproven(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("sshd_config", "Port 22\n", 0o644)
	o, err := carried(t.Context(), w.m, w.transaction("t1", w.replace("sshd_config", "x\n")), func(context.Context) error { return fmt.Errorf("nobody is there: %w", ErrUnproven) })
	if !errors.Is(err, ErrUnproven) || o.Record.State != Waiting {
		t.Fatalf("%v, %+v", err, o)
	}
	if o, err = Confirm(t.Context(), w.m, "t1"); err != nil || o.Record.State != Confirmed {
		t.Errorf("%v, %+v", err, o)
	}
}

// TestNobodyConfirms: the watchers put it back in time.
func TestNobodyConfirms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tr := w.richTransaction("t1")
	tr.Patience = 2 * time.Second
	before := w.snapshot()
	start := time.Now()
	if o, err := Apply(t.Context(), w.m, tr); err != nil || o.Code != OK {
		t.Fatal(err, o.Err())
	}
	w.await("it is put back", func() bool { return w.record("t1").State == RolledBack })
	if took := time.Since(start); took < tr.Patience-time.Second {
		t.Errorf("put back after %v", took)
	}
	if w.snapshot() != before || !strings.Contains(w.record("t1").Why, "nobody confirmed") {
		t.Errorf("%+v\n%s", w.record("t1"), w.snapshot())
	}
	if o, err := Confirm(t.Context(), w.m, "t1"); err != nil || o.Code != TooLate {
		t.Errorf("confirmed too late: %v, %v", err, o.Code)
	}
}

// By hand: it can be tried again after it failed, and says what to type.
func TestByHand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("f", "old\n", 0o644)
	tr := w.transaction("t1", w.replace("f", "new\n"))
	tr.Changes[0].Services = []change.Service{{Name: "served", Validate: "[ -e '" + w.file("fine") + "' ] || { echo line 3 is wrong >&2; exit 1; }"}}
	script := w.state + ".sh"
	os.WriteFile(script, tr.Script(), 0o644)
	run := func(word string, want int) string {
		t.Helper()
		out, code := w.program(script, word)
		if code != want {
			t.Fatalf("%s: exit %d, want %d: %s", word, code, want, out)
		}
		return out
	}
	run("", 64)
	run("confirm", 31)
	if got := run("apply", 20); !strings.Contains(got, "served does not accept it (line 3 is wrong )") || !strings.Contains(got, "Everything is as it was.") {
		t.Errorf("%s", got)
	}
	if got := run("status", 0); !strings.Contains(got, "All was put back: served does not accept it") {
		t.Errorf("%s", got)
	}
	w.write("fine", "", 0o644)
	if got := run("apply", 0); !strings.Contains(got, "/t1-2/run confirm") {
		t.Errorf("%s", got)
	}
	run("confirm", 0)
	run("rollback", 0)
	run("rollback", 0)
	run("confirm", 30)
	if data, _ := os.ReadFile(w.file("f")); string(data) != "old\n" {
		t.Errorf("%q", data)
	}
}

// A service that served, though not by what the change will ask of it, has to serve
// again: else not everything is as it was.
func TestServedBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("f", "old\n", 0o644)
	tr := w.transaction("t1", w.replace("f", "new\n"))
	tr.Changes[0].Services = []change.Service{{Name: "sshd", Reload: ":", Serves: ":", Alive: "[ -e '" + w.file("anew") + "' ]"}}
	if o, err := Apply(t.Context(), w.m, tr); err != nil || o.Code != NotPutBack {
		t.Errorf("it serves no more, and that was said: %d %v %s", o.Code, err, o.Said)
	}
	w.write("anew", "", 0o644)
	if o, err := Rollback(t.Context(), w.m, "t1", ""); err != nil || o.Code != OK {
		t.Errorf("it serves again: %d %v %s", o.Code, err, o.Said)
	}
}
