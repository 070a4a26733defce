package change_test

import (
	"context"
	"strings"
	"testing"

	"sshtay/internal/change"
	"sshtay/internal/commit"
	"sshtay/internal/host"
	"sshtay/internal/lab"
	"sshtay/internal/remedy"
	"sshtay/internal/testenv"
)

// inSystemd is a machine whose process 1 is a real systemd, as a host.
type inSystemd struct{ *testenv.Systemd }

func (m inSystemd) Run(ctx context.Context, c host.Command) (host.Result, error) {
	c.Argv = m.Inside(c.Argv...)
	return host.Local{}.Run(ctx, c)
}

func (m inSystemd) ReadFile(ctx context.Context, name string, limit int) ([]byte, error) {
	r, err := m.Run(ctx, host.Command{Argv: []string{"cat", "--", name}, Limit: limit})
	return r.Stdout, err
}

// newAtSystemd boots a Debian whose sshd is kept by systemd as the lines set it up;
// then somebody logs in who stays.
func newAtSystemd(t *testing.T, name, setup string) served {
	t.Helper()
	tree, err := lab.Debian13(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := served{shell{t, inSystemd{testenv.BootSystemd(t, tree)}}, name}
	t.Cleanup(func() {
		if t.Failed() {
			const tell = "cat /run/ssh.log; systemctl --no-pager status 'ssh*' 'sshd*'; journalctl --no-pager -n 60; tail -n 30 /var/lib/sshtay/*/out"
			r, err := m.Run(context.WithoutCancel(t.Context()), host.Command{Argv: []string{"sh", "-c", tell}})
			t.Log(err, string(r.Stdout))
		}
	})
	m.must(setup + letsRootIn + logsIn)
	m.sessionLives("there")
	return m
}

// Units of sshd beside Debian's own: under the other name, and one process for each
// connection, of which there can be two.
const (
	otherService = `sed '/^Alias=/d' /usr/lib/systemd/system/ssh.service >/etc/systemd/system/sshd.service.new
systemctl -q disable --now ssh.service ssh.socket
rm -f /etc/systemd/system/sshd.service
mv /etc/systemd/system/sshd.service.new /etc/systemd/system/sshd.service
ln -s /dev/null /etc/systemd/system/ssh.service
systemctl daemon-reload
systemctl -q enable --now sshd.service
`
	socketService = `systemctl -q disable --now ssh.service
systemctl -q enable --now ssh.socket
`
	socketPerConnection = `systemctl -q disable --now ssh.service ssh.socket
printf '%s\n' '[Socket]' ListenStream=22 Accept=yes MaxConnections=2 '[Install]' WantedBy=sockets.target >/etc/systemd/system/sshd.socket
printf '%s\n' '[Service]' RuntimeDirectory=sshd RuntimeDirectoryPreserve=yes 'ExecStart=-/usr/sbin/sshd -i' StandardInput=socket KillMode=process >/etc/systemd/system/sshd@.service
systemctl daemon-reload
systemctl -q enable --now sshd.socket
`
)

// TestSystemdService: under a real systemd, as ssh.service and as sshd.service, a change
// of sshd_config is taken notice of by a reload, one that ends sshd is put back and sshd
// started again, and one that is stopped is started; who had logged in stays.
func TestSystemdService(t *testing.T) {
	for name, setup := range map[string]string{"ssh": "", "sshd": otherService} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newAtSystemd(t, name, setup)
			mainPID := m.must(m.named("systemctl show -p MainPID NAME.service"))
			configure := m.tell()
			if reload := configure[0].Services[0].Reload; !strings.Contains(reload, "systemctl reload '"+name+".service'") {
				t.Errorf("reloads by %q", reload)
			}
			m.apply("reload", commit.OK, configure)
			m.is("sshd took notice", tells)
			m.rollback("reload")
			m.is("sshd took notice of the rollback", tellsNot)
			m.sessionLives("reloaded")
			if now := m.must(m.named("systemctl show -p MainPID NAME.service")); now != mainPID {
				t.Errorf("sshd was started anew: %s, was %s", now, mainPID)
			}

			m.must("systemd-run -q --unit=holder --socket-property=ListenStream=2222 true")
			deadly := m.tell()
			deadly[0].Effects[0].File.New = []byte("Port 2222\n")
			m.apply("deadly", commit.PutBack, deadly)
			m.must("systemctl stop holder.socket")
			m.is("sshd serves as before", tellsNot)
			m.is("systemd knows of it", "systemctl is-active NAME.service")
			m.is("the file is gone", "[ ! -e "+deadly[0].Effects[0].File.Path+" ]")
			m.sessionLives("deadly")

			m.must(m.named("systemctl stop NAME.service"))
			m.apply("stopped", commit.OK, m.start())
			m.is("it greets", tellsNot)
			m.is("it is active", "systemctl is-active NAME.service")
			m.rollback("stopped")
			m.is("it is stopped again", "! systemctl is-active NAME.service")
			m.sessionLives("stopped")
		})
	}
}

// TestSystemdSocket: where systemd listens, a change of sshd_config holds for the next
// connection, whether one sshd serves all or each has its own, also while none runs; and
// one that is stopped is started.
func TestSystemdSocket(t *testing.T) {
	for name, setup := range map[string]string{"ssh": socketService, "sshd": socketPerConnection} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newAtSystemd(t, name, setup)
			m.apply("next", commit.OK, m.tell())
			m.is("the next connection sees it", tells)
			m.rollback("next")
			m.is("the next connection sees the rollback", tellsNot)
			m.sessionLives("changed")

			m.must(m.named("systemctl stop NAME.socket ssh.service"))
			m.is("nothing listens", "! "+tellsNot)
			m.apply("stopped", commit.OK, m.start())
			m.is("it greets", tellsNot)
			m.rollback("stopped")
			m.is("it is stopped again", "! systemctl is-active NAME.socket && ! "+tellsNot)
			m.sessionLives("stopped")

			// While nobody comes no sshd runs, and the folder that it wants is not there.
			m.must(m.named("systemctl start NAME.socket"))
			m.apply("idle", commit.OK, m.tell())
			m.is("the first connection sees it", tells)
			m.rollback("idle")
			m.is("the next connection sees the rollback", tellsNot)
			m.sessionLives("idle")
		})
	}
}

// TestSystemdLimits: a socket unit that serves two connections refuses a third; with the
// limit raised it is served, while the others go on; and after the rollback it is not.
func TestSystemdLimits(t *testing.T) {
	t.Parallel()
	m := newAtSystemd(t, "sshd", socketPerConnection)
	m.must("ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null 127.0.0.1 'echo second; sleep 1000' >/run/second 2>/dev/null </dev/null &\nn=0; until grep -q second /run/second; do n=$((n+1)); [ $n -lt 200 ]; sleep 0.05; done")
	m.is("a third one is refused", "! "+tellsNot)
	raise := func() []change.Change {
		return m.plan(remedy.Step{Kind: remedy.SocketLimits, Text: "raise it", With: map[string]string{"MaxConnections": "256", "TriggerLimitIntervalSec": "0"}})
	}
	m.apply("raise", commit.OK, raise())
	m.is("a third one is served", tellsNot)
	m.sessionLives("raised")
	if again := raise(); len(again[0].Effects) > 0 {
		t.Errorf("raised again: %+v", again[0].Effects)
	}
	m.rollback("raise")
	m.is("a third one is refused again", "! "+tellsNot)
	m.is("the file is gone, and its folder", "[ ! -e /etc/systemd/system/sshd.socket.d ]")
	m.sessionLives("back")
}
