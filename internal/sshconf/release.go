package sshconf

import (
	"regexp"
	"strconv"
	"strings"
)

// Release is an OpenSSH release, as far as it changes what configuration
// means. The zero value is the newest release known here, unpatched.
type Release struct {
	Major, Minor int
	Debian       bool   // with the patches of Debian, Ubuntu and their children
	Text         string // as `ssh -V` prints it before the comma, for Match version
}

var newest = Release{Major: 10, Minor: 5, Text: "OpenSSH_10.5p1"}

var releasePattern = regexp.MustCompile(`OpenSSH_(?:for_Windows_)?(\d{1,3})\.(\d{1,3})`)

// ParseRelease finds the release in what `ssh -V` prints or in an
// identification line. It is false if there is none.
func ParseRelease(s string) (Release, bool) {
	m := releasePattern.FindStringSubmatchIndex(s)
	if m == nil {
		return Release{}, false
	}
	major, _ := strconv.Atoi(s[m[2]:m[3]])
	minor, _ := strconv.Atoi(s[m[4]:m[5]])
	text, _, _ := strings.Cut(s[m[0]:], ",")
	text, _, _ = strings.Cut(text, "\n")
	return Release{major, minor, derived(s), strings.TrimSpace(text)}, true
}

// derived tells whether a version text names Debian or one of its children.
func derived(s string) bool {
	for _, name := range []string{"Debian", "Ubuntu", "Raspbian"} {
		if strings.Contains(s, name) {
			return true
		}
	}
	return false
}

func (r Release) orNewest() Release {
	if r.Major == 0 {
		return newest
	}
	return r
}

// A since is the first release that has something: 902 is 9.2, 1001 is 10.1.
type since int

func (r Release) has(s since) bool { return since(r.Major*100+r.Minor) >= s }
