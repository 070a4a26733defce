package probe

import (
	"strconv"
	"strings"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/visible"
)

// machine says what the server is, and as whom it was read.
func (r *reading) machine() {
	name := ""
	for _, l := range r.lines("release") {
		if v, ok := strings.CutPrefix(l, "PRETTY_NAME="); ok {
			name = strings.Trim(v, `"'`)
		}
	}
	uname := strings.Fields(r.env["uname"])
	switch {
	case name != "":
		fact.ServerOS.Put(r.facts, visible.Line(name, 100), r.source("/etc/os-release"))
	case len(uname) > 0:
		fact.ServerOS.Put(r.facts, visible.Line(uname[0], 100), r.source("uname"))
	default:
		r.miss(notThere, fact.ServerOS)
	}
	r.putEnv(fact.ServerKernel, "uname", "uname")
	r.putEnv(fact.ServerInit, "init", "/run")
	r.putEnv(fact.ServerUser, "user", "id")
	if client := r.env["client"]; client != "" {
		fact.ServerClientAddress.Put(r.facts, visible.Line(client, 100), r.source("SSH_CONNECTION"))
	} else {
		r.miss(noClient, fact.ServerClientAddress)
	}
}

// noClient is why nothing can be said about "us" without a connection.
const noClient = "the check was not made over an SSH connection, so there is no client's address"

func (r *reading) putEnv(k fact.Key[string], key, source string) {
	if v := r.env[key]; v != "" {
		k.Put(r.facts, visible.Line(v, 200), r.source(source))
		return
	}
	r.miss(notThere, k)
}

// kernel says when the server's kernel asks for a sign of life.
func (r *reading) kernel() {
	const dir = "/proc/sys/net/ipv4/tcp_keepalive_"
	r.putSeconds(fact.ServerTCPKeepaliveTime, dir+"time")
	r.putSeconds(fact.ServerTCPKeepaliveIntv, dir+"intvl")
	r.putNumber(fact.ServerTCPKeepaliveNum, dir+"probes")
}

func (r *reading) putSeconds(k fact.Key[time.Duration], section string) {
	if n, ok := r.number(section); ok && n < 1e9 {
		k.Put(r.facts, time.Duration(n)*time.Second, r.source(section))
		return
	}
	r.miss(notThere, k)
}

// resources says how much is left of what logins need.
func (r *reading) resources() {
	if up, ok := r.float("/proc/uptime", 0); ok && up < 1e10 {
		fact.Uptime.Put(r.facts, time.Duration(up)*time.Second, r.source("/proc/uptime"))
	} else {
		r.miss(notThere, fact.Uptime)
	}
	r.putFloat(fact.Load1, "/proc/loadavg", 0)
	r.putFloat(fact.Load5, "/proc/loadavg", 1)
	r.putNumber(fact.CPUs, "cpus")
	r.memory()
	r.pressure()
	r.processes()
	r.files()
	r.putNumber(fact.PTYs, "/proc/sys/kernel/pty/nr")
	r.putNumber(fact.PTYsMax, "/proc/sys/kernel/pty/max")
}

// field returns a word of a section's first line.
func (r *reading) field(section string, i int) string {
	l, _ := r.line(section)
	if f := strings.Fields(l); i < len(f) {
		return f[i]
	}
	return ""
}

func (r *reading) float(section string, i int) (float64, bool) {
	v, err := strconv.ParseFloat(r.field(section, i), 64)
	return v, err == nil && v >= 0 && v < 1e15
}

func (r *reading) putFloat(k fact.Key[float64], section string, i int) {
	if v, ok := r.float(section, i); ok {
		k.Put(r.facts, v, r.source(section))
		return
	}
	r.miss(notThere, k)
}

// memory reads the kernel's numbers, in kB. Kernels before 3.14 do not say what
// is available; it is then what is free or could be freed.
func (r *reading) memory() {
	kb := map[string]int{}
	for _, l := range r.lines("meminfo") {
		name, rest, _ := strings.Cut(l, ":")
		if f := strings.Fields(rest); len(f) > 0 {
			if n, ok := atoi(f[0]); ok && n < 1<<50 {
				kb[name] = n * 1024
			}
		}
	}
	if _, ok := kb["MemAvailable"]; !ok && kb["MemTotal"] > 0 {
		kb["MemAvailable"] = kb["MemFree"] + kb["Buffers"] + kb["Cached"]
	}
	for name, k := range map[string]fact.Key[int]{
		"MemTotal": fact.MemTotal, "MemAvailable": fact.MemAvailable, "SwapTotal": fact.SwapTotal, "SwapFree": fact.SwapFree,
	} {
		if n, ok := kb[name]; ok {
			k.Put(r.facts, n, r.source("/proc/meminfo"))
		} else {
			r.miss(notThere, k)
		}
	}
}

// pressure reads avg60 of lines such as
// "/proc/pressure/io:full avg10=0.00 avg60=0.12 avg300=0.00 total=1".
func (r *reading) pressure() {
	const none = "the server's kernel does not measure pressure (PSI)"
	for line, k := range map[string]fact.Key[float64]{
		"/proc/pressure/cpu:some ": fact.PressureCPU, "/proc/pressure/memory:full ": fact.PressureMemory, "/proc/pressure/io:full ": fact.PressureIO,
	} {
		r.miss(none, k)
		for _, l := range r.lines("pressure") {
			rest, ok := strings.CutPrefix(l, line)
			_, rest, ok2 := strings.Cut(rest, "avg60=")
			percent, _, _ := strings.Cut(rest, " ")
			if v, err := strconv.ParseFloat(percent, 64); ok && ok2 && err == nil && v >= 0 && v <= 100 {
				k.Put(r.facts, v/100, r.source(strings.TrimSuffix(line[:strings.Index(line, ":")], ":")))
			}
		}
	}
}

