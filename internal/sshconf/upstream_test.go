package sshconf

import (
	"fmt"
	"strings"
	"testing"
)

// What the regression tests of OpenSSH 9.2 expect of a configuration, in our
// words: how Include goes with Host and Match, and what the tokens mean.

// includeTree has blocks that set a name themselves, before and after they
// include others.
func includeTree(keyword string) map[string]string {
	blocks := func(dir, suffix string) string {
		var b strings.Builder
		for _, host := range []string{"a", "b", "c"} {
			fmt.Fprintf(&b, "Match host %s # comment\n\t%s %s%s\n", host, keyword, dir, strings.Repeat(host, len(suffix)))
		}
		for _, host := range []string{"d", "e", "f"} {
			fmt.Fprintf(&b, "Match host %s\n\t%s %s%s # comment\n", host, keyword, dir, strings.Repeat(host, len(suffix)))
		}
		return b.String()
	}
	dir := ""
	if keyword == "Banner" {
		dir = "/"
	}
	own := func(host string) string { return fmt.Sprintf("\t%s %s%s\n", keyword, dir, host+host) }
	const include = "\tInclude /t/i.* # comment\n"
	return map[string]string{
		"/t/main": "Match host a\n" + own("a") + "Match host b # comment\n" + own("b") + include + "Match host c\n" + include + own("c") +
			"Match host m\n" + include + "Match host d\n" + own("d") + "Match host e\n" + own("e") + include + "Match host f\n" + include + own("f") +
			"Match host n\n" + include,
		"/t/i.0": "Match host xxxxxx\n",
		"/t/i.1": blocks(dir, "123"),
		"/t/i.2": blocks(dir, "1234") + "Match all # comment\n\t" + keyword + " " + dir + "xxxx # comment\n",
	}
}

var includeWants = map[string]string{"a": "aa", "b": "bb", "c": "ccc", "d": "dd", "e": "ee", "f": "fff", "m": "xxxx", "n": "xxxx", "x": ""}

func TestIncludeInClientBlocks(t *testing.T) {
	for _, host := range []string{"Match host ", "Host "} {
		files := includeTree("HostName")
		for name, body := range files {
			for _, block := range []string{"d", "e", "f", "n"} {
				body = strings.ReplaceAll(body, "Match host "+block+"\n", host+block+"\n")
			}
			files[name] = body
		}
		for typed, want := range includeWants {
			if want == "" {
				want = typed
			}
			c, err := ResolveClient(machine(files), ClientRequest{Host: typed, Config: "/t/main", Release: debian12})
			if err != nil || c.Host != want {
				t.Errorf("%s: %s, %v; want %s", typed, c.Host, err, want)
			}
		}
		// A mistake in an included file counts, whether its block matches or not.
		files["/t/i.3"] = "HostName xxxx\n\tJunk\n"
		for _, typed := range []string{"a", "x"} {
			if _, err := ResolveClient(machine(files), ClientRequest{Host: typed, Config: "/t/main", Release: debian12}); err == nil {
				t.Errorf("%s: an included file with a mistake is accepted", typed)
			}
		}
	}
}

// A block opened in an included file ends with it.
func TestIncludeLeavesTheBlockOpen(t *testing.T) {
	for _, inner := range []string{"", "Match host x\n", "Host x\n"} {
		files := map[string]string{"/t/main": "Include /t/i.*\nHostName aa\n"}
		if inner != "" {
			files["/t/i.x"] = inner
		}
		c, err := ResolveClient(machine(files), ClientRequest{Host: "a", Config: "/t/main", Release: debian12})
		if err != nil || c.Host != "aa" {
			t.Errorf("%q: %s, %v", inner, c.Host, err)
		}
	}
}

