package lab

import (
	"strings"
	"testing"
	"time"

	"sshtay/internal/testenv"
)

// atTerminal runs a command line on a terminal, and types a word each time that
// the terminal asks for a password.
const atTerminal = `mkfifo keys; touch said
script -qefc "$LINE" said <keys >/dev/null 2>&1 &
exec 3>keys
typed=0
while kill -0 $! 2>/dev/null; do
	if [ "$(grep -oE "password for|'s password: " said | wc -l)" -gt $typed ]; then
		echo "$WORD" >&3
		typed=$((typed + 1))
	fi
	sleep 0.1
done
wait $!
status=$?
tr -d '\r' <said
exit $status`

// TestFixByPassword: who logs in by a password is asked for it on the terminal,
// for the check, and for each new connection that proves something; the work is
// done in the check's own login.
func TestFixByPassword(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.Need(t, "ssh", "sshd", "script")
	w := ordinary(t)
	w.User = "root"
	w.Files = append(w.Files,
		File{Side: "server", Name: "sshd_config", Data: []byte("ClientAliveInterval 0\nPubkeyAuthentication no\nPasswordAuthentication yes\nPermitRootLogin yes\n")},
		File{Side: "server", Name: "boot", Data: []byte("echo root:secret | chpasswd\n")},
		File{Side: "client", Name: "~/.ssh/config", Mode: 0o600, Data: []byte("Host web1\n    User root\n")})
	live, err := (&Lab{Program: builtProgram(t), Seed: 1}).Up(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	defer live.Down()
	for _, c := range []struct {
		line, want string
		asked      int
	}{
		{"sshtay fix web1 --yes --side server", "Done and proven", 2},
		{"sshtay history web1", "    confirmed", 1},
		{"sshtay rollback web1", "everything is as it was", 1},
	} {
		r, err := live.shell("cd $(mktemp -d); LINE='"+c.line+"' WORD=secret\n"+atTerminal, time.Minute)
		said := string(r.Stdout)
		if err != nil || r.Exit != 0 || !strings.Contains(said, c.want) {
			t.Errorf("%s ended with %d, %v: %s", c.line, r.Exit, err, said)
		}
		if n := strings.Count(said, "'s password: "); n != c.asked {
			t.Errorf("%s asked %d times for the password, not %d: %s", c.line, n, c.asked, said)
		}
	}
}

// TestFixAsksForSudo: where sudo wants a password, sudo itself asks for it on
// the terminal, once, and the server's side is mended.
func TestFixAsksForSudo(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.Need(t, "ssh", "sshd", "sudo", "script")
	w := ordinary(t)
	w.User = "deploy"
	w.Files = append(w.Files,
		File{Side: "server", Name: "sshd_config", Data: []byte("ClientAliveInterval 0\n")},
		File{Side: "server", Name: "boot", Data: []byte("echo deploy:secret | chpasswd\necho 'deploy ALL=(ALL) ALL' >/etc/sudoers.d/deploy\nchmod 440 /etc/sudoers.d/deploy\n")},
		File{Side: "client", Name: "~/.ssh/config", Mode: 0o600, Data: []byte("Host web1\n    User deploy\n")})
	live, err := (&Lab{Program: builtProgram(t), Seed: 1}).Up(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	defer live.Down()
	typing := func(word string) (string, int) {
		t.Helper()
		r, err := live.shell("cd $(mktemp -d); LINE='sshtay fix web1 --yes --side server' WORD="+word+"\n"+atTerminal, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		return string(r.Stdout), r.Exit
	}
	said, exit := typing("wrong")
	if strings.Contains(said, "Done and proven") || exit == 0 {
		t.Errorf("with a wrong password it ended with %d: %s", exit, said)
	}
	if said, exit = typing("secret"); exit != 0 {
		t.Errorf("it ended with %d", exit)
	}
	for _, want := range []string{"root is needed on web1", "[sudo] password for deploy on web1", "ClientAliveInterval 60", "Done and proven"} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q: %s", want, said)
		}
	}
	if strings.Contains(said, "secret") {
		t.Error("the password is shown")
	}
	if r, err := live.shell("ssh web1 'sudo -n true' 2>&1; ssh web1 cat /etc/ssh/sshd_config.d/00-sshtay.conf", time.Minute); err != nil || !strings.Contains(string(r.Stdout), "ClientAliveInterval 60") {
		t.Errorf("%v: %s", err, r.Stdout)
	}
}
