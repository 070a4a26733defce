package cause

import (
	"fmt"
	"strings"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/pattern"
	"sshtay/internal/remedy"
)

var _ = register(Cause{
	ID:    "sshd-broken",
	Title: "sshd itself is broken, or will not survive a restart",
	Doc: Doc{
		Observed: "Whether sshd listens and in what state its unit is, what sshd -t thinks of the configuration on disk, its host keys, its privilege separation directory, whether its program was replaced since it was started, " +
			"the log's lines about crashes and failures, and how our own connections were received.",
		Judged: "Confirmed when the condition itself was read: sshd -t refuses the configuration, no host key is left, the unit failed or nothing listens, or connections end before the banner and the server's state or log says why. " +
			"Likely when the log tells of crashes while sshd answers, and at the server's console when nothing listens although an init runs that is to start sshd: somebody may have stopped it on purpose. Possible from outside alone, when every connection ends before the banner without a word: a firewall, a ban or a full server looks the same. " +
			"A program that was replaced and still answers, trouble in the log that is over, and a directory that the unit makes at its start are no findings. Ruled out when sshd answers and nothing is wrong with what could be seen.",
		Explained: "A running sshd starts a fresh copy of itself for every connection, so files that are missing or replaced break new connections while the old ones live on. " +
			"And it reads its configuration and, since 9.8, its keys only when it starts: what is wrong on disk waits for the next reload, restart or reboot, and then the listener is gone.",
		Fixed: "Mend what sshd -t names before anything is restarted; make host keys with ssh-keygen -A; restart sshd after an upgrade. Sessions that are open survive a restart.",
	},
	Needs: []fact.Any{
		fact.HandshakeStage, fact.HandshakeReason, fact.Refusal, fact.HandshakeTries, fact.HandshakeFailures, fact.HandshakeBanner, fact.FirstBytes, fact.LooksLike, fact.PreBanner,
		fact.ServerVia, fact.SSHDVersion, fact.SSHDConfigError, fact.SSHDRunning, fact.SSHDActivation, fact.SSHDStale, fact.SSHDNoPrivsepDir, fact.SSHDHostKeys, fact.SSHDUnitState, fact.SSHDEnabled, fact.Uptime, fact.LogBroken, fact.LogCrashes, fact.ResetSender,
	},
	Judge: judgeSSHDBroken,
	Fix:   fixSSHDBroken,
})

// A daemonFault is what is wrong with sshd, one word each; it names the remedy
// as well.
type daemonFault string

const (
	noDaemonFault daemonFault = ""
	badSSHDConfig daemonFault = "configuration"
	noHostKeys    daemonFault = "host-keys"
	noPrivsepDir  daemonFault = "privsep-directory"
	staleProgram  daemonFault = "stale-program"
	crashes       daemonFault = "crash"
	brokenLog     daemonFault = "log"
	failedUnit    daemonFault = "unit-failed"
	notListening  daemonFault = "not-listening"
	saysSo        daemonFault = "own-words"
	shutOutside   daemonFault = "closed-before-banner"
)

// A daemon is what was seen of sshd, from outside and on its machine.
type daemon struct {
	admission
	configError, words, unit, activation string
	running, seenRunning, stale          bool
	enabled                              bool // the machine is to start it by itself
	starting                             bool // the machine, or sshd
	noDir, noKeys                        bool
	openKeys                             bool // the keys may be read by others, and sshd passes them over
	foreign                              bool // something else than sshd answered
	byLogin                              bool // its machine was seen through a login
	ownReset                             bool // the reset that ended a connection came from its machine
	release                              release
	broken, crashed                      []string
}

