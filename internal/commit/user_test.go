//go:build linux

package commit

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sshtay/internal/host"
	"sshtay/internal/testenv"
)

// asUser is this machine as seen by a user without privileges.
type asUser struct {
	inWorld
	owner host.Owner
}

func (m asUser) Run(ctx context.Context, c host.Command) (host.Result, error) {
	c.As = &m.owner
	return m.inWorld.Run(ctx, c)
}

// TestUser: a user's own configuration, with a record in the user's own home.
func TestUser(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	w := newWorld(t)
	os.Chmod(filepath.Dir(w.dir), 0o755)
	home := filepath.Join(filepath.Dir(w.dir), "home")
	os.Mkdir(home, 0o700)
	os.Chown(home, 12345, 12345)
	w.m = asUser{inWorld{host.Local{}, []string{"HOME=" + home, "SSHTAY_ROOT=" + filepath.Dir(w.state), "SSHTAY_STATE=", "XDG_STATE_HOME="}}, host.Owner{UID: 12345, GID: 12345}}
	w.state = home + "/.local/state/sshtay/changes"
	tr := w.transaction("t1", w.create("../home/.ssh/config", "Host *\n\tServerAliveInterval 60\n", 0o600))
	tr.Patience = 3 * time.Second
	o, err := Apply(t.Context(), w.m, tr)
	if err != nil || o.Code != OK || !strings.HasPrefix(o.Record.BootHook, "none: after a restart of this machine, run  sh ") {
		t.Fatalf("%v, %v %+v", err, o.Err(), o)
	}
	for path, mode := range map[string]os.FileMode{"/.ssh": 0o700 | os.ModeDir, "/.ssh/config": 0o600, "/.local/state/sshtay/changes": 0o700 | os.ModeDir} {
		if info, err := os.Stat(home + path); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	w.await("it is put back", func() bool { return w.record("t1").State == RolledBack })
	if _, err := os.Stat(home + "/.ssh"); !os.IsNotExist(err) {
		t.Errorf("the folder stays: %v", err)
	}
	if all, err := History(t.Context(), inWorld{host.Local{}, w.env}); err != nil || len(all) != 0 {
		t.Errorf("root sees %+v, %v", all, err)
	}
	// What belongs to root stays as it is.
	w.write("of root", "old\n", 0o644)
	if o, err := Apply(t.Context(), w.m, w.transaction("t2", w.replace("of root", "new\n"))); err != nil || o.Code != Impossible {
		t.Errorf("%v, %v", err, o.Err())
	}
}
