package change

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sshtay/internal/host"
	"sshtay/internal/sshconf"
	"sshtay/internal/testenv"
)

// sh runs lines as commit does.
func sh(lines string) error {
	cmd := exec.Command("sh", "-ec", lines)
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// write carries the files of a change out, and returns what puts them back.
func carryOut(t *testing.T, c Change) (undo func()) {
	t.Helper()
	for _, e := range c.Effects {
		is, err := os.ReadFile(e.File.Path)
		if (err == nil) != (e.File.Old != nil) || !bytes.Equal(is, e.File.Old) {
			t.Fatalf("%s is %q, %v; the change saw %q", e.File.Path, is, err, e.File.Old)
		}
		if err := os.MkdirAll(filepath.Dir(e.File.Path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(e.File.Path, e.File.New, e.File.Mode); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		for _, e := range c.Effects {
			if e.File.Old == nil {
				os.Remove(e.File.Path)
			} else if err := os.WriteFile(e.File.Path, e.File.Old, e.File.Mode); err != nil {
				t.Error(err)
			}
		}
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// verify runs every verification of a change and compares with what is wanted.
func verify(t *testing.T, c Change, want bool) {
	t.Helper()
	if len(c.Verify) == 0 {
		t.Fatal("nothing to verify")
	}
	all := true
	for _, v := range c.Verify {
		err := sh(v.Run)
		all = all && err == nil
		if want && err != nil {
			t.Errorf("%s: %v\n%s", v.Title, err, v.Run)
		}
	}
	if all && !want {
		t.Error("every verification says yes, and nothing was done")
	}
}

// TestSSHConfig sets options through a symbolic link, in a folder whose name
// needs quotes; ssh itself says that they are effective.
func TestSSHConfig(t *testing.T) {
	testenv.Need(t, "ssh")
	dir := filepath.Join(t.TempDir(), "it's here")
	file, link := filepath.Join(dir, "real"), filepath.Join(dir, "config")
	put(t, file, "Host other\n  User x\n\nHost *\n  ServerAliveInterval 0\n  IPQoS ef\n")
	if err := os.Symlink("real", link); err != nil {
		t.Fatal(err)
	}
	request := sshconf.ClientRequest{Host: "ann@web1", Config: link, Options: []sshconf.Option{{Flag: 'p', Value: "2200"}, {Flag: 'o', Value: "IPQoS=cs1"}}}
	set := []sshconf.Assignment{{Keyword: "ServerAliveInterval", Value: "60"}, {Keyword: "IPQoS", Value: "none"}}
	ask := func() Change {
		t.Helper()
		c, err := SSHConfig(context.Background(), host.Local{}, request, set)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := ask()
	if len(c.Effects) != 1 || c.Effects[0].File.Path != file || c.Root {
		t.Fatalf("not one effect on the file behind the link: %+v", c)
	}
	verify(t, c, false)
	undo := carryOut(t, c)
	verify(t, c, true)
	if again := ask(); len(again.Effects) != 0 {
		t.Errorf("a second time: %+v", again.Effects)
	}
	undo()
	verify(t, c, false)
}

func TestSSHConfigRefuses(t *testing.T) {
	testenv.Need(t, "ssh")
	config := filepath.Join(t.TempDir(), "config")
	for _, c := range []struct{ text, option, want string }{
		{"Nonsense 1\n", "ServerAliveInterval", "Nonsense"},
		{"Host *\n", "ClientAliveInterval", "has no option"},
	} {
		put(t, config, c.text)
		_, err := SSHConfig(context.Background(), host.Local{}, sshconf.ClientRequest{Host: "web1", Config: config}, []sshconf.Assignment{{Keyword: c.option, Value: "60"}})
		if err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(c.want)) {
			t.Errorf("%q: %v; want something about %s", c.text, err, c.want)
		}
	}
}

// listenerOf starts a real sshd with a configuration of its own, and waits
// until it answers.
func listenerOf(t *testing.T, config, port string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(testenv.Need(t, "sshd")[0], "-D", "-e", "-f", config)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	greet(t, port).Close()
	return cmd
}

// greet connects and reads the server's identification.
func greet(t *testing.T, port string) net.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", "127.0.0.1:"+port)
		if err == nil {
			answer := make([]byte, 64)
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			if n, _ := conn.Read(answer); strings.HasPrefix(string(answer[:n]), "SSH-2.0-") {
				return conn
			}
			conn.Close()
		}
	}
	t.Fatal("sshd does not answer")
	return nil
}

func freePort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// serverIn makes a configuration of sshd in a folder and returns its path.
func serverIn(t *testing.T, dir, port, rest string) string {
	t.Helper()
	key := filepath.Join(dir, "key")
	if out, err := exec.Command(testenv.Need(t, "ssh-keygen")[0], "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
	if os.Geteuid() == 0 { // sshd wants it when it runs as root
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(dir, "sshd_config")
	put(t, config, fmt.Sprintf("Include %s/d/*.conf\nListenAddress 127.0.0.1\nPort %s\nHostKey %s\nPidFile none\n%s", dir, port, key, rest))
	return config
}

// TestSSHDConfig changes a real sshd that no service manager keeps: it takes
// notice, goes on with the connection that is open, and shows the options to
// the next.
func TestSSHDConfig(t *testing.T) {
	dir, port := t.TempDir(), freePort(t)
	config := serverIn(t, dir, port, "ClientAliveInterval 0\nMaxStartups 10\nMatch User bob\n\tMaxSessions 1\n")
	put(t, filepath.Join(dir, "d", "50-x.conf"), "MaxSessions 3\n")
	cmd := listenerOf(t, config, port)
	open := greet(t, port)
	defer open.Close()

	set := []sshconf.Assignment{{Keyword: "ClientAliveInterval", Value: "60"}, {Keyword: "MaxStartups", Value: "50:30:100"}, {Keyword: "MaxSessions", Value: "20"}}
	request := sshconf.ServerRequest{Config: config, Connection: &sshconf.Connection{User: "ann", Addr: "127.0.0.1"}}
	c, err := SSHDConfig(context.Background(), host.Local{}, request, set, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Effects) != 2 || len(c.Services) != 1 {
		t.Fatalf("want the drop-in and the main file, and one service: %+v", c)
	}
	if !strings.Contains(strings.Join(c.Notes, "\n"), "MaxSessions 1") {
		t.Errorf("nothing is said of the Match block: %q", c.Notes)
	}
	v := c.Services[0]
	if want := fmt.Sprintf("p=%d ;;", cmd.Process.Pid); !strings.Contains(v.Reload, want) {
		t.Fatalf("%q has no %q", v.Reload, want)
	}
	if sh(v.Alive) == nil {
		t.Error("it is said to listen anew before it was told to")
	}
	verify(t, c, false)
	undo := carryOut(t, c)
	if err := sh(v.Validate); err != nil {
		t.Fatal(err)
	}
	if err := sh(v.Reload); err != nil {
		t.Fatal(err)
	}
	until(t, "it listens anew", func() bool { return sh(v.Alive) == nil })
	verify(t, c, true)
	greet(t, port).Close()
	open.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := open.Write([]byte("SSH-2.0-test\r\n")); err != nil {
		t.Error(err)
	}
	if n, err := open.Read(make([]byte, 64)); n == 0 {
		t.Errorf("the connection that was open does not go on: %v", err)
	}
	again, err := SSHDConfig(context.Background(), host.Local{}, request, set, false)
	if err != nil || len(again.Effects) != 0 || len(again.Services) != 0 {
		t.Errorf("a second time: %+v, %v", again, err)
	}
	undo()
	verify(t, c, false)
}

// until waits for something that happens by itself.
func until(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !happened(); {
		if time.Now().After(end) {
			t.Fatal("it does not happen: " + what)
		}
	}
}

// TestSSHDConfigBroken does not touch what sshd refuses.
func TestSSHDConfigBroken(t *testing.T) {
	dir := t.TempDir()
	config := serverIn(t, dir, "22", "Nonsense yes\n")
	_, err := SSHDConfig(context.Background(), host.Local{}, sshconf.ServerRequest{Config: config}, []sshconf.Assignment{{Keyword: "MaxSessions", Value: "20"}}, false)
	if err == nil || !strings.Contains(err.Error(), "Nonsense") {
		t.Errorf("got %v", err)
	}
}
