package cause

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write stories and docs/causes from the code")

const docs = "../../docs/causes/"

// TestDocs: docs/causes holds one page for each cause, made from the code.
func TestDocs(t *testing.T) {
	want := map[string]string{"README.md": index()}
	for _, c := range All() {
		want[c.ID+".md"] = page(c)
	}
	if *update {
		for name, text := range want {
			if err := os.WriteFile(docs+name, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, text := range want {
		got, err := os.ReadFile(docs + name)
		if err != nil || string(got) != text {
			t.Errorf("docs/causes/%s is not what the code says (%v): go test ./internal/cause -update", name, err)
		}
	}
	for _, f := range glob(t, docs+"*") {
		if _, ok := want[filepath.Base(f)]; !ok {
			t.Errorf("%s is the page of no cause", f)
		}
	}
}

func index() string {
	var b strings.Builder
	b.WriteString("# The causes\n\nMade from the code by `go test ./internal/cause -update`.\n\n| id | what the user sees |\n|---|---|\n")
	for _, c := range All() {
		fmt.Fprintf(&b, "| [`%s`](%s.md) | %s |\n", c.ID, c.ID, c.Title)
	}
	return b.String()
}

func page(c *Cause) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# `%s`: %s\n\n", c.ID, c.Title)
	for _, part := range []struct{ head, text string }{
		{"Observed", c.Doc.Observed}, {"Judged", c.Doc.Judged}, {"Explained", c.Doc.Explained}, {"Fixed", c.Doc.Fixed},
	} {
		fmt.Fprintf(&b, "## %s\n\n%s\n\n", part.head, part.text)
	}
	b.WriteString("## Facts it reads\n\n")
	for _, k := range c.Needs {
		fmt.Fprintf(&b, "- `%s`: %s\n", k.Name(), k.Question())
	}
	if len(c.Masks) > 0 {
		fmt.Fprintf(&b, "\nWhile it is likely, these say nothing new: `%s`.\n", strings.Join(c.Masks, "`, `"))
	}
	return b.String()
}
