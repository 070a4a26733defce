package sshconf

import (
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The real file system is read within bounds, and never waited for.
func TestThisMachine(t *testing.T) {
	env, dir := OS(), t.TempDir()
	write := func(name, body string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(body), 0o640); err != nil {
			t.Fatal(err)
		}
		return path
	}
	a, b := write("b.conf", "Port 1\n"), write("a.conf", "Port 2\n")
	write(".hidden.conf", "")
	if src, err := env.ReadFile(a, 100); string(src) != "Port 1\n" || err != nil {
		t.Errorf("%q, %v", src, err)
	}
	if _, err := env.ReadFile(a, 3); !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), a) {
		t.Errorf("too large: %v", err)
	}
	if src, err := env.ReadFile(dir, 100); len(src) != 0 || err != nil {
		t.Errorf("a directory: %q, %v", src, err)
	}
	if _, err := env.ReadFile(filepath.Join(dir, "none"), 100); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("not there: %v", err)
	}
	if _, err := env.ReadFile("/dev/zero", 100); err == nil {
		t.Error("a device is read")
	}
	if found, err := env.Glob(dir + "/*.conf"); !slices.Equal(found, []string{b, a}) || err != nil {
		t.Errorf("%q, %v", found, err)
	}
	info, err := env.Stat(a)
	if err != nil || info.UID != os.Getuid() || info.Mode.Perm() != 0o640 {
		t.Errorf("%+v, %v", info, err)
	}
	if u, err := user.Current(); err != nil || env.User != u.Username || env.Home == "" || env.Hostname == "" {
		t.Errorf("user %q, home %q, host %q, %v", env.User, env.Home, env.Hostname, err)
	}
	if home, ok := env.UserHome("root"); !ok || home == "" {
		t.Errorf("home of root: %q", home)
	}
	if groups, ok := env.Groups("root"); !ok || !slices.Contains(groups, "root") {
		t.Errorf("groups of root: %q", groups)
	}
	if _, ok := env.Groups("no such user"); ok {
		t.Error("groups of nobody")
	}
	if addrs, err := env.InterfaceAddrs(); err != nil || len(addrs) == 0 {
		t.Errorf("addresses %v, %v", addrs, err)
	}
	if env.PrivateGroup(0, 12345) {
		t.Error("the group of root belongs to another")
	}
}
