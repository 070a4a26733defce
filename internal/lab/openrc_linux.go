package lab

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"sshtay/internal/host"
)

// openrcFiles puts the files of OpenRC's packages into one archive, as [debianTree]
// makes its tree. They are this system's own packages, and are never installed: on a
// system with another init they would be in its way.
const openrcFiles = `
mkdir -p "$(dirname "$1")"
exec 9>"$1.lock"
flock 9
test -s "$1" && exit 0
new=$1.new.$$
rm -rf "$1".new.*
mkdir -p "$new/packages" "$new/tree"
cd "$new/packages"
set -- "$1" openrc librc1 libeinfo1 insserv
archive=$1; shift
{ apt-get download "$@" || { apt-get update && apt-get download "$@"; }; } >&2
for p in *.deb; do dpkg-deb -x "$p" "$new/tree"; done
tar -cf "$new/openrc.tar" -C "$new/tree" .
mv "$new/openrc.tar" "$archive"
rm -r "$new"
`

var openrcOnce struct {
	sync.Mutex
	archive []byte
}

// OpenRC returns an archive with OpenRC for a machine with a copy of this system;
// [UnpackOpenRC] puts it there. Its packages are fetched the first time, and
// the archive is kept beside [Debian13].
func OpenRC(ctx context.Context) ([]byte, error) {
	openrcOnce.Lock()
	defer openrcOnce.Unlock()
	if openrcOnce.archive != nil {
		return openrcOnce.archive, nil
	}
	file, err := cached("openrc.tar")
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(file); err != nil {
		r, err := host.Local{}.Run(ctx, host.Command{Argv: []string{"sh", "-euc", openrcFiles, "sh", file}})
		if err != nil {
			return nil, fmt.Errorf("cannot fetch OpenRC: %w", err)
		}
		if r.Exit != 0 {
			return nil, fmt.Errorf("cannot fetch OpenRC into %s (is this Debian, and a mirror within reach?): %s", file, tail(r.Stderr))
		}
	}
	openrcOnce.archive, err = os.ReadFile(file)
	return openrcOnce.archive, err
}

// UnpackOpenRC is a command that unpacks the archive on its standard input. Where
// /lib and its like are links into /usr, they stay so.
var UnpackOpenRC = []string{"tar", "-x", "--keep-directory-symlink", "--no-same-owner", "-C", "/"}

// openrcBoot has OpenRC go through the runlevels, with sshd in the last. sshd has
// left it before it listens, or ends.
const openrcBoot = `
mkdir -p /run/openrc
rc-update -q add ssh default
{ openrc sysinit; openrc boot; openrc default; } >/var/log/rc.log 2>&1
`

// startOpenRC starts a machine's sshd as OpenRC does. One that does not come up is no
// error: the scenario may be about that.
func (l *Live) startOpenRC(m *machine) error {
	archive, err := OpenRC(l.ctx)
	if err != nil {
		return err
	}
	r, err := m.run(l.ctx, root, host.Command{Argv: UnpackOpenRC, Stdin: bytes.NewReader(archive)})
	if err != nil || r.Exit != 0 {
		return fmt.Errorf("unpacking OpenRC on %s: %v: %s", m.name, err, tail(r.Stderr))
	}
	if err := m.script(l.ctx, root, []byte(openrcBoot)); err != nil {
		return err
	}
	return l.wait("sshd on "+m.name, func() (bool, error) {
		if up, err := m.listens(l.port("server")); up || err != nil {
			return true, err
		}
		r, err := m.run(l.ctx, root, host.Command{Argv: []string{"pgrep", "-x", "sshd"}})
		return err == nil && r.Exit == 1, err
	})
}

// cached is the path of something that is kept from run to run.
func cached(name string) (string, error) {
	dir := os.Getenv("SSHTAY_CACHE")
	if dir == "" {
		dir = "/var/cache/sshtay"
	}
	return filepath.Abs(filepath.Join(dir, name))
}
