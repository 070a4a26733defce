package sshlog

import (
	"strconv"
	"strings"
)

// Versions is a range of versions of OpenSSH, narrowed line by line. The zero
// value is all of them.
type Versions struct {
	from, to int  // 100 * major + minor; to 0 is open
	mixed    bool // lines of several versions
}

// parseVersions reads a range as the catalogue has it: "7.4-9.7", "10.0+",
// "-7.9", or "" for all.
func parseVersions(s string) Versions {
	from, to, _ := strings.Cut(strings.TrimSuffix(s, "+"), "-")
	return Versions{from: version(from), to: version(to)}
}

// narrow keeps what is in another range, too.
func (v *Versions) narrow(by Versions) {
	v.from = max(v.from, by.from)
	if by.to != 0 && (v.to == 0 || by.to < v.to) {
		v.to = by.to
	}
	if v.to != 0 && v.from > v.to {
		v.mixed = true
	}
}

func version(s string) int {
	major, minor, _ := strings.Cut(s, ".")
	a, _ := strconv.Atoi(major)
	b, _ := strconv.Atoi(minor)
	return a*100 + b
}

// String is the range as one says it, or "" when the lines do not tell.
func (v Versions) String() string {
	name := func(n int) string { return strconv.Itoa(n/100) + "." + strconv.Itoa(n%100) }
	switch {
	case v.mixed || v.from == 0 && v.to == 0:
		return ""
	case v.to == 0:
		return name(v.from) + " or later"
	case v.from == 0:
		return name(v.to) + " or earlier"
	}
	return name(v.from) + " to " + name(v.to)
}