func TestIncludeInServerBlocks(t *testing.T) {
	files := includeTree("Banner")
	resolve := func(host string) (*Server, error) {
		return ResolveServer(machine(files), ServerRequest{Config: "/t/main", Release: debian12,
			Connection: &Connection{Host: host, User: "test", Addr: "127.0.0.1"}})
	}
	for host, want := range includeWants {
		if want = "/" + want; want == "/" {
			want = "none"
		}
		if s, err := resolve(host); err != nil || s.Text("Banner") != want {
			t.Errorf("%s: %s, %v; want %s", host, s.Text("Banner"), err, want)
		}
	}
	files["/t/i.3"] = "Banner /xxxx\n\tJunk\n"
	for _, host := range []string{"a", "x"} {
		if _, err := resolve(host); err == nil {
			t.Errorf("%s: an included file with a mistake is accepted", host)
		}
	}
	for name, c := range map[string]struct {
		files map[string]string
		key   string
		want  string // "" is an error
	}{
		"nothing to include":           {map[string]string{"/t/main": "Include /t/i.*\nBanner /aa\n"}, "Banner", "/aa"},
		"a block in an included file":  {map[string]string{"/t/main": "Include /t/i.*\nBanner /aa\n", "/t/i.x": "Match host x\n"}, "Banner", "/aa"},
		"no file name":                 {map[string]string{"/t/main": "Include\n"}, "Banner", ""},
		"only a comment":               {map[string]string{"/t/main": "Include # x\n"}, "Banner", ""},
		"a block before any of ours":   {map[string]string{"/t/main": "Banner /xx\nInclude /t/i\nMatch host a\n Banner /aaaa\n", "/t/i": "Match host a\n Banner /aa\n"}, "Banner", "/aa"},
		"a global line after the file": {map[string]string{"/t/main": "Include /t/i\nPort 7722\n", "/t/i": "HostKey /k\n"}, "Port", "7722"},
		"a loop":                       {map[string]string{"/t/main": "Include /t/main\n"}, "Port", ""},
	} {
		files = c.files
		s, err := resolve("a")
		if (err == nil) != (c.want != "") || err == nil && s.Text(c.key) != c.want {
			t.Errorf("%s: %s, %v; want %s", name, s.Text(c.key), err, c.want)
		}
	}
}

func TestAddressCriteria(t *testing.T) {
	const config = "ForceCommand nomatch\n" +
		"Match Address 192.168.0.0/16,!192.168.30.0/24,10.0.0.0/8,host.example.com\n ForceCommand match1\n" +
		"Match Address 1.1.1.1,::1,!::3,2000::/16\n ForceCommand match2\n" +
		"Match LocalAddress 127.0.0.1,::1\n ForceCommand match3\n" +
		"Match LocalPort 5678\n ForceCommand match4\n"
	env := machine(map[string]string{ServerConfig: config})
	for _, c := range []struct{ addr, host, laddr, lport, want string }{
		{"192.168.0.1", "somehost", "1.2.3.4", "1234", "match1"},
		{"192.168.30.1", "somehost", "1.2.3.4", "1234", "nomatch"},
		{"19.0.0.1", "somehost", "1.2.3.4", "1234", "nomatch"},
		{"10.255.255.254", "somehost", "1.2.3.4", "1234", "match1"},
		{"192.168.30.1", "192.168.0.1", "1.2.3.4", "1234", "nomatch"},
		{"1.1.1.1", "somehost.example.com", "1.2.3.4", "1234", "match2"},
		{"19.0.0.1", "somehost", "127.0.0.1", "1234", "match3"},
		{"19.0.0.1", "somehost", "1.2.3.4", "5678", "match4"},
		{"::1", "somehost.example.com", "::2", "1234", "match2"},
		{"::2", "somehost.example.com", "::2", "1234", "nomatch"},
		{"::3", "somehost", "::2", "1234", "nomatch"},
		{"::4", "somehost", "::2", "1234", "nomatch"},
		{"2000::1", "somehost", "::2", "1234", "match2"},
		{"2001::1", "somehost", "::2", "1234", "nomatch"},
		{"::5", "somehost", "::1", "1234", "match3"},
		{"::5", "somehost", "::2", "5678", "match4"},
	} {
		conn, err := ParseConnection(fmt.Sprintf("user=user,addr=%s,host=%s,laddr=%s,lport=%s", c.addr, c.host, c.laddr, c.lport))
		if err != nil {
			t.Fatal(err)
		}
		s, err := ResolveServer(env, ServerRequest{Connection: &conn, Release: debian12})
		if err != nil || s.Text("ForceCommand") != c.want {
			t.Errorf("%+v: %s, %v", c, s.Text("ForceCommand"), err)
		}
	}
	for _, network := range []string{"10.0.1.0/8", "10.0.0.1/24", "2000:aa:bb:01::/56"} {
		for _, attribute := range []string{"address", "localaddress"} {
			env := machine(map[string]string{ServerConfig: "Match " + attribute + " " + network + "\n"})
			if _, err := ResolveServer(env, ServerRequest{Release: debian12}); err == nil || !strings.Contains(err.Error(), "line 1") {
				t.Errorf("Match %s %s: %v", attribute, network, err)
			}
		}
	}
}

