package cause

import (
	"fmt"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"sshtay/internal/fact"
	"sshtay/internal/remedy"
)

// TestEveryFileIsOneCause: a file of this package registers exactly one cause,
// whose ID is the file's name. cause.go and the files that begin with "shared"
// hold what causes share.
func TestEveryFileIsOneCause(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, f := range files {
		if f == "cause.go" || strings.HasPrefix(f, "shared") || strings.HasSuffix(f, "_test.go") {
			continue
		}
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.ParseFile(token.NewFileSet(), f, src, 0); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(src), "register(Cause{"); n != 1 {
			t.Errorf("%s registers %d causes, want 1", f, n)
		}
		ids = append(ids, strings.TrimSuffix(f, ".go"))
	}
	var registered []string
	for _, c := range All() {
		registered = append(registered, c.ID)
	}
	slices.Sort(ids)
	if !slices.Equal(ids, registered) {
		t.Errorf("files %v\nregister %v", ids, registered)
	}
	for _, story := range glob(t, "testdata/*.txtar") {
		if id := strings.TrimSuffix(filepath.Base(story), ".txtar"); !slices.Contains(registered, id) {
			t.Errorf("%s is the story of no cause", story)
		}
	}
}

// TestPromises holds every cause to the same promises.
func TestPromises(t *testing.T) {
	ids := map[string]bool{}
	for _, c := range All() {
		ids[c.ID] = true
	}
	for _, c := range All() {
		t.Run(c.ID, func(t *testing.T) {
			if n := len([]rune(c.Title)); n == 0 || n > 60 {
				t.Errorf("a title of %d letters: %q", n, c.Title)
			}
			for part, text := range map[string]string{"Observed": c.Doc.Observed, "Judged": c.Doc.Judged, "Explained": c.Doc.Explained, "Fixed": c.Doc.Fixed} {
				if len(text) < 20 {
					t.Errorf("Doc.%s says nothing: %q", part, text)
				}
			}
			for _, m := range c.Masks {
				if !ids[m] {
					t.Errorf("masks %q, which does not exist", m)
				}
			}
			if v := c.Judge((&fact.Set{}).View()); v.Status != Unknown || v.Reason == "" {
				t.Errorf("without facts it says %v (%q), want unknown with a reason", v.Status, v.Reason)
			}
			stories(t, c)
		})
	}
}

// stories runs testdata/<id>.txtar: for each name.facts what the cause makes
// of them is name.want. There is a yes, a no and an unknown at least, and
// together they ask for exactly what the cause declares.
func stories(t *testing.T, c *Cause) {
	file := "testdata/" + c.ID + ".txtar"
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatalf("a cause needs its story: %v", err)
	}
	asked, statuses := map[string]bool{}, map[string]Status{}
	ids, unless := map[string]bool{}, map[string]bool{}
	var rewritten []txtar.File
	for _, f := range archive.Files {
		name, isFacts := strings.CutSuffix(f.Name, ".facts")
		if !isFacts {
			continue
		}
		set, err := fact.Parse(string(f.Data))
		if err != nil {
			t.Fatalf("%s: %s: %v", file, name, err)
		}
		view := set.View()
		verdict := c.Judge(view)
		statuses[name] = verdict.Status
		got := tell(t, c, view, verdict)
		if verdict.Status >= Possible && c.Fix != nil {
			for _, r := range c.Fix(view) {
				ids[r.ID] = true
				for _, id := range r.Unless {
					unless[id] = true
				}
			}
		}
		for _, n := range view.Asked() {
			asked[n] = true
		}
		rewritten = append(rewritten, f, txtar.File{Name: name + ".want", Data: []byte(got)})
		if want := section(archive, name+".want"); got != want && !*update {
			t.Errorf("%s: %s: got\n%swant\n%s\n(go test ./internal/cause -update writes it; read the difference)", file, name, got, want)
		}
	}
	if *update {
		archive.Files = rewritten
		if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if s, told := statuses["yes"]; !told || s < Likely {
		t.Errorf("%s has no story %q that ends likely or confirmed", file, "yes")
	}
	if s, told := statuses["no"]; !told || s != RuledOut {
		t.Errorf("%s has no story %q that ends ruled-out", file, "no")
	}
	if s, told := statuses["unknown"]; !told || s != Unknown {
		t.Errorf("%s has no story %q that ends unknown", file, "unknown")
	}
	for id := range unless {
		if !ids[id] {
			t.Errorf("a remedy is needless beside %q, which no story tells of", id)
		}
	}
	declared := map[string]bool{}
	for _, k := range c.Needs {
		declared[k.Name()] = true
	}
	if !maps.Equal(declared, asked) {
		t.Errorf("declares and asks differ: %v", difference(declared, asked))
	}
}

