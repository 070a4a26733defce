package commit

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

const aRecord = "id=t1\ntitle=keep\nby=anna\nstarted=1795863118\neffects=2\nuntil=1795863126\narmed=a timer\nboot_hook=a unit\n\nstate=applying\nbegin=1\ndone=1\nalready=2\nstate=waiting\ntheirs=/etc/a\ntheirs=/etc/b\nsta"

func TestParseReports(t *testing.T) {
	report := func(record, marks string) string {
		return "\n=M record\n" + record + "\n=M marks\n" + marks + "\n=M end\n"
	}
	got, said := parseReports([]byte("hello\n"+report(aRecord, "decision=\nprogram=/s/t1/run")+"noise"+report("id=t2\nstate=stuck\nwhy=x\nended=5\n", "decision=rolled-back")+"\n=M record\nid=t3\n"), "M")
	want := []Record{
		{ID: "t1", Title: "keep", By: "anna", State: Waiting, Started: time.Unix(1795863118, 0), Until: time.Unix(1795863126, 0), Armed: "a timer", BootHook: "a unit",
			Theirs: []string{"/etc/a", "/etc/b"}, Effects: 2, Done: 2, Program: "/s/t1/run"},
		{ID: "t2", State: Stuck, Why: "x", Stuck: "x"},
	}
	if d := cmp.Diff(want, got); d != "" || said != "hello\n" {
		t.Errorf("%q %s", said, d)
	}
	for _, c := range []struct {
		said, decision string
		through, undo  bool
		want           State
	}{
		{"", "", false, false, Preparing}, {"applying", "", false, false, Applying}, {"waiting", "", false, false, Waiting},
		{"waiting", "confirmed", false, false, Confirmed}, {"waiting", "confirmed", true, false, Confirmed}, {"waiting", "rolled-back", false, false, PuttingBack},
		{"stuck", "rolled-back", false, false, Stuck}, {"rolled-back", "rolled-back", true, false, RolledBack}, {"", "refused", true, false, RefusedState},
		{"undoing", "confirmed", false, true, PuttingBack}, {"undone", "confirmed", true, true, Undone}, {"no such state", "no such word", false, false, Preparing},
	} {
		if got := stateOf(c.said, c.decision, c.through, c.undo); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

var recordSeeds = []string{
	aRecord, "", "=", "==\n=", "id=\x1b[31m\nwhy=" + strings.Repeat("x", 5000), "started=-1\nuntil=99999999999999999999\neffects=-7\ndone=1\n",
	strings.Repeat("theirs=/x\n", 500), "state=confirmed", "\n=M end\n\n=M record\n",
}

func FuzzRecord(f *testing.F) {
	if len(recordSeeds) < 9 {
		f.Fatal("seeds are missing")
	}
	for _, s := range recordSeeds {
		f.Add(s, "decision=confirmed\nthrough=yes\n")
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, record, marks string) {
		all, _ := parseReports([]byte("\n=M record\n"+record+"\n=M marks\n"+marks+"\n=M end\n"), "M")
		for _, r := range append(all, parseRecord(record, marks)) {
			texts := append([]string{r.ID, r.Title, r.By, r.Why, r.Armed, r.BootHook, r.Stuck, r.Program, string(r.State)}, r.Theirs...)
			for _, s := range texts {
				if len(s) > 10*maxText || strings.IndexFunc(s, func(c rune) bool { return !unicode.IsPrint(c) && c != ' ' }) >= 0 {
					t.Errorf("%q", s)
				}
			}
			if len(r.Theirs) > maxTheirs || r.Done > max(r.Effects, 0) {
				t.Errorf("%+v", r)
			}
			if states := []State{Preparing, Applying, Waiting, PuttingBack, Stuck, Confirmed, Undone, RolledBack, RefusedState}; !slices.Contains(states, r.State) {
				t.Errorf("state %q", r.State)
			}
		}
	})
}
