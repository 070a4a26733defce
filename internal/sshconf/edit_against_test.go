package sshconf

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"sshtay/internal/testenv"
)

// What edits do to generated configurations, held against OpenSSH itself. The
// real programs say before and after what is effective, for the host or
// connection and for others.

const clientEditCases, serverEditCases = 80, 60

// clientWishes and serverWishes are what remedies ask for, and what is hard.
var (
	clientWishes = []Assignment{{"ServerAliveInterval", "61"}, {"ServerAliveCountMax", "7"}, {"TCPKeepAlive", "no"}, {"IPQoS", "cs2 cs3"},
		{"ProxyJump", "hop9"}, {"ProxyCommand", "nc %h 9 # not a comment"}, {"ConnectTimeout", "11"}, {"RekeyLimit", "3G 2h"},
		{"KexAlgorithms", "-ecdh*"}, {"Port", "2299"}, {"SendEnv", "EDITED"}, {"ControlMaster", "no"}, {"HostName", "edited.example"}}
	serverWishes = []Assignment{{"ClientAliveInterval", "61"}, {"ClientAliveCountMax", "7"}, {"TCPKeepAlive", "no"}, {"IPQoS", "cs2 cs3"},
		{"MaxStartups", "77:31:99"}, {"MaxSessions", "33"}, {"LoginGraceTime", "44"}, {"RekeyLimit", "3G 2h"}, {"UseDNS", "yes"},
		{"PerSourceMaxStartups", "9"}, {"PerSourceNetBlockSize", "25:65"}, {"Port", "2299"}, {"AcceptEnv", "EDITED"}, {"KexAlgorithms", "-ecdh*"},
		{"ForceCommand", "echo edited # not a comment"}, {"UnusedConnectionTimeout", "5m"}}
)

// wishes picks a few options, each once.
func (g *generator) wishes(from []Assignment) (some []Assignment) {
	for _, i := range g.Perm(len(from))[:1+g.IntN(3)] {
		some = append(some, from[i])
	}
	return some
}

// dumped runs a program that dumps a configuration.
func dumped(program string, args ...string) (*Dump, error) {
	var out, complaint bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, complaint.String())
	}
	return ParseDump(out.Bytes())
}

// strayed tells which keywords of a dump are neither as before nor as with the
// options on the command line.
func strayed(is, was, asked *Dump, set []Assignment, keyOf func(string) string) string {
	for _, key := range is.Keys() {
		now := is.Values(key)
		if slices.ContainsFunc(set, func(a Assignment) bool { return keyOf(a.Keyword) == key }) {
			continue
		}
		if !slices.Equal(now, was.Values(key)) && !slices.Equal(now, asked.Values(key)) {
			return fmt.Sprintf("%s is %q, was %q, asked for %q", key, now, was.Values(key), asked.Values(key))
		}
	}
	return ""
}

// kept tells whether new text is the old one with lines added, and at most as
// many lines changed as there are options.
func kept(old, new []byte, options int) string {
	split := func(src []byte) [][]byte {
		if src = bytes.TrimSuffix(src, []byte("\n")); len(src) == 0 {
			return nil
		}
		return bytes.Split(src, []byte("\n"))
	}
	a, b := split(old), split(new)
	common := make([]int, len(b)+1) // the longest common subsequence, row by row
	for i := range a {
		before := 0
		for j := range b {
			here := common[j+1]
			if bytes.Equal(a[i], b[j]) {
				common[j+1] = before + 1
			} else {
				common[j+1] = max(here, common[j])
			}
			before = here
		}
	}
	if lost := len(a) - common[len(b)]; lost > options {
		return fmt.Sprintf("%d lines changed for %d options", lost, options)
	}
	return ""
}

// carryOut writes edits onto the disk.
func carryOut(e *Edits) error {
	files := map[string]string{}
	for _, f := range e.Files {
		if reason := kept(f.Old, f.New, len(e.Placed)); reason != "" {
			return fmt.Errorf("%s: %s\n%s\n---\n%s", f.Path, reason, f.Old, f.New)
		}
		files[f.Path] = string(f.New)
	}
	return install(files)
}

