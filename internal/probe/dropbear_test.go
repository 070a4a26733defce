package probe

import (
	"fmt"
	"os/exec"
	"testing"

	"sshtay/internal/fact"
	"sshtay/internal/testenv"
)

// TestDropbearServer: a server that hangs up on long commands is read all the
// same, and not taken for one that breaks sessions.
func TestDropbearServer(t *testing.T) {
	dropbear, key := testenv.Need(t, "dropbear")[0], testenv.Need(t, "dropbearkey")[0]
	s := prepareServer(t, "")
	run(t, key, "-t", "ed25519", "-f", s.file("dropbear"))
	user := newUser(t, testenv.Need(t, "sh")[0], map[string]string{"authorized_keys": s.read("user.pub")})
	home := homeOf(t, user)
	run(t, "sh", "-c", fmt.Sprintf("mkdir %[1]s/.ssh && mv %[1]s/authorized_keys %[1]s/.ssh && chown -R %[2]s %[1]s && chmod -R go-rwx %[1]s", home, user))
	s.start(exec.Command(dropbear, "-F", "-E", "-s", "-r", s.file("dropbear"), "-p", fmt.Sprintf("127.0.0.1:%d", s.port), "-P", s.file("pid")))
	to := s.target(user, "user", "empty")
	to.Options = append(to.Options, "StrictHostKeyChecking=accept-new") // its key is of another form than OpenSSH's

	facts := loggedIn(t, to, patient)
	want(t, facts, fact.SessionKind, "shell")
	absent(t, facts, fact.LoginReason, "")
	want(t, facts, fact.SSHDImplementation, "dropbear")
	want(t, facts, fact.SSHDRunning, true)
	want(t, facts, fact.Connections, 1)
	want(t, facts, fact.SSHDActivation, "daemon")
	if n, _ := fact.MemTotal.Get(facts); n <= 0 {
		t.Errorf("memory %d", n)
	}
	absent(t, facts, fact.ClientAliveInterval, "not OpenSSH")
	if t.Failed() {
		t.Log(story(facts))
	}
}
