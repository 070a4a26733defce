package lab

import "context"

const debianTree = `
test -x "$1/usr/sbin/sshd" && exit 0
rm -rf "$1" "$1".new.*
debootstrap --variant=minbase --include=openssh-server trixie "$1.new.$$" >&2
mv "$1.new.$$" "$1"
`

// Debian13 returns the folder of a Debian 13 system, which has OpenSSH 10. It
// is made with debootstrap the first time, which takes a minute, and kept in
// $SSHTAY_CACHE or /var/cache/sshtay.
func Debian13(ctx context.Context) (string, error) {
	return kept(ctx, "debian-13", "/usr/sbin/sshd", debianTree)
}

// tail returns the end of a program's output.
func tail(b []byte) []byte { return b[max(0, len(b)-600):] }
