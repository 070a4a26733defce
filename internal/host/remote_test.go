//go:build unix

package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sshtay/internal/testenv"
)

// remote logs in to a real sshd of this machine.
func remote(t *testing.T, user string) *Remote {
	t.Helper()
	s := testenv.NewSSHD(t, "")
	s.Start(t)
	r, err := Local{}.Remote(t.Context(), RemoteCommand{SSH: s.SSH(user)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func TestRemoteRun(t *testing.T) {
	r := remote(t, "root")
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	long := bytes.Repeat(all, 400)
	for _, c := range []struct {
		c    Command
		want Result
	}{
		{Command{Argv: []string{"sh", "-c", "echo out; echo err >&2; exit 3"}}, Result{Stdout: []byte("out\n"), Stderr: []byte("err"), Exit: 3}},
		{Command{Argv: []string{"printf", "%s.", "", "a b", "'", `"$(id)`, "\\", "ä\n", "-n", "`"}}, Result{Stdout: []byte(".a b.'.\"$(id).\\.ä\n.-n.`.")}},
		{Command{Argv: []string{"cat"}, Stdin: bytes.NewReader(all)}, Result{Stdout: all}},
		{Command{Argv: []string{"cat"}, Stdin: bytes.NewReader(long)}, Result{Stdout: long}},
		{Command{Argv: []string{"cat"}, Stdin: strings.NewReader("")}, Result{}},
		{Command{Argv: []string{"cat"}}, Result{}}, // and does not eat what comes next
		{Command{Argv: []string{"true"}, Stdin: bytes.NewReader(long)}, Result{}},
		{Command{Argv: []string{"sh", "-c", "pwd; echo $A"}, Dir: "/usr", Env: []string{"A=x 'y"}}, Result{Stdout: []byte("/usr\nx 'y\n")}},
		{Command{Argv: []string{"pwd"}, Dir: "/nowhere"}, Result{Exit: 126}},
		{Command{Argv: []string{"sh", "-c", "kill -KILL $$"}}, Result{Exit: 137}},
		{Command{Argv: []string{"head", "-c", "100000", "/dev/zero"}, Limit: 10}, Result{Stdout: make([]byte, 10), Truncated: true}},
		{Command{Argv: []string{"sshd", "-T", "-f", "/nowhere"}}, Result{Exit: 1}}, // lives in /usr/sbin
	} {
		got, err := r.Run(t.Context(), c.c)
		if err != nil || !bytes.Equal(got.Stdout, c.want.Stdout) || got.Exit != c.want.Exit || got.Truncated != c.want.Truncated ||
			c.want.Stderr != nil && !bytes.Equal(got.Stderr, c.want.Stderr) {
			t.Fatalf("%.200q: got %.200q %q exit %d, %v", c.c.Argv, got.Stdout, got.Stderr, got.Exit, err)
		}
	}
	if _, err := r.Run(t.Context(), Command{Argv: []string{"no-such-program-here"}}); !errors.Is(err, ErrNotFound) {
		t.Errorf("missing program: %v", err)
	}
	for _, c := range []Command{{}, {Argv: []string{"true"}, Terminal: true}, {Argv: []string{"a\x00b"}}, {Argv: []string{"true"}, Env: []string{"A B=c"}}} {
		if _, err := r.Run(t.Context(), c); err == nil || errors.Is(err, ErrLost) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestRemoteReadFile(t *testing.T) {
	r := remote(t, "root")
	name := t.TempDir() + "/a 'file'"
	data := []byte("a\r\n\x00b\n\n")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := r.ReadFile(t.Context(), name, 100); err != nil || !bytes.Equal(b, data) {
		t.Errorf("got %q, %v", b, err)
	}
	if b, err := r.ReadFile(t.Context(), name, 3); !errors.Is(err, ErrTooLarge) || string(b) != "a\r\n" {
		t.Errorf("got %q, %v", b, err)
	}
	if _, err := r.ReadFile(t.Context(), name+"x", 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := r.ReadFile(t.Context(), "/dev/zero", 1); err == nil {
		t.Error("read a device")
	}
}

// A login that is cut says so, and so does everything after it.
func TestRemoteLost(t *testing.T) {
	r := remote(t, "root")
	_, err := r.Run(t.Context(), Command{Argv: []string{"sh", "-c", `p=$PPID; while read -r n c s pp x </proc/$p/stat; do case $c in "(sshd"*) kill -9 $p; exit;; esac; p=$pp; done`}})
	if !errors.Is(err, ErrLost) {
		t.Errorf("cut: %v", err)
	}
	if _, err := r.Run(t.Context(), Command{Argv: []string{"true"}}); !errors.Is(err, ErrLost) {
		t.Errorf("afterwards: %v", err)
	}
}

func TestRemoteEndsWithContext(t *testing.T) {
	r := remote(t, "root")
	ctx, cancel := context.WithCancel(t.Context())
	started := writerFunc(func(p []byte) (int, error) { cancel(); return len(p), nil })
	long := strings.Repeat("here\n", 100) // more than can be part of a mark
	if _, err := r.Run(ctx, Command{Argv: []string{"sh", "-c", "printf %s '" + long + "'; sleep 1000"}, Stdout: started}); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	if _, err := r.Run(t.Context(), Command{Argv: []string{"true"}}); err == nil {
		t.Error("a login that was cut in the middle of an answer can still be used")
	}
}

func TestRemoteLoginFails(t *testing.T) {
	s := testenv.NewSSHD(t, "DenyUsers root")
	s.Start(t)
	_, err := Local{}.Remote(t.Context(), RemoteCommand{SSH: s.SSH("root")})
	if !errors.Is(err, ErrLost) || !strings.Contains(err.Error(), "Permission denied") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := (Local{}).Remote(ctx, RemoteCommand{SSH: []string{"sh", "-c", "sleep 1000"}}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no answer: %v", err)
	}
	if _, err := (Local{}).Remote(t.Context(), RemoteCommand{SSH: []string{"sh", "-c", "yes"}}); err == nil || !strings.Contains(err.Error(), "prints without end") {
		t.Errorf("endless: %v", err)
	}
}

// Accounts with any login shell can be asked; sudo works or says that it does
// not.
func TestRemoteShellsAndSudo(t *testing.T) {
	testenv.NeedRoot(t)
	paths := testenv.Need(t, "bash", "dash", "zsh", "fish", "tcsh", "sudo", "useradd", "userdel")
	s := testenv.NewSSHD(t, "")
	s.Start(t)
	for _, shell := range paths[:5] {
		user := newUser(t, shell)
		r, err := Local{}.Remote(t.Context(), RemoteCommand{SSH: s.SSH(user)})
		if err != nil {
			t.Errorf("%s: %v", shell, err)
			continue
		}
		if got, err := r.Run(t.Context(), Command{Argv: []string{"sh", "-c", "id -un; cat"}, Stdin: strings.NewReader("$HOME\n")}); err != nil || string(got.Stdout) != user+"\n$HOME\n" {
			t.Errorf("%s: got %q, %v", shell, got.Stdout, err)
		}
		r.Close()
		if r, err = (Local{}).Remote(t.Context(), RemoteCommand{SSH: s.SSH(user), Sudo: true}); err != nil || r.Root() {
			t.Fatalf("%s: sudo without permission: %v", shell, err)
		}
		if got, err := r.Run(t.Context(), Command{Argv: []string{"id", "-un"}}); err != nil || string(got.Stdout) != user+"\n" {
			t.Errorf("%s: without sudo: got %q, %v", shell, got.Stdout, err)
		}
		r.Close()
	}
	r, err := Local{}.Remote(t.Context(), RemoteCommand{SSH: s.SSH("root"), Sudo: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := r.Run(t.Context(), Command{Argv: []string{"id", "-u"}}); err != nil || string(got.Stdout) != "0\n" {
		t.Errorf("got %q, %v", got.Stdout, err)
	}
}

// TestRemoteBecomesRoot: sudo that lets us leads to another shell in the same
// login, and one that does not to none. What stands for it here changes only the
// environment: the machine's own sudoers are the lab's to try.
func TestRemoteBecomesRoot(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.Need(t, "setpriv")
	for name, c := range map[string]struct{ sudo, want string }{
		"lets us":      {`[ "$1" = -n ] && shift && WHO=root exec "$@"`, "root"},
		"does not":     {"echo a password is required >&2; exit 1", "user"},
		"is not there": {"", "user"},
	} {
		bin := t.TempDir()
		os.Chmod(filepath.Dir(bin), 0o755)
		for _, program := range []string{"sh", "id", "cat"} {
			os.Symlink("/bin/"+program, filepath.Join(bin, program))
		}
		if c.sudo != "" {
			if err := os.WriteFile(bin+"/sudo", []byte("#!/bin/sh\n"+c.sudo+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		account := []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", "-i", "WHO=user", "PATH=" + bin, "sh", "-c", `eval "$1"`, "sh"}
		r, err := Local{}.Remote(t.Context(), RemoteCommand{SSH: account, Sudo: true})
		if err != nil || r.Root() != (c.want == "root") {
			t.Errorf("sudo %s: %v", name, err)
			continue
		}
		if got, err := r.Run(t.Context(), Command{Argv: []string{"sh", "-c", "echo $WHO; cat; echo err >&2"}, Stdin: strings.NewReader("in\n")}); err != nil || string(got.Stdout) != c.want+"\nin\n" || string(got.Stderr) != "err" {
			t.Errorf("sudo %s: got %q %q, %v", name, got.Stdout, got.Stderr, err)
		}
		r.Close()
	}
}

// TestRemoteAlive: a login whose ssh has ended is known to be at an end before
// anything is asked in it, and what ssh said last is told.
func TestRemoteAlive(t *testing.T) {
	r, err := Local{}.Remote(t.Context(), RemoteCommand{SSH: []string{"sh", "-c", `
		(eval "$1")
		printf 'debug1: channel 0: free\nTimeout, server web1 not responding.\r\nTransferred: sent 1, received 1 bytes\nBytes per second: 1\n' >&2
		exit 255`, "sh"}})
	if err != nil || !r.Alive() {
		t.Fatalf("it is not alive: %v", err)
	}
	if _, err := r.dialog.Conn.Write([]byte("exit\n")); err != nil {
		t.Fatal(err)
	}
	<-r.dialog.Ended()
	if r.Alive() {
		t.Error("it is alive")
	}
	if _, err := r.Run(t.Context(), Command{Argv: []string{"true"}}); err == nil || err.Error() != `the connection to the machine was lost: "Timeout, server web1 not responding."` {
		t.Errorf("it says: %v", err)
	}
}

// TestRemoteAtOnce: what is asked at once is answered to who asked it, in one
// round trip; and where the context of one ends, all of them learn of it.
func TestRemoteAtOnce(t *testing.T) {
	r := remote(t, "root")
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			text := strings.Repeat(fmt.Sprint(i), 5000)
			if got, err := r.Run(t.Context(), Command{Argv: []string{"cat"}, Stdin: strings.NewReader(text)}); err != nil || string(got.Stdout) != text {
				t.Errorf("%d: got %.20q, %v", i, got.Stdout, err)
			}
		})
	}
	all.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	started := writerFunc(func(p []byte) (int, error) { cancel(); return len(p), nil })
	for range 5 {
		all.Go(func() {
			if _, err := r.Run(ctx, Command{Argv: []string{"sh", "-c", "head -c 1000 /dev/zero; sleep 1000"}, Stdout: started}); err == nil {
				t.Error("it ended well")
			}
		})
	}
	all.Wait()
}

func newUser(t *testing.T, shell string) string {
	t.Helper()
	name := fmt.Sprintf("sshtayh%d", rand.IntN(1e6))
	home := t.TempDir()
	if out, err := exec.Command("useradd", "-M", "-d", home, "-s", shell, "-p", "*", name).CombinedOutput(); err != nil {
		t.Fatalf("useradd: %v: %s", err, out)
	}
	t.Cleanup(func() { exec.Command("userdel", "-f", name).Run() })
	return name
}
