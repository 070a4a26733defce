package lab

import (
	"context"
	"fmt"
	"os"
	"sync"

	"sshtay/internal/host"
)

// debianTree makes the tree: the script holds a lock while it works, so that
// it is made once however many want it, and shows it only when it is whole.
const debianTree = `
mkdir -p "$(dirname "$1")"
exec 9>"$1.lock"
flock 9
test -x "$1/usr/sbin/sshd" && exit 0
rm -rf "$1" "$1".new.*
debootstrap --variant=minbase --include=openssh-server trixie "$1.new.$$" >&2
mv "$1.new.$$" "$1"
`

var debianOnce struct {
	sync.Mutex
	tree string
}

// Debian13 returns the folder of a Debian 13 system, which has OpenSSH 10. It
// is made with debootstrap the first time, which takes a minute, and kept in
// $SSHTAY_CACHE or /var/cache/sshtay.
func Debian13(ctx context.Context) (string, error) {
	debianOnce.Lock()
	defer debianOnce.Unlock()
	if debianOnce.tree != "" {
		return debianOnce.tree, nil
	}
	tree, err := cached("debian-13")
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(tree + "/usr/sbin/sshd"); err != nil {
		r, err := host.Local{}.Run(ctx, host.Command{Argv: []string{"sh", "-euc", debianTree, "sh", tree}})
		if err != nil {
			return "", fmt.Errorf("cannot make a Debian 13 tree: %w", err)
		}
		if r.Exit != 0 {
			return "", fmt.Errorf("cannot make a Debian 13 tree in %s (is debootstrap installed, and a Debian mirror within reach?): %s", tree, tail(r.Stderr))
		}
	}
	debianOnce.tree = tree
	return tree, nil
}

// tail returns the end of a program's output.
func tail(b []byte) []byte { return b[max(0, len(b)-600):] }
