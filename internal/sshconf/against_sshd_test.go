package sshconf

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"sshtay/internal/testenv"
)

// TestServerAgainstSSHD holds our reading of generated configurations against
// that of the system's sshd: every value, and whether there is an error.
func TestServerAgainstSSHD(t *testing.T) {
	programs := testenv.Need(t, "sshd", "ssh-keygen", "ssh")
	sshd := programs[0]
	release := releaseOf(t, programs[2], "-V") // sshd's own text does not tell Debian's patches
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	if out, err := exec.Command(programs[1], "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
	if os.Geteuid() == 0 { // sshd wants it when it runs as root
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	env := testEnv()
	numbered(t, serverCases, func(number int) (bool, error) {
		g := newGenerator(*seedFlag, uint64(number)+1<<32, filepath.Join(dir, fmt.Sprint(number)))
		c, err := g.serverCase(release)
		if err == nil {
			err = install(c.files)
		}
		if err != nil {
			return false, err
		}
		defer os.RemoveAll(g.dir)
		args := []string{"-T", "-f", c.request.Config, "-h", key, "-C", c.spec}
		for _, o := range c.request.Options {
			args = append(args, "-o", o)
		}
		var out, complaint bytes.Buffer
		cmd := exec.Command(sshd, args...)
		cmd.Stdout, cmd.Stderr = &out, &complaint
		theirs := cmd.Run()
		c.request.Options = append([]string{"HostKey=" + key}, c.request.Options...)
		ours, err := ResolveServer(env, c.request)
		if diff := compare(out.Bytes(), &ours.Resolved, theirs, err, complaint.String()); diff != "" {
			return theirs != nil, fmt.Errorf("%s\nsshd %q\n%s", diff, args, show(c.files))
		}
		return theirs != nil, nil
	})
}