func TestEditsAgainstSSH(t *testing.T) {
	ssh := testenv.Need(t, "ssh")[0]
	release := releaseOf(t, ssh, "-V")
	t.Setenv("SSHCONF_A", "/from/env")
	t.Setenv("SHELL", "/bin/sh")
	dir := t.TempDir()
	var edited, refused atomic.Int32
	numberedEdits(t, clientEditCases, func(number int) error {
		g := newGenerator(*seedFlag, uint64(number)+1<<33, filepath.Join(dir, fmt.Sprint(number)))
		g.wrong = 0
		c := g.clientCase(release)
		c.request.Options = nil
		set := g.wishes(clientWishes)
		if err := install(c.files); err != nil {
			return err
		}
		defer os.RemoveAll(g.dir)
		hosts := []string{c.request.Host, "stranger.invalid", "web2", "other", "real.example"}
		ask := func(set ...Assignment) (all []*Dump) {
			for _, h := range hosts {
				q := ClientRequest{Host: h, Config: c.request.Config}
				for _, a := range set {
					q.Options = append(q.Options, Option{'o', a.String()})
				}
				d, _ := dumped(ssh, q.commandArgs()...)
				all = append(all, d)
			}
			return all
		}
		e, err := EditClient(testEnv(), c.request, set)
		if err != nil {
			refused.Add(1)
			return nil
		}
		was, asked := ask(), ask(set...)
		if err := carryOut(e); err != nil {
			return err
		}
		is := ask()
		if is[0] == nil || was[0] == nil {
			return fmt.Errorf("ssh refuses what was edited\n%v\n%s", set, show(c.files))
		}
		for _, p := range e.Placed {
			key := release.clientKey(p.Keyword)
			if !sameValues(key, is[0].Values(key), p.After.texts()) || asked[0] != nil && !gathers(key) && !slices.Equal(is[0].Values(key), asked[0].Values(key)) {
				return fmt.Errorf("ssh says %s %q, wanted %q\n%v\n%s", key, is[0].Values(key), p.After.texts(), set, show(c.files))
			}
		}
		if asked[0] != nil {
			if reason := strayed(is[0], was[0], asked[0], set, release.clientKey); reason != "" {
				return fmt.Errorf("%s\n%v\n%s", reason, set, show(c.files))
			}
		}
		for i := range hosts[1:] {
			if was[i+1] == nil {
				continue
			}
			if is[i+1] == nil || strayed(is[i+1], was[i+1], was[i+1], nil, release.clientKey) != "" {
				return fmt.Errorf("%s is no longer what it was\n%v\n%s", hosts[i+1], set, show(c.files))
			}
		}
		edited.Add(1)
		again, err := EditClient(testEnv(), c.request, set)
		if err != nil || len(again.Files) > 0 {
			return fmt.Errorf("a second time: %v, %v\n%s", again, err, show(c.files))
		}
		return nil
	})
	report(t, edited.Load(), refused.Load())
}

// report fails when too little was tried.
func report(t *testing.T, edited, refused int32) {
	t.Logf("%d configurations edited, %d refused", edited, refused)
	if *caseFlag < 0 && edited < refused {
		t.Errorf("only %d of %d were edited", edited, edited+refused)
	}
}

// numberedEdits is numbered for checks that do not count refusals.
func numberedEdits(t *testing.T, usual int, check func(number int) error) {
	numbered(t, usual, func(n int) (bool, error) { return false, check(n) })
}

