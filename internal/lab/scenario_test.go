package lab

import (
	"slices"
	"strings"
	"testing"
	"time"
)

const sample = `A fault, told in one sentence.

    laptop -- web1

-- world --
# what differs from the usual world
server = reset 40
rtt = 80ms
to-client loss = 2%
to-client burst = 0.1% 30%
rate = 1.5Mbit
drop-dscp = 10 18
idle = 3s reset-both
reset = 2000B client
reset = 5s both
limit = 5/30s
family = both
limits = --nofile=10 --as=1000
-- client:ssh_config --
Host web1
-- server:~/bin/x 0755 --
#!/bin/sh
-- server:/etc/nologin --
no
-- mended world --
server = system
idle =
-- mended server:/etc/nologin --
-- truth --
run = ssh web1 echo a = b
ends = never
says = one
says = two
within = 3s
login = no
-- want --
first = unreachable
status = confirmed
beside = keepalive auth
never = not-ssh
fact path.rtt = 0.08..0.2
fact handshake.stage = connect
connections = 3
`

func TestParse(t *testing.T) {
	s, err := Parse("sample", []byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	w := s.World
	if s.Title != "A fault, told in one sentence." || !strings.Contains(s.Story, "laptop") {
		t.Errorf("title %q, story %q", s.Title, s.Story)
	}
	if w.Server != (Server{"reset", 40}) || !w.IPv4 || !w.IPv6 || w.Limit != 5 || w.Every != 30*time.Second || len(w.Limits) != 2 || w.User != "root" {
		t.Errorf("world: %+v", w.Spec)
	}
	to, from := w.Lanes[ToServer], w.Lanes[ToClient]
	if to.Delay+from.Delay != 80*time.Millisecond || to.Loss != 0 || from.Loss != 0.02 || from.Burst != (Burst{0.001, 0.3}) || to.Rate != 1.5e6 || !slices.Equal(from.DropDSCP, []int{10, 18}) {
		t.Errorf("lanes: %+v %+v", to, from)
	}
	if w.Box.Idle != 3*time.Second || w.Box.After != ResetBoth || !slices.Equal(w.Box.Resets, []Reset{{Bytes: 2000, To: ResetClient}, {Time: 5 * time.Second, To: ResetBoth}}) {
		t.Errorf("box: %+v", w.Box)
	}
	if string(w.file("client", "ssh_config")) != "Host web1\n" || len(w.Files) != 3 || w.Files[1].Mode != 0o755 {
		t.Errorf("files: %+v", w.Files)
	}
	if m := s.Mended; m.Server.Kind != "system" || m.Box.Idle != 0 || m.file("server", "/etc/nologin") != nil || len(m.Files) != 2 || m.Lanes[ToClient].Loss != 0.02 {
		t.Errorf("mended: %+v", m)
	}
	if tr := s.Truth; tr.Run != "ssh web1 echo a = b" || !tr.Never || len(tr.Says) != 2 || tr.Within != 3*time.Second || tr.Login != "" {
		t.Errorf("truth: %+v", tr)
	}
	if want := s.Want; want.Exit != 1 || want.Check != "web1" || want.On != "client" || len(want.Beside) != 2 || want.Connections != 3 ||
		want.Facts[0] != (Range{Fact: "path.rtt", Low: 0.08, High: 0.2, Text: "0.08..0.2", IsNumber: true}) || want.Facts[1].IsNumber {
		t.Errorf("want: %+v", want)
	}
}

// TestParseFix: how a scenario is mended, and how one is left alone.
func TestParseFix(t *testing.T) {
	parse := func(fix string) (*Fix, error) {
		s, err := Parse("sample", []byte(sample+"-- fix --\n"+fix))
		return s.Fix, err
	}
	if f, err := parse(""); err != nil || f.Run != "--yes web1" || f.On != "client" || !f.Returns || f.Nothing || !slices.Equal(f.Rollback, []string{"web1"}) {
		t.Errorf("%+v, %v", f, err)
	}
	if f, err := parse("exit = 4\nchanges = nothing\nsays = undone\nhistory = as it was\non = server\nrun = --yes"); err != nil || f.Exit != 4 || !f.Nothing || len(f.Says) != 1 || len(f.History) != 1 || f.On != "server" {
		t.Errorf("%+v, %v", f, err)
	}
	for _, c := range []struct{ fix, says string }{
		{"exit = 4", "changes = nothing"},
		{"changes = nothing", "does not say why"},
		{"changes = much", "nothing"},
		{"says = (", "missing closing"},
		{"mend = x", "no such key"},
	} {
		if f, err := parse(c.fix); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: %+v, %v; want an error that says %q", c.fix, f, err, c.says)
		}
	}
}

