// Package fact is the vocabulary of sshtay: the questions it can answer about
// one SSH connection, and the answers that one run has found.
//
// A fact that was not observed is absent, with the reason; absent is never
// false. Everything that judges, ranks, reports or replays works on a [Set].
// Nothing here does any input or output.
package fact

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// A Key names one question and fixes the type of its answer. The type is bool,
// int, float64, string, [time.Duration], []string, or a struct or slice of
// structs that encoding/json can carry both ways.
type Key[T any] struct{ info }

type info struct{ name, unit, question string }

// Any is a Key whatever its type, for lists such as a cause's Needs.
type Any interface {
	Name() string
	Unit() string     // "s", "B", "ratio", or empty
	Question() string // what the fact answers, as a question in English
	decode(json.RawMessage) (any, error)
	parse(string) (any, error)
}

var keys = map[string]Any{}

// define adds a question to the vocabulary. The files of this package call it,
// one file for each place a fact is about.
func define[T any](name, unit, question string) Key[T] {
	k := Key[T]{info{name, unit, question}}
	if keys[name] != nil {
		panic("fact: defined twice: " + name)
	}
	keys[name] = k
	return k
}

// Lookup returns the key of that name.
func Lookup(name string) (Any, bool) {
	k, ok := keys[name]
	return k, ok
}

// All returns the whole vocabulary, sorted by name.
func All() []Any {
	var all []Any
	for _, k := range keys {
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b Any) int { return strings.Compare(a.Name(), b.Name()) })
	return all
}

func (i info) Name() string     { return i.name }
func (i info) Unit() string     { return i.unit }
func (i info) Question() string { return i.question }

// Put records the answer, and where it was read or measured.
func (k Key[T]) Put(s *Set, v T, source string) { s.put(k.name, Entry{Value: v, Source: source}) }

// Forget takes an answer back that a later observation does not bear out, and
// says why there is none now. An empty reason leaves none.
func (k Key[T]) Forget(s *Set, reason string) { s.forget(k.name, reason) }

// Get returns the answer, and whether there is one.
func (k Key[T]) Get(s *Set) (T, bool) {
	e, _ := s.Entry(k.name)
	v, ok := e.Value.(T)
	return v, ok
}

// In is Get for a judge: it also notes that the question was asked.
func (k Key[T]) In(v *View) (T, bool) {
	v.asked[k.name] = true
	return k.Get(v.set)
}

// Miss records that the question stays open, and why.
func Miss(s *Set, reason string, open ...Any) {
	for _, k := range open {
		s.miss(k.Name(), reason)
	}
}

// decode reads the JSON form, in which a duration is a number of seconds.
func (k Key[T]) decode(raw json.RawMessage) (any, error) {
	var v T
	if _, isDuration := any(v).(time.Duration); isDuration {
		var seconds float64
		if err := json.Unmarshal(raw, &seconds); err != nil {
			return nil, k.wrong(err, "a number of seconds")
		}
		if math.Abs(seconds) > 1e9 {
			return nil, fmt.Errorf("fact %s: %g s is out of range", k.name, seconds)
		}
		return time.Duration(math.Round(seconds * 1e9)), nil
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil, k.wrong(err, fmt.Sprintf("%T", v))
	}
	return v, nil
}

// wrong says what stands where another kind of value belongs.
func (k Key[T]) wrong(err error, want string) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Errorf("fact %s holds a %s; want %s", k.name, wrong.Value, want)
	}
	return fmt.Errorf("fact %s: %w", k.name, err)
}

// parse reads the form used in stories: a duration as Go writes it, a string
// bare, everything else as JSON.
func (k Key[T]) parse(s string) (any, error) {
	var v T
	switch any(v).(type) {
	case time.Duration:
		d, err := time.ParseDuration(s)
		if err != nil {
			return nil, fmt.Errorf("fact %s: %w", k.name, err)
		}
		return d, nil
	case string:
		return strings.ReplaceAll(s, `\n`, "\n"), nil
	}
	return k.decode(json.RawMessage(s))
}

// Seconds gives a fact's value in the form that JSON carries: durations become
// seconds, everything else stays.
func Seconds(v any) any {
	if d, ok := v.(time.Duration); ok {
		return d.Seconds()
	}
	return v
}
