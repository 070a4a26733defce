package demo

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sshtay/internal/testenv"
)

// plainSSH runs the system's own ssh in the world and returns what it printed.
func plainSSH(t *testing.T, w *World, more ...string) (stdout, stderr string, failed bool) {
	t.Helper()
	ssh := testenv.Need(t, "ssh")[0]
	dir := filepath.Join(t.TempDir(), `with a space and 100%`)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	files, err := w.Files(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, ssh, append([]string{"-F", filepath.Join(dir, ConfigFile)}, more...)...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err = cmd.Run()
	if ctx.Err() != nil {
		t.Fatalf("ssh did not end; it said %q", errOut.String())
	}
	t.Logf("ssh %s: %v\n%s", strings.Join(more, " "), err, errOut.String())
	return out.String(), errOut.String(), err != nil
}

func TestOpenSSHInHealthy(t *testing.T) {
	t.Parallel()
	stdout, stderr, failed := plainSSH(t, open(t, "healthy"), Alias, "echo hello")
	if failed || stdout != "hello\n" || stderr != "" {
		t.Errorf("said %q and %q, failed %v", stdout, stderr, failed)
	}
}

func TestOpenSSHFailsAsTold(t *testing.T) {
	t.Parallel()
	for _, f := range All() {
		if f.Prints == "" {
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, failed := plainSSH(t, open(t, f.Name), Alias, f.Command)
			if !failed || stdout != "" || !regexp.MustCompile(f.Prints).MatchString(stderr) {
				t.Errorf("said %q and %q, failed %v; want %s", stdout, stderr, failed, f.Prints)
			}
		})
	}
}

// Only ConnectTimeout ends the wait before the login, and its message shows
// that nothing else would have.
func TestOpenSSHStarves(t *testing.T) {
	t.Parallel()
	for _, f := range All() {
		if f.Freezes == 0 || f.Name == "no-keepalive" {
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			_, stderr, failed := plainSSH(t, open(t, f.Name), "-o", "ConnectTimeout=1", Alias, "echo hello")
			if !failed || !strings.Contains(stderr, "timed out during banner exchange") {
				t.Errorf("said %q, failed %v", stderr, failed)
			}
		})
	}
}

// The control asks for its first sign of life after the network has forgotten
// the flow, the treatment before.
func TestOpenSSHWithoutKeepaliveFreezes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		interval, stdout, stderr string
		failed                   bool
	}{
		{"3", "", "Timeout, server", true},
		{"1", "awake\n", "", false},
	} {
		t.Run("ServerAliveInterval "+c.interval, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, failed := plainSSH(t, open(t, "no-keepalive"),
				"-o", "ServerAliveInterval="+c.interval, "-o", "ServerAliveCountMax=1", Alias, "sleep 3; echo awake")
			if stdout != c.stdout || !strings.Contains(stderr, c.stderr) || failed != c.failed {
				t.Errorf("said %q and %q, failed %v; want %q, %q, %v", stdout, stderr, failed, c.stdout, c.stderr, c.failed)
			}
		})
	}
}

// Nothing of the user's takes part: neither configuration nor keys, agent or
// known hosts.
func TestConfigurationStandsAlone(t *testing.T) {
	t.Parallel()
	_, stderr, failed := plainSSH(t, open(t, "healthy"), "-v", Alias, "true")
	if failed {
		t.Fatal("ssh fails in the healthy world")
	}
	if strings.Count(stderr, "Reading configuration data") != 1 {
		t.Errorf("ssh read more than the demo's configuration:\n%s", stderr)
	}
	home, _ := os.UserHomeDir()
	for _, no := range []string{filepath.Join(home, ".ssh"), "/etc/ssh"} {
		if strings.Contains(stderr, no) {
			t.Errorf("ssh looked into %s:\n%s", no, stderr)
		}
	}
}
