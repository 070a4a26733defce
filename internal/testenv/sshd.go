package testenv

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// An SSHD is a real sshd on a loopback port of its own, with a configuration
// that a test may change.
type SSHD struct {
	Dir    string // keys and configuration
	Config string // path of sshd_config
	Port   int
}

// NewSSHD makes the keys and the configuration of a server that lets our key in
// as anybody, with these lines in its configuration. It is not started.
func NewSSHD(t testing.TB, config string) *SSHD {
	t.Helper()
	NeedRoot(t)
	Need(t, "ssh", "sshd", "ssh-keygen")
	dir, err := os.MkdirTemp("/tmp", "sshtay-sshd-") // where every user may look, unlike t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &SSHD{Dir: dir, Config: filepath.Join(dir, "sshd_config"), Port: freePort(t)}
	os.Chmod(dir, 0o755)
	os.MkdirAll("/run/sshd", 0o755)
	for _, key := range []string{"host", "user"} {
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", key, "-f", s.File(key)).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v: %s", err, out)
		}
	}
	s.write(t, "authorized", s.read(t, "user.pub"))
	s.write(t, "known", fmt.Sprintf("[127.0.0.1]:%d %s", s.Port, s.read(t, "host.pub")))
	s.write(t, "sshd_config", fmt.Sprintf("Port %d\nListenAddress 127.0.0.1\nHostKey %s\nAuthorizedKeysFile %s\nStrictModes no\nUsePAM no\nPidFile %s\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n%s\n",
		s.Port, s.File("host"), s.File("authorized"), s.File("pid"), config))
	return s
}

// Start runs the server until the test ends, and waits until it listens. Its
// log is shown when the test fails.
func (s *SSHD) Start(t testing.TB) {
	t.Helper()
	sshd, err := Find("sshd")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(sshd, "-D", "-e", "-f", s.Config)
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("the server's log:\n%s", log.String())
		}
	})
	for end := time.Now().Add(20 * time.Second); !s.Listens(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the server does not listen: %s", log.String())
		}
	}
}

// Listens says whether somebody takes connections on the server's port.
func (s *SSHD) Listens() bool {
	c, err := net.DialTimeout("tcp", "127.0.0.1:"+strconv.Itoa(s.Port), time.Second)
	if err == nil {
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
	return err == nil
}

// SSH is the command line of an ssh to the server as that user, up to the host,
// which asks nothing.
func (s *SSHD) SSH(user string) []string {
	return []string{"ssh", "-T", "-F", "none", "-p", strconv.Itoa(s.Port), "-i", s.File("user"), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
		"-o", "UserKnownHostsFile=" + s.File("known"), "-o", "GlobalKnownHostsFile=none", "--", user + "@127.0.0.1"}
}

// LogsIn says whether root can log in with a new connection, and what ssh said
// when not.
func (s *SSHD) LogsIn() error {
	argv := append(s.SSH("root"), "echo", "in")
	cmd := exec.Command(argv[0], argv[1:]...)
	var said bytes.Buffer // by ssh, and by what root's own shell runs
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err == nil && string(out) == "in\n" {
		return nil
	}
	return fmt.Errorf("cannot log in: %v: %q %s", err, out, said.Bytes())
}

// File is a path in the server's folder.
func (s *SSHD) File(name string) string { return filepath.Join(s.Dir, name) }

func (s *SSHD) read(t testing.TB, name string) string {
	data, err := os.ReadFile(s.File(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func (s *SSHD) write(t testing.TB, name, text string) {
	if err := os.WriteFile(s.File(name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func freePort(t testing.TB) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