// tell renders a verdict for a story and holds it to the promises that every
// verdict makes.
func tell(t *testing.T, c *Cause, view *fact.View, v Verdict) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v: %s\n", v.Status, v.Reason)
	if v.Reason == "" {
		t.Error("a verdict without a reason")
	}
	if v.Status >= Likely {
		fmt.Fprintf(&b, "impact: %v\nsummary: %s\nwhy: %s\n", v.Impact, v.Summary, v.Why)
		if v.Summary == "" || v.Why == "" || len(v.Evidence) == 0 {
			t.Errorf("a finding needs a summary, a why and evidence: %+v", v)
		}
	}
	for _, e := range v.Evidence {
		fmt.Fprintf(&b, "evidence: %s: %s\n", e.Fact, e.Says)
		if _, known := fact.Lookup(e.Fact); !known {
			t.Errorf("evidence from %q, which is no fact", e.Fact)
		}
	}
	if v.Status < Possible || c.Fix == nil {
		return b.String()
	}
	for _, r := range c.Fix(view) {
		fmt.Fprintf(&b, "remedy: %s (%s, %s): %s\n", r.ID, r.Side, r.Risk, r.Summary)
		if _, known := fact.Lookup(r.Cures); !known {
			t.Errorf("remedy %s cures %q, which is no fact", r.ID, r.Cures)
		}
		if len(r.Steps) == 0 {
			t.Errorf("remedy %s has no steps", r.ID)
		}
		for _, s := range r.Steps {
			fmt.Fprintf(&b, "  %s: %s\n", s.Kind, s.Text)
			if m := buriedCommand.FindString(prose(s)); m != "" {
				t.Errorf("remedy %s: %q stands in the middle of a sentence; give it a line of its own (typed)", r.ID, m)
			}
			people := s.Kind == remedy.Advice || s.Kind == remedy.Note
			if s.Text == "" || !people && len(s.With) == 0 {
				t.Errorf("remedy %s: step says not what to do, or a machine cannot: %+v", r.ID, s)
			}
		}
	}
	return b.String()
}

// buriedCommand finds a command that a reader would have to cut out of prose.
var buriedCommand = regexp.MustCompile(`\b(systemctl|journalctl|ssh-keygen|ssh-add|ssh-copy-id|ss|nft|ip|chmod|chown|chage|grep|getent|apt-get|dnf|tail|ls|ps|sysctl|usermod|mount|ssh|sshtay) (-[a-zA-Z]|/|[a-z]+ -|[A-Z]{4})`)

// prose is what of a step is not there to be copied.
func prose(s remedy.Step) string {
	var b strings.Builder
	for l := range strings.Lines(s.Text) {
		if (s.Kind == remedy.Advice || s.Kind == remedy.Note) && s.With["run"] == "" && !strings.HasPrefix(l, " ") {
			b.WriteString(l)
		}
	}
	return b.String()
}

func section(a *txtar.Archive, name string) string {
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

func difference(declared, asked map[string]bool) []string {
	var d []string
	for n := range declared {
		if !asked[n] {
			d = append(d, "never asks for "+n)
		}
	}
	for n := range asked {
		if !declared[n] {
			d = append(d, "does not declare "+n)
		}
	}
	slices.Sort(d)
	return d
}

// glob refuses a pattern that matches nothing: such a test would pass unseen.
func glob(t *testing.T, pattern string) []string {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s matches nothing (%v)", pattern, err)
	}
	return files
}
