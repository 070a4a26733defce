package cause

import (
	"fmt"
	"slices"
	"strings"

	"sshtay/internal/fact"
	"sshtay/internal/pattern"
	"sshtay/internal/remedy"
)

const (
	mib = 1 << 20
	gib = 1 << 30
)

// size writes bytes as people say them.
func size(n int) string {
	if n >= gib {
		return fmt.Sprintf("%.1f GiB", float64(n)/gib)
	}
	return fmt.Sprintf("%d MiB", n/mib)
}

func watch(id string, cures fact.Any, summary string, steps ...remedy.Step) remedy.Remedy {
	return remedy.Remedy{ID: id, Side: remedy.Server, Risk: remedy.Harmless, Cures: cures.Name(), Summary: summary, Steps: steps}
}

// cpuShort: a high load is work that gets done, until the answers come late.
func cpuShort(v *fact.View, slow []Evidence) (shortage, bool) {
	load, loadSeen := fact.Load1.In(v)
	cpus, cpusSeen := fact.CPUs.In(v)
	pressure, pressureSeen := fact.PressureCPU.In(v)
	if !loadSeen || !cpusSeen || cpus <= 0 || load < 2*float64(cpus) || pressureSeen && pressure < 0.5 || len(slow) == 0 {
		return shortage{}, false
	}
	s := shortage{
		status: Likely, impact: WillBreak,
		what:     fmt.Sprintf("the load is %.1f on %s, and %s", load, count(cpus, "processor"), slow[0].Says),
		why:      "sshd waits for a processor like everybody else. A client with a short timeout gives up before the answer, and connections that take long to log in fill sshd's slots.",
		evidence: []Evidence{says(fact.Load1, "%.1f on %s", load, count(cpus, "processor"))},
		plan:     watch("less-load", fact.Load1, "find what uses the processors, and stop it or give it less", run("ps -eo pid,user,pcpu,etime,args --sort=-pcpu | head -15")),
	}
	if pressureSeen {
		s.evidence = append(s.evidence, says(fact.PressureCPU, "tasks waited for a processor %.0f %% of the last minute", pressure*100))
	}
	return s, true
}

// ioShort: storage that holds every task up.
func ioShort(v *fact.View, slow []Evidence) (shortage, bool) {
	pressure, _ := fact.PressureIO.In(v)
	if pressure < 0.3 || len(slow) == 0 {
		return shortage{}, false
	}
	return shortage{
		status: Likely, impact: WillBreak,
		what:     fmt.Sprintf("every task waited for storage %.0f %% of the last minute, and %s", pressure*100, slow[0].Says),
		why:      "A login reads programs, keys and accounts. While storage is that slow it takes longer than clients and LoginGraceTime allow.",
		evidence: []Evidence{says(fact.PressureIO, "%.0f %% of the last minute", pressure*100)},
		plan:     watch("less-storage-traffic", fact.PressureIO, "find what keeps the storage busy", run("ps -eo pid,user,stat,wchan:20,args | awk '$3 ~ /D/'"), run("cat /proc/pressure/io")),
	}, true
}

// memoryShort: memory and swap are all but used up.
func memoryShort(v *fact.View, slow []Evidence) (shortage, bool) {
	free, freeSeen := fact.MemAvailable.In(v)
	total, totalSeen := fact.MemTotal.In(v)
	swap, swapSeen := fact.SwapTotal.In(v)
	swapFree, _ := fact.SwapFree.In(v)
	pressure, _ := fact.PressureMemory.In(v)
	low := freeSeen && totalSeen && free < total/20 && free < 256*mib && swapSeen && swapFree < swap/20+1
	thrashing := pressure >= 0.2 && len(slow) > 0
	if !low && !thrashing {
		return shortage{}, false
	}
	s := shortage{
		status: Possible, impact: Risk,
		what:     fmt.Sprintf("%s of %s of memory are available", size(free), size(total)),
		why:      "Without memory new processes fail or crawl, and the kernel kills one: the session that you work in, or its program.",
		evidence: []Evidence{says(fact.MemAvailable, "%s of %s", size(free), size(total))},
		plan: watch("more-memory", fact.MemAvailable, "find what uses the memory; give it less, or the server more memory or swap", run("ps -eo pid,user,rss,args --sort=-rss | head -15"),
			typed("swap as a stopgap", "fallocate -l 1G /swapfile && chmod 600 /swapfile && mkswap /swapfile && swapon /swapfile")),
	}
	switch {
	case swapSeen && swap == 0:
		s.what += " and there is no swap"
	case swapSeen:
		s.what += fmt.Sprintf(", and %s of %s of swap", size(swapFree), size(swap))
		s.evidence = append(s.evidence, says(fact.SwapFree, "%s of %s", size(swapFree), size(swap)))
	}
	if pressure > 0 {
		s.evidence = append(s.evidence, says(fact.PressureMemory, "every task waited for memory %.0f %% of the last minute", pressure*100))
	}
	switch {
	case low && pressure >= 0.1:
		s.status, s.impact = Confirmed, WillBreak
	case low && len(slow) > 0, thrashing:
		s.status, s.impact = Likely, WillBreak
	case free < total/50 && free < 64*mib:
		s.status = Likely
	}
	return s, true
}

