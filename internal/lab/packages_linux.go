package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"sshtay/internal/host"
)

// packageFiles puts the files of packages into one archive, as [debianTree]
// makes its tree. They are this system's own packages, and are never installed: on a
// system with another init they would be in its way.
const packageFiles = `
mkdir -p "$(dirname "$1")"
exec 9>"$1.lock"
flock 9
test -s "$1" && exit 0
new=$1.new.$$
rm -rf "$1".new.*
mkdir -p "$new/packages" "$new/tree"
cd "$new/packages"
archive=$1; shift
{ apt-get download "$@" || { apt-get update && apt-get download "$@"; }; } >&2
for p in *.deb; do dpkg-deb -x "$p" "$new/tree"; done
tar -cf "$new/files.tar" -C "$new/tree" .
mv "$new/files.tar" "$archive"
rm -r "$new"
`

var packages struct {
	sync.Mutex
	archives map[string][]byte
}

// Packages returns an archive with the files of packages of this system, under a name
// of our own, for a machine with a copy of it; [Unpack] puts it there. They are
// fetched the first time, and the archive is kept beside [Debian13].
func Packages(ctx context.Context, name string, names ...string) ([]byte, error) {
	packages.Lock()
	defer packages.Unlock()
	if archive := packages.archives[name]; archive != nil {
		return archive, nil
	}
	file, err := cached(name + ".tar")
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(file); err != nil {
		r, err := host.Local{}.Run(ctx, host.Command{Argv: append([]string{"sh", "-euc", packageFiles, "sh", file}, names...)})
		if err != nil {
			return nil, fmt.Errorf("cannot fetch %s: %w", name, err)
		}
		if r.Exit != 0 {
			return nil, fmt.Errorf("cannot fetch %s into %s (is this Debian, and a mirror within reach?): %s", name, file, tail(r.Stderr))
		}
	}
	archive, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if packages.archives == nil {
		packages.archives = map[string][]byte{}
	}
	packages.archives[name] = archive
	return archive, nil
}

// Unpack is a command that unpacks such an archive on its standard input. Where
// /lib and its like are links into /usr, they stay so.
var Unpack = []string{"tar", "-x", "--keep-directory-symlink", "--no-same-owner", "-C", "/"}

// cached is the path of something that is kept from run to run.
func cached(name string) (string, error) {
	dir := os.Getenv("SSHTAY_CACHE")
	if dir == "" {
		dir = "/var/cache/sshtay"
	}
	return filepath.Abs(filepath.Join(dir, name))
}
