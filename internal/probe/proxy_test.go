package probe

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/target"
	"sshtay/internal/testenv"
)

// Through the commands that people use, the handshake is the same.
func TestHandshakeThroughProxyCommand(t *testing.T) {
	testenv.Need(t, "socat", "ssh")
	s := newServer(t, "")
	s.write("jump", fmt.Sprintf("Host *\n HostName 127.0.0.1\n Port %d\n User root\n IdentityFile %s\n IdentitiesOnly yes\n UserKnownHostsFile %s\n", s.port, s.file("user"), s.file("known")))
	for name, command := range map[string]string{
		"socat":       "socat - TCP:%h:%p",
		"ssh -W":      "ssh -o BatchMode=yes -F " + s.file("jump") + " -W %h:%p any",
		"a pipeline":  "sh -c 'echo knocking >&2; socat STDIO TCP:%h:%p | cat'",
		"a noisy one": "sh -c 'echo first line; echo second; exec socat - TCP:%h:%p'",
	} {
		t.Run(name, func(t *testing.T) {
			env, facts := shaken(t, nil, "HostName 127.0.0.1\nPort %d\nProxyCommand %s", s.port, command)
			completed(t, facts)
			want(t, facts, fact.HandshakeVia, "proxy-command")
			for _, k := range []fact.Any{fact.ConnectTime, fact.ResolveTime, fact.HandshakeAddresses} {
				absent(t, facts, k, "the proxy finds")
			}
			absent(t, facts, fact.RTT, "kernel does not say")
			switch name {
			case "a pipeline":
				want(t, facts, fact.ProxyStderr, "knocking\n")
			case "a noisy one":
				want(t, facts, fact.PreBanner, []string{"first line", "second"})
			}
			if env.Budget.Spent() != 1 {
				t.Errorf("%d connections", env.Budget.Spent())
			}
		})
	}
}

// TestPassTheConnection is no test: it is the program that
// TestHandshakeThroughFdpass has ssh's place run.
func TestPassTheConnection(t *testing.T) {
	addr := os.Getenv("SSHTAY_TEST_PASS")
	if addr == "" {
		return
	}
	c, err := net.Dial("tcp", addr)
	if err != nil {
		panic(err)
	}
	f, _ := c.(*net.TCPConn).File()
	if err := syscall.Sendmsg(1, []byte{0}, syscall.UnixRights(int(f.Fd())), nil, 0); err != nil {
		panic(err)
	}
	os.Exit(0)
}

// A connection that the proxy passes back is an ordinary one: its round trip
// time is known too.
func TestHandshakeThroughFdpass(t *testing.T) {
	s := newServer(t, "")
	command := "env GORACE=atexit_sleep_ms=0 SSHTAY_TEST_PASS=%h:%p " + os.Args[0] + " -test.run=^TestPassTheConnection$"
	_, facts := shaken(t, nil, "HostName 127.0.0.1\nPort %d\nProxyUseFdpass yes\nProxyCommand %s", s.port, command)
	completed(t, facts)
	want(t, facts, fact.HandshakeVia, "proxy-command")
	want(t, facts, fact.ProxyExit, 0)
	if rtt, ok := fact.RTT.Get(facts); !ok || rtt <= 0 {
		t.Errorf("round trip time %v, %v", rtt, ok)
	}

	_, facts = shaken(t, nil, "HostName 127.0.0.1\nProxyUseFdpass yes\nProxyCommand sh -c 'echo no luck >&2; exit 4'")
	want(t, facts, fact.HandshakeStage, "none")
	want(t, facts, fact.HandshakeReason, "proxy-failed")
	want(t, facts, fact.ProxyExit, 4)
	want(t, facts, fact.ProxyStderr, "no luck\n")
}

func TestProxyCommandsThatFail(t *testing.T) {
	testenv.Need(t, "socat")
	refusing := freePort(t)
	tests := []struct {
		name, command, stage, reason, detail string
	}{
		{"says why", `sh -c 'printf "\033[31mno tunnel\n" >&2; exit 3'`, "none", "proxy-failed", `status 3: \x1b[31mno tunnel`},
		{"says nothing", "false", "none", "proxy-failed", "status 1 and printed nothing"},
		{"is not there", "no-such-program-here", "none", "proxy-failed", "status 127"},
		{"is refused", fmt.Sprintf("socat - TCP:127.0.0.1:%d", refusing), "none", "proxy-failed", "refused"},
		{"unknown token", "socat - %z", "none", "proxy-failed", "%z"},
		{"ends with %", "socat %%%", "none", "proxy-failed", "single %"},
		{"ends in order", "true", "connect", "closed", "status 0"},
		{"server closes", fmt.Sprintf("socat - TCP:127.0.0.1:%d", talker(t, "bye\n")), "connect", "closed", "closed"},
		{"not SSH", fmt.Sprintf("socat - TCP:127.0.0.1:%d", talker(t, "HTTP/1.1 400 Bad Request\r\n\r\n")), "connect", "not-ssh", ""},
		{"dies after the banner", "sh -c 'echo SSH-2.0-x; read a; exit 9'", "banner", "closed", "SSH_MSG_KEXINIT"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, facts := shaken(t, nil, "HostName 127.0.0.1\nProxyCommand %s", test.command)
			want(t, facts, fact.HandshakeStage, test.stage)
			want(t, facts, fact.HandshakeReason, test.reason)
			if detail, _ := fact.HandshakeDetail.Get(facts); !strings.Contains(detail, test.detail) {
				t.Errorf("detail %q", detail)
			}
		})
	}
}

