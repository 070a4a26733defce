package change_test

import (
	"bytes"
	"strings"
	"testing"

	"sshtay/internal/change"
	"sshtay/internal/commit"
	"sshtay/internal/host"
	"sshtay/internal/lab"
	"sshtay/internal/remedy"
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

// booted has OpenRC go through its runlevels, with sshd in the last, and
// somebody log in who stays: what comes out of /run/in then goes through that session.
const booted = `
ip link set lo up
mkdir -p /run/openrc /run/sshd /root/.ssh
ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys
printf '%s\n' 'Include /etc/ssh/sshd_config.d/*.conf' 'HostKey /etc/ssh/ssh_host_ed25519_key' 'UsePAM no' 'PermitRootLogin yes' 'StrictModes no' >/etc/ssh/sshd_config
mkdir -p /etc/ssh/sshd_config.d
rc-update -q add NAME default
{ openrc sysinit; openrc boot; openrc default; } >/run/openrc.log 2>&1
grep -q default /run/openrc/softlevel
rc-service NAME status
mkfifo /run/in
: >/run/through
ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o IPQoS=none 127.0.0.1 'cat <>/run/in' >/run/through 2>/run/ssh.log </dev/null &
echo there >/run/in
`

// atOpenRC is a machine that was started so, with sshd as the service of that
// name, and what its tests ask of it.
type atOpenRC struct {
	machine
	name string
}

func newAtOpenRC(t *testing.T, name string) atOpenRC {
	t.Helper()
	testenv.Need(t, "sshd", "ssh", "ssh-keygen", "ssh-keyscan", "socat", "ip", "apt-get", "dpkg-deb")
	testenv.NeedRoot(t)
	archive, err := lab.OpenRC(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := atOpenRC{newMachine(t), name}
	if r, err := m.Run(t.Context(), host.Command{Argv: lab.UnpackOpenRC, Stdin: bytes.NewReader(archive)}); err != nil || r.Exit != 0 {
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

func (m atOpenRC) named(lines string) string { return strings.ReplaceAll(lines, "NAME", m.name) }

// sessionLives sends a word through the session that was there first.
func (m atOpenRC) sessionLives(word string) {
	m.t.Helper()
	m.must("[ " + word + " = there ] || timeout 10 sh -c 'echo " + word + " >/run/in'\nn=0; until grep -qx " + word + " /run/through; do n=$((n+1)); [ $n -lt 200 ]; sleep 0.05; done")
}

// is holds the machine to a condition, which may take a moment: sshd has left whoever
// started it before it listens, and writes its number down after that.
func (m atOpenRC) is(what, condition string) {
	m.t.Helper()
	if status, out := m.sh(m.named("n=0; until { " + condition + "; } >/run/is 2>&1; do n=$((n+1)); [ $n -lt 100 ] || { cat /run/is; exit 1; }; sleep 0.05; done")); status != 0 {
		m.t.Errorf("not so: %s: %s", what, out)
	}
}

func (m atOpenRC) plan(step remedy.Step) []change.Change {
	m.t.Helper()
	all, left, err := change.Plan(m.t.Context(), m, remedy.Server, change.Request{}, []change.Wanted{{Cause: "test", Remedy: remedy.Remedy{ID: "mend", Side: remedy.Server, Steps: []remedy.Step{step}}}})
	if err != nil || len(left) > 0 || len(all) != 1 {
		m.t.Fatalf("%v, left %+v, %d changes", err, left, len(all))
	}
	return all
}

func (m atOpenRC) apply(id string, want commit.Code, all []change.Change) {
	m.t.Helper()
	o, err := commit.Apply(m.t.Context(), m, commit.Transaction{ID: id, Title: id, Changes: all})
	if err != nil || o.Code != want {
		m.t.Fatalf("%s: %d, want %d: %v %v\n%s", id, o.Code, want, err, o.Err(), o.Said)
	}
}

func (m atOpenRC) rollback(id string) {
	m.t.Helper()
	if o, err := commit.Rollback(m.t.Context(), m, id, "by the test"); err != nil || o.Code != commit.OK {
		m.t.Fatalf("%s: %d: %v %v\n%s", id, o.Code, err, o.Err(), o.Said)
	}
}

// What its sshd tells everybody who connects is what it took notice of.
const (
	tells      = "ssh-keyscan -T 3 -t ed25519 127.0.0.1 2>&1 | grep -q ' by-sshtay'"
	tellsNot   = "ssh-keyscan -T 3 -t ed25519 127.0.0.1 2>&1 | grep OpenSSH | grep -vq by-sshtay"
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
				all := m.plan(remedy.Step{Kind: remedy.SSHDConfig, Text: "say it", With: map[string]string{"VersionAddendum": "by-sshtay"}})
				if reload := all[0].Services[0].Reload; !strings.Contains(reload, "rc-service '"+name+"' reload") {
					t.Errorf("reloads by %q", reload)
				}
				return all
			}
			start := func() []change.Change { return m.plan(remedy.Step{Kind: remedy.StartSSHD, Text: "start it"}) }

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
			stopped := start()
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
			m.apply("died", commit.OK, start())
			m.is("it greets", tellsNot)
			m.is("it is started", isStarted)
			m.rollback("died")
			m.sessionLives("died")
		})
	}
}