// processes reads the number of processes and threads, and their limits. A
// limit that is not set stays absent without a reason.
func (r *reading) processes() {
	_, all, _ := strings.Cut(r.field("/proc/loadavg", 3), "/")
	if n, ok := atoi(all); ok {
		fact.Processes.Put(r.facts, n, r.source("/proc/loadavg"))
	} else {
		r.miss(notThere, fact.Processes)
	}
	threads, ok1 := r.number("/proc/sys/kernel/threads-max")
	pids, ok2 := r.number("/proc/sys/kernel/pid_max")
	if ok1 && ok2 {
		fact.ProcessesMax.Put(r.facts, min(threads, pids), r.source("kernel.threads-max and kernel.pid_max"))
	} else {
		r.miss(notThere, fact.ProcessesMax)
	}
	if n, ok := r.number("tasks"); ok && n > 0 {
		fact.UserProcesses.Put(r.facts, n, r.source("/proc"))
	} else {
		r.miss(notThere, fact.UserProcesses)
	}
	most, source := 0, ""
	if n, ok := limit(r.lines("limits"), "Max processes"); ok {
		most, source = n, "/proc/self/limits"
	}
	if n, ok := r.number("userslice"); ok && (most == 0 || n < most) {
		most, source = n, "pids.max of the user's slice"
	}
	if most > 0 {
		fact.UserProcessesMax.Put(r.facts, most, r.source(source))
	}
	if l, ok := r.line("cgroup"); ok {
		f := strings.SplitN(l, " ", 3)
		if n, ok := atoi(f[0]); ok {
			fact.SSHDTasks.Put(r.facts, n, r.source("pids.current of sshd's control group"))
		}
		if len(f) > 1 {
			if n, ok := atoi(f[1]); ok { // else it is "max"
				fact.SSHDTasksMax.Put(r.facts, n, r.source("pids.max of sshd's control group"))
			}
		}
	}
	if r.env["init"] == "systemd" {
		r.miss("the listener's control group was not found", fact.SSHDTasks)
	}
}

// limit reads the soft limit from a line of /proc/PID/limits; one that is
// unlimited is none.
func limit(lines []string, name string) (int, bool) {
	for _, l := range lines {
		if rest, ok := strings.CutPrefix(l, name+" "); ok {
			if f := strings.Fields(rest); len(f) > 0 {
				return atoi(f[0])
			}
		}
	}
	return 0, false
}

// files reads how many files are open on the server and in the listener.
func (r *reading) files() {
	const nr = "/proc/sys/fs/file-nr"
	open, ok1 := atoi(r.field(nr, 0))
	most, err := strconv.ParseUint(r.field(nr, 2), 10, 64)
	if ok1 {
		fact.Files.Put(r.facts, open, r.source(nr))
	} else {
		r.miss(notThere, fact.Files)
	}
	if err == nil && most < 1<<62 { // more is the kernel's word for no limit
		fact.FilesMax.Put(r.facts, int(most), r.source(nr))
	}
	if !r.listens() {
		r.miss(noListener, fact.SSHDFiles, fact.SSHDFilesMax)
	}
	if n, ok := r.number("fds"); ok && n > 0 {
		fact.SSHDFiles.Put(r.facts, n, r.source("the listener's /proc entry"))
	} else {
		r.missDeep(fact.SSHDFiles)
	}
	if n, ok := limit(r.lines("listener-limits"), "Max open files"); ok {
		fact.SSHDFilesMax.Put(r.facts, n, r.source("the listener's /proc entry"))
	} else {
		r.missDeep(fact.SSHDFilesMax)
	}
}

// disks reads df -P, in 1024-byte blocks and in inodes.
func (r *reading) disks() {
	readOnly := map[string]bool{}
	for _, l := range r.lines("mounts") {
		if f := strings.Fields(l); len(f) >= 4 {
			readOnly[f[1]] = strings.HasPrefix(f[3]+",", "ro,")
		}
	}
	inodes := r.df("df-i", "df-i home")
	var disks []fact.Disk
	for _, d := range r.df("df", "df home") {
		d := fact.Disk{Mount: visible.Line(d.mount, 100), Used: d.used, RO: readOnly[d.mount]}
		for _, i := range inodes {
			if i.mount == d.Mount {
				d.Inodes = i.used
			}
		}
		disks = append(disks, d)
	}
	if len(disks) == 0 {
		r.miss("df there said nothing: a file system may not answer", fact.Disks)
		return
	}
	fact.Disks.Put(r.facts, disks, r.source("df"))
}

type mounted struct {
	mount string
	used  float64
}

// df reads the tables of df -P: each file system once. The ratio is what df
// itself computes: what root may use beyond that is left out.
func (r *reading) df(names ...string) []mounted {
	var all []mounted
	seen := map[string]bool{}
	for _, name := range names {
		for _, l := range r.lines(name) {
			f := strings.Fields(l)
			if len(f) < 6 || !strings.HasSuffix(f[4], "%") {
				continue // the header, or a file system without inodes, which has "-"
			}
			used, ok1 := atoi(f[2])
			free, ok2 := atoi(f[3])
			mount := strings.Join(f[5:], " ")
			if !ok1 || !ok2 || used+free <= 0 || seen[mount] || len(all) == 20 {
				continue
			}
			seen[mount] = true
			all = append(all, mounted{mount, float64(used) / float64(used+free)})
		}
	}
	return all
}
