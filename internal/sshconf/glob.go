package sshconf

import (
	"path"
	"slices"
	"strings"
)

// maxGlob is how many files one pattern may name.
const maxGlob = 10_000

// globber walks a file system, real or in memory.
type globber struct {
	list   func(dir string) []string // the names in a directory; "" is the current one
	exists func(name string) bool
}

// glob returns the files a pattern names, sorted. As in OpenSSH's glob, "*"
// and its like do not match a dot at the start of a name, and a pattern without
// them names a file that need not be readable.
func (g globber) glob(pattern string) []string {
	found := []string{""}
	if strings.HasPrefix(pattern, "/") {
		found = []string{"/"}
	}
	for _, part := range strings.Split(strings.Trim(pattern, "/"), "/") {
		if part == "" {
			continue
		}
		var next []string
		for _, dir := range found {
			next = append(next, g.in(dir, part)...)
			if len(next) > maxGlob {
				break
			}
		}
		found = next
	}
	slices.Sort(found)
	return found
}

// in returns the paths in one directory that one part of a pattern names.
func (g globber) in(dir, part string) (found []string) {
	if !strings.ContainsAny(part, "*?[") {
		name := path.Join(dir, strings.ReplaceAll(part, `\`, ""))
		if g.exists(name) {
			found = append(found, name)
		}
		return found
	}
	for _, name := range g.list(dir) {
		if (name[0] != '.' || part[0] == '.') && fnmatch(name, part) {
			found = append(found, path.Join(dir, name))
		}
	}
	return found
}

// fnmatch matches one name against one part of a pattern: *, ?, [...] and
// backslash.
func fnmatch(name, pattern string) bool {
	star, retry := -1, 0
	i, p := 0, 0
	for i < len(name) {
		if p < len(pattern) && pattern[p] == '*' {
			star, retry = p, i
			p++
			continue
		}
		if n, ok := matchOne(name[i], pattern[p:]); ok {
			i, p = i+1, p+n
			continue
		}
		if star < 0 {
			return false
		}
		retry++
		i, p = retry, star+1
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// matchOne matches a character and says how long its pattern is.
func matchOne(c byte, pattern string) (length int, ok bool) {
	switch {
	case pattern == "":
		return 0, false
	case pattern[0] == '?':
		return 1, true
	case pattern[0] == '\\' && len(pattern) > 1:
		return 2, c == pattern[1]
	case pattern[0] == '[':
		if n, in := bracket(c, pattern); n > 0 {
			return n, in
		}
	}
	return 1, c == pattern[0]
}

// bracket matches [abc], [a-z] and [!a]; length 0 is an open bracket, which
// stands for itself.
func bracket(c byte, pattern string) (length int, ok bool) {
	i := 1
	not := i < len(pattern) && pattern[i] == '!'
	if not {
		i++
	}
	in := false
	for first := true; i < len(pattern); first = false {
		if pattern[i] == ']' && !first {
			return i + 1, in != not
		}
		low, high := pattern[i], pattern[i]
		if i+2 < len(pattern) && pattern[i+1] == '-' && pattern[i+2] != ']' {
			high = pattern[i+2]
			i += 2
		}
		in = in || low <= c && c <= high
		i++
	}
	return 0, false
}