var (
	victim      = pattern.New(`[Kk]ill(?:ed)? process \d+ \(([^)]{1,40})\)`)
	unitKilled  = pattern.New(`\bsshd?(?:@\S*)?\.service: (?:A process of this unit has been killed by the OOM killer|Failed with result 'oom-kill')`)
	sliceKilled = pattern.New(`Killed (/user\.slice/\S*) due to memory`)
)

// manyKills within a day are a server that is too small for what it does.
const manyKills = 3

// outOfMemory: the kernel or systemd killed for lack of memory. Who called the
// killer is not who was killed, and the limit of one control group is not the
// server's.
func outOfMemory(v *fact.View, _ []Evidence) (shortage, bool) {
	lines, _ := fact.LogOOM.In(v)
	if len(lines) == 0 {
		return shortage{}, false
	}
	s := shortage{
		status: Possible, impact: Risk, what: "the kernel killed a process for lack of memory within the last day",
		why:      "When memory runs out the kernel kills a process. If it is one of sshd's or of the session, or if systemd then ends the whole unit, connections end without a goodbye.",
		evidence: []Evidence{says(fact.LogOOM, "%s", lines[len(lines)-1])},
		plan: watch("no-more-kills", fact.LogOOM, "find what used the memory when it ran out, and bound it or add memory", run("journalctl -k -S -24h | grep -i -A 30 'out of memory\\|oom-kill'"),
			advise("systemd ends a whole unit or session when one of its processes is killed so; OOMPolicy=continue in the unit leaves the others alive")),
	}
	kills := 0
	for _, l := range lines {
		m := victim.FindStringSubmatch(l)
		slice := sliceKilled.FindStringSubmatch(l)
		switch {
		case m != nil && strings.HasPrefix(m[1], "sshd"), unitKilled.MatchString(l):
			s.status, s.impact = Confirmed, WillBreak
			s.what = "a process of sshd was killed for lack of memory within the last day"
			s.evidence = []Evidence{says(fact.LogOOM, "%s", l)}
			return s, true
		case slice != nil:
			s.status, s.impact = Likely, WillBreak
			s.what = "systemd killed sessions of users for lack of memory within the last day"
			s.evidence = []Evidence{says(fact.LogOOM, "%s", l)}
		case m != nil && !strings.Contains(l, "Memory cgroup"):
			kills++
		}
	}
	if s.status == Possible && kills >= manyKills {
		s.status, s.impact = Likely, WillBreak
		s.what = fmt.Sprintf("the kernel killed processes for lack of memory at least %s within the last day", times(kills))
	}
	return s, true
}

// forkFailed: sshd itself says that it could not start a process or open a
// file.
func forkFailed(v *fact.View, _ []Evidence) (shortage, bool) {
	lines, _ := fact.LogForkFailures.In(v)
	if len(lines) == 0 {
		return shortage{}, false
	}
	s := shortage{
		status: Confirmed, impact: WillBreak,
		what:     fmt.Sprintf("sshd could not start a process, or open a file or a terminal, at least %s within the last day", times(len(lines))),
		why:      "Such a connection is closed without a word to the client.",
		evidence: []Evidence{says(fact.LogForkFailures, "%s", lines[len(lines)-1])},
		plan: watch("find-the-limit", fact.LogForkFailures, "find which limit was met at that time: processes, tasks of the unit, files or memory",
			run("systemctl show ssh -p TasksCurrent -p TasksMax -p LimitNOFILE ; cat /proc/sys/kernel/pid_max /proc/sys/fs/file-nr ; journalctl -k -S -24h | grep -i 'fork rejected\\|file-max\\|out of memory'")),
	}
	if len(lines) == 1 {
		s.impact = Risk
	}
	return s, true
}

var shortWords = pattern.New(`(?i)[^\n]{0,60}(resource temporarily unavailable|cannot allocate memory|no more processes|no space left on device|disk quota exceeded|too many open files|read-only file system|can't fork)`)

