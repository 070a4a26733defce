package probe

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/host"
	"sshtay/internal/sshwire"
	"sshtay/internal/target"
)

// shaken runs [Config] and [Handshake] for "web", which these lines configure.
func shaken(t *testing.T, change func(*Env), lines string, args ...any) (*Env, *fact.Set) {
	t.Helper()
	env, facts := configured(t, fmt.Sprintf("Host web\n"+lines, args...), "web")
	if change != nil {
		change(env)
	}
	ctx, cancel := context.WithTimeout(context.Background(), env.Timeout)
	defer cancel()
	Handshake.Run(ctx, env, facts)
	return env, facts
}

// completed fails unless every stage was, and says so in facts.
func completed(t *testing.T, facts *fact.Set) {
	t.Helper()
	want(t, facts, fact.HandshakeStage, "kex")
	want(t, facts, fact.HandshakeTries, 1)
	want(t, facts, fact.HandshakeFailures, 0)
	for _, k := range []fact.Any{fact.HandshakeReason, fact.HandshakeDetail, fact.FirstBytes, fact.LooksLike, fact.Refusal, fact.NoCommon} {
		absent(t, facts, k, "")
	}
	if banner, _ := fact.HandshakeBanner.Get(facts); !strings.HasPrefix(banner, "SSH-2.0-OpenSSH_") {
		t.Errorf("banner %q", banner)
	}
	if key, _ := fact.HandshakeHostKey.Get(facts); !strings.HasPrefix(key, "ssh-ed25519 SHA256:") {
		t.Errorf("host key %q", key)
	}
	for _, k := range []fact.Key[time.Duration]{fact.BannerTime, fact.KexInitTime, fact.KexTime} {
		if d, ok := k.Get(facts); !ok || d <= 0 {
			t.Errorf("%s = %v, %v", k.Name(), d, ok)
		}
	}
	for _, k := range []fact.Key[[]string]{fact.ServerKex, fact.ServerHostKey, fact.ServerCiphers, fact.ServerMACs} {
		if l, _ := k.Get(facts); len(l) == 0 || slices.Contains(l, "ext-info-s") {
			t.Errorf("%s = %v", k.Name(), l)
		}
	}
	if n, _ := fact.HandshakeReceived.Get(facts); n < 1000 {
		t.Errorf("%d bytes received", n)
	}
}

func TestHandshakeWithSSHD(t *testing.T) {
	for _, ip := range []string{"127.0.0.1", "::1"} {
		t.Run(ip, func(t *testing.T) {
			s := newServer(t, "ListenAddress ::1")
			env, facts := shaken(t, nil, "HostName %s\nPort %d\nKexAlgorithms sntrup761x25519-sha512@openssh.com,curve25519-sha256", ip, s.port)
			completed(t, facts)
			want(t, facts, fact.HandshakeVia, "direct")
			want(t, facts, fact.KexUsed, "sntrup761x25519-sha512@openssh.com")
			want(t, facts, fact.HandshakeFrozen, false)
			for _, k := range []fact.Key[time.Duration]{fact.ResolveTime, fact.ConnectTime, fact.RTT} {
				if d, ok := k.Get(facts); !ok || d < 0 || d > 20*time.Second {
					t.Errorf("%s = %v, %v", k.Name(), d, ok)
				}
			}
			got, _ := fact.HandshakeAddresses.Get(facts)
			if len(got) != 1 || got[0].Address != ip || got[0].Stage != "kex" || got[0].Reason != "" {
				t.Errorf("addresses %+v", got)
			}
			if env.Budget.Spent() != 1 {
				t.Errorf("%d connections", env.Budget.Spent())
			}
		})
	}
}

// named lets getent answer for every name, as it would with these addresses in
// /etc/hosts; everything else runs for real.
type named struct {
	host.Local
	addresses []string
}

func (n named) Run(ctx context.Context, c host.Command) (host.Result, error) {
	if c.Argv[0] != "getent" {
		return n.Local.Run(ctx, c)
	}
	var out strings.Builder
	for _, a := range n.addresses {
		fmt.Fprintf(&out, "%s STREAM %s\n%s DGRAM\n", a, c.Argv[2], a)
	}
	return host.Result{Stdout: []byte(out.String())}, nil
}

func withAddresses(addresses ...string) func(*Env) {
	return func(env *Env) { env.Local = named{addresses: addresses} }
}

// deaf listens on a port of an address and lets nobody in: the queue is full,
// and the kernel drops what comes.
func deaf(t *testing.T, ip [4]byte, port int) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Port: port, Addr: ip}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		c, err := net.DialTimeout("tcp", fmt.Sprintf("%s:%d", net.IP(ip[:]), port), 100*time.Millisecond)
		if err != nil {
			return
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Fatal("the queue never fills")
}

