package probe

import (
	"strconv"
	"strings"

	"sshtay/internal/fact"
	"sshtay/internal/pattern"
	"sshtay/internal/visible"
)

// program says which sshd the server has, who runs it, and whether it can.
func (r *reading) program() {
	r.version()
	r.implementation()
	name, _ := fact.SSHDImplementation.Get(r.facts)
	r.pkg(name)
	r.service()
	r.stale()
	if name != "" && name != "openssh" {
		r.miss("the server is not OpenSSH", fact.SSHDConfigError, fact.SSHDHostKeys, fact.SSHDNoPrivsepDir)
		return
	}
	r.keys()
}

var versionWord = pattern.New(`OpenSSH_[^\s,]+|[Dd]ropbear v?\d[^\s,]*|TinySSH[^\s,]*`)

// version reads sshd -V, which versions before 9.2 do not know: they print
// their version with the usage.
func (r *reading) version() {
	if v := versionWord.FindString(r.sections["version"]); v != "" {
		fact.SSHDVersion.Put(r.facts, visible.Line(v, 100), r.source("sshd -V"))
	} else {
		r.miss(notThere, fact.SSHDVersion)
	}
}

// pkg is the package of that implementation, as the package manager names it.
func (r *reading) pkg(implementation string) {
	for _, p := range r.lines("package") {
		if strings.HasPrefix(p, implementation) {
			fact.SSHDPackage.Put(r.facts, visible.Line(p, 200), r.source("the package manager"))
			return
		}
	}
	r.miss("no package manager there knows of its SSH server", fact.SSHDPackage)
}

// implementation is named by the process that accepts our connection, or by
// the program that is there.
func (r *reading) implementation() {
	put := func(name, source string) { fact.SSHDImplementation.Put(r.facts, name, r.source(source)) }
	for _, c := range strings.Fields(r.env["chain"]) {
		switch {
		case strings.HasPrefix(c, "sshd"):
			put("openssh", "the processes above the session")
			return
		case c == "dropbear":
			put("dropbear", "the processes above the session")
			return
		case c == "tinysshd":
			put("tinyssh", "the processes above the session")
			return
		}
	}
	comms := r.sections["comms"]
	switch {
	case strings.Contains(comms, ":sshd"), r.env["sshd"] != "":
		put("openssh", "the processes and programs")
	case strings.Contains(comms, ":dropbear"):
		put("dropbear", "the processes")
	case r.via != "local":
		put("other", "the processes above the session")
	default:
		r.miss("no SSH server was found there", fact.SSHDImplementation)
	}
}

// listens says whether the process that was found is a listener. Since 8.2 it
// says so itself; before, its title is its command line.
func (r *reading) listens() bool {
	title := strings.TrimSpace(r.env["title"])
	return title != "" && (strings.Contains(title, "[listener]") || !strings.HasPrefix(title, "sshd: ") && !strings.HasPrefix(title, "sshd-session: "))
}

// stale says whether the listener runs a program that is no longer there: an
// upgrade without a restart. Root sees it at the link; others compare when the
// program's file was changed with when the listener was started.
func (r *reading) stale() {
	if !r.listens() {
		r.miss(noListener, fact.SSHDStale)
		return
	}
	changed, path := 0, ""
	for _, l := range r.lines("binaries") {
		at, name, _ := strings.Cut(l, " ")
		if n, ok := atoi(at); ok && n > changed {
			changed, path = n, name
		}
	}
	started, ok := r.started()
	exe, _ := r.line("exe")
	seen := strings.Contains(exe, " -> ")
	switch {
	case strings.HasSuffix(exe, " (deleted)"):
		fact.SSHDStale.Put(r.facts, true, r.source("the program of the listener's process"))
	case ok && changed > started && !seen:
		fact.SSHDStale.Put(r.facts, true, r.source("the time of change of "+visible.Line(path, 100)+" and the listener's start"))
	case seen || ok && changed > 0:
		fact.SSHDStale.Put(r.facts, false, r.source("the listener's program and start"))
	default:
		r.miss(notThere, fact.SSHDStale)
	}
}

