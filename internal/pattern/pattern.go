// Package pattern is package regexp for patterns that are part of the
// program: they are compiled when first used. A hundred of them compiled at
// every start would cost more than everything else that starting does.
package pattern

import (
	"regexp"
	"sync"
)

// A Pattern is a regular expression that may not have been compiled yet.
type Pattern struct{ compiled func() *regexp.Regexp }

// New returns the pattern of an expression of package regexp. A wrong one
// panics at its first use; the test that every package of ours has of its own
// patterns is that it uses them.
func New(expression string) *Pattern {
	return &Pattern{sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })}
}

// Regexp returns the compiled pattern.
func (p *Pattern) Regexp() *regexp.Regexp { return p.compiled() }

// MatchString is that of [regexp.Regexp], and so are the others.
func (p *Pattern) MatchString(s string) bool { return p.compiled().MatchString(s) }

// FindString returns the first match, or "".
func (p *Pattern) FindString(s string) string { return p.compiled().FindString(s) }

// FindStringSubmatch returns the first match and its groups, or nil.
func (p *Pattern) FindStringSubmatch(s string) []string { return p.compiled().FindStringSubmatch(s) }