// itself: what the session's own programs said.
func itself(v *fact.View, _ []Evidence) (shortage, bool) {
	end, _ := fact.SessionEnd.In(v)
	noise, _ := fact.SessionNoise.In(v)
	for _, said := range []struct {
		key    fact.Any
		text   string
		impact Impact
	}{{fact.SessionEnd, end, Breaks}, {fact.SessionNoise, noise, Risk}} {
		words := strings.TrimSpace(shortWords.FindString(said.text))
		if words == "" {
			continue
		}
		return shortage{
			status: Confirmed, impact: said.impact, what: "the server's own words in the session were: " + words,
			why:      "The login works, but what it starts does not find what it needs.",
			evidence: []Evidence{says(said.key, "%s", words)},
			plan:     watch("what-is-short", said.key, "see what the words mean on the server", run("df -h ; df -i ; free -m ; ps -eLf | wc -l ; ulimit -a")),
		}, true
	}
	return shortage{}, false
}

// disksFull: a file system that logins write to is full or cannot be written.
func disksFull(v *fact.View, _ []Evidence) (shortage, bool) {
	disks, _ := fact.Disks.In(v)
	for _, d := range disks {
		s := shortage{
			status: Confirmed, impact: Risk,
			why:  "A login writes: records, logs, locks, the shell's history. Some programs of the login refuse to go on when they cannot, and then the session ends at once.",
			plan: watch("free-space", fact.Disks, "make room", run("df -h "+shellQuoted(d.Mount)+" ; du -xh --max-depth=2 "+shellQuoted(d.Mount)+" 2>/dev/null | sort -h | tail -20"), typed("what the journal holds is freed by", "journalctl --vacuum-size=200M")),
		}
		switch {
		case d.RO && atFault(d, disks):
			s.what = d.Mount + " is mounted read-only"
			if d.Mount == "/" {
				s.status = Likely // some machines are made so
			}
			s.plan = watch("write-again", fact.Disks, "see why the kernel made it read-only, check the disk, and mount it again", run("dmesg | grep -i 'remount\\|i/o error\\|ext4\\|xfs' | tail"), typed("after the check", "mount -o remount,rw "+shellQuoted(d.Mount)))
		case d.RO:
			continue
		case d.Used >= 0.999:
			s.what = d.Mount + " is full"
		case d.Inodes >= 0.999:
			s.what = d.Mount + " has no inode left for another file"
		default:
			continue
		}
		s.evidence = []Evidence{says(fact.Disks, "%s: %.0f %% of its blocks and %.0f %% of its inodes are used", d.Mount, d.Used*100, d.Inodes*100)}
		return s, true
	}
	return shortage{}, false
}

// wroteInVain: the log tells of a write that found no room. What the disks say
// now speaks for and against it; of quotas they say nothing.
func wroteInVain(v *fact.View, _ []Evidence) (shortage, bool) {
	lines, _ := fact.LogDiskFull.In(v)
	if len(lines) == 0 {
		return shortage{}, false
	}
	last := lines[len(lines)-1]
	s := shortage{
		status: Confirmed, impact: Risk,
		what:     "a write on the server found no room within the last day",
		why:      "A login writes: records, logs, locks, the shell's history. Some programs of the login refuse to go on when they cannot, and then the session ends at once.",
		evidence: []Evidence{says(fact.LogDiskFull, "%s", last)},
		plan:     watch("find-the-room", fact.LogDiskFull, "see what is full, blocks or inodes, and make room", run("df -h ; df -i"), typed("what the journal holds is freed by", "journalctl --vacuum-size=200M")),
	}
	if strings.Contains(last, "quota exceeded") {
		s.what = "a write on the server met a used up quota within the last day"
		s.plan = watch("raise-the-quota", fact.LogDiskFull, "see whose quota is used up; free or raise it", run("repquota -a"))
		return s, true
	}
	if disks, seen := fact.Disks.In(v); seen {
		room := !slices.ContainsFunc(disks, func(d fact.Disk) bool { return !d.RO && max(d.Used, d.Inodes) >= 0.98 })
		if room {
			s.status, s.what = Possible, s.what+", and its disks have room now"
		}
	}
	return s, true
}

// atFault says whether a read-only file system looks like one that should be
// writable. Images that are full by nature, and a root that has a writable
// /var beside it, are made so.
func atFault(d fact.Disk, all []fact.Disk) bool {
	if d.Used >= 0.999 {
		return false
	}
	if d.Mount != "/" {
		return true
	}
	for _, other := range all {
		if !other.RO && (other.Mount == "/var" || strings.HasPrefix(other.Mount, "/var/") || other.Mount == "/home") {
			return false
		}
	}
	return true
}

// shellQuoted makes a path of the server fit for a command line.
func shellQuoted(path string) string {
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
