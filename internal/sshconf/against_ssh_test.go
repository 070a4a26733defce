package sshconf

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"sshtay/internal/testenv"
)

var (
	seedFlag  = flag.Uint64("seed", 1, "of the generated configurations")
	caseFlag  = flag.Int("case", -1, "run this generated configuration only, and show it")
	casesFlag = flag.Int("cases", 0, "how many configurations to generate for each program, instead of the usual number")
)

// The usual numbers.
const (
	clientCases = 1300
	serverCases = 900
)

// numbered runs check for every number of a case, on all processors. It stops
// after a few failures: they are often the same.
//
// check tells whether OpenSSH refused the configuration, and how we differ.
func numbered(t *testing.T, usual int, check func(number int) (refused bool, err error)) {
	first, count := 0, usual
	if *casesFlag > 0 {
		count = *casesFlag
	}
	if *caseFlag >= 0 {
		first, count = *caseFlag, 1
	}
	numbers := make(chan int)
	var failed, done, refusals int
	var mu sync.Mutex
	var all sync.WaitGroup
	for range runtime.NumCPU() {
		all.Go(func() {
			for n := range numbers {
				refused, err := check(n)
				mu.Lock()
				done++
				if refused {
					refusals++
				}
				if err != nil {
					failed++
					t.Errorf("seed %d, case %d: %v\nagain with: go test ./internal/sshconf -run '^%s$' -seed %d -case %d",
						*seedFlag, n, err, t.Name(), *seedFlag, n)
				}
				mu.Unlock()
			}
		})
	}
	for n := first; n < first+count; n++ {
		mu.Lock()
		enough := failed >= 5
		mu.Unlock()
		if enough {
			break
		}
		numbers <- n
	}
	close(numbers)
	all.Wait()
	t.Logf("%d configurations compared, of which OpenSSH refuses %d; %d differ", done, refusals, failed)
	if done != count && failed == 0 {
		t.Fatalf("only %d of %d ran", done, count)
	}
	if count > 500 && failed == 0 && (refusals < done/20 || refusals > done/2) {
		t.Fatalf("OpenSSH refuses %d of %d: the generator no longer makes what it should", refusals, done)
	}
}

// install writes the files of a case and returns what to call to remove them.
func install(files map[string]string) error {
	for name, body := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, []byte(body), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// show lists the files of a case for a failure message.
func show(files map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&b, "--- %s\n%s", name, files[name])
	}
	return b.String()
}

// releaseOf asks a program for its version.
func releaseOf(t *testing.T, program, option string) Release {
	t.Helper()
	out, _ := exec.Command(program, option).CombinedOutput()
	r, ok := ParseRelease(string(out))
	if !ok {
		t.Fatalf("%s %s says no version: %s", program, option, out)
	}
	if !r.has(807) {
		t.Fatalf("%s: the rules of OpenSSH 8.7 and later are known here, those of %s only nearly", program, r.Text)
	}
	return r
}

// commandArgs is the ssh command line of a request.
func (q ClientRequest) commandArgs() []string {
	args := []string{"-G"}
	if q.Config != "" {
		args = append(args, "-F", q.Config)
	}
	for _, o := range q.Options {
		args = append(args, "-"+string(o.Flag))
		if o.Flag != '4' && o.Flag != '6' {
			args = append(args, o.Value)
		}
	}
	return append(args, "--", q.Host)
}

// testEnv is this machine with a shell for Match exec.
func testEnv() *Env {
	env := OS()
	env.Exec = func(command string) (bool, error) {
		err := exec.Command("/bin/sh", "-c", command).Run()
		return err == nil, nil
	}
	return env
}

// TestClientAgainstSSH holds our reading of generated configurations against
// that of the system's ssh: every value, and whether there is an error.
func TestClientAgainstSSH(t *testing.T) {
	ssh := testenv.Need(t, "ssh")[0]
	release := releaseOf(t, ssh, "-V")
	t.Setenv("SSHCONF_A", "/from/env")
	t.Setenv("SHELL", "/bin/sh")
	dir := t.TempDir()
	env := testEnv()
	numbered(t, clientCases, func(number int) (bool, error) {
		g := newGenerator(*seedFlag, uint64(number), filepath.Join(dir, fmt.Sprint(number)))
		c := g.clientCase(release)
		if err := install(c.files); err != nil {
			return false, err
		}
		defer os.RemoveAll(g.dir)
		var out, complaint bytes.Buffer
		cmd := exec.Command(ssh, c.request.commandArgs()...)
		cmd.Stdout, cmd.Stderr = &out, &complaint
		theirs := cmd.Run()
		ours, err := ResolveClient(env, c.request)
		if diff := compare(out.Bytes(), &ours.Resolved, theirs, err, complaint.String()); diff != "" {
			return theirs != nil, fmt.Errorf("%s\nssh %q\n%s", diff, c.request.commandArgs(), show(c.files))
		}
		return theirs != nil, nil
	})
}

// compare tells where a dump and ours differ, "" if nowhere. If OpenSSH
// refused the configuration we must too, at a line it names.
func compare(dump []byte, ours *Resolved, theirErr, ourErr error, complaint string) string {
	var exit *exec.ExitError
	if errors.As(theirErr, &exit) && exit.ExitCode() < 0 { // sshd 10.0 dies of Subsystem in a Match block
		return ""
	}
	if (theirErr != nil) != (ourErr != nil) {
		return fmt.Sprintf("OpenSSH: %v\n%sours: %v", theirErr, complaint, ourErr)
	}
	if theirErr != nil {
		var at *LineError
		blamed := blames(complaint) // often OpenSSH does not say where
		if errors.As(ourErr, &at) && at.Line > 0 && blamed != "" && !strings.Contains(blamed, fmt.Sprintf("line %d", at.Line)) {
			return fmt.Sprintf("another line is wrong\nOpenSSH: %sours: %v", complaint, ourErr)
		}
		return ""
	}
	theirs, err := ParseDump(dump)
	if err != nil {
		return err.Error()
	}
	mine, err := ParseDump(ours.Dump())
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, key := range theirs.Keys() {
		if want, got := theirs.Values(key), mine.Values(key); strings.Join(want, "\n") != strings.Join(got, "\n") {
			fmt.Fprintf(&b, "%s: OpenSSH says %q, we say %q\n", key, want, got)
		}
	}
	for _, key := range mine.Keys() {

		if theirs.Values(key) == nil && !unbuilt(theirs, key) {
			fmt.Fprintf(&b, "%s: OpenSSH says nothing, we say %q\n", key, mine.Values(key))
		}
	}
	return b.String()
}

// unbuilt tells whether a keyword belongs to what some builds leave out.
func unbuilt(theirs *Dump, key string) bool {
	for _, part := range []string{"gssapi", "kerberos"} {
		if strings.HasPrefix(key, part) && theirs.Values(part+"authentication") == nil {
			return true
		}
	}
	return false
}

// blames are the lines of a complaint that name a line of a file as wrong.
func blames(complaint string) string {
	var b strings.Builder
	warning := func(l string) bool {
		return strings.Contains(l, "Unsupported option") || strings.Contains(l, "Deprecated option") || strings.Contains(l, "Unable to expand")
	}
	for l := range strings.Lines(complaint) {
		if strings.Contains(l, "line ") && !warning(l) {
			b.WriteString(l)
		}
	}
	return b.String()
}
