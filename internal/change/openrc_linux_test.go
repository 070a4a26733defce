package change_test

import (
	"bytes"
	"strings"
	"testing"

	"sshtay/internal/change"
	"sshtay/internal/commit"
	"sshtay/internal/host"
	"sshtay/internal/lab"
	"sshtay/internal/testenv"
)

// openrcService is sshd as a service of OpenRC's own kind, as Alpine and Gentoo
// have it: start and stop are those that OpenRC gives each daemon.
const openrcService = `cat >/etc/init.d/sshd <<'END'
#!/sbin/openrc-run
extra_started_commands="reload"
command=/usr/sbin/sshd
pidfile=/run/sshd.pid

start_pre() {
	$command -t
}

reload() {
	$command -t || return 1
	ebegin "Reloading $RC_SVCNAME"
	start-stop-daemon --stop --signal HUP --exec $command --pidfile $pidfile
	eend $?
}
END
chmod 755 /etc/init.d/sshd
rm /etc/init.d/ssh
`

// booted has OpenRC go through its runlevels, with sshd in the last.
const booted = `
ip link set lo up
mkdir -p /run/openrc /run/sshd
ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
` + letsRootIn + `printf '%s\n' 'Include /etc/ssh/sshd_config.d/*.conf' 'HostKey /etc/ssh/ssh_host_ed25519_key' 'UsePAM no' 'PermitRootLogin yes' 'StrictModes no' >/etc/ssh/sshd_config
mkdir -p /etc/ssh/sshd_config.d
rc-update -q add NAME default
{ openrc sysinit; openrc boot; openrc default; } >/run/openrc.log 2>&1
grep -q default /run/openrc/softlevel
rc-service NAME status
` + logsIn

func newAtOpenRC(t *testing.T, name string) served {
	t.Helper()
	testenv.Need(t, "sshd", "ssh", "ssh-keygen", "ssh-keyscan", "socat", "ip", "apt-get", "dpkg-deb")
	testenv.NeedRoot(t)
	archive, err := lab.OpenRC(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := served{newMachine(t).shell, name}
	if r, err := m.Run(t.Context(), host.Command{Argv: lab.Unpack, Stdin: bytes.NewReader(archive)}); err != nil || r.Exit != 0 {
		t.Fatalf("%v: %s", err, r.Stderr)
	}
	setup := booted
	if name == "sshd" {
		setup = openrcService + booted
	}
	m.must(m.named(setup))
	m.sessionLives("there")
	return m
}

const (
	isStarted  = "rc-service NAME status"
	isStopped  = "! rc-service NAME status && [ -z \"$(ss -Htln 'sport = :22')\" ]"
	takesAPort = "socat -u FAMILY-LISTEN:PORT,fork,reuseaddr /dev/null >/dev/null 2>&1 & echo $! >/run/holder\nn=0; until ss -Htln 'sport = :PORT' | grep -q .; do n=$((n+1)); [ $n -lt 200 ]; sleep 0.05; done"
)

func takes(family, port string) string {
	return strings.NewReplacer("FAMILY", family, "PORT", port).Replace(takesAPort)
}

// TestOpenRC: under a real OpenRC, both with a service of its own kind and with Debian's
// script, a change of sshd_config is taken notice of by a reload, one that ends sshd is
// put back and sshd started again, one that is stopped or has died is started, and one
// that cannot start is left as it was; a session that was there before lives through it all.
func TestOpenRC(t *testing.T) {
	for _, name := range []string{"sshd", "ssh"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newAtOpenRC(t, name)
			defer func() {
				if t.Failed() {
					_, said := m.sh("cat /run/openrc.log /run/ssh.log; rc-status -a; ps -ef; set +e; tail -n 30 /var/lib/sshtay/*/out")
					t.Log(said)
				}
			}()
			configure := func() []change.Change {
				all := m.tell()
				if reload := all[0].Services[0].Reload; !strings.Contains(reload, "rc-service '"+name+"' reload") {
					t.Errorf("reloads by %q", reload)
				}
				return all
			}
			m.apply("reload", commit.OK, configure())
			m.is("sshd took notice", tells)
			m.is("it is started", isStarted)
			m.rollback("reload")
			m.is("sshd took notice of the rollback", tellsNot)
			m.sessionLives("reloaded")

			// Where the port is taken for IPv4 alone, sshd lives on, with IPv6.
			for _, family := range []string{"TCP4", "TCP6"} {
				m.must(takes(family, "2222"))
				deadly := configure()
				deadly[0].Effects[0].File.New = []byte("Port 2222\n")
				m.apply(strings.ToLower(family), commit.PutBack, deadly)
				m.must("kill $(cat /run/holder)")
				m.is("sshd serves as before", tellsNot)
				m.is("OpenRC knows of it", isStarted)
				m.is("the file is gone", "[ ! -e "+deadly[0].Effects[0].File.Path+" ]")
				m.sessionLives(family)
			}

			m.must(m.named("rc-service NAME stop"))
			m.is("it is stopped", isStopped)
			stopped := m.start()
			m.apply("stopped", commit.OK, stopped)
			m.is("it greets", tellsNot)
			m.is("it is started", isStarted)
			m.rollback("stopped")
			m.is("it is stopped again", isStopped)

			m.must(takes("TCP6", "22"))
			m.apply("in-the-way", commit.PutBack, stopped)
			m.must("kill $(cat /run/holder)\nn=0; while ss -Htln 'sport = :22' | grep -q .; do n=$((n+1)); [ $n -lt 200 ]; sleep 0.05; done")
			m.is("it is stopped as before", isStopped)
			m.sessionLives("stopped")

			m.must(m.named("rc-service NAME start"))
			m.is("it greets", tellsNot)
			m.is("it is started", isStarted)
			m.must("kill -9 $(cat /run/sshd.pid)")
			m.apply("died", commit.OK, m.start())
			m.is("it greets", tellsNot)
			m.is("it is started", isStarted)
			m.rollback("died")
			m.sessionLives("died")
		})
	}
}
