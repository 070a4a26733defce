package demo

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// patience bounds what a test waits for; no test passes by it.
const patience = 20 * time.Second

func open(t *testing.T, name string) *World {
	t.Helper()
	f, ok := Lookup(name)
	if !ok {
		t.Fatalf("no fault is called %q", name)
	}
	w, err := f.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func dial(t *testing.T, w *World) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", w.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c.(*net.TCPConn)
}

// login connects as the visitor of the world would.
func login(t *testing.T, w *World) (*ssh.Client, error) {
	t.Helper()
	signer, err := ssh.NewSignerFromKey(w.server.key)
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, w)
	conn, channels, requests, err := ssh.NewClientConn(c, w.Addr(), &ssh.ClientConfig{
		User:            "anyone",
		Auth:            []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback: ssh.FixedHostKey(w.server.host),
	})
	if err != nil {
		return nil, err
	}
	client := ssh.NewClient(conn, channels, requests)
	t.Cleanup(func() { client.Close() })
	return client, nil
}

// says runs a command and returns what came back, and its status.
func says(t *testing.T, client *ssh.Client, command string) (stdout, stderr string, status int) {
	t.Helper()
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	var out, errOut bytes.Buffer
	session.Stdout, session.Stderr = &out, &errOut
	err = session.Run(command)
	var exit *ssh.ExitError
	if errors.As(err, &exit) {
		status, err = exit.ExitStatus(), nil
	}
	if err != nil {
		t.Fatalf("running %q: %v", command, err)
	}
	return out.String(), errOut.String(), status
}

func TestFaultsAreWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range All() {
		if f.Name == "" || f.Title == "" || f.What == "" || f.Command == "" || f.meet == nil {
			t.Errorf("%q lacks a part: %+v", f.Name, f)
		}
		if seen[f.Name] {
			t.Errorf("%s is there twice", f.Name)
		}
		seen[f.Name] = true
		if (f.Name == "healthy") != (f.Expect == "") {
			t.Errorf("%s expects the cause %q", f.Name, f.Expect)
		}
		if broken := f.Expect != ""; broken != (f.Freezes > 0 != (f.Prints != "")) {
			t.Errorf("%s must either freeze or print something, unless it is healthy", f.Name)
		}
		if f.Doubt != "" && f.Expect == "" {
			t.Errorf("%s doubts a cause that it does not expect", f.Name)
		}
		if strings.ContainsAny(f.Title, "\n.") {
			t.Errorf("%s: the title %q is not one line without a full stop", f.Name, f.Title)
		}
		if _, err := regexp.Compile(f.Prints); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
	for _, name := range strings.Fields("healthy reset throttle http no-kex hang no-keepalive") {
		if !seen[name] {
			t.Errorf("there is no fault %s", name)
		}
	}
	if _, ok := Lookup("nothing of the kind"); ok {
		t.Error("Lookup finds what is not there")
	}
}

