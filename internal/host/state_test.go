package host

import (
	"os"
	"path/filepath"
	"testing"
)

// TestKeepState: what is kept is the user's own, whole, and in the place that
// the environment names.
func TestKeepState(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_STATE_HOME", dir)
	path, err := StatePath("idle", "x.json")
	if want := filepath.Join(dir, "sshtay", "idle", "x.json"); err != nil || path != want {
		t.Fatalf("%q, %v", path, err)
	}
	for _, text := range []string{"first", "second, and longer"} {
		if err := (Local{}).KeepState(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("read %q, %v", got, err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".new-*")); len(left) > 0 {
		t.Errorf("left %q", left)
	}
	t.Setenv("XDG_STATE_HOME", "relative")
	t.Setenv("HOME", dir)
	if path, _ := StatePath(); path != filepath.Join(dir, ".local", "state", "sshtay") {
		t.Errorf("a relative folder gives %q", path)
	}
	if err := (Local{}).KeepState(filepath.Join(dir, "sshtay", "idle", "x.json", "below-a-file"), nil); err == nil {
		t.Error("wrote below a file")
	}
}
