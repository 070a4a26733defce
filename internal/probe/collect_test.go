package probe

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sshtay/internal/fact"
)

var update = flag.Bool("update", false, "write testdata/collect/*.facts anew; look at the difference before you keep it")

// TestCollected holds the reading of servers to what it was when somebody last
// looked: each *.out is what the script printed on a server of that kind, and
// the *.facts beside it are its facts, as in stories. Those recorded here are
// debian*, busybox and dropbear; the others are written from what such systems
// print.
func TestCollected(t *testing.T) {
	files, _ := filepath.Glob("testdata/collect/*.out")
	if len(files) < 6 {
		t.Fatalf("only %d servers in testdata/collect", len(files))
	}
	for _, file := range files {
		out, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		via := "login"
		if strings.HasSuffix(file, "-local.out") {
			via = "local"
		}
		facts := &fact.Set{}
		putServer(facts, parseSections(string(out), "NONCE"), via)
		got, golden := story(facts), strings.TrimSuffix(file, ".out")+".facts"
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: the facts changed; run with -update and look at the difference:\n%s", file, difference(string(want), got))
		}
		if s, err := fact.Parse(got); err != nil || len(s.Entries()) < 5 {
			t.Errorf("%s: %v, %d facts", golden, err, len(s.Entries()))
		}
	}
}

// story writes facts as stories do, with their sources as comments.
func story(s *fact.Set) string {
	var b strings.Builder
	entries, source := s.Entries(), ""
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		e := entries[name]
		if e.Source != source {
			source = e.Source
			fmt.Fprintf(&b, "# %s\n", source)
		}
		value, isText := e.Value.(string)
		if !isText {
			raw, _ := json.Marshal(fact.Seconds(e.Value))
			value = string(raw)
			if strings.HasSuffix(fmt.Sprintf("%T", e.Value), "Duration") {
				value = fmt.Sprint(e.Value)
			}
		}
		fmt.Fprintf(&b, "%s = %s\n", name, strings.ReplaceAll(value, "\n", `\n`))
	}
	missing, reason := s.Missing(), ""
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		if missing[name] != reason {
			reason = missing[name]
			b.WriteString("#\n")
		}
		fmt.Fprintf(&b, "%s ? %s\n", name, reason)
	}
	return b.String()
}

// difference lists the lines that only one of the texts has.
func difference(want, got string) string {
	var b strings.Builder
	for l := range strings.Lines(want) {
		if !strings.Contains("\n"+got, "\n"+l) {
			b.WriteString("- " + l)
		}
	}
	for l := range strings.Lines(got) {
		if !strings.Contains("\n"+want, "\n"+l) {
			b.WriteString("+ " + l)
		}
	}
	return b.String()
}

// TestEveryQuestionIsAnsweredOrOpen: what the script is asked for has an
// answer or a reason, except where having none is the answer.
func TestEveryQuestionIsAnsweredOrOpen(t *testing.T) {
	none := []fact.Any{
		fact.ChannelTimeout, fact.ForceCommand, fact.SFTPServer, fact.ShellTMOUT, fact.SSHDConfigError, fact.BannedBy, fact.BannedUsers, fact.HostsDeny,
		fact.LogStartupSample, fact.LogPenaltySample, fact.LogPenaltyUntil, fact.FilesMax, fact.SSHDFilesMax, fact.SSHDTasks, fact.SSHDTasksMax, fact.SocketConnections, fact.SocketConnectionsMax, fact.SSHDUnitState, fact.SSHDEnabled, fact.UserProcessesMax,
		fact.PerSourcePenalties, fact.PerSourceMaxStartups, fact.PerSourceNetBlockSize, fact.RefuseConnection, fact.UnusedConnectionTimeout, // of newer versions
	}
	files, _ := filepath.Glob("testdata/collect/*.out")
	for _, file := range append(files, "") {
		out, _ := os.ReadFile(file)
		facts := &fact.Set{}
		putServer(facts, parseSections(string(out), "NONCE"), "login")
		for _, k := range serverFacts {
			_, answered := facts.Entry(k.Name())
			if !answered && facts.Missing()[k.Name()] == "" && !slices.Contains(none, k) {
				t.Errorf("%s: %s has neither an answer nor a reason", file, k.Name())
			}
		}
		for name := range facts.Entries() {
			if !slices.ContainsFunc(serverFacts, func(k fact.Any) bool { return k.Name() == name }) {
				t.Errorf("%s: %s is answered and not promised", file, name)
			}
		}
	}
}

