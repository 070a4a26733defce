package sshconf

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// Assignment is an option and the value it shall have, as a line would say it.
type Assignment struct{ Keyword, Value string }

func (a Assignment) String() string { return a.Keyword + " " + a.Value }

// Edits make options effective. They have been proven on a copy: with them the
// files resolve to the values wanted, and to nothing else that is new.
type Edits struct {
	Files    []FileEdit // one for each file, by path; none: all is as wanted
	Placed   []Placed   // one for each option, in the order asked for
	Warnings []string   // where the options do not hold, and what could not be known
	Notes    []string   // files that another program says it manages
}

// FileEdit is new content for a file. What was not edited is as it was, to the
// byte.
type FileEdit struct {
	Path string
	Old  []byte // as it was read; nil: there is no such file
	New  []byte
	Mode fs.FileMode // of a file that is new
}

// Placed is what became of one option.
type Placed struct {
	Assignment
	Already bool    // it was so before
	Before  Setting // what was effective
	After   Setting // what is: From is the line it went to, Hides what that hides
}

// Env is a machine with the edits made.
func (e *Edits) Env(machine *Env) *Env {
	w := newWorkspace(machine)
	for _, f := range e.Files {
		w = w.with(f.Path, f.New)
	}
	return w.env
}

// The modes of new files.
const (
	privateMode = 0o600 // a user's; ssh refuses one that others may write
	sharedMode  = 0o644 // below /etc/ssh, as packages ship them
)

// checkAssignments refuses what would not be one line.
func checkAssignments(set []Assignment) error {
	for _, a := range set {
		if strings.ContainsAny(a.Keyword, " \t\"=#") || strings.ContainsAny(a.Keyword+a.Value, "\n\r\x00") ||
			a.Keyword == "" || strings.TrimSpace(a.Value) == "" {
			return fmt.Errorf("not one option and its value: %s", printable(a.String()))
		}
	}
	return nil
}

// edits collects what a finished workspace holds.
func (w *workspace) edits(e *Edits, mode fs.FileMode) *Edits {
	for _, path := range slices.Sorted(maps.Keys(w.changed)) {
		old, there, _ := w.original(path)
		if there && bytes.Equal(old, w.changed[path]) {
			continue
		}
		file := FileEdit{Path: path, New: w.changed[path], Mode: mode}
		if there {
			file.Old = append([]byte{}, old...)
			if line, says := managed(old); says != "" {
				e.Notes = append(e.Notes, fmt.Sprintf("%s line %d says %q: what is changed here may be overwritten by whoever wrote that",
					printable(path), line, printable(says)))
			} else if strings.Contains(path, "cloud-init") {
				e.Notes = append(e.Notes, printable(path)+" belongs to cloud-init, which may write it again")
			}
		}
		e.Files = append(e.Files, file)
	}
	return e
}

// managers are words of comments by which programs claim a file.
var managers = strings.Fields("ansible puppet chef cloud-init saltstack cfengine terraform")

// managed finds the comment that says a file is written by a program.
func managed(src []byte) (line int, says string) {
	number := 0
	for raw := range bytes.Lines(src) {
		number++
		raw = bytes.TrimSpace(raw)
		if len(raw) == 0 || raw[0] != '#' {
			continue
		}
		text := strings.TrimSpace(strings.TrimLeft(string(raw), "# \t"))
		lower := asciiLower(text)
		words := strings.FieldsFunc(lower, func(r rune) bool { return r != '-' && (r < 'a' || r > 'z') })
		claims := strings.Contains(lower, "do not edit") || strings.Contains(lower, "managed by")
		for _, name := range managers {
			claims = claims || slices.Contains(words, name)
		}
		if claims {
			return number, text
		}
	}
	return 0, ""
}

// differs compares a resolution with the two it may be like, setting by
// setting: before the edit, and with the option given on the command line. The
// option itself must be as wanted. It returns the first setting that is
// neither, or "".
func differs(after, before, asked *Resolved, key string, wanted []string) string {
	for i, s := range after.Settings {
		now := s.texts()
		if asciiLower(s.Keyword) == key {
			if !sameValues(key, now, wanted) {
				return "it would be " + s.Describe("")
			}
			continue
		}
		was := before.at(i, s.Keyword)
		if !slices.Equal(now, was.texts()) && !slices.Equal(now, asked.at(i, s.Keyword).texts()) {
			return fmt.Sprintf("it would change another option: %s, and %s before", s.Describe(""), was.Describe(""))
		}
	}
	return ""
}

// at is Setting for who knows where it most likely is.
func (r *Resolved) at(i int, keyword string) Setting {
	if i < len(r.Settings) && r.Settings[i].Keyword == keyword {
		return r.Settings[i]
	}
	return r.Setting(keyword)
}

// gathering are the keywords of which every line adds to those before.
var gathering = strings.Fields(`port listenaddress hostkey hostcertificate acceptenv allowusers denyusers allowgroups denygroups subsystem
	identityfile certificatefile sendenv localforward remoteforward dynamicforward`)

func gathers(key string) bool { return slices.Contains(gathering, key) }

// sameValues compares values. Of what gathers the order does not count, and a
// value twice is that value: ssh may read its files twice.
func sameValues(key string, a, b []string) bool {
	if gathers(key) {
		return holds(a, b) && holds(b, a)
	}
	return slices.Equal(a, b)
}

// holds tells whether all of some values are among others.
func holds(all, some []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}
