package sshconf

import (
	"errors"
	"fmt"
	"strings"
)

// words are the criteria of a Match line. OpenSSH 9.9 and later cut them like
// the arguments of any directive; before, they were cut like keywords.
type words interface {
	next() (word string, ok bool)
	more() bool // something is left
}

func (d *delimiter) more() bool { return !d.done && d.rest != "" }

// argWords are words already cut.
type argWords struct{ l *line }

func (a argWords) next() (string, bool) { return a.l.any() }
func (a argWords) more() bool           { return len(a.l.args) > 0 }

// criteria walks over the criteria of a Match line.
type criteria struct {
	words
	comments  bool     // 8.7 and later: a # ends the line
	arguments bool     // 9.9 and later: an empty word does not end the line
	joined    bool     // 10.0 and later: ATTRIBUTE=VALUE is one word
	valued    []string // the attributes that may be written so
	seen      int
}

func (r *run) criteria(l *line, valued []string) *criteria {
	c := &criteria{words: &delimiter{rest: l.rest}, comments: r.release.has(807), valued: valued}
	if r.release.has(909) {
		c.words, c.arguments, c.joined = argWords{l}, true, r.release.has(1000)
	}
	return c
}

// criterion is one attribute; value holds what was written together with it.
type criterion struct {
	name  string // as written
	value string
	given bool
}

// step returns the next attribute. It is false at the end.
func (c *criteria) step() (criterion, bool) {
	name, ok := c.next()
	if comment := c.comments && strings.HasPrefix(name, "#"); !ok || name == "" && !c.arguments || comment {
		if comment {
			c.drain()
		}
		return criterion{}, false
	}
	if before, after, found := strings.Cut(name, "="); found && c.joined {
		for _, v := range c.valued {
			if strings.EqualFold(strings.TrimPrefix(before, "!"), v) {
				return criterion{before, after, true}, true
			}
		}
	}
	return criterion{name: name}, true
}

// drain throws away what is left.
func (c *criteria) drain() {
	for ok := true; ok; {
		_, ok = c.next()
	}
}

// argument is the value of an attribute, from the word itself or the next.
func (c *criteria) argument(of criterion, emptyOK bool) (string, error) {
	if !of.given {
		of.value, of.given = c.next()
	}
	if !of.given || c.comments && strings.HasPrefix(of.value, "#") || of.value == "" && !(emptyOK && c.joined) {
		return "", fmt.Errorf("missing Match criteria for %s", printable(of.name))
	}
	return of.value, nil
}

// end checks what stands after the word all.
func (c *criteria) end(limit int) error {
	next, some := c.next()
	comment := c.comments && strings.HasPrefix(next, "#")
	if c.seen > limit || some && next != "" && !comment {
		return errors.New("'all' cannot be combined with other Match attributes")
	}
	if comment {
		c.drain()
	}
	return nil
}

// finish is the error of a line without an attribute or with too much on it.
func (c *criteria) finish() error {
	switch {
	case c.seen == 0:
		return errors.New("one or more attributes required for Match")
	case c.more():
		return errors.New("keyword match extra arguments at end of line")
	}
	return nil
}
