package sshconf

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var updateFlag = flag.Bool("update", false, "write what the stories of edits come to into their files")

// An editStory is a file of testdata/edit: a machine, what is asked for, and
// what the files are afterwards.
type editStory struct {
	client, server string
	matched        bool
	release        Release
	set            []Assignment
	files          map[string][]byte // by absolute path
	want           map[string][]byte
	said           string
	archive        *txtar.Archive
}

const storyHome = "/home/ann"

func readEditStory(t *testing.T, name string) *editStory {
	archive, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	s := &editStory{release: debian12, files: map[string][]byte{}, want: map[string][]byte{}, archive: archive}
	for l := range strings.Lines(string(archive.Comment)) {
		word, rest, _ := strings.Cut(strings.TrimSpace(l), " ")
		switch word {
		case "client":
			s.client = rest
		case "server":
			spec, release, has := strings.Cut(rest, " release=")
			s.server = spec
			if has {
				s.release, _ = ParseRelease(release)
			}
		case "matched":
			s.matched = true
		case "set":
			key, value, _ := strings.Cut(rest, " ")
			s.set = append(s.set, Assignment{key, value})
		}
	}
	for _, f := range archive.Files {
		path, want := strings.CutPrefix(f.Name, "after ")
		path = strings.Replace(path, "~", storyHome, 1)
		switch {
		case f.Name == "said":
			s.said = string(f.Data)
		case want:
			s.want[path] = f.Data
		default:
			s.files[path] = f.Data
		}
	}
	return s
}

// edit carries the story out on files.
func (s *editStory) edit(files map[string][]byte) (*Edits, error) {
	env := Files(files)
	env.Home, env.User = storyHome, "ann"
	if s.client != "" {
		return EditClient(env, ClientRequest{Host: s.client, Release: s.release}, s.set)
	}
	c, err := ParseConnection(s.server)
	if err != nil {
		return nil, err
	}
	return EditServer(env, ServerRequest{Connection: &c, Release: s.release}, s.set, s.matched)
}

// tell says what an edit came to.
func tell(e *Edits, err error) string {
	var b strings.Builder
	if err != nil {
		return "refused: " + err.Error() + "\n"
	}
	for _, p := range e.Placed {
		already := ""
		if p.Already {
			already = "already "
		}
		fmt.Fprintf(&b, "%s%s\n", already, p.After.Describe(storyHome))
	}
	for _, w := range e.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	for _, n := range e.Notes {
		fmt.Fprintf(&b, "note: %s\n", n)
	}
	return b.String()
}

// TestEditStories carries out every story, and again with the line ends of
// Windows and with no line end at the end of any file.
func TestEditStories(t *testing.T) {
	names, err := filepath.Glob("testdata/edit/*.txtar")
	if err != nil || len(names) < 40 {
		t.Fatalf("only %d stories: %v", len(names), err)
	}
	forms := map[string]func([]byte) []byte{
		"":        func(b []byte) []byte { return b },
		"-crlf":   func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n")) },
		"-no-end": func(b []byte) []byte { return bytes.TrimSuffix(b, []byte("\n")) },
		"-crlf-no-end": func(b []byte) []byte {
			return bytes.TrimSuffix(bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n")), []byte("\r\n"))
		},
	}
	for _, name := range names {
		s := readEditStory(t, name)
		for form, change := range forms {
			t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar")+form, func(t *testing.T) {
				files := map[string][]byte{}
				for path, src := range s.files {
					files[path] = change(src)
				}
				e, err := s.edit(files)
				if form == "" && *updateFlag {
					s.update(t, name, e, err)
					return
				}
				if diff := cmp.Diff(s.said, tell(e, err)); diff != "" {
					t.Errorf("said (-want +got):\n%s", diff)
				}
				if err == nil {
					s.compare(t, e, files, change)
				}
			})
		}
	}
}

func (s *editStory) compare(t *testing.T, e *Edits, files map[string][]byte, change func([]byte) []byte) {
	if len(e.Files) != len(s.want) {
		t.Errorf("%d files edited, want %d", len(e.Files), len(s.want))
	}
	for _, f := range e.Files {
		want := s.want[f.Path]
		if old, there := files[f.Path]; there {
			if len(old) > 0 {
				want = change(want)
			}
			if !bytes.Equal(old, f.Old) {
				t.Errorf("%s: was %q, not %q", f.Path, old, f.Old)
			}
		} else if f.Old != nil {
			t.Errorf("%s was not there", f.Path)
		}
		if diff := cmp.Diff(string(want), string(f.New)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", f.Path, diff)
		}
		files[f.Path] = f.New
	}
	again, err := s.edit(files)
	if err != nil || len(again.Files) > 0 {
		t.Errorf("a second time: %v, %v", again, err)
	}
}

// update writes the story as it came out.
func (s *editStory) update(t *testing.T, name string, e *Edits, err error) {
	a := &txtar.Archive{Comment: s.archive.Comment}
	for _, f := range s.archive.Files {
		if f.Name != "said" && !strings.HasPrefix(f.Name, "after ") {
			a.Files = append(a.Files, f)
		}
	}
	if err == nil {
		for _, f := range e.Files {
			a.Files = append(a.Files, txtar.File{Name: "after " + strings.Replace(f.Path, storyHome, "~", 1), Data: f.New})
		}
	}
	a.Files = append(a.Files, txtar.File{Name: "said", Data: []byte(tell(e, err))})
	if err := os.WriteFile(name, txtar.Format(a), 0o644); err != nil {
		t.Fatal(err)
	}
}
