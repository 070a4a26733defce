package sshconf

import (
	"fmt"
	"slices"
)

// Explanation is what OpenSSH says is effective, with the lines that make it
// so.
type Explanation struct {
	Resolved                     // values as OpenSSH prints them, origins as found by us
	Disagreements []Disagreement // where the two differ: the values are OpenSSH's, the origins unknown
}

// Disagreement is a keyword of which OpenSSH and this package do not say the
// same.
type Disagreement struct {
	Keyword string
	Theirs  []string
	Ours    Setting
}

func (d Disagreement) String() string {
	return fmt.Sprintf("%s: OpenSSH says %q, the files read here say %s", d.Keyword, d.Theirs, d.Ours.Describe(""))
}

// Explain joins the dump of `ssh -G` or `sshd -T`, which is the authority, with
// what was resolved from the same files.
func Explain(d *Dump, ours *Resolved) *Explanation {
	e := &Explanation{Resolved: Resolved{Files: ours.Files, Warnings: ours.Warnings}}
	seen := map[string]bool{}
	for _, key := range d.Keys() {
		seen[key] = true
		s := ours.Setting(key)
		if theirs := d.Values(key); !slices.Equal(theirs, s.texts()) {
			if len(s.Values) > 0 || len(s.Hides) > 0 {
				e.Disagreements = append(e.Disagreements, Disagreement{s.Keyword, theirs, s})
			}
			s = Setting{Keyword: s.Keyword}
			for _, text := range theirs {
				s.Values = append(s.Values, Value{text, unknownOrigin})
			}
		}
		e.Settings = append(e.Settings, s)
	}
	for _, s := range ours.Settings {
		if seen[asciiLower(s.Keyword)] {
			continue
		}
		// A default that OpenSSH does not print belongs to an option this
		// build does not have. A line it does not print is another matter.
		if len(s.Values) > 0 && !s.From().Default() {
			e.Disagreements = append(e.Disagreements, Disagreement{Keyword: s.Keyword, Ours: s})
		}
		e.Settings = append(e.Settings, Setting{Keyword: s.Keyword, Hides: s.Hides})
	}
	return e
}

// texts are the values without their origins.
func (s Setting) texts() []string {
	var texts []string
	for _, v := range s.Values {
		texts = append(texts, v.Text)
	}
	return texts
}