func daemonOf(v *fact.View) daemon {
	d := daemon{admission: admissionOf(v)}
	d.release, _ = sshdRelease(v)
	said, _ := fact.SSHDConfigError.In(v)
	keys, seenKeys := fact.SSHDHostKeys.In(v)
	dir, _ := fact.SSHDNoPrivsepDir.In(v)
	d.noKeys = seenKeys && keys == 0
	d.noDir = dir
	d.configError = culprit(said)
	d.openKeys = d.noKeys && strings.Contains(said, "UNPROTECTED")
	d.running, d.seenRunning = fact.SSHDRunning.In(v)
	d.activation, _ = fact.SSHDActivation.In(v)
	d.stale, _ = fact.SSHDStale.In(v)
	d.unit, _ = fact.SSHDUnitState.In(v)
	d.enabled, _ = fact.SSHDEnabled.In(v)
	up, seenUp := fact.Uptime.In(v)
	d.starting = strings.HasPrefix(d.unit, "activating") || seenUp && up < startsWithin
	d.broken, _ = fact.LogBroken.In(v)
	logged, _ := fact.LogCrashes.In(v)
	for _, line := range logged {
		if !endedFromOutside.MatchString(line) {
			d.crashed = append(d.crashed, line)
		}
	}
	via, _ := fact.ServerVia.In(v)
	d.byLogin = via == "login"
	sender, _ := fact.ResetSender.In(v)
	d.ownReset = sender == "server"
	first, _ := fact.FirstBytes.In(v)
	looks, _ := fact.LooksLike.In(v)
	before, _ := fact.PreBanner.In(v)
	d.words, _ = sshdsOwnWords(first + "\n" + strings.Join(before, "\n"))
	d.foreign = looks != "" && looks != "ssh" && looks != "empty" && d.words == "" && d.refusal == ""
	return d
}

// startsWithin is how long after its start a machine may still be about to start
// sshd: a unit that waits for the network gives up after two minutes.
const startsWithin = 3 * time.Minute

// endedFromOutside are processes that somebody ended: the kernel for lack of
// memory, or an administrator.
var endedFromOutside = pattern.New(`(killed|terminated) by signal (1|2|9|13|15)\b`)

// harmless are lines of sshd -t that do not stop sshd, lines about its keys and
// directory, which have facts of their own, and a file that was named from a
// folder that we do not know.
var harmless = pattern.New(`^[^/][^:]*: No such file or directory|Deprecated option|Unsupported option|[Nn]o hostkeys available|Missing privilege separation directory|load host key|^@+$|UNPROTECTED PRIVATE KEY FILE|^Permissions \d+ for '|^It is |^This private|^Permissions$|\.\.\.$`)

// culprit is the part of what sshd -t printed that says what is wrong with the
// configuration.
func culprit(said string) string {
	for part := range strings.SplitSeq(said, "; ") {
		if part = firstLine(part); part != "" && !harmless.MatchString(part) {
			return part
		}
	}
	return ""
}

// answers says that this sshd serves connections.
func (d daemon) answers() bool { return d.greeted() || d.byLogin }

func (d daemon) failed() bool { return strings.Contains(d.unit, "failed") }

// down says that our connections did not get as far as a banner, for a reason
// that a dead or broken sshd would give.
func (d daemon) down() bool {
	return d.seen && !d.answers() && !d.foreign && d.refusal == "" && (d.reason == "refused" || d.reason == "closed" || d.reason == "reset")
}

// endsConnections says that connections are made and then ended.
func (d daemon) endsConnections() bool { return d.down() && d.reason != "refused" }

// fault names what is wrong, how sure that is, and what it does.
func (d daemon) fault() (daemonFault, Status, Impact) {
	now := WillBreak
	switch {
	case d.down() || d.failed() && !d.running:
		now = Breaks
	case d.seenRunning && !d.running && !d.seen:
		now = Risk // it may be off on purpose
	}
	switch {
	case d.configError != "":
		return badSSHDConfig, Confirmed, now
	case d.noKeys && d.answers() && !d.release.since(9, 8):
		return noHostKeys, Possible, Risk // a copy that answered has loaded some
	case d.noKeys && d.running && !d.answers() && !d.release.since(9, 8):
		return noHostKeys, Confirmed, Breaks
	case d.noKeys && (d.seen || d.running || d.failed() || d.openKeys || d.enabled):
		return noHostKeys, Confirmed, now
	case d.noDir && !d.answers() && d.running:
		return noPrivsepDir, Confirmed, Breaks
	case d.stale && d.endsConnections():
		return staleProgram, Confirmed, Breaks
	case len(d.crashed) > 0 && (d.endsConnections() || d.stage == "banner" && (d.reason == "closed" || d.reason == "reset")):
		return crashes, Confirmed, Breaks
	case len(d.broken) > 0 && (d.down() || d.failed() && !d.running):
		return brokenLog, Confirmed, Breaks
	case d.failed() && !d.answers() && !d.running:
		return failedUnit, Confirmed, Breaks
	case d.seenRunning && !d.running && d.down():
		return notListening, Confirmed, Breaks
	case d.enabled && d.seenRunning && !d.running && !d.seen && !d.starting:
		return notListening, Likely, now
	case d.words != "" && !d.answers():
		return saysSo, Confirmed, Breaks
	case len(d.crashed) > 0:
		return crashes, Likely, Risk
	}
	return d.mayBe()
}

