package probe

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/target"
	"sshtay/internal/testenv"
)

// patient are limits that only a hanging server meets in a test.
var patient = limits{connect: 10 * time.Second, login: 20 * time.Second, asking: 20 * time.Second, answer: 20 * time.Second,
	collect: 20 * time.Second, linger: 10 * time.Second, noise: 64 << 10, output: 1 << 20}

// loggedIn runs the login probe.
func loggedIn(t *testing.T, to target.Target, lim limits) *fact.Set {
	t.Helper()
	env, facts := newEnv(to), &fact.Set{}
	Config.Run(context.Background(), env, facts)
	login(context.Background(), env, facts, lim)
	return facts
}

// TestEveryLoginShell: the script reaches sh unchanged through whatever shell
// the account has.
func TestEveryLoginShell(t *testing.T) {
	s := newServer(t, "")
	for _, shell := range []string{"sh", "bash", "dash", "zsh", "fish", "tcsh", "csh"} {
		t.Run(shell, func(t *testing.T) {
			facts := loggedIn(t, s.target(newUser(t, testenv.Need(t, shell)[0], nil), "user", "known"), patient)
			want(t, facts, fact.SessionKind, "shell")
			want(t, facts, fact.LoginStage, "session")
			want(t, facts, fact.LoginMethod, "publickey")
			want(t, facts, fact.LoginExit, 0)
			want(t, facts, fact.LoginAddress, "127.0.0.1")
			if key, _ := fact.LoginHostKey.Get(facts); !strings.HasPrefix(key, "ssh-ed25519 SHA256:") {
				t.Errorf("host key %q", key)
			}
			want(t, facts, fact.ServerVia, "login")
			absent(t, facts, fact.LoginReason, "")
			absent(t, facts, fact.SessionNoise, "")
			for _, k := range []fact.Key[time.Duration]{fact.LoginTime, fact.LoginAuthTime, fact.SessionShellTime} {
				if d, ok := k.Get(facts); !ok || d <= 0 {
					t.Errorf("%s = %v, %v", k.Name(), d, ok)
				}
			}
		})
	}
	t.Run("busybox", func(t *testing.T) {
		link := filepath.Join(s.dir, "ash")
		if err := os.Symlink(testenv.Need(t, "busybox")[0], link); err != nil {
			t.Fatal(err)
		}
		facts := loggedIn(t, s.target(newUser(t, link, nil), "user", "known"), patient)
		want(t, facts, fact.SessionKind, "shell")
	})
}

// TestOtherSessions: what an account does instead of running our command is
// named, and never waited for without end.
func TestOtherSessions(t *testing.T) {
	bash, nologin := testenv.Need(t, "bash", "nologin")[0], testenv.Need(t, "nologin")[0]
	noisy := newUser(t, bash, map[string]string{".bashrc": "echo 'Welcome, \x1b[31mstranger'; echo oops >&2\n"})
	endless := newUser(t, bash, map[string]string{".bashrc": "while :; do echo noise noise noise noise; done\n"})
	slow := newUser(t, bash, map[string]string{".bashrc": "echo wait; sleep 30\n"})
	none := newUser(t, nologin, nil)
	broken := newUser(t, "/bin/false", nil)
	echo, reader, sftp, holder := newUser(t, bash, nil), newUser(t, bash, nil), newUser(t, bash, nil), newUser(t, bash, nil)
	s := newServer(t, fmt.Sprintf("Match User %s\n ForceCommand echo only this; exit 3\nMatch User %s\n ForceCommand cat; printf \"read all\" >&2\nMatch User %s\n ForceCommand internal-sftp\n ChrootDirectory /\nMatch User %s\n ForceCommand sh -c \"$SSH_ORIGINAL_COMMAND\"; sleep 30\n",
		echo, reader, sftp, holder))
	hasty := patient
	hasty.answer, hasty.linger = time.Second, 100*time.Millisecond

	for _, c := range []struct {
		user, kind, reason, noise, end string
	}{
		{noisy, "shell", "", `Welcome, \x1b[31mstranger`, ""},
		{endless, "none", "endless-output", "", "noise noise"},
		{slow, "none", "no-answer", "", "still open"},
		{none, "no-shell", "other-command", "", "account is currently not available"},
		{broken, "none", "other-command", "", "status 1 and printed nothing"},
		{echo, "forced-command", "other-command", "", "only this\n(it ended with status 3)"},
		{reader, "forced-command", "other-command", "", "read all\n(it ended with status 0)"},
		{sftp, "sftp-only", "other-command", "", "sftp connections only"},
		{holder, "shell", "", "", ""},
	} {
		facts := loggedIn(t, s.target(c.user, "user", "known"), hasty)
		want(t, facts, fact.SessionKind, c.kind)
		want(t, facts, fact.LoginStage, "session")
		for _, f := range []struct {
			key  fact.Key[string]
			want string
		}{{fact.LoginReason, c.reason}, {fact.SessionNoise, c.noise}, {fact.SessionEnd, c.end}} {
			if got, ok := f.key.Get(facts); ok != (f.want != "") || !strings.Contains(got, f.want) {
				t.Errorf("%s: %s = %q, want %q", c.user, f.key.Name(), got, f.want)
			}
		}
		if _, ok := fact.ServerVia.Get(facts); ok != (c.kind == "shell") {
			t.Errorf("%s: the server's side was read: %v", c.user, ok)
		}
		if got, _ := fact.SessionNoise.Get(facts); strings.Contains(got, "oops") {
			t.Errorf("%s: standard error is taken for noise: %q", c.user, got)
		}
		if t.Failed() {
			t.Fatalf("facts: %v", facts.Entries())
		}
	}
}

