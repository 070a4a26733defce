package probe

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/host"
	"sshtay/internal/target"
	"sshtay/internal/testenv"
)

// newEnv is what a probe gets in tests: this machine and a wide budget.
func newEnv(t target.Target) *Env {
	return &Env{Target: t, Local: host.Local{}, Budget: NewBudget(100), Timeout: 30 * time.Second, Version: "test", Progress: func(string) {}}
}

// configured runs [Config] for a target under a configuration of its own.
func configured(t *testing.T, config, given string) (*Env, *fact.Set) {
	t.Helper()
	testenv.Need(t, "ssh")
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	env, facts := newEnv(target.Target{Given: given, ConfigFile: file}), &fact.Set{}
	Config.Run(context.Background(), env, facts)
	return env, facts
}

// want fails unless the fact has that answer.
func want[T any](t *testing.T, s *fact.Set, k fact.Key[T], value T) {
	t.Helper()
	got, ok := k.Get(s)
	if !ok {
		t.Errorf("%s is absent (%s), want %v", k.Name(), s.Missing()[k.Name()], value)
	} else if !reflect.DeepEqual(got, value) {
		t.Errorf("%s = %v, want %v", k.Name(), got, value)
	}
}

// absent fails if the fact has an answer, or another reason than one that
// holds these words. No words: there must be no reason at all.
func absent(t *testing.T, s *fact.Set, k fact.Any, reason string) {
	t.Helper()
	if e, ok := s.Entry(k.Name()); ok {
		t.Errorf("%s = %v, want none", k.Name(), e.Value)
	} else if why := s.Missing()[k.Name()]; reason == "" && why != "" || !strings.Contains(why, reason) {
		t.Errorf("%s is absent because %q, want %q", k.Name(), why, reason)
	}
}

func TestConfigIsWhatSSHWouldDo(t *testing.T) {
	env, facts := configured(t, `
Host web1
  HostName 192.0.2.7
  User deploy
  Port 2222
  ServerAliveInterval 15
  ConnectTimeout 1m
  ProxyJump alice@a:2200,b
  TCPKeepAlive no
  RekeyLimit 1G 1h
Host *
  ServerAliveInterval 60
  ServerAliveCountMax 5
`, "web1")
	wantTo := target.Resolved{User: "deploy", Host: "192.0.2.7", Port: 2222, Jumps: []string{"alice@a:2200", "b"}}
	if !reflect.DeepEqual(env.Resolved, wantTo) {
		t.Errorf("resolved %+v, want %+v", env.Resolved, wantTo)
	}
	want(t, facts, fact.ServerAliveInterval, 15*time.Second)
	want(t, facts, fact.ServerAliveCountMax, 5)
	want(t, facts, fact.ClientTCPKeepAlive, false)
	want(t, facts, fact.ConnectTimeout, time.Minute)
	want(t, facts, fact.ProxyJump, wantTo.Jumps)
	want(t, facts, fact.ClientRekeyLimit, "1073741824 3600")
	want(t, facts, fact.IdentitiesOnly, false)
	want(t, facts, fact.ControlMaster, "none")
	if kex, _ := fact.ClientKex.Get(facts); len(kex) < 2 {
		t.Errorf("key exchange methods %q", kex)
	}
	if v, _ := fact.ClientSSHVersion.Get(facts); !strings.HasPrefix(v, "OpenSSH_") {
		t.Errorf("version %q", v)
	}
	if d, ok := fact.ClientTCPKeepaliveTime.Get(facts); !ok || d <= 0 {
		t.Errorf("tcp_keepalive_time %v %v", d, ok)
	}
	for _, k := range []fact.Any{fact.ProxyCommand, fact.ControlPath, fact.ClientChannelTimeout, fact.ClientConfigError} {
		absent(t, facts, k, "")
	}
}

// TestConfigNamesTheLine that sets a value, and what that line hides.
func TestConfigNamesTheLine(t *testing.T) {
	env, facts := configured(t, "Host web1\n  ServerAliveInterval 0\nHost *\n  ServerAliveInterval 60\n  ServerAliveInterval 61\n", "web1")
	file := shortPath(env.Target.ConfigFile)
	for k, where := range map[fact.Any]string{
		fact.ServerAliveInterval: file + ":2, which hides 60 in " + file + ":4, 61 in " + file + ":5",
		fact.ServerAliveCountMax: "the default",
	} {
		if e, _ := facts.Entry(k.Name()); e.Source != "ssh -G; "+where {
			t.Errorf("%s is from %q, want %q", k.Name(), e.Source, where)
		}
	}
}