// started is when the listener was started, in seconds since 1970. Of
// /proc/PID/stat the 22nd field counts ticks since boot; the second may hold
// spaces and brackets.
func (r *reading) started() (int, bool) {
	lines := r.lines("started")
	if len(lines) < 2 {
		return 0, false
	}
	i := strings.LastIndex(lines[0], ")")
	fields := strings.Fields(lines[0][i+1:])
	boot, found := strings.CutPrefix(lines[1], "btime ")
	if len(fields) < 20 || !found {
		return 0, false
	}
	hz := 100
	if len(lines) > 2 {
		if n, ok := atoi(lines[2]); ok && n > 0 {
			hz = n
		}
	}
	ticks, ok1 := atoi(fields[19])
	since, ok2 := atoi(boot)
	return since + ticks/hz, ok1 && ok2
}

// badLine is how sshd names a line of its configuration that it will not take.
var badLine = pattern.New(`^\S+ line \d+: `)

// untested is for those who may not run sshd -t: sshd -T, which anybody may
// run, stops at a bad line before it stops for the host keys.
func (r *reading) untested() {
	status, said, _ := r.named("sshd-T")
	for line := range strings.FieldsFuncSeq(said, isLineEnd) {
		if status != "0" && badLine.MatchString(line) && !strings.Contains(line, ": Deprecated option") && !strings.Contains(line, ": Unsupported option") {
			fact.SSHDConfigError.Put(r.facts, visible.Line(line, 1000), r.source("sshd -T"))
			return
		}
	}
	r.missDeep(fact.SSHDConfigError)
}

// noFolder is what sshd says where its privilege separation directory is missing.
const noFolder = "Missing privilege separation directory"

// keys says whether sshd would start: what sshd -t thinks, the host keys it
// could load, and its privilege separation directory.
func (r *reading) keys() {
	status, said, tested := r.named("sshd-t")
	if tested && strings.Contains(said, noFolder) && r.makesFolder() {
		tested, said = false, ""
		r.miss("no sshd runs while nobody is connected, and the folder that it wants is made when one is started", fact.SSHDNoPrivsepDir)
	}
	if !tested {
		r.untested()
	}
	if tested && status != "0" && status != "124" { // 124: it was cut
		fact.SSHDConfigError.Put(r.facts, visible.Line(strings.Join(strings.FieldsFunc(said, isLineEnd), "; "), 1000), r.source("sshd -t"))
	}
	keys := 0
	for _, l := range r.lines("hostkeys") {
		f := strings.Fields(l)
		if len(f) >= 9 && strings.HasPrefix(f[0], "-") && f[4] != "0" && (f[2] != "0" || len(f[0]) >= 10 && f[0][7:10] == "---") {
			keys++
		}
	}
	switch { // the group may read them where a group of their own does, as on RHEL
	case strings.Contains(said, "no hostkeys available"):
		fact.SSHDHostKeys.Put(r.facts, 0, r.source("sshd -t"))
	case keys > 0, r.root:
		fact.SSHDHostKeys.Put(r.facts, keys, r.source("ls of the host keys"))
	default:
		r.missDeep(fact.SSHDHostKeys)
	}
	switch {
	case strings.Contains(said, noFolder):
		fact.SSHDNoPrivsepDir.Put(r.facts, true, r.source("sshd -t"))
	case tested && status == "0":
		fact.SSHDNoPrivsepDir.Put(r.facts, false, r.source("sshd -t"))
	case tested:
		r.miss("sshd -t stopped at something else first", fact.SSHDNoPrivsepDir)
	default:
		r.missDeep(fact.SSHDNoPrivsepDir)
	}
}

func isLineEnd(c rune) bool { return c == '\n' || c == '\r' }

// listening says whether something accepts connections on the port.
func (r *reading) listening(queues int) {
	switch {
	case queues > 0:
		fact.SSHDRunning.Put(r.facts, true, r.source("the listening sockets of port "+r.port()))
	case r.hasSockets():
		fact.SSHDRunning.Put(r.facts, false, r.source("the listening sockets of port "+r.port()))
	default:
		r.miss(noSockets, fact.SSHDRunning)
	}
}

func (r *reading) port() string {
	if _, ok := atoi(r.env["port"]); ok {
		return r.env["port"]
	}
	return strconv.Itoa(22)
}