// TestLoginsThatFail: the stage and the reason, in words of the closed list.
func TestLoginsThatFail(t *testing.T) {
	s := newServer(t, "")
	s.write("empty", "")
	s.write("changed", fmt.Sprintf("[127.0.0.1]:%d %s", s.port, s.read("stranger.pub")))
	with := func(to target.Target, options ...string) target.Target {
		to.Options = append(to.Options, options...)
		return to
	}
	good := s.target("root", "user", "known")
	closed := good
	closed.Port = freePort(t)
	http := good
	http.Port = speaker(t, "HTTP/1.0 400 Bad Request\r\n\r\n")
	throttled := good
	throttled.Port = speaker(t, "Not allowed at this time\r\n")
	for name, c := range map[string]struct {
		to                    target.Target
		stage, reason, errors string
	}{
		"wrong key":          {s.target("root", "stranger", "known"), "kex", "permission-denied", "Permission denied (publickey)"},
		"unknown host key":   {s.target("root", "user", "empty"), "banner", "host-key-unknown", "Host key verification failed"},
		"changed host key":   {s.target("root", "user", "changed"), "banner", "host-key-changed", "IDENTIFICATION HAS CHANGED"},
		"no common cipher":   {with(good, "KexAlgorithms=diffie-hellman-group1-sha1"), "banner", "no-common-algorithm", "no matching key exchange method"},
		"nobody listens":     {closed, "none", "refused", "Connection refused"},
		"another protocol":   {http, "connect", "not-ssh", ""},
		"refused for now":    {throttled, "connect", "throttled", "Not allowed at this time"},
		"unknown name":       {target.Target{Given: "no-such-host.invalid", ConfigFile: "none"}, "none", "name-", "no-such-host.invalid"},
		"proxy ends":         {with(good, "ProxyCommand=sh -c 'echo sorry >&2; exit 1'"), "none", "proxy-failed", "sorry"},
		"jump host is down":  {target.Target{Given: good.Given, ConfigFile: "none", Jump: fmt.Sprintf("127.0.0.1:%d", closed.Port)}, "none", "proxy-failed", "Connection refused"},
		"broken config line": {with(good, "NoSuchOption=1"), "none", "config-error", "Bad configuration option"},
	} {
		t.Run(name, func(t *testing.T) {
			facts := loggedIn(t, c.to, patient)
			want(t, facts, fact.LoginStage, c.stage)
			if got, _ := fact.LoginReason.Get(facts); !strings.HasPrefix(got, c.reason) {
				t.Errorf("reason %q, want %q", got, c.reason)
			}
			if got, _ := fact.LoginError.Get(facts); !strings.Contains(got, c.errors) {
				t.Errorf("error %q, want %q", got, c.errors)
			}
			absent(t, facts, fact.SessionKind, "the login did not succeed")
			absent(t, facts, fact.ServerVia, "the login did not succeed")
		})
	}
	if known := s.read("empty"); known != "" {
		t.Errorf("a host key was accepted without asking: %s", known)
	}
}