// A name with many addresses: in order until one accepts, as ssh does, and
// what became of each is told.
func TestHandshakeTriesAddressesInOrder(t *testing.T) {
	s := newServer(t, "ListenAddress ::1")
	deaf(t, [4]byte{127, 0, 0, 2}, s.port)
	env, facts := shaken(t, withAddresses("127.0.0.2", "127.0.0.3", "::1", "127.0.0.1"), "HostName many.example\nPort %d\nConnectTimeout 1", s.port)
	completed(t, facts)
	want(t, facts, fact.ConnectTimeout, time.Second)
	var short []string
	got, _ := fact.HandshakeAddresses.Get(facts)
	for _, a := range got {
		short = append(short, a.Address+" "+a.Family+" "+a.Stage+" "+a.Reason)
	}
	if want := []string{"127.0.0.2 IPv4 resolve timed-out", "127.0.0.3 IPv4 resolve refused", "::1 IPv6 kex ", "127.0.0.1 IPv4  "}; !slices.Equal(short, want) {
		t.Errorf("addresses\n%q, want\n%q", short, want)
	}
	if env.Budget.Spent() != 3 {
		t.Errorf("%d connections, want 3", env.Budget.Spent())
	}
}

func TestHandshakeKeepsToTheFamily(t *testing.T) {
	s := newServer(t, "ListenAddress ::1")
	for familyName, want := range map[string]string{"inet": "127.0.0.1", "inet6": "::1"} {
		_, facts := shaken(t, withAddresses("::1", "127.0.0.1"), "HostName both.example\nPort %d\nAddressFamily %s", s.port, familyName)
		completed(t, facts)
		got, _ := fact.HandshakeAddresses.Get(facts)
		for _, a := range got {
			if (a.Stage == "kex") != (a.Address == want) || len(got) != 2 {
				t.Errorf("%s: addresses %+v", familyName, got)
			}
		}
	}
	_, facts := shaken(t, withAddresses("127.0.0.1"), "HostName four.example\nPort %d\nAddressFamily inet6", s.port)
	want(t, facts, fact.HandshakeStage, "none")
	want(t, facts, fact.HandshakeReason, "name-not-found")
}

// Where one family fails after the connection, the other is looked at too.
func TestHandshakeLooksAtTheOtherFamily(t *testing.T) {
	s := newServer(t, "")
	l, err := net.Listen("tcp", fmt.Sprintf("[::1]:%d", s.port))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	serve(l, func(c *net.TCPConn) { c.Read(make([]byte, 100)); c.SetLinger(0) })
	env, facts := shaken(t, withAddresses("::1", "127.0.0.1"), "HostName both.example\nPort %d", s.port)
	want(t, facts, fact.HandshakeStage, "connect")
	want(t, facts, fact.HandshakeReason, "reset")
	got, _ := fact.HandshakeAddresses.Get(facts)
	if len(got) != 2 || got[0].Reason != "reset" || got[1].Stage != "kex" || got[1].Reason != "" {
		t.Errorf("addresses %+v", got)
	}
	if env.Budget.Spent() != 2 {
		t.Errorf("%d connections", env.Budget.Spent())
	}
}

// serve does the same with every connection, until the listener is closed.
func serve(l net.Listener, do func(c *net.TCPConn)) {
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				do(c.(*net.TCPConn))
				c.Close()
			}()
		}
	}()
}

// talker says one thing to whoever comes, and closes in order once the client
// has introduced itself; with nothing to say it stays open and mute.
func talker(t *testing.T, say string) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	serve(l, func(c *net.TCPConn) { talk(c, say) })
	return l.Addr().(*net.TCPAddr).Port
}

func talk(c *net.TCPConn, say string) {
	c.Write([]byte(say))
	if say != "" {
		c.Read(make([]byte, 1024))
		c.CloseWrite()
	}
	io.Copy(io.Discard, c)
}

