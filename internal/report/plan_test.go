package report

import (
	"bytes"
	"strings"
	"testing"

	"sshtay/internal/report/reporttest"
)

// aPlan has everything that a plan can have.
func aPlan() Plan {
	return Plan{
		Schema: PlanSchema, At: start, Version: "test", Verdict: AtRisk,
		Target: Target{Given: "web1", User: "deploy", Host: "192.0.2.7", Port: 22, Jumps: []string{}},
		Machines: []PlanMachine{
			{Side: "client", Name: "this machine", Risk: "harmless", Script: "#!/bin/sh\n", Changes: []PlanChange{{
				Kind: "ssh_config", Title: "set ServerAliveInterval 60 and ServerAliveCountMax 3 for web1", Causes: []string{"keepalive"}, Risk: "harmless",
				Files:    []PlanFile{{Path: "/home/anna/.ssh/config", Diff: "--- /home/anna/.ssh/config\n+++ /home/anna/.ssh/config\n@@ -1,2 +1,4 @@\n Host web1\n     User deploy\n+    ServerAliveInterval 60\n+    ServerAliveCountMax 3\n"}},
				Commands: []string{}, Services: []string{}, Verified: []string{"ssh -G web1 says serveraliveinterval 60"}, Notes: []string{"line 1 says: Ansible managed"},
			}}},
			{Side: "server", Name: "web1", Risk: "reloads-sshd", Script: "#!/bin/sh\n", Changes: []PlanChange{{
				Kind: "sysctl", Title: "let the kernel notice a dead peer after 15 minutes", Causes: []string{"tcp-keepalive", "keepalive"}, Risk: "reloads-sshd",
				Files:    []PlanFile{{Path: "/etc/sysctl.d/60-sshtay.conf", Diff: "--- /dev/null\n+++ /etc/sysctl.d/60-sshtay.conf\n@@ -0,0 +1 @@\n+net.ipv4.tcp_keepalive_time = \x1b[31m600\n"}},
				Commands: []string{"sysctl -w net.ipv4.tcp_keepalive_time=600\nsysctl -w net.ipv4.tcp_keepalive_intvl=60"}, Services: []string{"sshd -t, then systemctl reload ssh.service"}, Verified: []string{}, Notes: []string{},
			}}},
		},
		ByHand: []ByHand{{Cause: "path-loss", Remedy: "tell-provider", Side: "network", Risk: "harmless", Summary: "send this to whoever owns the segment", Steps: []string{"the text:\n    5 % of 400 packets are lost"}}},
		Held:   []ByHand{{Cause: "startup-throttle", Remedy: "socket_limits", Side: "server", Risk: "can-lock-out", Summary: "let the socket take more connections", Why: "it is done with --accept-risk can-lock-out only", Steps: []string{}}},
	}
}

func TestPlanText(t *testing.T) {
	var b strings.Builder
	if err := PlanText(&b, aPlan(), TextOptions{Width: 80}); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/plan.txt", b.String())
	b.Reset()
	if err := PlanText(&b, aPlan(), TextOptions{Width: 80, Color: true}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "\x1b[31m600") {
		t.Error("a file's escape sequence reaches the terminal")
	}
}

func TestPlanKeepsTheContract(t *testing.T) {
	for name, p := range map[string]Plan{
		"full":  aPlan(),
		"empty": {Schema: PlanSchema, At: start, Target: Target{Jumps: []string{}}, Verdict: Healthy, Machines: []PlanMachine{}, ByHand: []ByHand{}, Held: []ByHand{}},
	} {
		var b bytes.Buffer
		if err := PlanJSON(&b, p); err != nil {
			t.Fatal(err)
		}
		if err := reporttest.CheckAs("plan.schema.json", b.Bytes()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestComparison(t *testing.T) {
	report := func(reached string, findings ...Finding) Report {
		r := Report{Verdict: Healthy, Reached: reached, Findings: findings}
		for _, f := range findings {
			r.Verdict = Broken
			r.Causes = append(r.Causes, Judged{Cause: f.Cause, Status: f.Status})
		}
		return r
	}
	hole := Finding{Cause: "path-mtu", Status: "confirmed", Impact: "breaks", Summary: "Long packets vanish"}
	auth := Finding{Cause: "auth", Status: "likely", Impact: "breaks", Summary: "No key is accepted"}
	risk := Finding{Cause: "keepalive", Status: "confirmed", Impact: "risk", Summary: "Nobody speaks"}
	drops := Finding{Cause: "startup-throttle", Status: "confirmed", Impact: "will-break", Summary: "The log tells of drops"}
	with := func(r Report, value string) Report {
		r.Facts = map[string]Fact{"server.max_startups": {Value: []byte(value)}}
		return r
	}
	took := func(r Report, seconds string) Report {
		r.Facts = map[string]Fact{"login.auth_time": {Value: []byte(seconds)}}
		return r
	}
	refused := drops
	refused.Impact = "breaks"
	for name, c := range map[string]struct {
		before, after Report
		still         string
	}{
		"the log remembers":          {with(report("session", drops), `"2:50:100"`), with(report("session", drops), `"50:30:100"`), ""},
		"nothing changed":            {with(report("session", drops), `"2:50:100"`), with(report("session", drops), `"2:50:100"`), "startup-throttle is still confirmed: The log tells of drops."},
		"it counts another number":   {with(report("session", drops), `{"count":9,"max":9}`), with(report("session", drops), `{"count":8,"max":9}`), "startup-throttle is still confirmed: The log tells of drops."},
		"it counts to another one":   {with(report("session", drops), `{"count":9,"max":9}`), with(report("session", drops), `{"count":9,"max":99}`), ""},
		"it took another time":       {took(report("session", drops), "1.25"), took(report("session", drops), "1.3"), "startup-throttle is still confirmed: The log tells of drops."},
		"less harm":                  {report("session", refused), report("session", drops), ""},
		"refused still":              {with(report("banner", refused), `"2:50:100"`), with(report("banner", refused), `"50:30:100"`), "startup-throttle is still confirmed: The log tells of drops."},
		"cured":                      {report("banner", hole), report("session"), ""},
		"not cured":                  {report("banner", hole), report("banner", hole), "path-mtu is still confirmed: Long packets vanish."},
		"the next thing in the way":  {report("banner", hole), report("kex", auth), ""},
		"broken by it":               {report("session", hole), report("session", auth), "auth came with it: No key is accepted."},
		"nobody gets in any more":    {report("session", hole), report(""), "a new connection reaches nothing only, and reached session before."},
		"a risk that was there":      {report("session", hole, risk), report("session", risk), ""},
		"a risk that was not before": {report("session", hole), report("session", risk), ""},
	} {
		got := InSentences(Comparison{Before: c.before, After: c.after, Mended: map[string][]string{"path-mtu": {"path.mtu_from_server"}, "startup-throttle": {"server.max_startups", "login.auth_time"}}}.Still())
		if got != c.still {
			t.Errorf("%s: still %q, want %q", name, got, c.still)
		}
	}
	var b strings.Builder
	if err := CompareText(&b, Comparison{Before: report("banner", hole, risk), After: report("kex", auth, risk), Mended: map[string][]string{"path-mtu": nil}}, TextOptions{Width: 80}); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/compare.txt", b.String())
}
