package report

import (
	"bytes"
	"flag"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata/*.golden anew; then read the diff")

// forms are the ways to write a report, by the middle of a golden file's name.
var forms = map[string]func(io.Writer, Report) error{
	"json":    JSON,
	"md":      Markdown,
	"html":    HTML,
	"text60":  text(60, false),
	"text80":  text(80, false),
	"text120": text(120, false),
	"color80": text(80, true),
}

func text(width int, color bool) func(io.Writer, Report) error {
	return func(w io.Writer, r Report) error { return Text(w, r, TextOptions{Width: width, Color: color}) }
}

// write renders a report, or ends the test.
func write(t *testing.T, form func(io.Writer, Report) error, r Report) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := form(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// golden holds what was written against the file.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Errorf("%v: run `go test ./internal/report -update`", err)
		return
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: if the new form is better, run `go test ./internal/report -update` (- want, + got)\n%s", file, diff)
	}
}

func TestGolden(t *testing.T) {
	written := map[string]bool{}
	for story, tell := range stories {
		r := New(tell(t))
		for form, render := range forms {
			file := filepath.Join("testdata", story+"."+form+".golden")
			written[file] = true
			got := write(t, render, r)
			golden(t, file, string(got))
		}
	}
	found := goldens(t, "*")
	for _, file := range found {
		if !written[file] {
			t.Errorf("%s belongs to no story", file)
		}
	}
	if len(found) < len(written) {
		t.Errorf("%d golden files for %d renderings", len(found), len(written))
	}
}

// goldens lists the golden files of a form; there is at least one.
func goldens(t testing.TB, form string) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*." + form + ".golden")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden file of form %q: %v", form, err)
	}
	return files
}

// TestSameTwice: nothing in a report depends on the order of a map.
func TestSameTwice(t *testing.T) {
	for _, story := range slices.Sorted(maps.Keys(stories)) {
		for form, render := range forms {
			first := write(t, render, New(stories[story](t)))
			for range 5 {
				if again := write(t, render, New(stories[story](t))); !bytes.Equal(first, again) {
					t.Fatalf("%s as %s: %s", story, form, cmp.Diff(string(first), string(again)))
				}
			}
		}
	}
}