func TestHealthyAnswers(t *testing.T) {
	t.Parallel()
	client, err := login(t, open(t, "healthy"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		command, stdout, stderr string
		status                  int
	}{
		{"echo hello, world", "hello, world\n", "", 0},
		{"sleep 0; echo awake; exit 3; echo never", "awake\n", "", 3},
		{"true", "", "", 0},
		{"cat /etc/passwd", "", `"cat /etc/passwd" is not played here`, 127},
		{"echo $(id)", "", `is not played here`, 127},
		{"echo \x1b[2J", "", `"echo \x1b[2J"`, 127},
		{"exec sh -c 'echo x'", "", `is not played here`, 127},
	} {
		stdout, stderr, status := says(t, client, c.command)
		if stdout != c.stdout || status != c.status || !strings.Contains(stderr, c.stderr) {
			t.Errorf("%q gives %q, %q, %d; want %q, %q, %d", c.command, stdout, stderr, status, c.stdout, c.stderr, c.status)
		}
	}
	if _, _, err := client.OpenChannel("direct-tcpip", nil); err == nil {
		t.Error("the demo server forwards connections")
	}
}

func TestShell(t *testing.T) {
	t.Parallel()
	client, err := login(t, open(t, "healthy"))
	if err != nil {
		t.Fatal(err)
	}
	for _, terminal := range []bool{false, true} {
		session, err := client.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		if terminal {
			if err := session.RequestPty("xterm", 24, 80, nil); err != nil {
				t.Fatal(err)
			}
		}
		var out bytes.Buffer
		session.Stdin, session.Stdout = strings.NewReader("echo one\r\nexit\r\n"), &out
		if err := session.Shell(); err != nil {
			t.Fatal(err)
		}
		if err := session.Wait(); err != nil {
			t.Errorf("terminal %v: %v", terminal, err)
		}
		if !strings.Contains(out.String(), "one") {
			t.Errorf("terminal %v: the shell said %q", terminal, out.String())
		}
	}
}

func TestOnlyTheDemosKey(t *testing.T) {
	t.Parallel()
	w := open(t, "healthy")
	w.server.key = open(t, "healthy").server.key // the key of another demo
	if _, err := login(t, w); err == nil || !strings.Contains(err.Error(), "unable to authenticate") {
		t.Errorf("a stranger's key: %v", err)
	}
}

// greeted says who we are and returns all that comes until the other side
// closes, or resets.
func greeted(t *testing.T, w *World) (string, error) {
	t.Helper()
	c := dial(t, w)
	if _, err := io.WriteString(c, "SSH-2.0-test\r\n"); err != nil {
		t.Fatal(err)
	}
	heard, err := io.ReadAll(c)
	return string(heard), err
}

func TestWhoCloses(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"http":     `HTTP/1\.1 400 Bad Request\r\n(?s:.*)`,
		"tls":      `\x15\x03\x01\x00\x02..`,
		"throttle": `Exceeded MaxStartups\r\n`,
		"penalty":  `Not allowed at this time\r\n`,
	} {
		if heard, err := greeted(t, open(t, name)); err != nil || !regexp.MustCompile("^"+want+"$").MatchString(heard) {
			t.Errorf("%s: heard %q, %v; want %s and the end", name, heard, err, want)
		}
	}
}

func TestThrottleLetsOneOfThreeIn(t *testing.T) {
	t.Parallel()
	w := open(t, "throttle")
	for try := 1; try <= 6; try++ {
		line, err := bufio.NewReader(dial(t, w)).ReadString('\n')
		want := "Exceeded MaxStartups\r\n"
		if try%3 == 0 {
			want = identification + "\r\n"
		}
		if err != nil || line != want {
			t.Errorf("connection %d: %q, %v; want %q", try, line, err, want)
		}
	}
}

func TestResetAtKexInit(t *testing.T) {
	t.Parallel()
	w := open(t, "reset")
	c := dial(t, w)
	io.WriteString(c, "SSH-2.0-test\r\n")
	r := bufio.NewReader(c)
	if line, err := r.ReadString('\n'); err != nil || line != identification+"\r\n" {
		t.Fatalf("the greeting does not pass: %q, %v", line, err)
	}
	c.Write(plainPacket(oldKexInit()))
	if _, err := io.Copy(io.Discard, r); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("after the KEXINIT came %v, want a reset", err)
	}
}

func TestNoCommonAlgorithm(t *testing.T) {
	t.Parallel()
	_, err := login(t, open(t, "no-kex"))
	var no *ssh.AlgorithmNegotiationError
	if !errors.As(err, &no) {
		t.Fatalf("want a failed negotiation, got %v", err)
	}
	if offer := no.RequestedAlgorithms; len(offer) != 1 || offer[0] != "diffie-hellman-group1-sha1" {
		// Which side's list is which depends on the library; one must be ours.
		if offer = no.SupportedAlgorithms; len(offer) != 1 || offer[0] != "diffie-hellman-group1-sha1" {
			t.Errorf("the offer was read as %v", no)
		}
	}
}

func TestWhoStarves(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"hang":        ``,
		"banner-drip": `be?`,
		"smtp":        `220 mail\.example\.org ESMTP\r\n502 .*\r\n`,
	} {
		c := dial(t, open(t, name))
		io.WriteString(c, "SSH-2.0-test\r\n")
		c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		heard, err := io.ReadAll(c)
		if !errors.Is(err, os.ErrDeadlineExceeded) || !regexp.MustCompile("^"+want+"$").Match(heard) {
			t.Errorf("%s: heard %q, %v; want %s, and a connection that stays open", name, heard, err, want)
		}
	}
}

func TestWorldEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	w, err := hang.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, w)
	cancel()
	w.running.Wait()
	if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("the connection outlives its world: %d bytes, %v", n, err)
	}
	if c, err := net.Dial("tcp", w.Addr()); err == nil {
		c.Close()
		t.Error("the port outlives its world")
	}
}