// Each criterion alone.
func TestEveryCriterion(t *testing.T) {
	params := map[string][2]string{"user": {"user", "u1"}, "host": {"host", "h1"}, "address": {"addr", "1.2.3.4"},
		"localaddress": {"laddr", "5.6.7.8"}, "rdomain": {"rdomain", "rdom1"}}
	var config strings.Builder
	config.WriteString("Banner /nomatch\n")
	for name, p := range params {
		fmt.Fprintf(&config, "Match %s %s\n  Banner /%s\n", name, p[1], p[1])
	}
	env := machine(map[string]string{ServerConfig: config.String()})
	for name := range params {
		var spec []string
		for other, p := range params {
			value := p[1]
			if other != name {
				value = "1" + value
			}
			spec = append(spec, p[0]+"="+value)
		}
		conn, err := ParseConnection(strings.Join(spec, ","))
		if err != nil {
			t.Fatal(err)
		}
		s, err := ResolveServer(env, ServerRequest{Connection: &conn, Release: debian12})
		if want := "/" + params[name][1]; err != nil || s.Text("Banner") != want {
			t.Errorf("%s: %s, %v; want %s", name, s.Text("Banner"), err, want)
		}
	}
	if s, err := ResolveServer(env, ServerRequest{Release: debian12}); err != nil || s.Text("Banner") != "/nomatch" {
		t.Errorf("nobody's connection: %s, %v", s.Text("Banner"), err)
	}
	for _, spec := range []string{"colour=red", "lport=x", "user", "lport=70000"} {
		if _, err := ParseConnection(spec); err == nil {
			t.Errorf("%s is no connection", spec)
		}
	}
}

// Match lays its list over the global one, not beside it.
func TestPermitOpen(t *testing.T) {
	for _, c := range []struct{ config, want string }{
		{"PermitOpen 127.0.0.1:1 # comment\nMatch Address 127.0.0.1\nPermitOpen 127.0.0.1:2 127.0.0.1:3", "127.0.0.1:2 127.0.0.1:3"},
		{"PermitOpen 127.0.0.1:1 127.0.0.2:2\nMatch User ann\nPermitOpen 127.0.0.1:1", "127.0.0.1:1"},
		{"PermitOpen 127.0.0.1:1 127.0.0.2:2\nMatch User NoSuchUser\nPermitOpen 127.0.0.1:1", "127.0.0.1:1 127.0.0.2:2"},
	} {
		s, err := ResolveServer(machine(map[string]string{ServerConfig: c.config}), ServerRequest{Release: debian12,
			Connection: &Connection{User: "ann", Addr: "127.0.0.1"}})
		if err != nil || s.Text("PermitOpen") != c.want {
			t.Errorf("%q: %s, %v", c.config, s.Text("PermitOpen"), err)
		}
	}
}

