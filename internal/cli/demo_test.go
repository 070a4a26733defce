package cli

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"sshtay/internal/demo"
	"sshtay/internal/report"
	"sshtay/internal/target"
	"sshtay/internal/testenv"
)

// runMain runs a command line and returns its exit code and what it printed.
func runMain(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	code = Main(t.Context(), args, strings.NewReader(""), &o, &e)
	return code, o.String(), e.String()
}

func TestDemoList(t *testing.T) {
	code, out, _ := runMain(t, "demo", "--list")
	for _, f := range demo.All() {
		if !strings.Contains(out, f.Name+" ") || !strings.Contains(out, f.Title) {
			t.Errorf("%s is not listed:\n%s", f.Name, out)
		}
	}
	if code != 0 {
		t.Errorf("exit %d", code)
	}
}

func TestDemoUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"demo", "earthquake"}, `there is no fault "earthquake" to demonstrate`},
		{[]string{"demo", "--hold"}, "say which"},
		{[]string{"demo", "reset", "http"}, "at most 1"},
	} {
		code, out, errOut := runMain(t, c.args...)
		if code != exitUsage || !strings.Contains(errOut, c.want) || out != "" {
			t.Errorf("%q: exit %d, %q, %q; want 2 and %q", c.args, code, out, errOut, c.want)
		}
	}
}

func TestDemoDiffers(t *testing.T) {
	findings := func(ids ...string) (all []report.Finding) {
		for _, id := range ids {
			all = append(all, report.Finding{Cause: id})
		}
		return all
	}
	for name, c := range map[string]struct {
		fault string
		noSSH bool
		r     report.Report
		right bool
	}{
		"found first":            {"http", false, report.Report{Findings: findings("not-ssh", "keepalive")}, true},
		"found second":           {"http", false, report.Report{Findings: findings("keepalive", "not-ssh")}, false},
		"nothing found":          {"http", false, report.Report{Verdict: report.Healthy}, false},
		"healthy":                {"healthy", false, report.Report{Verdict: report.Healthy}, true},
		"healthy, unsure":        {"healthy", false, report.Report{Verdict: report.Unknown}, false},
		"healthy, no login":      {"healthy", true, report.Report{Verdict: report.Unknown}, true},
		"healthy, but a finding": {"healthy", false, report.Report{Verdict: report.AtRisk, Findings: findings("keepalive")}, false},
		"possible, no login":     {"no-keepalive", true, report.Report{Causes: []report.Judged{{Cause: "keepalive", Status: "possible"}}}, true},
		"possible, with doubt":   {"reset", false, report.Report{Causes: []report.Judged{{Cause: "sshd-broken", Status: "possible"}}}, true},
		"doubt, but a finding":   {"reset", false, report.Report{Findings: findings("auth"), Causes: []report.Judged{{Cause: "sshd-broken", Status: "possible"}}}, false},
		"possible, with a login": {"no-keepalive", false, report.Report{Causes: []report.Judged{{Cause: "keepalive", Status: "possible"}}}, false},
	} {
		f, _ := demo.Lookup(c.fault)
		g := &guide{ssh: !c.noSSH}
		if wrong := g.differs(f, c.r); (wrong == "") != c.right {
			t.Errorf("%s: %q", name, wrong)
		}
	}
}

// A guide with a diagnosis of the test's own shows what the visitor sees.
func TestDemoTellsWhatItFound(t *testing.T) {
	testenv.Need(t, "ssh")
	f, _ := demo.Lookup("reset")
	for finds, want := range map[string]int{f.Expect: exitHealthy, "auth": exitFindings} {
		var out, errOut bytes.Buffer
		var config string
		g := &guide{shell: &shell{strings.NewReader(""), &out, &errOut}, width: 80, ssh: true}
		g.check = func(_ context.Context, o checkOptions) (report.Report, error) {
			config = o.target.ConfigFile
			if err := o.target.Validate(); err != nil {
				t.Error(err)
			}
			return report.Report{Verdict: report.Broken, Findings: []report.Finding{{Cause: finds, Title: "what was found"}}}, nil
		}
		err := g.visit(t.Context(), []demo.Fault{f})
		if code := exitCode(err); code != want {
			t.Errorf("the diagnosis finds %s: exit %d, want %d (%v)", finds, code, want, err)
		}
		for _, part := range []string{f.Title, "$ ssh -F ", "Connection reset by 127.0.0.1", "(exit status 255 after ", "$ sshtay check -F ", "what was found"} {
			if !strings.Contains(out.String(), part) {
				t.Errorf("the visitor is not told %q:\n%s", part, out.String())
			}
		}
		if _, err := os.Stat(config); config == "" || !os.IsNotExist(err) {
			t.Errorf("%q was left behind: %v", config, err)
		}
	}
}