// TestParseRefuses: what is not known, or could not fail, is no scenario; the
// error names it.
func TestParseRefuses(t *testing.T) {
	replace := func(old, new string) string {
		if !strings.Contains(sample, old) {
			t.Fatalf("the sample does not hold %q", old)
		}
		return strings.Replace(sample, old, new, 1)
	}
	for _, c := range []struct{ name, text, says string }{
		{"a key of the world", replace("rtt = 80ms", "rrt = 80ms"), "rrt"},
		{"a key of a lane", replace("to-client loss", "to-client lost"), "lost"},
		{"a direction", replace("to-client loss", "to-moon loss"), "to-moon"},
		{"a key of the truth", replace("within = 3s", "withing = 3s"), "withing"},
		{"a key of the wish", replace("never = not-ssh", "nevver = not-ssh"), "nevver"},
		{"a section", replace("-- truth --", "-- proof --"), "proof"},
		{"a side", replace("-- client:ssh_config --", "-- cliend:ssh_config --"), "cliend"},
		{"a script", replace("-- client:ssh_config --", "-- client:afterwards --"), "afterwards"},
		{"a mode", replace("0755", "0799"), "0799"},
		{"a server", replace("server = reset 40", "server = apache"), "apache"},
		{"an init that would start another server", replace("server = reset 40", "server = reset 40\ninit = openrc"), "an init"},
		{"a ratio", replace("loss = 2%", "loss = 200%"), "200%"},
		{"a time", replace("within = 3s", "within = 3"), "3"},
		{"a rate", replace("1.5Mbit", "1.5MB"), "1.5MB"},
		{"what happens after", replace("3s reset-both", "3s explode"), "explode"},
		{"a range upside down", replace("0.08..0.2", "0.2..0.08"), "low..high"},
		{"a line without =", replace("rtt = 80ms", "rtt 80ms"), "key = value"},
		{"a pattern", replace("says = one", "says = ("), "missing"},
		{"a name of a section", replace("-- truth --", "-- --"), "no name"},
		{"no story", sample[strings.Index(sample, "-- world"):], "no story"},
		{"no wish", sample[:strings.Index(sample, "-- want")], "want"},
		{"healthy and failing", replace("first = unreachable", "first = healthy"), "healthy"},
		{"a fault that does not show", replace("ends = never", "ends = 0"), "ends well"},
		{"a fault that cannot be mended", "x\n-- truth --\nends = 1\n-- want --\nfirst = auth\n", "without it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse("bad", []byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "scenario bad") {
				t.Errorf("got %v, want an error that names %q", err, c.says)
			}
		})
	}
}

// TestEmbedded: the scenarios that come with the program are many, are all
// read, and tell their story.
func TestEmbedded(t *testing.T) {
	all, err := Scenarios()
	if err != nil {
		t.Fatal(err)
	}
	healthy, variants := 0, map[string]int{}
	for _, s := range all {
		if s.Want.First == Healthy {
			healthy++
		} else {
			variants[s.Want.First]++
		}
		if len(s.Title) > 240 {
			t.Errorf("%s: the story begins with a sentence of %d letters: %q", s.Name, len(s.Title), s.Title)
		}
	}
	if len(all) < 40 || healthy < 12 {
		t.Errorf("%d scenarios, %d of them healthy; want 40 and 12", len(all), healthy)
	}
	for cause, n := range variants {
		if n < 2 {
			t.Errorf("%s has %d scenario, want two variants", cause, n)
		}
	}
}
