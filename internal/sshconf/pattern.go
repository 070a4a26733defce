package sshconf

import "strings"

// match tells whether s matches a pattern of "*" and "?". OpenSSH tries every
// way recursively; going back to the last star only is the same and cannot be
// made to take forever.
func match(s, pattern string) bool {
	star, retry := -1, 0
	i, p := 0, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, retry = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			i, p = i+1, p+1
		case star >= 0:
			retry++
			i, p = retry, star+1
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// verdict is what a list of patterns says of a string.
type verdict int

const (
	negated   verdict = -1 // a pattern after "!" matched
	unmatched verdict = 0
	matched   verdict = 1
)

// maxPattern is where OpenSSH gives up on a whole list.
const maxPattern = 1023

// matchList holds s against patterns separated by commas, each perhaps after
// "!"; lower makes the patterns lower case (and expects s to be).
func matchList(s, list string, lower bool) verdict {
	v := unmatched
	for list != "" {
		var p string
		p, list, _ = strings.Cut(list, ",")
		p, not := strings.CutPrefix(p, "!")
		if len(p) >= maxPattern {
			return unmatched
		}
		if lower {
			p = asciiLower(p)
		}
		if !match(s, p) {
			continue
		}
		if not {
			return negated
		}
		v = matched
	}
	return v
}

// matchHost is matchList for host names: case does not count.
func matchHost(host, list string) verdict {
	return matchList(asciiLower(host), list, true)
}

// asciiLower is the lower case of the C locale.
func asciiLower(s string) string {
	for i := 0; i < len(s); i++ {
		if 'A' <= s[i] && s[i] <= 'Z' {
			return strings.Map(func(r rune) rune {
				if 'A' <= r && r <= 'Z' {
					r += 'a' - 'A'
				}
				return r
			}, s)
		}
	}
	return s
}