func TestConfigWithoutTimeoutsIsNotZero(t *testing.T) {
	_, facts := configured(t, "Host *\n", "web1")
	absent(t, facts, fact.ConnectTimeout, "")
	want(t, facts, fact.ServerAliveInterval, 0)
}

// TestConfigError: what ssh refuses, with the file and the line, and never a
// silent default in its place.
func TestConfigError(t *testing.T) {
	env, facts := configured(t, "ServerAliveInterval 15\nServerAliveIntervall 15\n", "deploy@web1")
	reason, ok := fact.ClientConfigError.Get(facts)
	if !ok || !strings.Contains(reason, "line 2: Bad configuration option: serveraliveintervall") {
		t.Errorf("reason %q", reason)
	}
	absent(t, facts, fact.ServerAliveInterval, "ssh refuses its configuration")
	if env.Resolved.Host != "web1" || env.Resolved.User != "deploy" {
		t.Errorf("resolved %+v", env.Resolved)
	}
	if got := configError("usage: ssh [-46AaCfGgKkMNnqsTtVvXxYy] [-B bind_interface]\n           [-b bind_address]\n"); !strings.HasPrefix(got, "it does not understand its command line") {
		t.Errorf("of a usage: %q", got)
	}
}

func TestConfigOfThisMachine(t *testing.T) {
	testenv.Need(t, "ssh")
	env, facts := newEnv(target.Target{ConfigFile: "none"}), &fact.Set{}
	Config.Run(context.Background(), env, facts)
	want(t, facts, fact.ServerAliveCountMax, 3)
	if env.Resolved.Host != "localhost" {
		t.Errorf("resolved %+v", env.Resolved)
	}
}

// TestConfigThatHangs: a Match exec that never ends is cut, and said.
func TestConfigThatHangs(t *testing.T) {
	env := newEnv(target.Target{Given: "web1"})
	env.Local = fakeHost(func(ctx context.Context, c host.Command) (host.Result, error) {
		if c.Argv[1] != "-G" {
			return host.Result{Stderr: []byte("OpenSSH_9.2p1")}, nil
		}
		if _, ok := ctx.Deadline(); !ok {
			t.Error("ssh -G runs without a bound")
		}
		return host.Result{Exit: 143, Took: configTime}, errConfigTime
	})
	facts := &fact.Set{}
	Config.Run(context.Background(), env, facts)
	want(t, facts, fact.ServerAliveInterval, 0)
	if e, _ := facts.Entry(fact.ServerAliveInterval.Name()); !strings.Contains(e.Source, "because ssh -G did not end within 5s") {
		t.Errorf("source %q does not say that ssh was not asked", e.Source)
	}
	absent(t, facts, fact.ClientConfigError, "")
	want(t, facts, fact.ClientConfigTime, configTime)
	if env.Resolved.Host != "web1" {
		t.Errorf("resolved %+v", env.Resolved)
	}
}

func TestConfigWithoutSSH(t *testing.T) {
	env := newEnv(target.Target{Given: "ssh://deploy@web1:2222"})
	env.Local = fakeHost(func(context.Context, host.Command) (host.Result, error) {
		return host.Result{}, host.ErrNotFound
	})
	facts := &fact.Set{}
	Config.Run(context.Background(), env, facts)
	absent(t, facts, fact.ClientSSHVersion, "no ssh program")
	if e, _ := facts.Entry(fact.ServerAliveCountMax.Name()); e.Value != 3 || !strings.Contains(e.Source, "no ssh program") {
		t.Errorf("ServerAliveCountMax %v from %q", e.Value, e.Source)
	}
	want := target.Resolved{User: "deploy", Host: "web1", Port: 2222, Jumps: []string{}}
	if !reflect.DeepEqual(env.Resolved, want) {
		t.Errorf("resolved %+v, want %+v", env.Resolved, want)
	}
}

