package change_test

import (
	"strings"

	"sshtay/internal/change"
	"sshtay/internal/commit"
	"sshtay/internal/remedy"
)

// served is a machine on which an init keeps sshd as the service of that name, and
// somebody has logged in and stays.
type served struct {
	shell
	name string
}

// logsIn lets root in by a key, and has somebody log in who stays: what comes out of
// /run/in then goes through that session.
const (
	letsRootIn = `mkdir -p /root/.ssh
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys
`
	logsIn = `mkfifo /run/in
: >/run/through
ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o IPQoS=none 127.0.0.1 'cat <>/run/in' >/run/through 2>/run/ssh.log </dev/null &
echo there >/run/in
`
)

func (m served) named(lines string) string { return strings.ReplaceAll(lines, "NAME", m.name) }

// sessionLives sends a word through the session that was there first.
func (m served) sessionLives(word string) {
	m.t.Helper()
	m.must("[ " + word + " = there ] || timeout 10 sh -c 'echo " + word + " >/run/in'\nn=0; until grep -qx " + word + " /run/through; do n=$((n+1)); [ $n -lt 200 ]; sleep 0.05; done")
}

// is holds the machine to a condition, which may take a moment: sshd has left whoever
// started it before it listens, and writes its number down after that.
func (m served) is(what, condition string) {
	m.t.Helper()
	if status, out := m.sh(m.named("n=0; until { " + condition + "; } >/run/is 2>&1; do n=$((n+1)); [ $n -lt 100 ] || { cat /run/is; exit 1; }; sleep 0.05; done")); status != 0 {
		m.t.Errorf("not so: %s: %s", what, out)
	}
}

func (m served) plan(step remedy.Step) []change.Change {
	m.t.Helper()
	all, left, err := change.Plan(m.t.Context(), m, remedy.Server, change.Request{}, []change.Wanted{{Cause: "test", Remedy: remedy.Remedy{ID: "mend", Side: remedy.Server, Steps: []remedy.Step{step}}}})
	if err != nil || len(left) > 0 || len(all) != 1 {
		m.t.Fatalf("%v, left %+v, %d changes", err, left, len(all))
	}
	return all
}

func (m served) apply(id string, want commit.Code, all []change.Change) {
	m.t.Helper()
	o, err := commit.Apply(m.t.Context(), m, commit.Transaction{ID: id, Title: id, Changes: all})
	if err != nil || o.Code != want {
		m.t.Fatalf("%s: %d, want %d: %v %v\n%s", id, o.Code, want, err, o.Err(), o.Said)
	}
}

func (m served) rollback(id string) {
	m.t.Helper()
	if o, err := commit.Rollback(m.t.Context(), m, id, "by the test"); err != nil || o.Code != commit.OK {
		m.t.Fatalf("%s: %d: %v %v\n%s", id, o.Code, err, o.Err(), o.Said)
	}
}

// What its sshd tells everybody who connects is what it took notice of.
const (
	tells    = "ssh-keyscan -T 3 -t ed25519 127.0.0.1 2>&1 | grep -q ' by-sshtay'"
	tellsNot = "ssh-keyscan -T 3 -t ed25519 127.0.0.1 2>&1 | grep OpenSSH | grep -vq by-sshtay"
)

// tell is the change that has it do so.
func (m served) tell() []change.Change {
	m.t.Helper()
	return m.plan(remedy.Step{Kind: remedy.SSHDConfig, Text: "say it", With: map[string]string{"VersionAddendum": "by-sshtay"}})
}

func (m served) start() []change.Change {
	m.t.Helper()
	return m.plan(remedy.Step{Kind: remedy.StartSSHD, Text: "start it"})
}
