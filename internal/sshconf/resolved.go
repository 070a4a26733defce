package sshconf

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// Resolved is an effective configuration.
type Resolved struct {
	Settings []Setting // every keyword of the release, set or not
	Files    []string  // read, in this order
	Warnings []string  // what was decided without knowing, with file and line

	via map[string]Origin // the Include line that first led to a file
}

// Setting returns what became of a keyword, whatever its case.
func (r *Resolved) Setting(keyword string) Setting {
	for _, s := range r.Settings {
		if strings.EqualFold(s.Keyword, keyword) {
			return s
		}
	}
	return Setting{Keyword: keyword}
}

// Text is the first value of a keyword, "" if it is unset.
func (r *Resolved) Text(keyword string) string { return r.Setting(keyword).Text() }

// Int is the value of a keyword that is a number; false if it is not one.
func (r *Resolved) Int(keyword string) (int, bool) {
	n, err := strconv.Atoi(r.Text(keyword))
	return n, err == nil
}

// Dump writes the values as `ssh -G` and `sshd -T` print them, keywords in
// lower case.
func (r *Resolved) Dump() []byte {
	var b bytes.Buffer
	for _, s := range r.Settings {
		for _, v := range s.Values {
			fmt.Fprintf(&b, "%s %s\n", strings.ToLower(s.Keyword), v.Text)
		}
	}
	return b.Bytes()
}

// setting puts a keyword's slot into words; unset is its default.
func (r *run) setting(name, unset string) Setting {
	s := Setting{Keyword: name}
	if slot := r.slots[strings.ToLower(name)]; slot != nil {
		s.Values, s.Hides = slot.values, slot.hides
		if slot.none {
			return s
		}
	}
	if len(s.Values) == 0 && unset != "" {
		s.Values = []Value{{Text: unset}}
	}
	return s
}
