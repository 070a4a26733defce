// Package testenv states what a test needs from the machine.
//
// A test that lacks its need must not look like one that passed: on a
// developer's machine it is skipped with a loud reason, in CI it fails.
package testenv

import (
	"os"
	"os/exec"
	"testing"
)

// NeedRoot ends the test unless it runs as root: in CI it fails, elsewhere it
// is skipped.
func NeedRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		lack(t, "root (network namespaces, a real sshd): run it with sudo")
	}
}

// Need ends the test unless every program is there, on PATH or in the sbin
// folders that a user's PATH often lacks. It returns their paths, in order.
func Need(t testing.TB, programs ...string) []string {
	t.Helper()
	var paths []string
	for _, p := range programs {
		path, err := Find(p)
		if err != nil {
			lack(t, "the program "+p+": run `make deps`")
		}
		paths = append(paths, path)
	}
	return paths
}

// Find looks for a program on PATH and in /usr/sbin, /sbin, /usr/local/sbin.
func Find(program string) (string, error) {
	path, err := exec.LookPath(program)
	if err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin/", "/sbin/", "/usr/local/sbin/"} {
		if path, err2 := exec.LookPath(dir + program); err2 == nil {
			return path, nil
		}
	}
	return "", err
}

func lack(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("CI must not skip: this test needs %s", what)
	}
	t.Skipf("SKIPPED, NOT PASSED: this test needs %s", what)
}
