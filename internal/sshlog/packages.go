package sshlog

import (
	"slices"
	"strings"
	"time"
)

// A Package is a change of an installed package, as package managers log it.
type Package struct {
	At       time.Time
	Did      string // installed, upgraded, downgraded, reinstalled or removed
	Name     string
	From, To string // versions, where the line has them
}

// A PackageLog reads the logs of dpkg, dnf, dnf5, yum, zypper, pacman and apk:
// lines in, changes out of packages that SSH connections depend on.
type PackageLog struct {
	clock clock
	ran   time.Time // when the last run of apk began; its lines have no time

	process string   // of dnf5's last line,
	news    []string // and the packages whose new version it has installed
}

// NewPackageLog gives years and zones to times without, as [Options] do.
func NewPackageLog(now time.Time) *PackageLog { return &PackageLog{clock: clock{now: now}} }

// deeds are the words for what was done. Of the two lines that dnf writes for
// an upgrade, the one about the old version ("Upgraded:") is passed over.
var deeds = map[string]string{
	"install": "installed", "Install:": "installed", "Installed:": "installed", "installed": "installed", "Installing": "installed",
	"upgrade": "upgraded", "Upgrade:": "upgraded", "Updated:": "upgraded", "upgraded": "upgraded", "Upgrading": "upgraded",
	"Downgrade:": "downgraded", "downgraded": "downgraded", "Downgrading": "downgraded",
	"Reinstall:": "reinstalled", "reinstalled": "reinstalled", "Replacing": "reinstalled",
	"remove": "removed", "purge": "removed", "Erase:": "removed", "Erased:": "removed", "Removed:": "removed", "removed": "removed", "Purging": "removed",
}

// Read takes the next line, without its end.
func (l *PackageLog) Read(line string) (Package, bool) {
	if begun, ok := strings.CutPrefix(line, "Running `"); ok { // apk, in UTC; its lines follow
		if i := strings.LastIndex(begun, "` at "); i >= 0 {
			l.ran, _ = time.Parse(time.DateTime, begun[i+len("` at "):])
		}
		return Package{}, false
	}
	p := Package{}
	rest := line
	switch {
	case strings.HasPrefix(line, "("): // apk: (1/3) Upgrading NAME (FROM -> TO)
		_, rest, _ = strings.Cut(line, ") ")
		p.At = l.ran
	case strings.HasPrefix(line, "["): // pacman: [TIME] [ALPM] upgraded NAME (FROM -> TO)
		at, after, _ := strings.Cut(line[1:], "] [ALPM] ")
		if len(at) == len("2006-01-02 15:04") {
			at += ":00"
		}
		p.At, _, _ = l.clock.cut(at + " ")
		rest = after
	case len(line) > 20 && line[19] == '|': // zypper: TIME|install|NAME|VERSION|...
		p.At, _, _ = l.clock.cut(line[:19] + " ")
		fields := strings.SplitN(line[20:], "|", 4)
		rest = strings.Join(fields[:min(3, len(fields))], " ")
	default:
		p.At, rest, _ = l.clock.cut(line)
		if strings.HasPrefix(rest, "[") {
			return l.dnf5(p.At, rest)
		}
		rest = strings.TrimPrefix(rest, "SUBDEBUG ")
	}
	if p.At.IsZero() {
		return Package{}, false
	}
	words := strings.Fields(rest[:min(len(rest), 1000)])
	if len(words) < 2 || deeds[words[0]] == "" {
		return Package{}, false
	}
	p.Did = deeds[words[0]]
	p.name(words[1], words[2:])
	return p, concernsSSH(p.Name)
}

// mostNews bounds the packages of a run of dnf5 that are remembered: there are
// not many that concern SSH.
const mostNews = 100

// dnf5 reads what follows the time in dnf5's log:
//
//	[18165] INFO RPM callback install start "openssh-0:10.0p1-9.fc43.x86_64" total 9084
//
// An upgrade is an installation, and later in the same run the removal of the
// old version, which is passed over.
func (l *PackageLog) dnf5(at time.Time, rest string) (Package, bool) {
	process, rest, _ := strings.Cut(rest, " ")
	did := ""
	if after, ok := strings.CutPrefix(rest, "INFO RPM callback install start \""); ok {
		did, rest = "installed", after
	} else if after, ok := strings.CutPrefix(rest, "INFO RPM callback uninstall start \""); ok {
		did, rest = "removed", after
	}
	name, _, closed := strings.Cut(rest, "\"")
	if at.IsZero() || did == "" || !closed || len(name) > 1000 {
		return Package{}, false
	}
	p := Package{At: at, Did: did}
	p.name(name, nil)
	p.From, p.To = strings.TrimPrefix(p.From, "0:"), strings.TrimPrefix(p.To, "0:")
	if p.Name == "" || !concernsSSH(p.Name) {
		return Package{}, false
	}
	if l.process != process {
		l.process, l.news = strings.Clone(process), nil
	}
	if did == "removed" {
		return p, !slices.Contains(l.news, p.Name)
	}
	if len(l.news) < mostNews {
		l.news = append(l.news, strings.Clone(p.Name))
	}
	return p, true
}

// name takes the package and its versions from the words behind the deed:
// "NAME:amd64 FROM TO", "NAME (FROM -> TO)", "NAME (TO)", "NAME VERSION" or
// "NAME-VERSION-RELEASE.x86_64".
func (p *Package) name(name string, versions []string) {
	p.Name, _, _ = strings.Cut(name, ":")
	for i := range versions {
		versions[i] = strings.Trim(versions[i], "()")
	}
	switch {
	case len(versions) >= 3 && versions[1] == "->":
		p.From, p.To = versions[0], versions[2]
	case len(versions) >= 2:
		p.From, p.To = versions[0], versions[1]
	case len(versions) == 1:
		p.To = versions[0]
	default:
		for i := 0; i+1 < len(name); i++ {
			if name[i] == '-' && name[i+1]-'0' <= 9 { // the version begins with a digit
				p.Name, p.To = name[:i], name[i+1:]
				break
			}
		}
	}
	if p.From == "<none>" {
		p.From = ""
	}
	if p.To == "<none>" {
		p.To = ""
	}
	if p.Did == "removed" && p.From == "" {
		p.From, p.To = p.To, ""
	}
}

// concerns are the beginnings of the names of packages that SSH connections
// depend on.
var concerns = []string{
	"openssh", "dropbear", "tinyssh", "openssl", "libssl", "libcrypto", "crypto-policies", "libpam", "pam", "tcpd", "libwrap",
	"fail2ban", "sshguard", "nftables", "iptables", "ufw", "firewalld",
}

func concernsSSH(name string) bool {
	for _, c := range concerns {
		if strings.HasPrefix(name, c) {
			return true
		}
	}
	return false
}
