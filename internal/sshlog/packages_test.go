package sshlog

import (
	"testing"
	"time"
)

// packageLines are lines of the logs of package managers.
var packageLines = []struct {
	line string
	want Package // At is 2026-11-21 10:00:00 where there is one
}{
	{"2026-11-21 10:00:00 upgrade openssh-server:amd64 1:9.2p1-2+deb12u6 1:9.2p1-2+deb12u10", Package{Did: "upgraded", Name: "openssh-server", From: "1:9.2p1-2+deb12u6", To: "1:9.2p1-2+deb12u10"}},
	{"2026-11-21 10:00:00 install fail2ban:all <none> 1.0.2-2", Package{Did: "installed", Name: "fail2ban", To: "1.0.2-2"}},
	{"2026-11-21 10:00:00 remove ufw:all 0.36.2-1 <none>", Package{Did: "removed", Name: "ufw", From: "0.36.2-1"}},
	{"2026-11-21 10:00:00 status installed openssh-server:amd64 1:9.2p1-2+deb12u10", Package{}},
	{"2026-11-21 10:00:00 upgrade zsh:amd64 5.9-4 5.9-5", Package{}},
	{"2026-11-21T10:00:00+0000 SUBDEBUG Upgrade: openssl-libs-1:3.2.2-6.el9.x86_64", Package{Did: "upgraded", Name: "openssl-libs", To: "1:3.2.2-6.el9.x86_64"}},
	{"2026-11-21T10:00:00Z SUBDEBUG Upgrade: openssh-server-8.7p1-38.el9_4.1.x86_64", Package{Did: "upgraded", Name: "openssh-server", To: "8.7p1-38.el9_4.1.x86_64"}},
	{"2026-11-21T10:00:00Z SUBDEBUG Upgraded: openssh-server-8.7p1-34.el9.x86_64", Package{}},
	{"2026-11-21T10:00:00Z SUBDEBUG Erase: fail2ban-0.11.2-1.el9.noarch", Package{Did: "removed", Name: "fail2ban", From: "0.11.2-1.el9.noarch"}},
	{"2026-11-21T10:00:00Z INFO --- logging initialized ---", Package{}},
	{`2026-11-21T10:00:00+0000 [18165] INFO RPM callback install start "openssh-server-0:10.0p1-9.fc43.x86_64" total 9084`, Package{Did: "installed", Name: "openssh-server", To: "10.0p1-9.fc43.x86_64"}},
	{`2026-11-21T10:00:00+0000 [18165] INFO RPM callback uninstall start "openssl-libs-1:3.2.4-3.fc42.x86_64" total 84`, Package{Did: "removed", Name: "openssl-libs", From: "1:3.2.4-3.fc42.x86_64"}},
	{`2026-11-21T10:00:00+0000 [18165] INFO RPM callback install stop "openssh-server-0:10.0p1-9.fc43.x86_64" amount 9084 total 9084`, Package{}},
	{`2026-11-21T10:00:00+0000 [18165] INFO RPM callback start %post scriptlet "openssh-0:10.0p1-9.fc43.x86_64"`, Package{}},
	{`2026-11-21T10:00:00+0000 [18165] INFO RPM callback install start "cmake-rpm-macros-0:3.31.11-1.fc43.noarch" total 9084`, Package{}},
	{"Nov 21 10:00:00 Updated: openssh-server-5.3p1-112.el6_7.x86_64", Package{Did: "upgraded", Name: "openssh-server", To: "5.3p1-112.el6_7.x86_64"}},
	{"[2026-11-21 10:00] [ALPM] upgraded openssh (7.4p1-2 -> 7.6p1-1)", Package{Did: "upgraded", Name: "openssh", From: "7.4p1-2", To: "7.6p1-1"}},
	{"[2026-11-21T10:00:00+0000] [ALPM] installed openssh (9.9p1-1)", Package{Did: "installed", Name: "openssh", To: "9.9p1-1"}},
	{"[2026-11-21T10:00:00+0000] [PACMAN] Running 'pacman -S openssh'", Package{}},
	{"2026-11-21 10:00:00|install|openssh-server|9.6p1-150600.6.3|x86_64|root@web1|repo|0a|", Package{Did: "installed", Name: "openssh-server", To: "9.6p1-150600.6.3"}},
	{"(2/7) Upgrading openssh-server-common (9.9_p1-r0 -> 9.9_p2-r0)", Package{Did: "upgraded", Name: "openssh-server-common", From: "9.9_p1-r0", To: "9.9_p2-r0"}},
	{"(3/7) Purging openssh-server (9.9_p2-r0)", Package{Did: "removed", Name: "openssh-server", From: "9.9_p2-r0"}},
}

func TestPackages(t *testing.T) {
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	for _, c := range packageLines {
		l := NewPackageLog(at.Add(time.Hour))
		if _, ok := l.Read("Running `apk upgrade` at 2026-11-21 10:00:00"); ok {
			t.Error("the beginning of a run is taken for a change")
		}
		got, ok := l.Read(c.line)
		want := c.want
		if want.Did != "" {
			want.At = at
		}
		if ok != (want.Did != "") {
			t.Errorf("%s: read %v as %+v", c.line, ok, got)
		} else if ok && (!got.At.Equal(want.At) || got.Did != want.Did || got.Name != want.Name || got.From != want.From || got.To != want.To) {
			t.Errorf("%s:\n got %+v\nwant %+v", c.line, got, want)
		}
	}
	if _, ok := NewPackageLog(at).Read("(2/7) Upgrading openssh-server (9.9_p1-r0 -> 9.9_p2-r0)"); ok {
		t.Error("a line of apk without a run has a time")
	}
}

// TestUpgradeByDnf5: it logs an upgrade as an installation and the removal of
// the old version.
func TestUpgradeByDnf5(t *testing.T) {
	l := NewPackageLog(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC))
	for i, c := range []struct {
		line string
		want string
	}{
		{`[7] INFO RPM callback install start "openssh-0:10.0p1-9.fc43.x86_64" total 1`, "installed openssh"},
		{`[7] INFO RPM callback install start "openssh-server-0:10.0p1-9.fc43.x86_64" total 1`, "installed openssh-server"},
		{`[7] INFO RPM callback uninstall start "openssh-server-0:10.0p1-5.fc43.x86_64" total 1`, ""},
		{`[7] INFO RPM callback uninstall start "fail2ban-0:1.1.0-9.fc43.noarch" total 1`, "removed fail2ban"},
		{`[8] INFO RPM callback uninstall start "openssh-server-0:10.0p1-9.fc43.x86_64" total 1`, "removed openssh-server"},
	} {
		got := ""
		if p, ok := l.Read("2026-11-21T10:00:00+0000 " + c.line); ok {
			got = p.Did + " " + p.Name
		}
		if got != c.want {
			t.Errorf("line %d: %q, want %q", i+1, got, c.want)
		}
	}
}

func FuzzPackages(f *testing.F) {
	for _, c := range packageLines {
		f.Add(c.line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		l := NewPackageLog(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC))
		l.Read("Running `apk upgrade` at 2026-11-21 10:00:00")
		if p, ok := l.Read(line); ok && (p.At.IsZero() || p.Did == "" || p.Name == "" || len(p.Name)+len(p.From)+len(p.To) > 1100) {
			t.Errorf("%q: %+v", line, p)
		}
	})
}
