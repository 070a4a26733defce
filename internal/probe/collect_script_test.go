package probe

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/host"
	"sshtay/internal/testenv"
)

// collectedBy runs the collector as sh -c would, by this shell, with these
// variables, and returns its sections.
func collectedBy(t *testing.T, shell []string, env ...string) sections {
	t.Helper()
	r, err := host.Local{}.Run(context.Background(), host.Command{Argv: append(shell, "-c", "S='"+strings.ReplaceAll(script("NONCE"), "'", `'\''`)+`'; eval "$S"`), Env: env})
	if err != nil || r.Exit != 0 {
		t.Fatalf("%v: %v, status %d", shell, err, r.Exit)
	}
	if len(r.Stderr) > 0 {
		t.Errorf("%v: the script wrote on standard error: %.500s", shell, r.Stderr)
	}
	return parseSections(string(r.Stdout), "NONCE")
}

// TestScriptInEveryShell: sh is another program on every system.
func TestScriptInEveryShell(t *testing.T) {
	names := func(s sections) map[string]bool {
		all := map[string]bool{}
		for name := range s {
			all[name] = true
		}
		return all
	}
	want := names(collectedBy(t, []string{testenv.Need(t, "dash")[0]}))
	if len(want) < 20 || !want["end"] {
		t.Fatalf("the script has only the sections %v", want)
	}
	for _, shell := range [][]string{{"bash", "--posix"}, {"zsh", "--emulate", "sh"}, {"busybox", "ash"}} {
		path := testenv.Need(t, shell[0])[0]
		got := names(collectedBy(t, append([]string{path}, shell[1:]...)))
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v: sections %v, want %v", shell, got, want)
		}
	}
}

// tools makes a folder with these programs, as the only PATH of a script that
// still finds the system's own behind it.
func tools(t *testing.T, scripts map[string]string) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "sshtay-tools-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return "PATH=" + dir + ":" + os.Getenv("PATH")
}

// TestScriptIsBounded: programs that hang are cut, with timeout(1) or without,
// and what does not depend on them is there.
func TestScriptIsBounded(t *testing.T) {
	const forever = "exec sleep 100"
	for _, broken := range []bool{false, true} {
		hang := map[string]string{"ss": forever, "dpkg-query": forever}
		if broken {
			hang["timeout"] = "echo usage: timeout -t seconds program >&2; exit 1" // as busybox had it once
		} else {
			hang["df"] = forever
		}
		s := collectedBy(t, []string{"sh"}, tools(t, hang))
		for _, name := range []string{"env", "proc", "meminfo", "sockets ss", "end"} {
			if _, ok := s[name]; !ok {
				t.Errorf("without timeout %v: no section %q", broken, name)
			}
		}
		facts := &fact.Set{}
		putServer(facts, s, "local")
		if !broken {
			absent(t, facts, fact.Disks, "df there said nothing")
		}
		if n, ok := fact.MemTotal.Get(facts); !ok || n == 0 {
			t.Errorf("memory %d", n)
		}
	}
}

