package fact

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// An Entry is one answer: its value, who observed it, and when.
type Entry struct {
	Value  any
	Source string // such as "ssh -G; ~/.ssh/config:14" or "probe/tcpinfo"
	At     time.Time
}

// A Set holds the answers of one run and the reasons for those that are
// missing. Its methods may be called from many goroutines.
type Set struct {
	// Now stamps new entries. Nil leaves the time out, as in stories.
	Now func() time.Time

	mu      sync.Mutex
	entries map[string]Entry
	missing map[string]string
}

func (s *Set) put(name string, e Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Now != nil {
		e.At = s.Now()
	}
	if s.entries == nil {
		s.entries = map[string]Entry{}
	}
	s.entries[name] = e
	delete(s.missing, name)
}

// miss keeps the first reason: it is nearest to the cause.
func (s *Set) miss(name, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, answered := s.entries[name]; answered || s.missing[name] != "" {
		return
	}
	if s.missing == nil {
		s.missing = map[string]string{}
	}
	s.missing[name] = reason
}

func (s *Set) forget(name, reason string) {
	s.mu.Lock()
	delete(s.entries, name)
	s.mu.Unlock()
	if reason != "" {
		s.miss(name, reason)
	}
}

// Entry returns the answer to the named question.
func (s *Set) Entry(name string) (Entry, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.entries[name]
	return e, ok
}

// Entries returns a copy of all answers, by name.
func (s *Set) Entries() map[string]Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.entries)
}

// Missing returns a copy of the reasons for open questions, by name.
func (s *Set) Missing() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.missing)
}

// View lets a judge look at the set.
func (s *Set) View() *View { return &View{set: s, asked: map[string]bool{}} }

// A View is a Set that remembers which questions were asked of it, so that a
// test can hold a cause to the Needs it declares.
type View struct {
	set   *Set
	asked map[string]bool
}

// Asked lists the questions asked so far, sorted.
func (v *View) Asked() []string { return slices.Sorted(maps.Keys(v.asked)) }

// Why says why the answer to k is missing, in words that follow "because".
func (v *View) Why(k Any) string {
	if reason := v.set.Missing()[k.Name()]; reason != "" {
		return reason
	}
	return "it was not looked at"
}

// NotNeeded begins the reason for a question that nothing gave rise to: that it
// stayed open is no lack, and people are not told of it.
const NotNeeded = "not needed: "

// Open says that the answer to k was looked for and could not be had. A
// question about something that may well not exist, such as a limit, has no
// answer and is not open where it does not.
func (v *View) Open(k Any) bool { return v.set.Missing()[k.Name()] != "" }

// Source says where the answer to k came from.
func (v *View) Source(k Any) string {
	e, _ := v.set.Entry(k.Name())
	return e.Source
}

// Decode puts the JSON form of one answer into the set. A name outside the
// vocabulary is [ErrUnknown]: a report of a newer version may hold one.
func (s *Set) Decode(name string, value json.RawMessage, source string, at time.Time) error {
	k, ok := keys[name]
	if !ok {
		return fmt.Errorf("fact %q: %w", name, ErrUnknown)
	}
	v, err := k.decode(value)
	if err != nil {
		return err
	}
	s.put(name, Entry{Value: v, Source: source})
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[name]
	e.At = at
	s.entries[name] = e
	return nil
}

// ErrUnknown is the error for a name that is not in the vocabulary.
var ErrUnknown = errors.New("not in the vocabulary")

// DecodeMissing puts back the reason for an open question of a report.
func (s *Set) DecodeMissing(name, reason string) { s.miss(name, reason) }

// Parse reads the lines of a story: "name = value", or "name ? reason" for a
// question that stayed open. Blank lines and lines that begin with # are
// passed over.
func Parse(text string) (*Set, error) {
	s := &Set{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, rest, ok := strings.Cut(line, " ")
		k := keys[name]
		if !ok || k == nil {
			return nil, fmt.Errorf("line %q: fact %q: %w", line, name, ErrUnknown)
		}
		mark, value, _ := strings.Cut(rest, " ")
		switch mark {
		case "?":
			s.miss(name, value)
		case "=":
			v, err := k.parse(value)
			if err != nil {
				return nil, err
			}
			s.put(name, Entry{Value: v, Source: "story"})
		default:
			return nil, fmt.Errorf("line %q: want %q or %q after the name", line, name+" = value", name+" ? reason")
		}
	}
	return s, nil
}