// TestControlMaster tells a socket that nobody serves, and one whose ssh does
// not answer, from none at all.
func TestControlMaster(t *testing.T) {
	dir := t.TempDir()
	dead, mute := filepath.Join(dir, "dead"), filepath.Join(dir, "mute%h")
	for _, path := range []string{dead, mute} {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		l.SetUnlinkOnClose(false)
		if path == dead {
			l.Close()
		}
		defer l.Close()
	}
	for path, state := range map[string]string{filepath.Join(dir, "no"): "none", dead: "dead", strings.ReplaceAll(mute, "%", "%%"): "mute"} {
		_, facts := configured(t, "ControlPath "+path+"\n", "web1")
		want(t, facts, fact.ControlMaster, state)
	}
}

// TestControlSocket: a socket that ssh could not make after the login is seen
// before it.
func TestControlSocket(t *testing.T) {
	dir := t.TempDir()
	long := filepath.Join(dir, strings.Repeat("x", longestSocket()-len(dir)-1))
	for name, c := range map[string]struct{ config, says string }{
		"a folder that is there":     {"ControlMaster auto\nControlPath " + dir + "/%C\n", ""},
		"a folder that is not there": {"ControlMaster auto\nControlPath " + dir + "/no/%C\n", "the folder " + dir + "/no does not exist"},
		"no socket is made":          {"ControlPath " + dir + "/no/%C\n", ""},
		"as long as may be":          {"ControlMaster yes\nControlPath " + long + "\n", ""},
		"too long":                   {"ControlMaster yes\nControlPath " + long + "x\n", "fit"},
	} {
		_, facts := configured(t, c.config, "web1")
		if got, _ := fact.ControlPathError.Get(facts); !strings.Contains(got, c.says) || c.says == "" && got != "" {
			t.Errorf("%s: %q, want %q", name, got, c.says)
		}
	}
}

// A fakeHost answers commands by a function; it has no files.
type fakeHost func(context.Context, host.Command) (host.Result, error)

func (f fakeHost) Run(ctx context.Context, c host.Command) (host.Result, error) { return f(ctx, c) }

func (fakeHost) ReadFile(_ context.Context, name string, _ int) ([]byte, error) {
	return nil, &os.PathError{Op: "open", Path: name, Err: os.ErrNotExist}
}

// TestForwards: what ssh could not listen on is told, and what it could is not.
func TestForwards(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	socket := filepath.Join(t.TempDir(), "taken")
	if err := os.WriteFile(socket, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	taken := func(at string) []string { return []string{at} }
	for config, want := range map[string][]string{
		fmt.Sprintf("LocalForward 127.0.0.1:%d x:1", port):                             taken(fmt.Sprintf("[127.0.0.1]:%d: address already in use", port)),
		fmt.Sprintf("AddressFamily inet\nDynamicForward %d", port):                     taken(fmt.Sprintf("%d: address already in use", port)),
		fmt.Sprintf("AddressFamily inet\nGatewayPorts yes\nLocalForward %d x:1", port): taken(fmt.Sprintf("%d: address already in use", port)),
		fmt.Sprintf("LocalForward %d x:1", port):                                       {}, // free on ::1
		"LocalForward 192.0.2.77:7 x:1":                                                taken("[192.0.2.77]:7: cannot assign requested address"),
		"LocalForward " + socket + " x:1":                                              taken(socket + ": there is a file of that name already, and StreamLocalBindUnlink is no"),
		"StreamLocalBindUnlink yes\nLocalForward " + socket + " x:1":                   {},
		fmt.Sprintf("ClearAllForwardings yes\nLocalForward 127.0.0.1:%d x:1", port):    nil,
		"RemoteForward 9 x:1":                                                          nil,
	} {
		_, facts := configured(t, config, "web1")
		got, ok := fact.ForwardsTaken.Get(facts)
		if ok != (want != nil) || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v; want %q", config, got, ok, want)
		}
		if remote, _ := fact.RemoteForwards.Get(facts); strings.HasPrefix(config, "Remote") != slices.Equal(remote, []string{"9"}) {
			t.Errorf("%s: remote %q", config, remote)
		}
	}
}
