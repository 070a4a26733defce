package probe

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sshtay/internal/target"
	"sshtay/internal/testenv"
)

// A server is a real sshd on a loopback port of its own.
type server struct {
	t    *testing.T
	dir  string // keys and configurations
	port int
	pid  int
}

// newServer starts an sshd that lets our key in as anybody, with these lines
// in its configuration.
func newServer(t *testing.T, config string) *server {
	t.Helper()
	s := prepareServer(t, config)
	os.MkdirAll("/run/sshd", 0o755)
	s.start(exec.Command(testenv.Need(t, "sshd")[0], "-D", "-e", "-f", s.file("sshd_config")))
	return s
}

// prepareServer makes the keys and files of a server.
func prepareServer(t *testing.T, config string) *server {
	t.Helper()
	testenv.NeedRoot(t)
	testenv.Need(t, "ssh", "ssh-keygen")
	dir, err := os.MkdirTemp("/tmp", "sshtay-sshd-") // where every user may look, unlike t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, dir: dir, port: freePort(t)}
	for _, key := range []string{"host", "user", "stranger"} {
		run(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", key, "-f", s.file(key))
	}
	s.write("authorized", s.read("user.pub"))
	s.write("known", fmt.Sprintf("[127.0.0.1]:%d %s", s.port, s.read("host.pub")))
	s.write("sshd_config", fmt.Sprintf("Port %d\nListenAddress 127.0.0.1\nHostKey %s\nAuthorizedKeysFile %s\nStrictModes no\nUsePAM no\nPidFile none\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nSubsystem sftp internal-sftp\n%s\n",
		s.port, s.file("host"), s.file("authorized"), config))
	return s
}

// start runs the server until the test ends, and waits until it listens. Its
// log is shown when the test fails.
func (s *server) start(cmd *exec.Cmd) {
	s.t.Helper()
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.pid = cmd.Process.Pid
	s.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if s.t.Failed() {
			s.t.Logf("the server's log:\n%s", log.String())
		}
	})
	for range 500 {
		if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port)); err == nil {
			c.(*net.TCPConn).SetLinger(0) // gone at once: tests count connections
			c.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.t.Fatalf("the server does not listen: %s", log.String())
}

func (s *server) file(name string) string { return filepath.Join(s.dir, name) }

func (s *server) read(name string) string {
	data, err := os.ReadFile(s.file(name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(data)
}

func (s *server) write(name, text string) {
	if err := os.WriteFile(s.file(name), []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// target names the server as a user of ssh would, with a key and a list of
// known hosts.
func (s *server) target(user, key, known string) target.Target {
	return target.Target{
		Given: user + "@127.0.0.1", Port: s.port, ConfigFile: "none", Identities: []string{s.file(key)},
		Options: []string{"UserKnownHostsFile=" + s.file(known), "GlobalKnownHostsFile=none", "IdentitiesOnly=yes"},
	}
}

// newUser makes an account with this login shell, and a home that holds these
// files, until the test ends.
func newUser(t *testing.T, shell string, files map[string]string) string {
	t.Helper()
	testenv.NeedRoot(t)
	testenv.Need(t, "useradd", "userdel")
	home, err := os.MkdirTemp("/tmp", "sshtay-home-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	users++
	name := fmt.Sprintf("sshtay%d-%d", os.Getpid(), users)
	run(t, "useradd", "-M", "-d", home, "-s", shell, "-p", "*", name)
	t.Cleanup(func() { // even while a process of the account lives on
		if out, err := exec.Command("userdel", "-f", name).CombinedOutput(); err != nil && !strings.Contains(string(out), "currently used") {
			t.Errorf("the account %s is left: %v: %s", name, err, out)
		}
	})
	for file, text := range files {
		if err := os.WriteFile(filepath.Join(home, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run(t, "chown", "-R", name, home)
	return name
}

var users int

func run(t *testing.T, argv ...string) string {
	t.Helper()
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(argv, " "), err, out)
	}
	return string(out)
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func homeOf(t *testing.T, name string) string {
	t.Helper()
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return u.HomeDir
}
