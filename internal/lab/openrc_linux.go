package lab

import (
	"bytes"
	"context"
	"fmt"

	"sshtay/internal/host"
)

// OpenRC returns an archive with OpenRC's packages, see [Packages].
func OpenRC(ctx context.Context) ([]byte, error) {
	return Packages(ctx, "openrc", "openrc", "librc1", "libeinfo1", "insserv")
}

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
	r, err := m.run(l.ctx, root, host.Command{Argv: Unpack, Stdin: bytes.NewReader(archive)})
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