// Ports, families and addresses come in any order.
func TestListenAddressOrder(t *testing.T) {
	const want = "1.2.3.4:1234 1.2.3.4:5678 [::1]:1234 [::1]:5678"
	for _, config := range []string{
		"AddressFamily any\nPort 1234\nPort 5678\nListenAddress 1.2.3.4\nListenAddress ::1\n",
		"ListenAddress 1.2.3.4\nPort 1234\nPort 5678\nAddressFamily any\nListenAddress ::1\n",
	} {
		s, err := ResolveServer(machine(map[string]string{ServerConfig: config}), ServerRequest{Release: debian12})
		if got := strings.Join(s.Setting("ListenAddress").texts(), " "); err != nil || got != want {
			t.Errorf("%q: %s, %v", config, got, err)
		}
	}
}

// Every token, in every option in which `ssh -G` shows it expanded.
func TestTokens(t *testing.T) {
	env := machine(map[string]string{"/t/c": "Host somehost\n  HostName 127.0.0.1\n  Port 4242\n  HostKeyAlias localhost-with-alias\n"})
	all := map[string]string{"%%": "%", "%i": "1000", "%h": "127.0.0.1", "%L": "desk", "%l": "desk.example.org", "%n": "somehost",
		"%k": "localhost-with-alias", "%p": "4242", "%r": "remuser", "%u": "ann", "%d": "/home/ann",
		"%C": "94fca7bc280a78c2c8312160d7fbf9f9f6e39088"}
	got := func(key, value string) string {
		value = key + "=" + value
		c, err := ResolveClient(env, ClientRequest{Host: "remuser@somehost", Config: "/t/c", Options: []Option{{'o', value}}, Release: debian12})
		if err != nil {
			t.Errorf("%s: %v", value, err)
		}
		return c.Text(key)
	}
	for _, key := range []string{"RemoteCommand", "ControlPath", "IdentityAgent", "ForwardAgent", "UserKnownHostsFile"} {
		for token, want := range all {
			if text := got(key, token); text != want {
				t.Errorf("%s %s: %s, want %s", key, token, text, want)
			}
		}
		if text := got(key, "${COLOUR}"); key != "RemoteCommand" && text != "green" || key == "RemoteCommand" && text != "${COLOUR}" {
			t.Errorf("%s ${COLOUR}: %s", key, text)
		}
	}
	for _, key := range []string{"LocalForward", "RemoteForward"} {
		for token, want := range all {
			if text := got(key, "/"+token+" /"+token); text != "/"+want+" /"+want {
				t.Errorf("%s %s: %s", key, token, text)
			}
		}
	}
	for _, key := range []string{"ControlPath", "IdentityAgent", "ForwardAgent"} {
		if home, below := got(key, "~"), got(key, "~/.ssh"); home != "/home/ann/" || below != "/home/ann/.ssh" {
			t.Errorf("%s: ~ is %s, ~/.ssh is %s", key, home, below)
		}
	}
}

// Who says the user name first.
func TestUserFirstMatch(t *testing.T) {
	env := machine(map[string]string{"/t/c": "User config\n"})
	for _, c := range []struct {
		host    string
		options []Option
		want    string
	}{
		{"host", nil, "config"},
		{"baz@host", []Option{{'o', "user=foo"}, {'l', "bar"}}, "foo"},
		{"baz@host", []Option{{'l', "bar"}, {'o', "user=foo"}}, "bar"},
		{"baz@host", nil, "baz"},
		{"ssh://baz;x=y@host", nil, "baz"},
	} {
		got, err := ResolveClient(env, ClientRequest{Host: c.host, Config: "/t/c", Options: c.options, Release: debian12})
		if err != nil || got.Text("User") != c.want {
			t.Errorf("%s %v: %s, %v", c.host, c.options, got.Text("User"), err)
		}
	}
}