// mayBe names what may be wrong.
func (d daemon) mayBe() (daemonFault, Status, Impact) {
	switch {
	case d.endsConnections() && d.failures == d.tries:
		return shutOutside, Possible, Breaks
	case d.stage == "banner" && (d.reason == "closed" || d.reason == "reset"):
		return shutOutside, Possible, Breaks
	case d.down() && !d.running, d.seenRunning && !d.running && !d.answers():
		return notListening, Possible, Breaks
	case d.noKeys:
		return noHostKeys, Possible, WillBreak
	case d.stale:
		return staleProgram, Possible, Risk
	case len(d.broken) > 0:
		return brokenLog, Possible, Risk
	case d.failed():
		return failedUnit, Possible, Risk
	}
	return noDaemonFault, RuledOut, Risk
}

func judgeSSHDBroken(v *fact.View) Verdict {
	d := daemonOf(v)
	fault, status, impact := d.fault()
	switch {
	case status >= Likely:
		return d.finding(fault, Verdict{Status: status, Impact: impact})
	case injected(v) && (fault == shutOutside || fault == notListening && !d.seenRunning):
		return notTheServer()
	case status == Possible:
		return Verdict{Status: Possible, Impact: impact, Reason: d.possible(fault)}
	case d.refusal != "":
		return Verdict{Status: RuledOut, Reason: "sshd is there: it refuses in its own words"}
	case d.answers() && v.Open(fact.SSHDConfigError):
		return Verdict{Status: RuledOut, Reason: "sshd answers; whether it would survive a restart could not be seen: " + v.Why(fact.SSHDConfigError)}
	case d.answers():
		return Verdict{Status: RuledOut, Reason: "sshd answers"}
	case d.running:
		return Verdict{Status: RuledOut, Reason: "sshd listens, and nothing wrong with it was seen"}
	case d.foreign:
		return Verdict{Status: Unknown, Reason: "what answers is not sshd, see not-ssh"}
	case d.seen:
		return Verdict{Status: Unknown, Reason: fmt.Sprintf("no connection reached the server (%s)", d.reason)}
	}
	return unknown(v, fact.HandshakeStage)
}

// possible says why a fault that may be there is not surer.
func (d daemon) possible(fault daemonFault) string {
	switch fault {
	case shutOutside:
		if d.ownReset {
			return fmt.Sprintf("%s ended at the stage %s by a reset of the server's own machine: its sshd crashed or refused, or its firewall rejects; the server's log, and its firewall's rules, would settle it", d.tally(), d.stage)
		}
		if d.stage == "banner" {
			return fmt.Sprintf("sshd greeted and then ended the connection (%s), as it does when the process behind it crashes; its log would settle it", d.reason)
		}
		return fmt.Sprintf("%s ended before the banner without a word (%s): a broken sshd looks like that, and so do a firewall, a ban and a full server; the server's console would settle it", d.tally(), d.reason)
	case notListening:
		if d.seenRunning {
			return "no sshd listens here" + d.unitText() + "; fine if nobody is meant to log in to this machine"
		}
		return "nothing listens on the port, or a firewall says so: whether sshd is down there only the server's console can tell"
	case noHostKeys:
		if d.answers() {
			return "no host key was found on disk, and yet sshd answers: it reads its keys somewhere else"
		}
		return "there are no host keys; some systems make them when sshd is first started"
	case staleProgram:
		return "sshd's program was replaced after it was started, and it still serves: restart it when it suits"
	case failedUnit:
		return "the unit of sshd failed" + d.unitText() + ", and yet something answers: it was started by other means"
	}
	return "the log of the last day tells of trouble that seems to be over: " + lastLine(d.broken)
}

