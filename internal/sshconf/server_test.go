package sshconf

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
)

// server resolves one sshd_config for a connection.
func server(t *testing.T, config string, c Connection) *Server {
	t.Helper()
	s, err := ResolveServer(machine(map[string]string{ServerConfig: config}), ServerRequest{Connection: &c, Release: debian12})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A Match block beats the global line, wherever that stands; among blocks, and
// among global lines, the first wins.
func TestServerProvenance(t *testing.T) {
	const config = "ClientAliveInterval 300\nTCPKeepAlive no\n" +
		"Match User ann\n  ClientAliveInterval 15\n  MaxSessions 2\n" +
		"Match User bob\n  ClientAliveInterval 99\n" +
		"Match Address 10.0.0.0/8\n  ClientAliveInterval 30\n  MaxSessions 4\n"
	s := server(t, config, Connection{User: "ann", Addr: "10.0.0.7"})
	for keyword, want := range map[string]string{
		"ClientAliveInterval": "ClientAliveInterval 15 from /etc/ssh/sshd_config:4, which hides 30 in /etc/ssh/sshd_config:9, 300 in /etc/ssh/sshd_config:1",
		"maxsessions":         "MaxSessions 2 from /etc/ssh/sshd_config:5, which hides 4 in /etc/ssh/sshd_config:10",
		"TCPKeepAlive":        "TCPKeepAlive no from /etc/ssh/sshd_config:2",
		"LoginGraceTime":      "LoginGraceTime 120 from the default",
	} {
		if got := s.Setting(keyword).Describe(""); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if got := server(t, config, Connection{User: "eve"}).Text("ClientAliveInterval"); got != "300" {
		t.Errorf("for eve: %s", got)
	}
}

// Drop-ins come first because they are included at the top, and an option on
// the command line before them. The files may be those of another machine.
func TestDropIns(t *testing.T) {
	env := Files(map[string][]byte{
		ServerConfig:                        []byte("Include /etc/ssh/sshd_config.d/*.conf\nClientAliveInterval 60\nMaxStartups 10:30:100\n"),
		"/etc/ssh/sshd_config.d/50-x.conf":  []byte("ClientAliveInterval 5\nMaxStartups 5\n"),
		"/etc/ssh/sshd_config.d/10-y.conf":  []byte("ClientAliveInterval 7\nMatch User ann\nClientAliveInterval 8\n"),
		"/etc/ssh/sshd_config.d/README.txt": []byte("nonsense"),
	})
	s, err := ResolveServer(env, ServerRequest{Release: debian12, Options: []string{"MaxSessions=3"}})
	if err != nil {
		t.Fatal(err)
	}
	want := "ClientAliveInterval 7 from /etc/ssh/sshd_config.d/10-y.conf:1, which hides 5 in /etc/ssh/sshd_config.d/50-x.conf:1, 60 in /etc/ssh/sshd_config:2"
	if got := s.Setting("ClientAliveInterval").Describe(""); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// 9.2 takes the last MaxStartups, so that the drop-in loses.
	want = "MaxStartups 10:30:100 from /etc/ssh/sshd_config:3, which hides 5:30:5 in /etc/ssh/sshd_config.d/50-x.conf:2"
	if got := s.Setting("MaxStartups").Describe(""); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !s.Setting("MaxSessions").From().CommandLine() {
		t.Errorf("MaxSessions from %s", s.Setting("MaxSessions").From())
	}
	read := []string{ServerConfig, "/etc/ssh/sshd_config.d/10-y.conf", "/etc/ssh/sshd_config.d/50-x.conf"}
	if !slices.Equal(s.Files, read) {
		t.Errorf("read %q", s.Files)
	}
	if _, err := ResolveServer(Files(nil), ServerRequest{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file at all: %v", err)
	}
}

// Groups come from where the users are.
func TestMatchGroup(t *testing.T) {
	env := machine(map[string]string{ServerConfig: "Match Group wheel,!contractors\nMaxSessions 1\n"})
	env.Groups = func(user string) ([]string, bool) {
		groups, ok := map[string][]string{"ann": {"users", "wheel"}, "bob": {"users"}, "carol": {"wheel", "contractors"}}[user]
		return groups, ok
	}
	for user, want := range map[string]string{"ann": "1", "bob": "10", "carol": "10", "nobody-here": "10", "": "10"} {
		s, err := ResolveServer(env, ServerRequest{Connection: &Connection{User: user}, Release: debian12})
		if err != nil || s.Text("MaxSessions") != want || len(s.Warnings) != 0 {
			t.Errorf("%s: %s, %v, %q", user, s.Text("MaxSessions"), err, s.Warnings)
		}
	}
	env.Groups = nil
	s, err := ResolveServer(env, ServerRequest{Connection: &Connection{User: "ann"}, Release: debian12})
	if err != nil || len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], ServerConfig+":1: Match Group") {
		t.Errorf("unknown groups: %v, %q", err, s.Warnings)
	}
}

// Limits are read otherwise from release to release.
func TestServerReleases(t *testing.T) {
	release := func(major, minor int, debian bool) Release {
		return Release{Major: major, Minor: minor, Debian: debian}
	}
	for _, c := range []struct {
		release   Release
		config    string
		key, want string // want "" is an error
	}{
		{release(9, 2, false), "MaxStartups 10:30:60\nMaxStartups 50", "MaxStartups", "50:30:50"},
		{release(9, 2, false), "MaxStartups 10:70:60\nMaxStartups 50", "MaxStartups", "50:70:50"},
		{release(10, 1, false), "MaxStartups 10:30:60\nMaxStartups 50", "MaxStartups", "10:30:60"},
		{release(10, 1, false), "MaxStartups 50", "MaxStartups", "10:30:50"},
		{release(10, 3, false), "MaxStartups 50", "MaxStartups", "50:30:50"},
		{release(9, 2, false), "MaxStartups 10:0:100", "MaxStartups", ""},
		{release(9, 2, false), "MaxStartups 10:30:5", "MaxStartups", ""},
		{release(9, 2, false), "MaxStartups 10:30", "MaxStartups", ""},
		{release(9, 2, false), "PerSourceNetBlockSize 24", "PerSourceNetBlockSize", "24:0"},
		{release(10, 3, false), "PerSourceNetBlockSize 24", "PerSourceNetBlockSize", "24:128"},
		{release(9, 4, false), "PerSourceMaxStartups 1\nPerSourceMaxStartups 2", "PerSourceMaxStartups", "2"},
		{release(9, 5, false), "PerSourceMaxStartups 1\nPerSourceMaxStartups 2", "PerSourceMaxStartups", "1"},
		{release(10, 2, false), "IPQoS af21\nIPQoS ef", "IPQoS", "ef ef"},
		{release(10, 3, false), "IPQoS af21\nIPQoS ef", "IPQoS", "af21 af21"},
		{release(9, 7, false), "PerSourcePenalties no", "PerSourcePenalties", ""},
		{release(9, 8, false), "PerSourcePenalties no", "PerSourcePenalties", "no"},
		{release(9, 8, false), "", "PerSourcePenalties", "crash:90 authfail:5 noauth:1 grace-exceeded:20 max:600 min:15 " +
			"max-sources4:65536 max-sources6:65536 overflow:permissive overflow6:permissive"},
		{release(9, 9, false), "PerSourcePenalties no\nPerSourcePenalties authfail:1m overflow:deny-all authfail:9", "PerSourcePenalties",
			"crash:90 authfail:60 noauth:1 grace-exceeded:10 refuseconnection:10 max:600 min:15 " +
				"max-sources4:65536 max-sources6:65536 overflow:deny-all overflow6:deny-all"},
		{release(10, 3, false), "PerSourcePenalties authfail:0.5", "PerSourcePenalties", "crash:90.000000 authfail:0.500000 noauth:1.000000 " +
			"invaliduser:5.000000 grace-exceeded:10.000000 refuseconnection:10.000000 max:600.000000 min:15.000000 " +
			"max-sources4:65536 max-sources6:65536 overflow:permissive overflow6:permissive"},
		{release(9, 8, false), "PerSourcePenalties invaliduser:1", "PerSourcePenalties", ""},
		{release(9, 8, false), "PerSourcePenalties no crash:1", "PerSourcePenalties", ""},
		{release(9, 2, true), "DebianBanner no", "Port", "22"},
		{release(9, 2, false), "DebianBanner no", "Port", ""},
		{release(9, 1, false), "UnusedConnectionTimeout 5m", "UnusedConnectionTimeout", ""},
		{release(9, 2, false), "UnusedConnectionTimeout 5m", "UnusedConnectionTimeout", "300"},
		{release(9, 2, false), "UnusedConnectionTimeout 5m\nUnusedConnectionTimeout none", "UnusedConnectionTimeout", "none"},
		{release(9, 2, false), "LoginGraceTime none", "LoginGraceTime", ""},
		{release(9, 2, false), "ClientAliveInterval none", "ClientAliveInterval", ""},
		{release(9, 2, false), "Match all\nPort 99", "Port", "99"},
		{release(9, 2, false), "Match User x\nPort 99", "Port", ""},
		{release(9, 7, false), "Match User x\nSubsystem sftp /x", "Port", ""},
		{release(9, 8, false), "Match User x\nSubsystem sftp /x", "Port", "22"},
		{release(9, 8, false), "Match invalid-user\nMaxAuthTries 1", "Port", ""},
		{release(9, 9, false), "Match invalid-user\nMaxAuthTries 1", "MaxAuthTries", "1"},
		{release(10, 0, false), "Match version *\nMaxAuthTries 1", "MaxAuthTries", "1"},
		{release(9, 9, false), "Match version *\nMaxAuthTries 1", "Port", ""},
		{release(9, 8, false), "Match User=x\nMaxAuthTries 1", "Port", "22"},
		{release(9, 9, false), "Match User=x\nMaxAuthTries 1", "Port", ""},
		{release(10, 0, false), "Match User=x\nMaxAuthTries 1", "Port", "22"},
		{release(10, 6, true), "", "TCPKeepAlive", "true"},
		{release(9, 2, false), "AuthorizedKeysCommand /x", "Port", ""},
		{release(9, 2, false), "PasswordAuthentication no\nAuthenticationMethods password", "Port", ""},
	} {
		env := machine(map[string]string{ServerConfig: c.config})
		s, err := ResolveServer(env, ServerRequest{Release: c.release, Connection: &Connection{InvalidUser: true}})
		if (err == nil) != (c.want != "") || err == nil && s.Text(c.key) != c.want {
			t.Errorf("%+v %q:\n%s %q, %v; want %q", c.release, c.config, c.key, s.Text(c.key), err, c.want)
		}
	}
}

// Some settings in Match blocks are shown and do nothing.
func TestIneffectiveInMatch(t *testing.T) {
	const config = "IPQoS af21 cs1\nMatch User ann\nChannelTimeout session:*=5m\nRekeyLimit 1G\nIPQoS none\nClientAliveInterval 5\n"
	for _, c := range []struct {
		major, minor int
		want         string
	}{
		{9, 2, "ChannelTimeout RekeyLimit"}, {10, 1, "ChannelTimeout IPQoS RekeyLimit"}, {10, 5, "IPQoS"},
	} {
		s, err := ResolveServer(machine(map[string]string{ServerConfig: config}), ServerRequest{
			Release: Release{Major: c.major, Minor: c.minor}, Connection: &Connection{User: "ann"}})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, i := range s.Ineffective {
			got = append(got, i.Setting.Keyword)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%d.%d: %q, want %s", c.major, c.minor, got, c.want)
		}
		last := s.Ineffective[len(s.Ineffective)-1].String()
		if c.major == 10 && c.minor == 5 && !strings.Contains(last, "acts on af21 cs1 from /etc/ssh/sshd_config:1") {
			t.Error(last)
		}
	}
}

// Mistakes are told with file and line.
func TestServerErrors(t *testing.T) {
	env := machine(map[string]string{ServerConfig: "Prot 22\nMaxSessions x\nMatch User a\nUseDNS no\nMatch Colour red\nPort 22\x00\n"})
	_, err := ResolveServer(env, ServerRequest{Release: debian12})
	want := strings.Join([]string{
		ServerConfig + " line 6: a NUL byte: sshd takes the next line for the rest of this one",
		ServerConfig + " line 1: bad configuration option: Prot",
		ServerConfig + " line 2: integer value invalid",
		ServerConfig + " line 4: directive 'UseDNS' is not allowed within a Match block",
		ServerConfig + " line 5: unsupported Match attribute colour",
		ServerConfig + " line 6: directive 'Port' is not allowed within a Match block",
	}, "\n")
	got := strings.Split(err.Error(), "\n")
	for _, line := range strings.Split(want, "\n") {
		if !slices.Contains(got, line) {
			t.Errorf("not told: %s\nof\n%v", line, err)
		}
	}
}

// An address that must be looked up is, or is warned of.
func TestListenNames(t *testing.T) {
	s := server(t, "ListenAddress web.example.com\nAddressFamily inet\n", Connection{})
	if s.Text("ListenAddress") != "web.example.com:22" || len(s.Warnings) != 1 {
		t.Errorf("%s, %q", s.Text("ListenAddress"), s.Warnings)
	}
	s = server(t, "Port 22\nPort 2222\nAddressFamily inet6\n", Connection{})
	if got := strings.Join(s.Setting("ListenAddress").texts(), " "); got != "[::]:22 [::]:2222" {
		t.Errorf("all of IPv6: %s", got)
	}
	_, err := ResolveServer(machine(map[string]string{ServerConfig: "AddressFamily inet\nListenAddress ::1\n"}), ServerRequest{Release: debian12})
	if err == nil || !strings.Contains(err.Error(), "line 2: bad addr or host") {
		t.Errorf("the wrong family: %v", err)
	}
}

// The dump of the programs is the authority; we add where it comes from.
func TestExplain(t *testing.T) {
	s := server(t, "ClientAliveInterval 15\nMaxSessions 3\nAcceptEnv A\nAcceptEnv B\nBanner /etc/issue\n", Connection{})
	d, err := ParseDump([]byte("ClientAliveInterval 15\r\nmaxsessions 4\nacceptenv A\nacceptenv B\nnewkeyword x y\n\n"))
	if err != nil {
		t.Fatal(err)
	}
	e := Explain(d, &s.Resolved)
	for keyword, want := range map[string]string{
		"clientaliveinterval": "ClientAliveInterval 15 from /etc/ssh/sshd_config:1",
		"MaxSessions":         "MaxSessions 4 from a place not found",
		"newkeyword":          "newkeyword x y from a place not found",
		"AcceptEnv":           "AcceptEnv A from /etc/ssh/sshd_config:3",
	} {
		if got := e.Setting(keyword).Describe(""); got != want {
			t.Errorf("%s: %s, want %s", keyword, got, want)
		}
	}
	var disagree []string
	for _, d := range e.Disagreements {
		disagree = append(disagree, d.String())
	}
	want := []string{`MaxSessions: OpenSSH says ["4"], the files read here say MaxSessions 3 from /etc/ssh/sshd_config:2`,
		`Banner: OpenSSH says [], the files read here say Banner /etc/issue from /etc/ssh/sshd_config:5`}
	if !slices.Equal(disagree, want) {
		t.Errorf("disagreements %q\nwant %q", disagree, want)
	}
	if v, ok := d.Text("ACCEPTENV"); !ok || v != "A" || len(d.Values("acceptenv")) != 2 {
		t.Errorf("AcceptEnv %q %v", v, d.Values("acceptenv"))
	}
	if _, err := ParseDump(make([]byte, maxDump+1)); err == nil {
		t.Error("a dump without end is read")
	}
}

func BenchmarkServer(b *testing.B) {
	var config strings.Builder
	for range 100 {
		config.WriteString("Match User ann Address 10.0.0.0/8\n  ClientAliveInterval 15\n  MaxSessions 2\n  AllowTcpForwarding no\n  Banner none\n")
	}
	env := machine(map[string]string{ServerConfig: config.String()})
	for b.Loop() {
		if _, err := ResolveServer(env, ServerRequest{Connection: &Connection{User: "ann", Addr: "10.0.0.1"}, Release: debian12}); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzResolve: whatever stands in the files, client and server give an answer,
// and one that reads as a dump.
func FuzzResolve(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s, uint8(92))
	}
	f.Fuzz(func(t *testing.T, src []byte, number uint8) {
		release := Release{Major: 8 + int(number)/100, Minor: int(number) % 10, Debian: number%2 == 0, Text: "x"}
		env := Files(map[string][]byte{userConfig: src, systemConfig: src, ServerConfig: src, "/etc/ssh/a": src})
		env.Home, env.User, env.Hostname = "/home/ann", "ann", "desk"
		c, err := ResolveClient(env, ClientRequest{Host: "web", Release: release})
		if c == nil || err != nil && err.Error() == "" {
			t.Fatal("no answer")
		}
		s, err := ResolveServer(env, ServerRequest{Release: release, Connection: &Connection{User: "ann", Addr: "::1"}})
		if s == nil || err != nil && err.Error() == "" {
			t.Fatal("no answer")
		}
		for _, r := range []*Resolved{&c.Resolved, &s.Resolved} {
			if _, err := ParseDump(r.Dump()); err != nil && len(src) < 1<<16 {
				t.Fatal(err)
			}
			for _, set := range r.Settings {
				if strings.ContainsAny(set.Describe("/home/ann"), "\n\x1b") {
					t.Fatalf("%q is not printable", set.Describe(""))
				}
			}
		}
	})
}
