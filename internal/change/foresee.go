package change

import (
	"context"

	"sshtay/internal/host"
	"sshtay/internal/sshconf"
)

// Foresee looks at what nearly every plan for a server looks at, so that a
// machine that is asked nothing twice (see [host.Once]) has answered it already.
// What is asked only once the first answers are there is asked at once, as it
// will be where sshd is in its usual place: far away each answer is a round trip.
func Foresee(ctx context.Context, m host.Host, request Request) {
	go (&sshd{program: "/usr/sbin/sshd", config: sshconf.ServerConfig}).effective(ctx, m, request.Server)
	go realPaths(ctx, m, []string{sshconf.ServerConfig + ".d/00-sshtay.conf"})
	SSHDConfig(ctx, m, request.Server, assignments(map[string]string{"ClientAliveInterval": "60", "ClientAliveCountMax": "3"}), true)
}
