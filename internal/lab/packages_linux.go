package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"sshtay/internal/host"
)

// packageFiles puts the files of packages into one archive. They are this system's own packages, and are never installed: on a
// system with another init they would be in its way.
const packageFiles = `
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

// Packages returns an archive with the files of packages of this system, under a name
// of our own, for a machine with a copy of it; [Unpack] puts it there. They are
// fetched the first time, and the archive is kept beside [Debian13].
func Packages(ctx context.Context, name string, names ...string) ([]byte, error) {
	file, err := kept(ctx, name+".tar", "", packageFiles, names...)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(file)
}

// Unpack is a command that unpacks such an archive on its standard input. Where
// /lib and its like are links into /usr, they stay so.
var Unpack = []string{"tar", "-x", "--keep-directory-symlink", "--no-same-owner", "-C", "/"}

// kept is the path of something that is kept from run to run, and made the first
// time by a script, which is given the path and these words. It is there when what
// proves it is below the path.
func kept(ctx context.Context, name, proof, script string, words ...string) (string, error) {
	dir := os.Getenv("SSHTAY_CACHE")
	if dir == "" {
		dir = "/var/cache/sshtay"
	}
	path, err := filepath.Abs(filepath.Join(dir, name))
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path + proof); err == nil {
		return path, nil
	}
	r, err := host.Local{}.Run(ctx, host.Command{Argv: append([]string{"sh", "-euc", locked + script, "sh", path}, words...)})
	if err != nil {
		return "", fmt.Errorf("cannot make %s: %w", path, err)
	}
	if r.Exit != 0 {
		return "", fmt.Errorf("cannot make %s (is this Debian, with what `make deps` installs, and a mirror within reach?): %s", path, tail(r.Stderr))
	}
	return path, nil
}

// locked begins such a script: it holds a lock while it works, so that a thing is made
// once however many want it. It shows it only when it is whole.
const locked = `
mkdir -p "$(dirname "$1")"
exec 9>"$1.lock"
flock 9
`