func exitCode(err error) int {
	if exit, ok := err.(exitError); ok {
		return exit.code
	}
	return 0
}

// Each fault is diagnosed for what it is by the code of check, on real
// connections and with the system's own ssh.
func TestDemoIsDiagnosed(t *testing.T) {
	testenv.Need(t, "ssh")
	for _, f := range demo.All() {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			diagnosed(t, f)
		})
	}
}

// Without an ssh program the handshake alone has to do.
func TestDemoWithoutSSH(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for _, name := range []string{"healthy", "reset", "throttle", "http", "no-kex", "no-keepalive", "penalty", "tls"} {
		f, _ := demo.Lookup(name)
		t.Run(name, func(t *testing.T) { diagnosed(t, f) })
	}
}

func diagnosed(t *testing.T, f demo.Fault) {
	var out bytes.Buffer
	g := (&shell{strings.NewReader(""), &out, io.Discard}).guide()
	if f.Freezes > 0 { // nobody watches here
		f.Freezes, g.limit = f.Freezes/10, 4*time.Second
	}
	if err := g.visit(t.Context(), []demo.Fault{f}); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// The imaginary server's answers to the check's login are all understood, and
// none is left out.
func TestDemoAnswersTheCollector(t *testing.T) {
	testenv.Need(t, "ssh")
	for name, alive := range map[string]string{"healthy": "60", "no-keepalive": "0"} {
		f, _ := demo.Lookup(name)
		_, dir, leave, err := enter(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		defer leave()
		r, err := runCheck(t.Context(), checkOptions{
			target:         target.Target{Given: demo.Alias, ConfigFile: dir.Path(demo.ConfigFile)},
			maxConnections: 5, timeout: 20 * time.Second,
		})
		if err != nil {
			t.Fatal(err)
		}
		for fact, want := range map[string]string{
			"session.kind":                 `"shell"`,
			"server.os":                    `"Debian GNU/Linux 12 (bookworm), imagined by sshtay demo"`,
			"server.sshd_config":           `"sshd -T"`,
			"server.client_alive_interval": alive,
			"server.tcp_keepalive_time":    "7200",
			"server.sshd_activation":       `"daemon"`,
		} {
			if got := string(r.Facts[fact].Value); got != want {
				t.Errorf("%s: %s = %s, want %s", name, fact, got, want)
			}
		}
		for _, m := range r.Missing {
			if strings.HasPrefix(m.Reason, "not needed: ") {
				continue
			}
			if strings.HasPrefix(m.Fact, "server.") || strings.HasPrefix(m.Fact, "log.") {
				t.Errorf("%s: %s is missing: %s", name, m.Fact, m.Reason)
			}
		}
	}
}

// heldOutput lets a test wait for what a verb prints.
type heldOutput struct{ lines chan string }

func (h heldOutput) Write(p []byte) (int, error) {
	h.lines <- string(p)
	return len(p), nil
}

func TestDemoHold(t *testing.T) {
	ssh := testenv.Need(t, "ssh")[0]
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := heldOutput{make(chan string, 100)}
	ended := make(chan int)
	go func() { ended <- Main(ctx, []string{"demo", "healthy", "--hold"}, strings.NewReader(""), out, out) }()

	command := regexp.MustCompile(`^\$ ssh -F (\S+) demo 'echo hello'\n$`)
	config := ""
	for config == "" {
		select {
		case line := <-out.lines:
			if m := command.FindStringSubmatch(line); m != nil {
				config = m[1]
			}
		case <-time.After(10 * time.Second):
			t.Fatal("the demo prints no command to type")
		}
	}
	if said := output(t, ssh, "-F", config, demo.Alias, "echo hello"); said != "hello\n" {
		t.Errorf("the server that is held up says %q", said)
	}
	cancel()
	if code := <-ended; code != 0 {
		t.Errorf("exit %d after Ctrl-C", code)
	}
	if _, err := os.Stat(config); !os.IsNotExist(err) {
		t.Errorf("%s was left behind: %v", config, err)
	}
}

func TestDemoQuotes(t *testing.T) {
	var out bytes.Buffer
	g := &guide{shell: &shell{out: &out}}
	g.command("ssh", "-F", "/tmp/a b/config", "it's")
	if want := "$ ssh -F '/tmp/a b/config' 'it'\\''s'\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestDemoParagraph(t *testing.T) {
	var out bytes.Buffer
	g := &guide{shell: &shell{out: &out}, width: 10}
	g.paragraph("one two three four averyverylongword x")
	if want := "one two\nthree four\naveryverylongword\nx\n\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func output(t *testing.T, argv ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), argv[0], argv[1:]...).Output()
	if err != nil {
		t.Errorf("%q: %v", argv, err)
	}
	return string(out)
}
