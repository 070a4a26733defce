//go:build unix

package host

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

const patience = 20 * time.Second

func TestDialog(t *testing.T) {
	d, err := Local{}.Dialog(Command{Argv: []string{"sh", "-c", "echo ready >&2; read x; echo got $x; cat >/dev/null; exit 7"}})
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(d.Conn, "hello\n")
	if line, err := bufio.NewReader(d.Conn).ReadString('\n'); line != "got hello\n" || err != nil {
		t.Errorf("read %q, %v", line, err)
	}
	d.Conn.SetDeadline(time.Now().Add(-time.Second))
	if _, err := d.Conn.Read([]byte{0}); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("past the deadline: %v", err)
	}
	if r, own := d.End(patience); r.Exit != 7 || !own || string(r.Stderr) != "ready\n" {
		t.Errorf("end: %+v, by itself %v", r, own)
	}
}

// TestDialogIsDeaf: a program that has the terminal hears no Ctrl-C, which is
// for us, and ends when we end it.
func TestDialogIsDeaf(t *testing.T) {
	d, err := Local{}.Dialog(Command{Argv: []string{"sh", "-c", "kill -INT $$; kill -QUIT $$; echo $1 $(ps -o pgid= -p $$); cat; sleep 1000", "sh", "a  b"}, Terminal: true})
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(d.Conn).ReadString('\n'); strings.TrimSpace(line) != fmt.Sprint("a b ", syscall.Getpgrp()) || err != nil {
		t.Errorf("it says %q, %v: our process group is %d", line, err, syscall.Getpgrp())
	}
	if _, own := d.End(0); own {
		t.Error("it ended by itself")
	}
}

// A program that does not end when its input does is ended, with what it
// started, even when that holds its output open.
func TestDialogEndsAll(t *testing.T) {
	d, err := Local{}.Dialog(Command{Argv: []string{"sh", "-c", "trap '' HUP; sleep 1000 & echo $! ; wait; sleep 1000"}, Grace: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	pid, err := bufio.NewReader(d.Conn).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if _, own := d.End(0); own {
		t.Error("it ended by itself")
	}
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		status, err := os.ReadFile("/proc/" + strings.TrimSpace(pid) + "/stat")
		if err != nil || strings.Contains(string(status), ") Z ") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("what it started lives on: %s", status)
		}
	}
}

func TestDialogHasNoTerminal(t *testing.T) {
	d, err := Local{}.Dialog(Command{Argv: []string{"sh", "-c", "(: </dev/tty) 2>/dev/null && echo terminal || echo none"}})
	if err != nil {
		t.Fatal(err)
	}
	defer d.End(patience)
	if b, _ := io.ReadAll(d.Conn); string(b) != "none\n" {
		t.Errorf("it says %q", b)
	}
}

func TestDialogWithoutProgram(t *testing.T) {
	if _, err := (Local{}).Dialog(Command{Argv: []string{"no-such-program-here"}}); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if _, err := (Local{}).Dialog(Command{}); err == nil {
		t.Error("spoke with nothing")
	}
}

// TestMain lets the test binary be the program that dials and passes.
func TestMain(m *testing.M) {
	addr := os.Getenv("SSHTAY_TEST_PASS")
	if addr == "" {
		os.Exit(m.Run())
	}
	c, err := net.Dial("tcp", addr)
	if err != nil {
		panic(err)
	}
	f, err := c.(*net.TCPConn).File()
	if err != nil {
		panic(err)
	}
	if err := syscall.Sendmsg(1, []byte{0}, syscall.UnixRights(int(f.Fd())), nil, 0); err != nil {
		panic(err)
	}
}

func TestPassedConn(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			io.WriteString(c, "hello")
			c.Close()
		}
	}()
	self := Command{Argv: []string{os.Args[0]}, Env: []string{"SSHTAY_TEST_PASS=" + l.Addr().String()}}
	d, err := Local{}.PassedConn(self, time.Now().Add(patience))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := d.Conn.(*net.TCPConn); !ok {
		t.Errorf("passed a %T", d.Conn)
	}
	if b, err := io.ReadAll(d.Conn); string(b) != "hello" {
		t.Errorf("read %q, %v", b, err)
	}
	if r, own := d.End(patience); r.Exit != 0 || !own {
		t.Errorf("end: %+v, %v", r, own)
	}
}

func TestPassedConnThatNeverComes(t *testing.T) {
	for script, want := range map[string]error{
		"exit 3":            ErrNoDescriptor,
		"echo text":         ErrNoDescriptor,
		"exec sleep 100":    os.ErrDeadlineExceeded,
		"exec no-such-prog": ErrNoDescriptor,
	} {
		deadline := time.Now().Add(patience)
		if errors.Is(want, os.ErrDeadlineExceeded) {
			deadline = time.Now().Add(50 * time.Millisecond)
		}
		d, err := Local{}.PassedConn(Command{Argv: []string{"sh", "-c", script}}, deadline)
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", script, err, want)
		}
		if d == nil {
			t.Fatalf("%s: no dialog to end", script)
		}
		d.End(0)
	}
}