// TestScriptThroughSudo: with sudo that needs no password the server is seen
// as root sees it, in one use of sudo; where sudo refuses, and where the account
// does not look as if it were allowed, as the account sees it.
func TestScriptThroughSudo(t *testing.T) {
	testenv.Need(t, "sudo")
	s := newServer(t, "ClientAliveInterval 17")
	for _, c := range []struct {
		name, rule string
		root       bool
		tries      int
	}{
		{"allowed", "%s ALL=(ALL) NOPASSWD: ALL", true, 1},
		{"asks for a password", "%s ALL=(ALL) ALL", false, 1},
		{"not allowed at all", "", false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			user := newUser(t, testenv.Need(t, "sh")[0], nil)
			log := s.file("sudo.log")
			os.Remove(log)
			if c.rule != "" {
				file := "/etc/sudoers.d/" + user
				rule := fmt.Sprintf(c.rule+"\nDefaults:%[1]s logfile=%[2]s\n", user, log)
				if err := os.WriteFile(file, []byte(rule), 0o440); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { os.Remove(file) })
			}
			facts := loggedIn(t, s.target(user, "user", "known"), patient)
			want(t, facts, fact.SessionKind, "shell")
			want(t, facts, fact.ServerUser, user)
			want(t, facts, fact.ClientAliveInterval, 17*time.Second) // from sshd or from its files
			if c.root {
				want(t, facts, fact.SSHDConfigSource, "sshd -T")
				want(t, facts, fact.SSHDStale, false)
				want(t, facts, fact.SSHDHostKeys, 1)
				if n, ok := fact.SSHDFiles.Get(facts); !ok || n < 3 {
					t.Errorf("sshd's files %d", n)
				}
			} else {
				absent(t, facts, fact.SSHDFiles, "`sudo -n`")
				absent(t, facts, fact.FirewallLimits, "`sudo -n`")
			}
			tries, _ := os.ReadFile(log)
			if n := strings.Count(string(tries), user+" : "); n != c.tries {
				t.Errorf("sudo logged %d tries, want %d:\n%s", n, c.tries, tries)
			}
		})
	}
}

// TestServerOptionsNameTheirLine: whoever looks, the value of an option comes
// with the line that sets it, what that hides, and whether a Match block does.
func TestServerOptionsNameTheirLine(t *testing.T) {
	s := newServer(t, "ClientAliveInterval 5\nClientAliveInterval 6\nMatch User root\n ClientAliveInterval 17\nMatch Address 127.0.0.1\n ClientAliveCountMax 9")
	file := s.file("sshd_config")
	lines := strings.Count(s.read("sshd_config"), "\n") - 5
	at := func(n int) string { return fmt.Sprintf("%s:%d", file, lines+n-1) }
	for _, c := range []struct {
		user, place string
		interval    time.Duration
		inMatch     []string
	}{
		{"root", at(4) + ", which hides 5 in " + at(1) + ", 6 in " + at(2), 17 * time.Second, []string{"ClientAliveInterval", "ClientAliveCountMax"}},
		{newUser(t, testenv.Need(t, "sh")[0], nil), at(1) + ", which hides 6 in " + at(2), 5 * time.Second, []string{"ClientAliveCountMax"}},
	} {
		facts := loggedIn(t, s.target(c.user, "user", "known"), patient)
		want(t, facts, fact.ClientAliveInterval, c.interval)
		want(t, facts, fact.ClientAliveCountMax, 9)
		want(t, facts, fact.MatchOptions, c.inMatch)
		if e, _ := facts.Entry(fact.ClientAliveInterval.Name()); !strings.HasSuffix(e.Source, "; "+c.place) {
			t.Errorf("%s: from %q, want %q", c.user, e.Source, c.place)
		}
	}
}

// TestScriptWithoutAListener: on a machine where nobody listens nothing is
// said of a listener.
func TestScriptWithoutAListener(t *testing.T) {
	testenv.NeedRoot(t)
	// A process namespace of its own has no sshd in it.
	r, err := host.Local{}.Run(context.Background(), host.Command{Argv: []string{
		testenv.Need(t, "unshare")[0], "--pid", "--fork", "--mount", "--mount-proc", "--net", "sh", "-c", host.AnyShell(script("NONCE"))}})
	if err != nil {
		t.Fatal(err)
	}
	facts := &fact.Set{}
	putServer(facts, parseSections(string(r.Stdout), "NONCE"), "local")
	want(t, facts, fact.SSHDRunning, false)
	for _, k := range []fact.Any{fact.SSHDActivation, fact.SSHDFiles, fact.SSHDFilesMax, fact.SSHDStale} {
		absent(t, facts, k, "no listener")
	}
	want(t, facts, fact.SSHDConfigSource, "sshd -T")
}

