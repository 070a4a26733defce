package sshconf

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

var debian12 = Release{Major: 9, Minor: 2, Debian: true, Text: "OpenSSH_9.2p1 Debian-2+deb12u10"}

// machine is a machine with these files, and a user ann on it.
func machine(files map[string]string) *Env {
	bytes := map[string][]byte{}
	for name, body := range files {
		bytes[name] = []byte(body)
	}
	env := Files(bytes)
	env.Home, env.User, env.UID, env.Hostname = "/home/ann", "ann", 1000, "desk.example.org"
	env.Getenv = func(name string) (string, bool) {
		value, ok := map[string]string{"COLOUR": "green"}[name]
		return value, ok
	}
	return env
}

const (
	userConfig   = "/home/ann/.ssh/config"
	systemConfig = "/etc/ssh/ssh_config"
)

// client resolves one host with a user and a system file.
func client(t *testing.T, user, system, host string, options ...Option) *Client {
	t.Helper()
	c, err := ResolveClient(machine(map[string]string{userConfig: user, systemConfig: system}),
		ClientRequest{Host: host, Options: options, Release: debian12})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Every value says which line set it and what that line hides.
func TestProvenance(t *testing.T) {
	user := "Host web1\n  ServerAliveInterval 0\n  User bob\n\nHost *\n  ServerAliveInterval 30\n"
	system := "Host *\n  ServerAliveInterval 60\n  TCPKeepAlive no\n"
	c := client(t, user, system, "web1", Option{'o', "Port=2222"})
	for keyword, want := range map[string]string{
		"serveraliveinterval": "ServerAliveInterval 0 from ~/.ssh/config:2, which hides 30 in ~/.ssh/config:6, 60 in /etc/ssh/ssh_config:2",
		"TCPKeepAlive":        "TCPKeepAlive no from /etc/ssh/ssh_config:3",
		"Port":                "Port 2222 from the command line",
		"ServerAliveCountMax": "ServerAliveCountMax 3 from the default",
		"HostName":            "HostName web1 from the command line",
		"User":                "User bob from ~/.ssh/config:3",
		"ProxyJump":           "ProxyJump is not set",
	} {
		if got := c.Setting(keyword).Describe("/home/ann"); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", keyword, got, want)
		}
	}
	if want := []string{userConfig, systemConfig}; !slices.Equal(c.Files, want) {
		t.Errorf("read %q, want %q", c.Files, want)
	}
	if n, ok := c.Int("ServerAliveInterval"); n != 0 || !ok {
		t.Errorf("ServerAliveInterval is %d, %v", n, ok)
	}
	if n, ok := c.Int("ConnectTimeout"); ok {
		t.Errorf("ConnectTimeout none is no number, and %d is said", n)
	}
}

// What loses is told for the options of which only one can be.
func TestProxyIsOneSlot(t *testing.T) {
	c := client(t, "ProxyJump gate\nProxyCommand nc %h %p\n", "", "web1")
	want := "ProxyJump gate from ~/.ssh/config:1, which hides proxycommand nc %h %p in ~/.ssh/config:2"
	if got := c.Setting("ProxyJump").Describe("/home/ann"); got != want {
		t.Errorf("got %s", got)
	}
	if got := c.Setting("ProxyCommand"); len(got.Values) != 0 {
		t.Errorf("ProxyCommand %v", got.Values)
	}
	c = client(t, "ProxyCommand nc %h %p\nProxyJump gate\n", "", "web1")
	want = "ProxyCommand nc %h %p from ~/.ssh/config:1, which hides ProxyJump gate in ~/.ssh/config:2"
	if got := c.Setting("ProxyCommand").Describe("/home/ann"); got != want {
		t.Errorf("got %s", got)
	}
}

