package probe

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"sshtay/internal/host"
	"sshtay/internal/sock"
	"sshtay/internal/sshlog"
)

// TestMain lets ssh run this test as the program that borrows a connection.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "dial" && os.Args[2] == "--from" {
		conn, err := host.Borrow(os.Args[3], 10*time.Second)
		if err == nil {
			err = host.Pass(os.Stdout, conn.(*net.TCPConn))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// sessionEnv is what a session of our own needs, for a server on loopback.
func sessionEnv(t *testing.T, s *server, user string) (*Env, netip.AddrPort) {
	t.Helper()
	env := newEnv(s.target(user, "user", "known"))
	env.Self, _ = os.Executable()
	return env, netip.MustParseAddrPort(fmt.Sprintf("127.0.0.1:%d", s.port))
}

// TestSession: ssh logs in on our socket, with the settings that we gave it,
// and the socket stays ours to ask.
func TestSession(t *testing.T) {
	s := newServer(t, "")
	env, to := sessionEnv(t, s, "root")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	session, err := openSession(ctx, env, to, trial{Socket: sock.Options{MSS: 700}, Command: "cat"})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if err := session.Await(ctx, sshlog.Session); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(session.IO, "hello")
	line, err := bufio.NewReader(session.IO).ReadString('\n')
	if line != "hello\n" {
		t.Errorf("read %q, %v", line, err)
	}
	info, err := session.Info()
	if err != nil || info.SendMSS > 700 || info.ReceiveMSS > 700 || info.BytesReceived == 0 {
		t.Errorf("info %+v, %v", info, err)
	}
	if err := sock.SetTOS(session.Conn, 0x48); err != nil {
		t.Error(err)
	}
	fmt.Fprintln(session.IO, "again")
	if session.At(sshlog.Auth).IsZero() {
		t.Error("nobody noted when the user was authenticated")
	}
	if env.Budget.Spent() != 1 {
		t.Errorf("%d connections were counted", env.Budget.Spent())
	}
}

// TestSessionRefused: a login that fails says why, at once.
func TestSessionRefused(t *testing.T) {
	s := newServer(t, "")
	env, to := sessionEnv(t, s, "root")
	env.Target.Identities = []string{s.file("stranger")}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	session, err := openSession(ctx, env, to, trial{Command: "true"})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if err := session.Await(ctx, sshlog.Session); err == nil || !strings.Contains(err.Error(), "Permission denied") {
		t.Errorf("the login says %v", err)
	}
	if session.Reason() != "permission-denied" {
		t.Errorf("reason %q", session.Reason())
	}
}
