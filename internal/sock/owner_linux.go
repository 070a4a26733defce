package sock

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// owners looks through the descriptors of the processes of these users.
func owners(wanted map[uint64]bool, users []uint32) map[uint64]Process {
	found := map[uint64]Process{}
	processes, _ := os.ReadDir("/proc")
	for _, p := range processes {
		pid, err := strconv.Atoi(p.Name())
		if err != nil {
			continue
		}
		info, err := p.Info()
		if err != nil {
			continue
		}
		// What may not be looked into by its own user belongs to root here.
		if s, ok := info.Sys().(*syscall.Stat_t); !ok || s.Uid != 0 && !slices.Contains(users, s.Uid) {
			continue
		}
		for _, inode := range sockets(pid) {
			if !wanted[inode] {
				continue
			}
			if who := describe(pid); found[inode].PID == 0 || who.Age > found[inode].Age {
				found[inode] = who
			}
		}
	}
	return found
}

// sockets returns the inodes of the sockets that a process has open, or
// nothing where we may not look.
func sockets(pid int) (inodes []uint64) {
	dir := "/proc/" + strconv.Itoa(pid) + "/fd/"
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		to, err := os.Readlink(dir + e.Name())
		if err != nil {
			continue
		}
		digits, ok := strings.CutPrefix(to, "socket:[")
		if n, err := strconv.ParseUint(strings.TrimSuffix(digits, "]"), 10, 64); ok && err == nil {
			inodes = append(inodes, n)
		}
	}
	return inodes
}

// describe says who a process is.
func describe(pid int) Process {
	stat, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return parseStat(string(stat), sinceBoot())
}

// ticks is USER_HZ, which is the same on every Linux that runs Go.
const ticks = 100

// parseStat reads /proc/PID/stat: the name is in brackets and may hold any
// byte; behind it come the state, the parent, and as the 20th the start in
// ticks since the machine was.
func parseStat(stat string, now time.Duration) (p Process) {
	open, end := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return p
	}
	p.PID, _ = strconv.Atoi(strings.TrimSpace(stat[:open]))
	p.Name = stat[open+1 : end]
	fields := strings.Fields(stat[end+1:])
	if len(fields) < 20 {
		return p
	}
	p.Parent, _ = strconv.Atoi(fields[1])
	if start, err := strconv.ParseUint(fields[19], 10, 40); err == nil {
		p.Age = max(0, now-time.Duration(start)*(time.Second/ticks))
	}
	return p
}

// sinceBoot is the clock that starts of processes are told by.
func sinceBoot() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