func (d daemon) unitText() string {
	if d.unit == "" {
		return ""
	}
	return " (unit: " + d.unit + ")"
}

const whyNoListener = "Without a listener the kernel refuses every connection to the port. Sessions that are open already live on."

var toStart = says(fact.SSHDEnabled, "the machine is to start sshd by itself")

// finding tells a fault.
func (d daemon) finding(fault daemonFault, v Verdict) Verdict {
	v.Why = "sshd starts a fresh copy of itself for every connection, and that copy ends before it says a word. Sessions that are open already live on, so it may take a while until somebody notices."
	later := "Nobody notices yet"
	switch {
	case v.Impact == Breaks:
		later = "Nobody can log in"
	case d.seenRunning && !d.running:
		later = "Nobody can log in here now"
	}
	switch fault {
	case badSSHDConfig:
		v.Reason = "sshd -t refuses the configuration on disk"
		v.Summary = fmt.Sprintf("%s: the configuration of sshd has an error, and sshd does not start with it: %s", later, d.configError)
		v.Why = "sshd reads its configuration when it starts. A running one is not touched by the error; the next reload, restart or reboot ends it, and then every connection is refused."
		v.Evidence = []Evidence{says(fact.SSHDConfigError, "%s", d.configError)}
	case noHostKeys:
		v.Reason = "no host key is left that sshd could load"
		v.Summary = later + ": sshd has no host keys on disk, and does not start without any."
		v.Why = "Since 9.8 sshd keeps its keys in memory while it runs; before that it reads them anew for every connection. Without a key it cannot prove who it is, and ends."
		v.Evidence = []Evidence{says(fact.SSHDHostKeys, "0 host keys")}
		if d.openKeys {
			v.Reason = "others may read the host keys, and sshd loads none of them"
			v.Summary = later + ": sshd's host keys may be read by others. It passes over such keys, and does not start without any."
			v.Evidence = append(v.Evidence, says(fact.SSHDConfigError, "UNPROTECTED PRIVATE KEY FILE"))
		}
		if d.enabled && d.seenRunning && !d.running {
			v.Evidence = append(v.Evidence, toStart)
		}
	case noPrivsepDir:
		v.Reason = "sshd's privilege separation directory is missing while sshd runs"
		v.Summary = "sshd runs, and every new connection ends: the empty directory that it needs for privilege separation is gone."
		v.Evidence = []Evidence{says(fact.SSHDNoPrivsepDir, "the directory (/run/sshd on Debian and Ubuntu) does not exist")}
	case staleProgram:
		v.Reason = "sshd's program was replaced after it was started, and connections end before the banner"
		v.Summary = fmt.Sprintf("sshd was upgraded and not restarted: %s ended before the banner (%s).", d.tally(), d.reason)
		v.Why = "The old listener starts the new program for every connection and cannot talk with it: from 9.7 to 9.8 and from 9.9 to 10.0 sshd was split into several programs. Sessions that are open live on."
		v.Evidence = append([]Evidence{says(fact.SSHDStale, "the listener is older than the program on disk")}, d.admission.says()...)
	case crashes:
		v.Reason = "the log tells of crashes of sshd"
		v.Summary = "Processes of sshd crash: " + lastLine(d.crashed)
		if v.Status < Confirmed {
			v.Reason += " within the last day, and sshd answered this time"
		}
		v.Why = "Signal 31 is the sandbox: a library made a system call that sshd does not allow itself. Others are faults in sshd or in a library. Whoever is connecting at that moment sees the connection close."
		v.Evidence = []Evidence{says(fact.LogCrashes, "%s", lastLine(d.crashed))}
	case brokenLog:
		if d.reason == "refused" || d.seenRunning && !d.running {
			v.Why = whyNoListener
		}
		v.Reason = "sshd does not serve, and its log says why"
		v.Summary = "sshd cannot serve: " + lastLine(d.broken)
		v.Evidence = []Evidence{says(fact.LogBroken, "%s", lastLine(d.broken))}
	case saysSo:
		v.Reason = "the server itself says so in place of its banner"
		v.Summary = "sshd cannot serve, and says: " + d.words
		v.Evidence = []Evidence{says(fact.FirstBytes, "%s", d.words)}
	default:
		v = d.silent(v, later)
	}
	if d.down() && len(v.Evidence) > 0 && fault != staleProgram {
		v.Evidence = append(v.Evidence, says(fact.HandshakeReason, "our own connection: %s", d.reason))
	}
	return v
}