// The user's file comes before the system's; -F replaces both; none is nothing.
func TestLayers(t *testing.T) {
	env := machine(map[string]string{
		userConfig: "IPQoS ef\nIdentityFile ~/.ssh/a\nIdentityFile ~/.ssh/a", systemConfig: "IPQoS cs1\nConnectTimeout 9\nIdentityFile ~/.ssh/a",
		"/tmp/other": "ConnectTimeout 3\n"})
	const defaultKeys = "~/.ssh/id_rsa ~/.ssh/id_ecdsa ~/.ssh/id_ecdsa_sk ~/.ssh/id_ed25519 ~/.ssh/id_ed25519_sk ~/.ssh/id_xmss ~/.ssh/id_dsa"
	for _, c := range []struct{ config, qos, timeout, keys string }{
		{"", "ef ef", "9", "~/.ssh/a ~/.ssh/a"}, // once from either file
		{"/tmp/other", "lowdelay throughput", "3", defaultKeys},
		{"none", "lowdelay throughput", "none", defaultKeys},
	} {
		got, err := ResolveClient(env, ClientRequest{Host: "h", Config: c.config, Release: debian12})
		if err != nil {
			t.Fatal(err)
		}
		keys := strings.Join(got.Setting("IdentityFile").texts(), " ")
		if got.Text("IPQoS") != c.qos || got.Text("ConnectTimeout") != c.timeout || keys != c.keys {
			t.Errorf("-F %q: %s, %s, %s", c.config, got.Text("IPQoS"), got.Text("ConnectTimeout"), keys)
		}
	}
	if _, err := ResolveClient(env, ClientRequest{Host: "h", Config: "/tmp/none"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing -F file: %v", err)
	}
}

// What differs between releases and distributions, each by what it shows.
func TestReleases(t *testing.T) {
	release := func(major, minor int, debian bool) Release {
		return Release{Major: major, Minor: minor, Debian: debian}
	}
	for _, c := range []struct {
		release   Release
		config    string
		key, want string // want "" is an error, or nothing
	}{
		{release(9, 2, false), "BatchMode yes", "ServerAliveInterval", "0"},
		{release(9, 2, true), "BatchMode yes", "ServerAliveInterval", "300"},
		{release(9, 2, true), "BatchMode yes\nServerAliveInterval 0", "ServerAliveInterval", "0"},
		{release(9, 2, true), "SetupTimeOut 7", "ServerAliveInterval", "7"},
		{release(10, 0, true), "SetupTimeOut 7", "ConnectTimeout", "7"},
		{release(9, 2, true), "ProtocolKeepAlives 7", "ServerAliveInterval", "7"},
		{release(9, 2, false), "ProtocolKeepAlives 7", "ServerAliveInterval", ""},
		{release(7, 4, false), "", "IPQoS", "lowdelay throughput"},
		{release(9, 2, false), "", "IPQoS", "af21 cs1"},
		{release(9, 2, true), "", "IPQoS", "lowdelay throughput"},
		{release(10, 1, false), "", "IPQoS", "ef cs0"},
		{release(10, 1, false), "IPQoS lowdelay", "IPQoS", "none none"},
		{release(9, 7, false), "IPQoS 0x10", "IPQoS", "lowdelay lowdelay"},
		{release(9, 8, false), "IPQoS 0x10", "IPQoS", ""},
		{release(9, 2, false), "ServerAliveInterval \"1h 30m\"", "ServerAliveInterval", "5400"},
		{release(10, 3, false), "ServerAliveInterval \"1h 30m\"", "ServerAliveInterval", ""},
		{release(10, 3, false), "ServerAliveInterval 10.5", "ServerAliveInterval", "10"},
		{release(9, 2, false), "ServerAliveInterval 5s5", "ServerAliveInterval", "10"},
		{release(10, 3, false), "ServerAliveInterval 5s5", "ServerAliveInterval", ""},
		{release(9, 3, false), "Tag x", "Tag", ""},
		{release(9, 4, false), "Tag x", "Tag", "x"},
		{release(9, 8, false), "User %u", "User", "%u"},
		{release(10, 0, false), "User %u", "User", "ann"},
		{release(9, 5, false), "ControlPath /c/%j", "ControlPath", ""},
		{release(9, 6, false), "ControlPath /c/%j\nProxyJump gate", "ControlPath", "/c/gate"},
		{release(9, 2, false), "ProxyJump none\nProxyCommand nc", "ProxyCommand", ""},
		{release(10, 3, false), "ProxyJump none\nProxyCommand nc", "ProxyCommand", "nc"},
		{release(9, 2, false), "UseKeychain yes\nPort 1", "Port", "1"},
		{release(9, 2, true), "UseKeychain yes\nPort 1", "Port", ""},
		{release(10, 1, false), "RefuseConnection closed", "Port", ""},
		{release(10, 6, true), "TCPKeepAlive all", "TCPKeepAlive", "all"},
		{release(10, 5, false), "TCPKeepAlive all", "TCPKeepAlive", ""},
	} {
		env := machine(map[string]string{userConfig: c.config})
		got, err := ResolveClient(env, ClientRequest{Host: "h", Release: c.release})
		if text := got.Text(c.key); err == nil && text != c.want || err != nil && c.want != "" {
			t.Errorf("%+v %q: %s %q, %v; want %q", c.release, c.config, c.key, text, err, c.want)
		}
	}
}

func TestParseRelease(t *testing.T) {
	for in, want := range map[string]Release{
		"OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3.0.19": {9, 2, true, "OpenSSH_9.2p1 Debian-2+deb12u10"},
		"SSH-2.0-OpenSSH_8.0\r\n":                         {8, 0, false, "OpenSSH_8.0"},
		"OpenSSH_for_Windows_9.5p2, LibreSSL 3.8.2":       {9, 5, false, "OpenSSH_for_Windows_9.5p2"},
		"SSH-2.0-OpenSSH_9.6p1 Ubuntu-3ubuntu13.5":        {9, 6, true, "OpenSSH_9.6p1 Ubuntu-3ubuntu13.5"},
		"OpenSSH_10.5p1, OpenSSL 3.5":                     {10, 5, false, "OpenSSH_10.5p1"},
	} {
		if got, ok := ParseRelease(in); got != want || !ok {
			t.Errorf("%q: %+v, %v", in, got, ok)
		}
	}
	if r, ok := ParseRelease("SSH-2.0-dropbear_2022.83"); ok {
		t.Errorf("dropbear is no OpenSSH: %+v", r)
	}
}

// Names are looked up by the rules of CanonicalizeHostname, with the resolver
// given; then the files are read again.
func TestCanonicalNames(t *testing.T) {
	const rules = "CanonicalizeHostname yes\nCanonicalDomains a.example b.example\n"
	for _, c := range []struct {
		config, host, want, port string
		asked                    []string
	}{
		{rules, "web", "web.b.example", "", []string{"web.a.example.", "web.b.example."}},
		{rules + "Host web.b.example\nPort 7\n", "web", "web.b.example", "7", nil},
		{rules + "Match canonical\nPort 8\n", "web", "web.b.example", "8", nil},
		{rules + "Match final host *.b.example\nPort 9\n", "web", "web.b.example", "9", nil},
		{rules + "Port 1\nMatch canonical\nPort 2\n", "web", "web.b.example", "1", nil},
		{rules, "web.c.d", "web.c.d", "", []string{}},
		{rules, "unknown", "unknown", "", nil},
		{rules + "ProxyJump gate\n", "web", "web", "", []string{}},
		{"CanonicalizeHostname always\nCanonicalDomains b.example\nProxyJump gate\n", "web", "web.b.example", "", nil},
		{rules + "CanonicalizePermittedCNAMEs *.b.example:*.cdn.example\n", "web", "edge.cdn.example", "", nil},
		{rules + "CanonicalizePermittedCNAMEs *.b.example:*.other.example\n", "web", "web.b.example", "", nil},
		{"CanonicalizeHostname no\n", "WEB", "web", "", []string{}},
		{"", "127.1", "127.0.0.1", "", []string{}},
		{"", "::0001", "::1", "", []string{}},
	} {
		env := machine(map[string]string{userConfig: c.config})
		var asked []string
		env.LookupHost = func(name, family string) (HostAddrs, error) {
			asked = append(asked, name)
			if name != "web.b.example." {
				return HostAddrs{}, errors.New("no such host")
			}
			return HostAddrs{[]netip.Addr{netip.MustParseAddr("192.0.2.1")}, "edge.cdn.example."}, nil
		}
		got, err := ResolveClient(env, ClientRequest{Host: c.host, Release: debian12})
		if err != nil {
			t.Errorf("%q: %v", c.config, err)
			continue
		}
		if got.Host != c.want || got.Text("HostName") != c.want || c.port != "" && got.Text("Port") != c.port {
			t.Errorf("%q %s: %s port %s, want %s %s", c.config, c.host, got.Host, got.Text("Port"), c.want, c.port)
		}
		if c.asked != nil && !slices.Equal(asked, c.asked) {
			t.Errorf("%q %s: asked for %q, want %q", c.config, c.host, asked, c.asked)
		}
	}
}

// What the environment cannot tell is warned of, never taken for false in
// silence.
func TestUnknownIsWarnedOf(t *testing.T) {
	env := machine(map[string]string{userConfig: "Match exec \"test -f /x\"\nPort 1\nMatch localnetwork 10.0.0.0/8\nPort 2\n" +
		"Match all\nCanonicalizeHostname yes\nCanonicalDomains a.example\n"})
	c, err := ResolveClient(env, ClientRequest{Host: "web", Release: Release{Major: 9, Minor: 6}})
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(c.Warnings, "\n")
	for _, want := range []string{userConfig + ":1: Match exec", userConfig + ":3: Match localnetwork", "web.a.example. was not looked up"} {
		if !strings.Contains(all, want) {
			t.Errorf("no warning %q in:\n%s", want, all)
		}
	}
	if c.Text("Port") != "22" {
		t.Errorf("port %s", c.Text("Port"))
	}
}

// Commands run only when everything before them on the line matched.
func TestMatchExec(t *testing.T) {
	env := machine(map[string]string{userConfig: "Match host other exec \"never\"\nPort 1\nMatch host web exec \"test %n-%p-%r = web-22-ann\"\nPort 2\n"})
	var ran []string
	env.Exec = func(command string) (bool, error) {
		ran = append(ran, command)
		return true, nil
	}
	c, err := ResolveClient(env, ClientRequest{Host: "web", Release: debian12})
	if err != nil || c.Text("Port") != "2" || !slices.Equal(ran, []string{"test web-22-ann = web-22-ann"}) {
		t.Errorf("port %s, ran %q, %v", c.Text("Port"), ran, err)
	}
	env.Exec = func(string) (bool, error) { return false, errors.New("killed") }
	if _, err := ResolveClient(env, ClientRequest{Host: "web", Release: debian12}); err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("a command that dies: %v", err)
	}
}

