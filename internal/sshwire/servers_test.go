package sshwire

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sshtay/internal/testenv"
)

// Real servers for tests: OpenSSH's sshd on a port and on a socket pair,
// dropbear, tinysshd. Their logs are shown when a test fails.

// logBuffer collects what a server prints.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// waitFor waits for a server's log to have a line, since servers write when
// they please.
func (l *logBuffer) waitFor(t testing.TB, text string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if strings.Contains(l.String(), text) {
			return
		}
	}
	t.Fatalf("the server's log never had %q:\n%s", text, l)
}

// hostKey makes a host key of a type with ssh-keygen.
func hostKey(t testing.TB, kind string) string {
	t.Helper()
	keygen := testenv.Need(t, "ssh-keygen")[0]
	path := filepath.Join(t.TempDir(), "host_"+kind)
	if out, err := exec.Command(keygen, "-q", "-N", "", "-t", kind, "-f", path).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen -t %s: %v\n%s", kind, err, out)
	}
	return path
}

// sshdConfig writes a configuration that needs nothing from the system.
func sshdConfig(t testing.TB, lines ...string) (sshd, file string) {
	t.Helper()
	sshd = testenv.Need(t, "sshd")[0]
	if os.Geteuid() == 0 {
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	file = filepath.Join(t.TempDir(), "sshd_config")
	text := strings.Join(append(lines, "UsePAM no", "StrictModes no", "PidFile none", "LogLevel VERBOSE"), "\n") + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return sshd, file
}

// start runs a server until the test ends.
func start(t testing.TB, program string, args ...string) *logBuffer {
	t.Helper()
	log := &logBuffer{}
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
		if t.Failed() {
			t.Logf("log of %s:\n%s", program, log)
		}
	})
	return log
}

// freeAddr is a port that nobody listens on.
func freeAddr(t testing.TB, ip string) (addr, port string) {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return l.Addr().String(), port
}

// startSSHD starts OpenSSH's sshd on a loopback address.
func startSSHD(t testing.TB, ip string, config ...string) (addr string, log *logBuffer) {
	t.Helper()
	addr, port := freeAddr(t, ip)
	sshd, file := sshdConfig(t, append(config, "Port "+port, "ListenAddress "+ip)...)
	log = start(t, sshd, "-D", "-e", "-f", file)
	log.waitFor(t, "Server listening on "+ip)
	return addr, log
}

func startDropbear(t testing.TB, args ...string) (addr string, log *logBuffer) {
	t.Helper()
	programs := testenv.Need(t, "dropbear", "dropbearkey")
	key := filepath.Join(t.TempDir(), "host")
	if out, err := exec.Command(programs[1], "-t", "ed25519", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("dropbearkey: %v\n%s", err, out)
	}
	addr, port := freeAddr(t, "127.0.0.1")
	log = start(t, programs[0], append([]string{"-F", "-E", "-r", key, "-p", "127.0.0.1:" + port, "-P", filepath.Join(t.TempDir(), "pid")}, args...)...)
	waitListening(t, port)
	return addr, log
}

func startTinySSHD(t testing.TB) (addr string, log *logBuffer) {
	t.Helper()
	programs := testenv.Need(t, "tinysshd", "tinysshd-makekey", "socat")
	dir := filepath.Join(t.TempDir(), "keys")
	if out, err := exec.Command(programs[1], dir).CombinedOutput(); err != nil {
		t.Fatalf("tinysshd-makekey: %v\n%s", err, out)
	}
	addr, port := freeAddr(t, "127.0.0.1")
	log = start(t, programs[2], "TCP-LISTEN:"+port+",bind=127.0.0.1,fork,reuseaddr", fmt.Sprintf("EXEC:%s -v %s", programs[0], dir))
	waitListening(t, port)
	return addr, log
}

// waitListening reads the kernel's socket table: connecting would show in a
// server's log and counters.
func waitListening(t testing.TB, port string) {
	t.Helper()
	var n int
	fmt.Sscan(port, &n)
	want := fmt.Sprintf(":%04X 00000000:0000 0A", n)
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if table, _ := os.ReadFile("/proc/net/tcp"); bytes.Contains(table, []byte(want)) {
			return
		}
	}
	t.Fatalf("nothing listens on port %s", port)
}

// handshakeWith connects to a server and shakes hands, with patience for a
// busy machine.
func handshakeWith(t testing.TB, addr string, opt Options) Result {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if opt.StageTimeout == 0 {
		opt.Timeout, opt.StageTimeout = time.Minute, 30*time.Second
	}
	return Handshake(context.Background(), conn, opt)
}
