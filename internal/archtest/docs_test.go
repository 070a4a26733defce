package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDependenciesHaveReasons: the design page lists exactly the modules that
// go.mod requires directly.
func TestDependenciesHaveReasons(t *testing.T) {
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/design/002-dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	required := map[string]bool{}
	for line := range strings.Lines(string(mod)) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "require ")
		if f := strings.Fields(line); len(f) == 2 && strings.Contains(f[0], ".") {
			required[f[0]] = true
		}
	}
	if len(required) == 0 {
		t.Fatal("found no requirement in go.mod")
	}
	told := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(string(page), -1) {
		told[m[1]] = true
	}
	for m := range required {
		if !told[m] {
			t.Errorf("%s is required and has no reason in docs/design/002-dependencies.md", m)
		}
	}
	for m := range told {
		if !required[m] {
			t.Errorf("docs/design/002-dependencies.md gives a reason for %s, which is not required", m)
		}
	}
}

// TestDesignIndex: every design page is in the index, and the other way round.
func TestDesignIndex(t *testing.T) {
	index, err := os.ReadFile("../../docs/design/README.md")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob("../../docs/design/[0-9]*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no design pages: %v", err)
	}
	for _, p := range pages {
		if !strings.Contains(string(index), "("+filepath.Base(p)+")") {
			t.Errorf("%s is not in docs/design/README.md", filepath.Base(p))
		}
	}
	if links := strings.Count(string(index), ".md)"); links != len(pages) {
		t.Errorf("docs/design/README.md has %d links for %d pages", links, len(pages))
	}
}
