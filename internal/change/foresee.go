package change

import (
	"context"

	"sshtay/internal/host"
	"sshtay/internal/sshconf"
)

// What is asked ahead is for a machine that is asked nothing twice (see
// [host.Once]): a plan then has its answers. Far away each is a round trip.

// Glance looks at what nearly every plan for a server looks at.
func Glance(ctx context.Context, m host.Host) {
	glance(ctx, m, sshconf.ServerConfig)
	go realPaths(ctx, m, []string{sshconf.ServerConfig + ".d/00-sshtay.conf"})
	findSSHD(ctx, m, "")
}

// Foresee looks at what such a plan asks for after that, for these connections. What
// sshd itself says is asked at once, as it will be where sshd is in its usual place.
func Foresee(ctx context.Context, m host.Host, request Request) {
	go (&sshd{program: "/usr/sbin/sshd", config: sshconf.ServerConfig}).effective(ctx, m, request.Server)
	SSHDConfig(ctx, m, request.Server, assignments(map[string]string{"ClientAliveInterval": "60", "ClientAliveCountMax": "3"}), true)
}