// Whose file and with what mode, as ssh checks it.
func TestPermissions(t *testing.T) {
	for _, c := range []struct {
		name   string
		info   FileInfo
		debian bool
		ok     bool
	}{
		{"the user's own", FileInfo{1000, 1000, 0o644}, false, true},
		{"root's", FileInfo{0, 0, 0o644}, false, true},
		{"somebody else's", FileInfo{1001, 1000, 0o600}, false, false},
		{"writable by all", FileInfo{1000, 1000, 0o666}, true, false},
		{"writable by the group", FileInfo{1000, 1000, 0o664}, false, false},
		{"writable by a group of one, on Debian", FileInfo{1000, 1000, 0o664}, true, true},
		{"writable by a group of several, on Debian", FileInfo{1000, 100, 0o664}, true, false},
	} {
		env := machine(map[string]string{userConfig: "Port 1", systemConfig: ""})
		env.Stat = func(string) (FileInfo, error) { return c.info, nil }
		env.PrivateGroup = func(gid, uid int) bool { return gid == 1000 && uid == 1000 }
		_, err := ResolveClient(env, ClientRequest{Host: "h", Release: Release{Major: 9, Minor: 2, Debian: c.debian}})
		if (err == nil) != c.ok || err != nil && !strings.Contains(err.Error(), "bad owner or permissions on "+userConfig) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// Mistakes are all told, with file and line, before ssh would give up.
func TestErrorsNameTheLine(t *testing.T) {
	env := machine(map[string]string{userConfig: "Prot 22\nHost x\nServerAliveInterval 1.5h\nUser 'a\nPort\n\x1b[31mRed yes\n"})
	_, err := ResolveClient(env, ClientRequest{Host: "h", Release: debian12})
	want := strings.Join([]string{
		userConfig + " line 1: bad configuration option: prot",
		userConfig + " line 3: invalid time value",
		userConfig + " line 4: invalid quotes",
		userConfig + " line 5: no argument after keyword \"port\"",
		userConfig + ` line 6: bad configuration option: \x1b[31mred`,
	}, "\n")
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	var at *LineError
	if !errors.As(err, &at) || at.Line != 1 || at.File != userConfig {
		t.Errorf("the first error is at %+v", at)
	}
}

// Whatever the files say, reading them ends soon and says why.
func TestIncludesAreBounded(t *testing.T) {
	many := map[string]string{}
	for i := range 17 {
		many[fmt.Sprintf("/home/ann/.ssh/%d", i)] = strings.Repeat(fmt.Sprintf("Include %d\n", i+1), 50)
	}
	many["/home/ann/.ssh/16"] = strings.Repeat("Port 1\n", 50)
	many[userConfig] = "Include 1\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"a loop":         {map[string]string{userConfig: "Port 1\nInclude config\n"}, userConfig + " line 2: too many recursive configuration includes"},
		"a huge tree":    {many, "includes lead to more lines than anybody writes"},
		"a huge file":    {map[string]string{userConfig: strings.Repeat("#", MaxFileSize+1)}, userConfig},
		"not there":      {map[string]string{userConfig: "Include sub/*\nPort 5\n"}, ""},
		"too many lines": {map[string]string{userConfig: "Include big\n", "/home/ann/.ssh/big": strings.Repeat("a b\n", MaxLines+1)}, "/home/ann/.ssh/big line 0: the file has more than"},
	} {
		_, err := ResolveClient(machine(c.files), ClientRequest{Host: "h", Release: debian12})
		if (err == nil) != (c.want == "") && name != "a huge file" || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// A NUL byte ends its line for ssh, and people should know.
func TestNULBytes(t *testing.T) {
	c := client(t, "Port 22\x00junk\nUser bob\n", "", "h")
	if c.Text("Port") != "22" || c.Text("User") != "bob" || len(c.Warnings) != 1 || !strings.HasPrefix(c.Warnings[0], userConfig+":1: a NUL byte") {
		t.Errorf("port %s, user %s, warnings %q", c.Text("Port"), c.Text("User"), c.Warnings)
	}
}

// The commands that reach the host, with their tokens filled in.
func TestProxyCommandLine(t *testing.T) {
	for _, c := range []struct{ config, want string }{
		{"", ""},
		{"ProxyCommand nc -X connect %h %p %% # x", "nc -X connect web1 2222 % # x"},
		{"ProxyJump gate", "ssh -W '[web1]:2222' gate"},
		{"ProxyJump a,bob@[::1]:24", "ssh -l bob -p 24 -J a -W '[web1]:2222' ::1"},
	} {
		got, err := client(t, c.config+"\nPort 2222\n", "", "web1").ProxyCommand("ssh")
		if err != nil || got != c.want {
			t.Errorf("%q: %q, %v; want %q", c.config, got, err, c.want)
		}
	}
}

func BenchmarkClient(b *testing.B) {
	var config strings.Builder
	for i := range 100 {
		fmt.Fprintf(&config, "Host host%d alias%d *.dept%d.example.com\n  HostName 10.0.0.%d\n  User deploy\n  IdentityFile ~/.ssh/id_%d\n  ServerAliveInterval 60\n", i, i, i, i, i)
	}
	env := machine(map[string]string{userConfig: config.String()})
	for b.Loop() {
		if _, err := ResolveClient(env, ClientRequest{Host: "host77", Release: debian12}); err != nil {
			b.Fatal(err)
		}
	}
}
