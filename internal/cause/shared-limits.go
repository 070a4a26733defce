package cause

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"sshtay/internal/fact"
	"sshtay/internal/remedy"
)

// A shortage is one thing of which the server has too little, and how sure it
// is that connections suffer.
type shortage struct {
	status   Status
	impact   Impact
	what     string // a sentence without its stop
	why      string
	evidence []Evidence
	plan     remedy.Remedy
}

// A quota is a number of things that may not exceed another.
type quota struct {
	says       string // how used and most are said, where "in use" does not fit
	risk       remedy.Risk
	used, most fact.Key[int]
	name       string
	why        string
	id, mend   string
	look, run  []string // what shows who has them, and what a person may do
	sysctls    []string // to raise, where they are the limit
	mine       bool     // it binds the user, and root less
}

var quotas = []quota{
	{used: fact.Processes, most: fact.ProcessesMax, name: "processes and threads of the server", id: "fewer-processes", mend: "find who has so many, and raise the limit where it is right that they have",
		why:  "Every connection needs new processes; without one sshd closes it at once.",
		look: []string{"ps -eLo user= | sort | uniq -c | sort -rn | head"}, sysctls: []string{"kernel.pid_max", "kernel.threads-max"}},
	{used: fact.UserProcesses, most: fact.UserProcessesMax, name: "processes and threads of the user", id: "fewer-processes-of-user", mend: "find which of the user's programs has so many, or raise the limit in /etc/security/limits.d or the user's slice",
		why:  "The session's shell is the user's process; when it cannot be started, the connection ends right after the login.",
		look: []string{"ps -u $USER -Lo comm= | sort | uniq -c | sort -rn | head"}, mine: true},
	{used: fact.SSHDTasks, most: fact.SSHDTasksMax, name: "tasks of sshd's unit", id: "more-tasks", mend: "let the unit have more tasks, and find what runs inside it",
		why:  "The unit's control group refuses to fork, and neither ulimit nor a log of sshd tells: the connection is closed, or the shell says that it cannot start a process.",
		look: []string{"systemd-cgls -u ssh.service"}, run: []string{"systemctl set-property ssh.service TasksMax=infinity"}},
	{used: fact.Files, most: fact.FilesMax, name: "open files of the server", id: "more-files", mend: "find who has so many open, and raise the limit",
		why:  "Nobody can open a file or a connection any more.",
		look: []string{"ls -d /proc/[0-9]*/fd/* 2>/dev/null | cut -d/ -f3 | sort | uniq -c | sort -rn | head"}, sysctls: []string{"fs.file-max"}},
	{used: fact.SSHDFiles, most: fact.SSHDFilesMax, risk: remedy.ReloadsSSHD, name: "open files of the sshd listener", id: "more-files-for-sshd", mend: "let the listener have more files",
		why: "The listener cannot accept another connection; it waits and tries again.",
		run: []string{"mkdir -p /etc/systemd/system/ssh.service.d && printf '[Service]\\nLimitNOFILE=65536\\n' > /etc/systemd/system/ssh.service.d/files.conf && systemctl daemon-reload && systemctl restart ssh"}},
	{used: fact.PTYs, most: fact.PTYsMax, name: "pseudo-terminals", id: "more-terminals", mend: "find who holds them, and raise the limit",
		why:  "A session with a terminal cannot be opened; ssh says that the allocation failed.",
		look: []string{"ps -eo user=,tty= | grep pts | sort | uniq -c | sort -rn | head"}, sysctls: []string{"kernel.pty.max"}},
	{used: fact.ListenQueue, most: fact.ListenQueueMax, says: "%d connections wait for sshd to accept them, and %d may", id: "accept-sooner", mend: "see why sshd accepts no connections: it may be stopped, or the machine too busy to run it",
		why:  "The kernel drops new connections while the queue is full: ssh times out.",
		look: []string{"ps -eo pid,stat,wchan:20,pcpu,args | grep '[s]shd'"}},
}

// Limits of what is near its end.
const (
	nearlyFull = 95 // percent
	busy       = 85
)

// short looks at one quota.
func (q quota) short(v *fact.View) (shortage, bool) {
	used, usedSeen := q.used.In(v)
	most, mostSeen := q.most.In(v)
	if !usedSeen || !mostSeen || most <= 0 || used*100 < most*busy {
		return shortage{}, false
	}
	text := q.says
	if text == "" {
		text = "%d of %d " + q.name + " are in use"
	}
	s := shortage{
		status: Possible, impact: Risk, why: q.why,
		what:     fmt.Sprintf(text, used, most),
		evidence: []Evidence{says(q.used, "%d", used), says(q.most, "at most %d", most)},
		plan:     remedy.Remedy{ID: q.id, Side: remedy.Server, Risk: cmp.Or(q.risk, remedy.Harmless), Cures: q.used.Name(), Summary: q.mend},
	}
	for _, line := range q.look {
		s.plan.Steps = append(s.plan.Steps, note(run(line)))
	}
	for _, line := range q.run {
		s.plan.Steps = append(s.plan.Steps, run(line))
	}
	if len(q.sysctls) > 0 {
		s.plan.Steps = append(s.plan.Steps, raise(q.sysctls, 2*most))
	}
	user, _ := fact.ServerUser.In(v)
	switch {
	case q.mine && user == "root": // a limit of processes hardly binds root
	case used >= most:
		s.status, s.impact = Confirmed, Breaks
	case used*100 >= most*nearlyFull:
		s.status, s.impact = Confirmed, WillBreak
	}
	return s, true
}

// mostTasks is the greatest kernel.pid_max there is.
const mostTasks = 1 << 22

// raise sets limits of the server's kernel.
func raise(sysctls []string, to int) remedy.Step {
	step := remedy.Step{Kind: remedy.Sysctl, With: map[string]string{}}
	var lines []string
	for _, name := range sysctls {
		value := strconv.Itoa(to)
		if name == "kernel.pid_max" {
			value = strconv.Itoa(min(to, mostTasks))
		}
		step.With[name] = value
		lines = append(lines, name+"="+value)
	}
	step.Text = "on the server, in /etc/sysctl.d/60-ssh-limits.conf: " + strings.Join(lines, ", ") + "; then: sysctl --system"
	return step
}
