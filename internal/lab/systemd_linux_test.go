package lab

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"sshtay/internal/host"
	"sshtay/internal/testenv"
)

// TestConsoleOfSystemd: at the console of a Debian whose systemd listens for sshd, a
// check finds nothing broken while nobody is connected and no sshd runs; a fix holds for
// the next connection; and a socket that was stopped is found, started, and stopped again
// by a rollback.
func TestConsoleOfSystemd(t *testing.T) {
	t.Parallel()
	tree, err := Debian13(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	machine := testenv.BootSystemd(t, tree)
	program, err := os.ReadFile(builtProgram(t))
	if err != nil {
		t.Fatal(err)
	}
	run := func(line string, want int, stdin []byte) string {
		t.Helper()
		r, err := host.Local{}.Run(t.Context(), host.Command{Argv: machine.Inside("sh", "-c", line), Stdin: bytes.NewReader(stdin)})
		if err != nil || r.Exit != want {
			t.Fatalf("%s: ended with %d, %v: %s%s", line, r.Exit, err, r.Stdout, r.Stderr)
		}
		return string(r.Stdout)
	}
	says := func(said string, all ...string) {
		t.Helper()
		for _, want := range all {
			if said = strings.Join(strings.Fields(said), " "); !strings.Contains(said, want) {
				t.Errorf("it does not say %q: %s", want, said)
			}
		}
	}
	const (
		isIdle    = "systemctl is-active ssh.socket && ! systemctl is-active ssh.service && ! [ -e /run/sshd ]"
		isStopped = "! systemctl is-active ssh.socket ssh.service"
		greets    = "ssh-keyscan -T 3 -t ed25519 127.0.0.1 2>&1 | grep -q ' ssh-ed25519 '"
	)
	run("cat >/usr/bin/sshtay; chmod 755 /usr/bin/sshtay", 0, program)
	run("systemctl -q disable --now ssh.service && systemctl -q enable --now ssh.socket && "+isIdle, 0, nil)

	says(run("sshtay check", 1, nil), "this machine: at risk", "keepalive")
	if said := run("sshtay check --json", 1, nil); strings.Contains(said, `"cause": "sshd-broken", "status": "likely"`) || !strings.Contains(said, "made when one is started") {
		t.Errorf("an sshd that waits for its first connection: %s", said)
	}
	run(isIdle, 0, nil)
	says(run("sshtay fix --yes --side server", 0, nil), "Done and proven", "ClientAliveInterval 60")
	says(run("sshd -G -T -C user=root | grep -i clientalive", 0, nil), "clientaliveinterval 60")
	run(greets, 0, nil)
	run("sshtay rollback && ! [ -e /etc/ssh/sshd_config.d/00-sshtay.conf ]", 0, nil)

	run("systemctl stop ssh.socket ssh.service && "+isStopped, 0, nil)
	says(run("sshtay fix --yes --only sshd-broken", 0, nil), "sshd-broken likely → ruled-out", "Done and proven")
	run("systemctl is-active ssh.socket && "+greets, 0, nil)
	run("sshtay rollback && "+isStopped, 0, nil)
}