// A proxy that hangs is ended when the time is up, and nobody waits for it.
func TestProxyCommandThatHangs(t *testing.T) {
	_, facts := shaken(t, func(env *Env) { env.Timeout = time.Second }, "ProxyCommand sh -c 'echo waiting >&2; sleep 1000'")
	want(t, facts, fact.HandshakeStage, "none")
	want(t, facts, fact.HandshakeReason, "timed-out")
	want(t, facts, fact.ProxyStderr, "waiting\n")
	absent(t, facts, fact.ProxyExit, "we had to end it")
	absent(t, facts, fact.HandshakeFrozen, "")
}

func TestProxyCommandDashAndHostileNames(t *testing.T) {
	_, facts := shaken(t, nil, "ProxyCommand -")
	absent(t, facts, fact.HandshakeStage, "ProxyCommand -")
	for _, name := range []string{"a;touch /tmp/x", "$(id)", "-oProxyCommand", "a b", "a`id`", "a\nb"} {
		env := newEnv(target.Target{Given: "web"})
		env.Resolved.Host, env.Config = name, map[string][]string{"proxycommand": {"false %h"}}
		facts := &fact.Set{}
		Handshake.Run(context.Background(), env, facts)
		want(t, facts, fact.HandshakeReason, "proxy-failed")
		absent(t, facts, fact.ProxyExit, "no connection")
		if env.Budget.Spent() != 0 {
			t.Errorf("%q was run", name)
		}
	}
}

// jumping is a configuration for web behind these hops, all of them one sshd
// that lets root in.
func jumping(s *server, hops, more string) string {
	return fmt.Sprintf("HostName 127.0.0.1\nPort %d\nProxyJump %s\nHost hop*\nHostName 127.0.0.1\nPort %d\nUser root\nIdentityFile %s\nIdentitiesOnly yes\nUserKnownHostsFile %s\nGlobalKnownHostsFile none\n%s",
		s.port, hops, s.port, s.file("user"), s.file("known"), more)
}

func TestHandshakeThroughProxyJump(t *testing.T) {
	s := newServer(t, "")
	for _, hops := range []string{"hop1", "root@hop1:" + fmt.Sprint(s.port), "hop1,hop2"} {
		env, facts := shaken(t, nil, "%s", jumping(s, hops, ""))
		completed(t, facts)
		want(t, facts, fact.HandshakeVia, "proxy-jump")
		if env.Budget.Spent() != 1 {
			t.Errorf("%s: %d connections", hops, env.Budget.Spent())
		}
	}
}

func TestProxyJumpsThatFail(t *testing.T) {
	s := newServer(t, "")
	closed := freePort(t)
	_, facts := shaken(t, nil, "%s", strings.Replace(jumping(s, "hop1", ""), fmt.Sprintf("Port %d", s.port), fmt.Sprintf("Port %d", closed), 1))
	want(t, facts, fact.HandshakeStage, "none")
	want(t, facts, fact.HandshakeReason, "proxy-failed")
	if said, _ := fact.ProxyStderr.Get(facts); !strings.Contains(said, "Connection refused") {
		t.Errorf("the jump host's ssh said %q", said)
	}

	// The jump host's key is not known, and nobody may be asked: with a
	// terminal the login asks, and so nothing has failed yet.
	unknown := strings.Replace(jumping(s, "hop1", ""), s.file("known"), "/dev/null", 1)
	_, facts = shaken(t, nil, "%s", unknown)
	want(t, facts, fact.HandshakeReason, "proxy-failed")
	if detail, _ := fact.HandshakeDetail.Get(facts); !strings.Contains(detail, "Host key verification failed") && !strings.Contains(detail, "closed by UNKNOWN") {
		t.Errorf("detail %q", detail)
	}
	_, facts = shaken(t, func(env *Env) { env.Terminal = true }, "%s", unknown)
	absent(t, facts, fact.HandshakeReason, "asks the user")
	absent(t, facts, fact.HandshakeStage, "asks the user")
	want(t, facts, fact.HandshakeVia, "proxy-jump")

	// A server that closes behind the jump host is not the jump's fault.
	_, facts = shaken(t, nil, "%s", strings.Replace(jumping(s, "hop1", ""), fmt.Sprintf("Port %d", s.port), fmt.Sprintf("Port %d", talker(t, "bye\n")), 1))
	want(t, facts, fact.HandshakeStage, "connect")
	want(t, facts, fact.HandshakeReason, "closed")
}

func TestJumpArgs(t *testing.T) {
	env := newEnv(target.Target{Given: "web", ConfigFile: "/c"})
	env.Resolved = target.Resolved{User: "u", Host: "2001:db8::7", Port: 2222, Jumps: []string{"a@one:22", "two", "ssh://b@[2001:db8::1]:2200"}}
	got := strings.Join(jumpArgs(env), " ")
	if want := "ssh -o BatchMode=yes -o ControlMaster=no -F /c -l b -p 2200 -J a@one:22,two -W [2001:db8::7]:2222 -- 2001:db8::1"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for hop, want := range map[string][]string{
		"host": {"", "host", ""}, "host:22": {"", "host", "22"}, "u@host": {"u", "host", ""}, "u@d@host:1": {"u@d", "host", "1"},
		"[::1]:22": {"", "::1", "22"}, "::1": {"", "::1", ""}, "ssh://u@host/": {"u", "host", ""},
	} {
		user, name, port := splitHop(hop)
		if !slices.Equal([]string{user, name, port}, want) {
			t.Errorf("%s: %q %q %q", hop, user, name, port)
		}
	}
}

func TestExpand(t *testing.T) {
	env := newEnv(target.Target{Given: "me@alias"})
	env.Resolved = target.Resolved{User: "me", Host: "192.0.2.7", Port: 2222}
	if got, err := expand("x %h %n %p %r 100%%", env); got != "x 192.0.2.7 alias 2222 me 100%" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}
