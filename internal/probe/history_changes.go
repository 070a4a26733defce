package probe

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/sshlog"
)

// packageLogs are where package managers log what they did.
var packageLogs = []string{"dpkg.log", "dnf.rpm.log", "dnf5.log", "yum.log", "zypp/history", "pacman.log", "apk.log"}

// mostPackageLog bounds what is read of one of them.
const mostPackageLog = 64 << 20

// packages are the changes of packages that SSH depends on. Those of one run
// are one change.
func (r *HistoryRun) packages(ctx context.Context) []fact.Change {
	var all []fact.Change
	for _, log := range packageLogs {
		for _, file := range r.rotated(log) {
			list, err := r.packageLog(ctx, file)
			if err != nil {
				r.failed(file, err)
			}
			all = append(all, inRuns(list, strings.TrimPrefix(file, r.Root))...)
		}
	}
	return all
}

func (r *HistoryRun) packageLog(ctx context.Context, name string) ([]sshlog.Package, error) {
	f, err := r.Local.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := sshlog.Decoded(f)
	if err != nil {
		return nil, err
	}
	log := sshlog.NewPackageLog(r.Now)
	var list []sshlog.Package
	in := bufio.NewReaderSize(io.LimitReader(text, mostPackageLog), 16<<10)
	for ctx.Err() == nil && len(list) < 10000 {
		line, cut, err := in.ReadLine()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return list, err
		}
		if p, ok := log.Read(string(line)); ok && !p.At.Before(r.Since) {
			list = append(list, p)
		}
		for cut && err == nil { // the rest of a line too long to be one
			_, cut, err = in.ReadLine()
		}
	}
	return list, ctx.Err()
}

// oneRun is how long a package manager may take for packages that belong
// together.
const oneRun = 5 * time.Minute

// inRuns makes one change of packages that were changed in the same way at the
// same time.
func inRuns(list []sshlog.Package, source string) []fact.Change {
	var all []fact.Change
	for i := 0; i < len(list); {
		first, names := list[i], []string{}
		for ; i < len(list) && list[i].Did == first.Did && list[i].From == first.From && list[i].To == first.To && list[i].At.Sub(first.At).Abs() < oneRun; i++ {
			names = append(names, list[i].Name)
		}
		what := someOf(names, "package", "packages") + " " + first.Did
		switch {
		case first.From != "" && first.To != "":
			what += " from " + first.From + " to " + first.To
		case first.To != "":
			what += ": " + first.To
		}
		all = append(all, fact.Change{At: first.At, Kind: "package", What: what, Source: source})
	}
	return all
}

// settings are the files and folders that decide who gets in, and how long
// one may stay.
var settings = []string{
	"/etc/ssh/sshd_config.d/*", "/etc/ssh/sshd_config", "/etc/ssh/ssh_host_*_key", "/etc/ssh/moduli",
	"/etc/default/ssh", "/etc/sysconfig/sshd", "/etc/conf.d/sshd", "/etc/crypto-policies/config",
	"/etc/systemd/system/ssh*.d/*", "/etc/systemd/system/ssh*.service", "/etc/systemd/system/ssh*.socket",
	"/etc/hosts.allow", "/etc/hosts.deny", "/etc/pam.d/sshd", "/etc/pam.d/common-*", "/etc/pam.d/system-auth", "/etc/security/*.conf", "/etc/nologin", "/run/nologin",
	"/etc/fail2ban/*.local", "/etc/fail2ban/jail.d/*", "/etc/nftables.conf", "/etc/nftables.d/*", "/etc/iptables/rules.*", "/etc/ufw/*.rules", "/etc/firewalld/zones/*.xml",
	"/etc/sysctl.conf", "/etc/sysctl.d/*", "/etc/profile", "/etc/profile.d/*", "/etc/bash.bashrc",
	"/etc/ssh/sshd_config.d", // itself: a file went
}

// files are the settings that were written since the time, by their own
// clocks; those that were written together are one change.
func (r *HistoryRun) files() []fact.Change {
	type written struct {
		names []string
		at    time.Time
	}
	var runs []*written
	for _, pattern := range settings {
		names, _ := filepath.Glob(r.Root + pattern)
		for _, name := range names {
			info, err := os.Stat(name)
			if err != nil || info.ModTime().Before(r.Since) {
				continue
			}
			at := info.ModTime()
			near := slices.IndexFunc(runs, func(w *written) bool { return w.at.Sub(at).Abs() < oneRun })
			name = strings.TrimPrefix(name, r.Root)
			switch {
			case near < 0:
				runs = append(runs, &written{[]string{name}, at})
			case !info.IsDir(): // a folder changes with what is put into it
				runs[near].names = append(runs[near].names, name)
			}
		}
	}
	var all []fact.Change
	for _, w := range runs {
		was := " was written"
		if len(w.names) > 1 {
			was = " were written"
		}
		all = append(all, fact.Change{At: w.at, Kind: "file", What: someOf(w.names, "file", "files") + was, Source: "the files' own times"})
	}
	return all
}

// someOf lists the first of some names.
func someOf(names []string, one, many string) string {
	const most = 4
	if more := len(names) - most; more > 0 {
		return strings.Join(names[:most], ", ") + " and " + strconv.Itoa(more) + " " + map[bool]string{true: one, false: many}[more == 1] + " more"
	}
	return strings.Join(names, ", ")
}

// boots is the start of the machine.
func (r *HistoryRun) boots(ctx context.Context) []fact.Change {
	text, _ := r.Local.ReadFile(ctx, r.Root+"/proc/stat", 4<<20)
	_, after, found := strings.Cut(string(text), "\nbtime ")
	line, _, _ := strings.Cut(after, "\n")
	if seconds, ok := atoi(line); found && ok {
		return []fact.Change{{At: time.Unix(int64(seconds), 0).In(r.Now.Location()), Kind: "boot", What: "the machine was started", Source: "/proc/stat"}}
	}
	return nil
}
