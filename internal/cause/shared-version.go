package cause

import (
	"fmt"
	"strconv"

	"sshtay/internal/fact"
	"sshtay/internal/pattern"
)

// A release of OpenSSH. The zero release is none that is known.
type release struct{ major, minor int }

var releaseText = pattern.New(`OpenSSH_(?:for_Windows_)?(\d{1,3})\.(\d{1,3})`)

// parseRelease finds the release in a banner or in what ssh -V prints. Patch
// levels and package revisions are left out: most banners hide them.
func parseRelease(text string) (release, bool) {
	m := releaseText.FindStringSubmatch(text)
	if m == nil {
		return release{}, false
	}
	major, _ := strconv.Atoi(m[1])
	minor, _ := strconv.Atoi(m[2])
	return release{major, minor}, true
}

// sshdRelease is the release of the running sshd by its banner or, where there
// was none, of the program on the server's disk.
func sshdRelease(v *fact.View) (release, bool) {
	banner, _ := fact.HandshakeBanner.In(v)
	program, _ := fact.SSHDVersion.In(v)
	if r, ok := parseRelease(banner); ok {
		return r, true
	}
	return parseRelease(program)
}

// since says that r is that release or a later one.
func (r release) since(major, minor int) bool {
	return r.major > major || r.major == major && r.minor >= minor
}

// within says that r is one of the releases from first to last.
func (r release) within(first, last release) bool {
	return r.since(first.major, first.minor) && last.since(r.major, r.minor)
}

func (r release) String() string { return fmt.Sprintf("OpenSSH %d.%d", r.major, r.minor) }