// TestScriptReadsTheFirewall: rules that count new connections, and what bans
// our address, in a network namespace with a firewall of its own.
func TestScriptReadsTheFirewall(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.Need(t, "nft")
	const rules = `table inet filter {
	set f2b-sshd { type ipv4_addr; elements = { 192.0.2.9, 203.0.113.1 }; }
	set shut { type ipv4_addr; flags dynamic,timeout; timeout 10m; elements = { 192.0.2.10, 192.0.2.11 timeout 1d expires 1d }; }
	set met { type ipv4_addr; flags dynamic; timeout 1m; elements = { 192.0.2.9 }; }
	chain input { type filter hook input priority 0;
		tcp dport 22 ip saddr @f2b-sshd reject
		tcp dport 22 ct state new add @met { ip saddr limit rate over 5/minute } drop
		ip saddr @shut counter drop
		tcp dport 2222 limit rate 5/minute accept
		tcp dport { 22, 443 } accept
	}
}`
	r, err := host.Local{}.Run(context.Background(), host.Command{
		Argv: []string{testenv.Need(t, "unshare")[0], "--net", "sh", "-c", "nft -f - && " + host.AnyShell(script("NONCE"))},
		Env:  []string{"SSH_CONNECTION=192.0.2.9 4000 10.0.0.7 22"}, Stdin: strings.NewReader(rules),
	})
	if err != nil || r.Exit != 0 {
		t.Fatalf("%v, status %d: %s", err, r.Exit, r.Stderr)
	}
	facts := &fact.Set{}
	putServer(facts, parseSections(string(r.Stdout), "NONCE"), "local")
	want(t, facts, fact.FirewallLimits, []string{"inet filter input tcp dport 22 ct state new add @met { ip saddr limit rate over 5/minute } drop"})
	want(t, facts, fact.BannedBy, "firewall: inet filter f2b-sshd elements = { 192.0.2.9, 203.0.113.1 }")
}

// TestScriptReadsTheJournal of a real journald, in namespaces of its own.
func TestScriptReadsTheJournal(t *testing.T) {
	testenv.NeedRoot(t)
	testenv.Need(t, "journalctl", "logger", "/lib/systemd/systemd-journald")
	const world = `mount -t tmpfs none /run && mount -t tmpfs none /var/log/journal && mkdir -p /run/systemd/journal /run/systemd/system /run/log/journal /run/sshd || exit 1
/lib/systemd/systemd-journald & j=$!
say() { logger -u /run/systemd/journal/dev-log -t "$1" "$2"; }
until say cron "no more sessions"; do sleep 0.1; done
say sshd "error: no more sessions"
say sshd-session "Connection reset by 192.0.2.9 port 1 [preauth]"
say sshd "Failed password for invalid user x from 203.0.113.9 port 1 ssh2"
say sshd "Accepted publickey for deploy from 192.0.2.9 port 2 ssh2"
until journalctl -q --no-pager SYSLOG_IDENTIFIER=sshd | grep -q Accepted; do sleep 0.1; done
`
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := host.Local{}.Run(ctx, host.Command{
		Argv: []string{testenv.Need(t, "unshare")[0], "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", world + strings.TrimPrefix(host.AnyShell(script("NONCE")), "exec ") + "\nkill $j"},
		Env:  []string{"SSH_CONNECTION=192.0.2.9 4000 10.0.0.7 22"},
	})
	if err != nil {
		t.Fatalf("%v: %s", err, r.Stderr)
	}
	facts := &fact.Set{}
	putServer(facts, parseSections(string(r.Stdout), "NONCE"), "local")
	want(t, facts, fact.LogSource, "journal")
	want(t, facts, fact.LogNoMoreSessions, 1)
	want(t, facts, fact.LogResets, 1)
	if lines, _ := fact.LogClientLines.Get(facts); len(lines) != 2 || !strings.Contains(lines[1], "Accepted publickey") {
		t.Errorf("lines that name the client: %q", lines)
	}
	if strings.Contains(string(r.Stdout), "Failed password") {
		t.Error("a line that matters to nobody was sent")
	}
}