func TestHandshakesThatFail(t *testing.T) {
	refusing := freePort(t)
	s := newServer(t, "KexAlgorithms ecdh-sha2-nistp521")
	tests := []struct {
		name, config, stage, reason, detail string
		more                                func(t *testing.T, facts *fact.Set)
	}{
		{"refused", fmt.Sprintf("HostName 127.0.0.1\nPort %d", refusing), "resolve", "refused", "refused", func(t *testing.T, facts *fact.Set) {
			absent(t, facts, fact.HandshakeBanner, "no connection")
			absent(t, facts, fact.ConnectTime, "no connection")
			absent(t, facts, fact.HandshakeFrozen, "no connection")
			want(t, facts, fact.HandshakeFailures, 1)
		}},
		{"no common key exchange", fmt.Sprintf("HostName 127.0.0.1\nPort %d\nKexAlgorithms curve25519-sha256", s.port), "banner", "no-common-algorithm", "curve25519-sha256", func(t *testing.T, facts *fact.Set) {
			want(t, facts, fact.NoCommon, "kex")
			want(t, facts, fact.ServerKex, []string{"ecdh-sha2-nistp521"})
			absent(t, facts, fact.KexUsed, "")
			want(t, facts, fact.HandshakeFailures, 0)
		}},
		{"not SSH", fmt.Sprintf("HostName 127.0.0.1\nPort %d", talker(t, "HTTP/1.1 400 Bad \x1b[31mRequest\r\n\r\n")), "connect", "not-ssh", "identification", func(t *testing.T, facts *fact.Set) {
			want(t, facts, fact.LooksLike, "http")
			want(t, facts, fact.FirstBytes, `HTTP/1.1 400 Bad \x1b[31mRequest\r\n\r\n`)
			want(t, facts, fact.PreBanner, []string{`HTTP/1.1 400 Bad \x1b[31mRequest`, ""})
		}},
		{"refusal in words", fmt.Sprintf("HostName 127.0.0.1\nPort %d", talker(t, "Exceeded MaxStartups\r\n")), "connect", "throttled", "Exceeded MaxStartups", func(t *testing.T, facts *fact.Set) {
			want(t, facts, fact.Refusal, "Exceeded MaxStartups")
		}},
		{"something wrote to sshd before us", fmt.Sprintf("HostName 127.0.0.1\nPort %d", talker(t, "SSH-2.0-OpenSSH_9.2\r\nInvalid SSH identification string.\r\n")), "banner", "protocol-error", "Invalid SSH identification", func(t *testing.T, facts *fact.Set) {
			want(t, facts, fact.Complaint, "Invalid SSH identification string.")
		}},
		{"terminal escapes", fmt.Sprintf("HostName 127.0.0.1\nPort %d", talker(t, "SSH-2.0-evil \x1b]0;owned\a\r\n")), "banner", "closed", "SSH_MSG_KEXINIT", func(t *testing.T, facts *fact.Set) {
			want(t, facts, fact.HandshakeBanner, `SSH-2.0-evil \x1b]0;owned\x07`)
		}},
		{"no such address to bind", fmt.Sprintf("HostName 127.0.0.1\nPort %d\nBindAddress ::1", s.port), "resolve", "local-error", "BindAddress ::1", nil},
		{"no such interface", fmt.Sprintf("HostName 127.0.0.1\nPort %d\nBindInterface nothere0", s.port), "resolve", "local-error", "nothere0", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, facts := shaken(t, nil, "%s", test.config)
			want(t, facts, fact.HandshakeStage, test.stage)
			want(t, facts, fact.HandshakeReason, test.reason)
			if detail, _ := fact.HandshakeDetail.Get(facts); !strings.Contains(detail, test.detail) || strings.ContainsRune(detail, 0x1b) {
				t.Errorf("detail %q", detail)
			}
			if test.more != nil {
				test.more(t, facts)
			}
		})
	}
}

// A mute server: bounded by the run's time, and told from one that closes.
func TestHandshakeWithAMuteServer(t *testing.T) {
	_, facts := shaken(t, func(env *Env) { env.Timeout = time.Second }, "HostName 127.0.0.1\nPort %d", talker(t, ""))
	want(t, facts, fact.HandshakeStage, "connect")
	want(t, facts, fact.HandshakeReason, "timed-out")
	want(t, facts, fact.HandshakeFrozen, true)
	want(t, facts, fact.HandshakeReceived, 0)
}

func TestHandshakeSpendsItsBudget(t *testing.T) {
	_, facts := shaken(t, func(env *Env) { env.Budget = NewBudget(0) }, "HostName 127.0.0.1\nPort 1")
	for _, k := range []fact.Any{fact.HandshakeStage, fact.HandshakeReason, fact.HandshakeTries, fact.RTT} {
		absent(t, facts, k, "enough connections")
	}
}

// BindAddress and BindInterface decide where the connection comes from.
func TestHandshakeIsBound(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	from := make(chan string, 1)
	serve(l, func(c *net.TCPConn) { from <- c.RemoteAddr().(*net.TCPAddr).IP.String() })
	for option, want := range map[string]string{"BindAddress 127.0.0.5": "127.0.0.5", "BindInterface lo": "127.0.0.1"} {
		shaken(t, nil, "HostName 127.0.0.1\nPort %d\n%s", l.Addr().(*net.TCPAddr).Port, option)
		if got := <-from; got != want {
			t.Errorf("%s: came from %s", option, got)
		}
	}
}

// The login's words for why it ended are the handshake's, and more.
func TestReasonsAreTheLoginsToo(t *testing.T) {
	for _, r := range sshwire.Reasons {
		if !slices.Contains(fact.LoginReasons, string(r)) {
			t.Errorf("%s is none of login.reason's words", r)
		}
	}
}

// What the probe says is what its Yields promise, and nothing else.
func TestHandshakeYieldsWhatItSays(t *testing.T) {
	s := newServer(t, "")
	env := newEnv(target.Target{Given: "web"})
	env.Resolved = target.Resolved{User: "root", Host: "127.0.0.1", Port: s.port}
	facts := &fact.Set{}
	Handshake.Run(context.Background(), env, facts)
	want(t, facts, fact.HandshakeStage, "kex")
	for name := range facts.Entries() {
		if !slices.ContainsFunc(Handshake.Yields, func(k fact.Any) bool { return k.Name() == name }) {
			t.Errorf("%s is not among what the probe yields", name)
		}
	}
}
