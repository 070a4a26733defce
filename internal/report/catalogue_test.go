package report

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"sshtay/internal/cause"
	"sshtay/internal/fact"
	"sshtay/internal/report/reporttest"
)

// TestCatalogue: whatever the causes say in their own stories makes a report
// that keeps to the contract, comes back as it went and is safe to print.
func TestCatalogue(t *testing.T) {
	files, err := filepath.Glob("../cause/testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories of causes: %v", err)
	}
	findings := 0
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.Files {
			if !strings.HasSuffix(f.Name, ".facts") {
				continue
			}
			set, err := fact.Parse(string(f.Data))
			if err != nil {
				t.Errorf("%s, %s: %v", file, f.Name, err)
				continue
			}
			in := web1
			in.Facts, in.Judgements = set, cause.JudgeAll(set)
			r := New(in)
			findings += len(r.Findings)
			sent := write(t, JSON, r)
			if err := reporttest.Check(sent); err != nil {
				t.Errorf("%s, %s: %v", file, f.Name, err)
			}
			back, err := Read(strings.NewReader(string(sent)))
			if err != nil {
				t.Errorf("%s, %s: %v", file, f.Name, err)
				continue
			}
			checkSafe(t, back)
		}
	}
	if findings < len(files) {
		t.Errorf("%d findings in the stories of %d causes", findings, len(files))
	}
}