// silent tells that nothing listens.
func (d daemon) silent(v Verdict, later string) Verdict {
	v.Reason = "nothing listens there" + d.unitText()
	v.Summary = "sshd does not run" + d.unitText() + "."
	v.Why = whyNoListener
	v.Evidence = d.stateEvidence()
	if v.Status == Likely {
		v.Reason += ", and the machine is to start sshd by itself"
		v.Summary = later + ": sshd does not run" + d.unitText() + ", and the machine is to start it by itself."
		v.Evidence = append(v.Evidence, toStart)
	}
	return v
}

func (d daemon) stateEvidence() []Evidence {
	var e []Evidence
	if d.seenRunning {
		e = append(e, says(fact.SSHDRunning, "no listening socket"))
	}
	if d.unit != "" {
		e = append(e, says(fact.SSHDUnitState, "%s", d.unit))
	}
	return e
}

func fixSSHDBroken(v *fact.View) []remedy.Remedy {
	d := daemonOf(v)
	fault, _, _ := d.fault()
	plan := func(cures fact.Any, summary string, steps ...remedy.Step) []remedy.Remedy {
		return []remedy.Remedy{{ID: string(fault), Side: remedy.Server, Risk: remedy.ReloadsSSHD, Cures: cures.Name(), Summary: summary, Steps: steps}}
	}
	restart := remedy.Step{Kind: remedy.StartSSHD, With: map[string]string{"run": "sshd -t && systemctl restart ssh"},
		Text: "sshd -t && systemctl restart ssh   (the unit is called sshd on RHEL, Fedora and SUSE; open sessions live on)"}
	look := note(typed("on the server, over its console if need be", "systemctl status ssh ssh.socket sshd", "sshd -t", "journalctl -u ssh -u sshd -n 50 --no-pager"))
	switch fault {
	case badSSHDConfig:
		steps := []remedy.Step{advise("edit the line that sshd -t names, and do not reload or restart sshd before sshd -t is silent: %s", d.configError), reloadSSHD()}
		if d.down() || d.seenRunning && !d.running {
			steps[1] = restart
		}
		return plan(fact.SSHDConfigError, "mend the configuration before anything restarts sshd", steps...)
	case noHostKeys:
		return plan(fact.SSHDHostKeys, "give sshd host keys again",
			note(typed("if the files are there, sshd passes over keys that others may read", "ls -l /etc/ssh/ssh_host_*_key", "chmod 600 /etc/ssh/ssh_host_*_key")),
			done(remedy.HostKeys, "ssh-keygen -A", nil), restart, note(typed("new keys are new to every client; see their fingerprints", "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub")))
	case noPrivsepDir:
		return plan(fact.SSHDNoPrivsepDir, "make the directory again, and keep it",
			done(remedy.PrivsepDir, "install -d -m 0755 -o root -g root /run/sshd", nil), note(typed("the unit makes it at every start when it has RuntimeDirectory=sshd; see whether it has", "systemctl cat ssh")))
	case staleProgram:
		return plan(fact.SSHDStale, "restart sshd, so that it is the new program", restart)
	case crashes:
		return plan(fact.LogCrashes, "find what kills sshd, and upgrade it",
			typed("what the kernel and, where there is one, the audit log say", "journalctl -k -n 200 --no-pager | grep -E 'type=1326|segfault|avc'", "ausearch -m SECCOMP,AVC -c sshd"),
			advise("upgrade the openssh-server package together with libc and the OpenSSL library"), typed("with SELinux", "restorecon -Rv /etc/ssh"), restart)
	}
	if strings.HasPrefix(d.activation, "socket-unit") {
		return plan(fact.SSHDRunning, "see why the socket of sshd is dead, and start it", look, done(remedy.StartSSHD, "systemctl restart ssh.socket", nil))
	}
	return plan(fact.SSHDRunning, "see why sshd does not serve, and start it", look, restart)
}