func TestEditsAgainstSSHD(t *testing.T) {
	programs := testenv.Need(t, "sshd", "ssh-keygen", "ssh")
	sshd := programs[0]
	release := releaseOf(t, programs[2], "-V")
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	if out, err := exec.Command(programs[1], "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
	if os.Geteuid() == 0 { // sshd wants it when it runs as root
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var edited, refused atomic.Int32
	numberedEdits(t, serverEditCases, func(number int) error {
		g := newGenerator(*seedFlag, uint64(number)+1<<34, filepath.Join(dir, fmt.Sprint(number)))
		g.wrong = 0
		c, err := g.serverCase(release)
		if err != nil {
			return err
		}
		c.request.Options = nil
		g.dropIns(release, c.request.Config)
		set := g.wishes(serverWishes)
		if err := install(c.files); err != nil {
			return err
		}
		defer os.RemoveAll(g.dir)
		specs := []string{"user=nobody0,host=none.invalid,addr=203.0.113.9,laddr=203.0.113.8,lport=22", c.spec, "user=ann,addr=10.0.0.7,host=web.example.com,laddr=127.0.0.1,lport=22"}
		ask := func(set ...Assignment) (all []*Dump) {
			for _, spec := range specs {
				args := []string{"-T", "-f", c.request.Config, "-h", key, "-C", spec}
				for _, a := range set {
					args = append(args, "-o", a.String())
				}
				d, _ := dumped(sshd, args...)
				all = append(all, d)
			}
			return all
		}
		e, err := EditServer(testEnv(), c.request, set, false)
		if err != nil {
			refused.Add(1)
			return nil
		}
		was := ask()
		asked := ask(set...)
		if err := carryOut(e); err != nil {
			return err
		}
		is := ask()
		about := func() string {
			files := maps.Clone(c.files)
			for _, f := range e.Files {
				files["after "+f.Path] = string(f.New)
			}
			return fmt.Sprintf("%v\n%s", set, show(files))
		}
		for i := range specs {
			if was[i] == nil { // in a Match block sshd finds more wrong than without a connection
				continue
			}
			if is[i] == nil {
				return fmt.Errorf("sshd refuses what was edited, for %s\n%s", specs[i], about())
			}
			for _, p := range e.Placed {
				key, _, _ := release.serverKeyword(asciiLower(p.Keyword))
				now := is[i].Values(key)
				told := strings.Contains(strings.Join(e.Warnings, "\n"), p.After.Keyword)
				if !sameValues(key, now, p.After.texts()) && (i == 0 && !told || !sameValues(key, now, was[i].Values(key))) {
					return fmt.Errorf("for %s sshd says %s %q, wanted %q\n%s", specs[i], key, now, p.After.texts(), about())
				}
			}
			if asked[i] == nil {
				continue
			}
			keyOf := func(s string) string { key, _, _ := release.serverKeyword(asciiLower(s)); return key }
			if reason := strayed(is[i], was[i], asked[i], append(slices.Clone(set), Assignment{Keyword: "ListenAddress"}), keyOf); reason != "" {
				return fmt.Errorf("for %s %s\n%s", specs[i], reason, about())
			}
		}
		edited.Add(1)
		again, err := EditServer(testEnv(), c.request, set, false)
		if err != nil || len(again.Files) > 0 {
			return fmt.Errorf("a second time: %v, %v\n%s", again, err, about())
		}
		return nil
	})
	report(t, edited.Load(), refused.Load())
}

// dropIns gives most configurations a folder of drop-ins, at the top or
// somewhere else.
func (g *generator) dropIns(r Release, main string) {
	if g.chance(0.3) {
		return
	}
	line := "Include " + filepath.Join(g.dir, "d") + "/*.conf\n"
	if g.chance(0.7) {
		g.files[main] = line + g.files[main]
	} else {
		g.files[main] += line
	}
	all, inMatch := g.serverKeys(r)
	for _, name := range []string{"00-a.conf", "50-cloud.conf"} {
		if g.chance(0.5) {
			g.files[filepath.Join(g.dir, "d", name)] = g.serverFile(r, all, inMatch, 3, false)
		}
	}
	_ = os.MkdirAll(filepath.Join(g.dir, "d"), 0o755)
}