// TestCutAnswers: wherever the answer is cut, what came before counts, and
// nothing is made up for the rest.
func TestCutAnswers(t *testing.T) {
	whole, err := os.ReadFile("testdata/collect/debian12-root.out")
	if err != nil {
		t.Fatal(err)
	}
	full := &fact.Set{}
	putServer(full, parseSections(string(whole), "NONCE"), "login")
	before := 0
	for i := range whole {
		if !strings.HasPrefix(string(whole[i:]), "\n=NONCE ") {
			continue
		}
		facts := &fact.Set{}
		putServer(facts, parseSections(string(whole[:i]), "NONCE"), "login")
		n := 0
		for name, e := range facts.Entries() {
			if f, _ := full.Entry(name); fmt.Sprint(f.Value) == fmt.Sprint(e.Value) {
				n++
			}
		}
		if n < before {
			t.Errorf("cut at byte %d: %d facts as in the whole, %d before", i, n, before)
		}
		before = n
		if why := facts.Missing()[fact.LogSource.Name()]; why != "" && why != wasCut {
			t.Errorf("cut at byte %d: the log is absent because %q", i, why)
		}
	}
}

// FuzzCollected: whatever a server prints, the reading ends, promises what it
// answers, and keeps texts printable and short.
func FuzzCollected(f *testing.F) {
	files, _ := filepath.Glob("testdata/collect/*.out")
	for _, file := range files {
		out, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(out))
	}
	f.Fuzz(func(t *testing.T, out string) {
		facts := &fact.Set{}
		putServer(facts, parseSections(out, "NONCE"), "login")
		for name, e := range facts.Entries() {
			var texts []string
			switch v := e.Value.(type) {
			case string:
				texts = []string{v}
			case []string:
				texts = v
			case int:
				if v < 0 {
					t.Errorf("%s = %d", name, v)
				}
			case []fact.Disk:
				for _, d := range v {
					texts = append(texts, d.Mount)
					if d.Used < 0 || d.Used > 1 || d.Inodes < 0 || d.Inodes > 1 {
						t.Errorf("%s = %+v", name, d)
					}
				}
			}
			for _, text := range append(texts, e.Source) {
				if len(text) > 5000 || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
					t.Errorf("%s holds %q", name, text)
				}
			}
		}
	})
}

// TestBadLineWithoutRoot: sshd -T names a bad line to everybody, and what it
// says of old options and of host keys is none.
func TestBadLineWithoutRoot(t *testing.T) {
	out, err := os.ReadFile("testdata/collect/debian12-user.out")
	if err != nil {
		t.Fatal(err)
	}
	for said, want := range map[string]string{
		"sshd: no hostkeys available -- exiting.": "",
		"/etc/ssh/sshd_config line 3: Deprecated option UsePrivilegeSeparation\nsshd: no hostkeys available -- exiting.":               "",
		"/etc/ssh/sshd_config: line 9: Bad configuration option: Prot\n/etc/ssh/sshd_config: terminating, 1 bad configuration options": "/etc/ssh/sshd_config: line 9: Bad configuration option: Prot",
		"/etc/ssh/sshd_config line 9: keyword Port missing argument":                                                                   "/etc/ssh/sshd_config line 9: keyword Port missing argument",
	} {
		facts := &fact.Set{}
		s := parseSections(string(out), "NONCE")
		if _, there := s["sshd-T 1"]; !there {
			t.Fatal("the recorded server has no section sshd-T 1")
		}
		s["sshd-T 1"] = said
		putServer(facts, s, "login")
		if got, _ := fact.SSHDConfigError.Get(facts); got != want {
			t.Errorf("%q: %q, want %q", said, got, want)
		}
	}
}