// TestLoginIsCutOff: where the server ends a login that takes too long, how
// long it was allowed is a fact.
func TestLoginIsCutOff(t *testing.T) {
	s := newServer(t, "LoginGraceTime 2\nAuthorizedKeysCommand "+testenv.Need(t, "sleep")[0]+" 30\nAuthorizedKeysCommandUser root\n")
	facts := loggedIn(t, s.target("root", "stranger", "known"), patient)
	want(t, facts, fact.LoginStage, "kex")
	want(t, facts, fact.LoginReason, "closed")
	if cut, ok := fact.LoginCutAfter.Get(facts); !ok || cut < 1900*time.Millisecond {
		t.Errorf("cut off after %v, %v; LoginGraceTime is 2 s", cut, ok)
	}
	absent(t, facts, fact.LoginAuthTime, "")
}

// TestLoginNeedsTheUser: where a password would do and nobody can be asked,
// that is said, and not that access was denied.
func TestLoginNeedsTheUser(t *testing.T) {
	s := newServer(t, "Match all\n PasswordAuthentication yes")
	facts := loggedIn(t, s.target("root", "stranger", "known"), patient)
	want(t, facts, fact.LoginReason, "needs-terminal")
	want(t, facts, fact.LoginMethods, []string{"publickey", "password"})
}

// TestLoginToAMuteServer is bounded.
func TestLoginToAMuteServer(t *testing.T) {
	testenv.Need(t, "ssh")
	hasty := patient
	hasty.login = time.Second
	facts := loggedIn(t, target.Target{Given: "x@127.0.0.1", Port: speaker(t, ""), ConfigFile: "none"}, hasty)
	want(t, facts, fact.LoginStage, "connect")
	want(t, facts, fact.LoginReason, "timed-out")
}

// TestLoginThroughAJump: the ssh of the jump host is not taken for ours.
func TestLoginThroughAJump(t *testing.T) {
	s := newServer(t, "")
	config := filepath.Join(s.dir, "config")
	s.write("config", fmt.Sprintf("Host *\n UserKnownHostsFile %s\n IdentityFile %s\n IdentitiesOnly yes\n User root\n Port %d\n", s.file("known"), s.file("user"), s.port))
	facts := loggedIn(t, target.Target{Given: "127.0.0.1", Jump: "root@127.0.0.1", ConfigFile: config}, patient)
	want(t, facts, fact.LoginStage, "session")
	want(t, facts, fact.SessionKind, "shell")
}

// TestLoginSpendsItsBudget: without a connection left there is no login, and
// that is the reason.
func TestLoginSpendsItsBudget(t *testing.T) {
	env, facts := newEnv(target.Target{Given: "web1"}), &fact.Set{}
	env.Budget = NewBudget(0)
	Login.Run(context.Background(), env, facts)
	absent(t, facts, fact.LoginStage, "enough connections")
	absent(t, facts, fact.ServerVia, "enough connections")
}

// speaker listens, says one thing to whoever comes, and closes, or stays mute
// when there is nothing to say.
func speaker(t *testing.T, say string) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if say == "" {
				t.Cleanup(func() { c.Close() })
				continue
			}
			c.Write([]byte(say))
			c.Read(make([]byte, 1024)) // else our close would be a reset
			c.Close()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// TestLoginDoesNothingElse: whatever the user's configuration has ssh do for
// this host besides, the login runs one command and leaves nothing behind.
func TestLoginDoesNothingElse(t *testing.T) {
	s := newServer(t, "")
	known := s.read("known")
	s.write("config", fmt.Sprintf("Host *\n UserKnownHostsFile %s\n IdentityFile %s\n RemoteCommand echo other\n RequestTTY force\n SessionType none\n"+
		" ForkAfterAuthentication yes\n LocalForward %d 127.0.0.1:1\n ExitOnForwardFailure yes\n ControlMaster auto\n ControlPath %s\n ControlPersist yes\n"+
		" PermitLocalCommand yes\n LocalCommand touch %s\n ForwardAgent yes\n UpdateHostKeys yes\n LogLevel QUIET\n",
		s.file("known"), s.file("user"), s.port, s.file("master"), s.file("touched")))
	facts := loggedIn(t, target.Target{Given: "root@127.0.0.1", Port: s.port, ConfigFile: s.file("config")}, patient)
	want(t, facts, fact.SessionKind, "shell")
	want(t, facts, fact.LoginStage, "session")
	want(t, facts, fact.ServerVia, "login")
	for _, name := range []string{"master", "touched"} {
		if _, err := os.Lstat(s.file(name)); err == nil {
			t.Errorf("the login made %s", s.file(name))
		}
	}
	if s.read("known") != known {
		t.Error("the login changed the known hosts")
	}
}
