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
	ID:    "session-refused",
	Title: "the login works, and the session behind it does not",
	Doc: Doc{
		Observed: "How far the login came after the authentication, what ran in the session, what it printed and with which status it ended, how long it took, ForceCommand, the sftp subsystem, and the log's lines about PAM and about sessions that could not be started.",
		Judged: "Confirmed when the server itself says no in the session (a closed account, nologin, PAM), when the log tells it of this login, or when the login prints text before a command's own output. " +
			"Likely when the session ends at once without a word or because a forced command cannot be started, when the connection ends between authentication and session, and when sshd accepts the key and then closes without a word. Possible when something else than our command ran, as with a forced command, or when the session stayed silent. " +
			"Ruled out when a session ran our command, however slow the login shell was, and when the account is for sftp only.",
		Explained: "After the authentication sshd becomes the user: PAM opens a session, the chroot directory is entered, the login shell starts. Each of these can say no, and some say it only in the server's log. " +
			"A login shell that prints text for every command breaks scp, sftp and rsync, which take the text for their own protocol; text for people who log in at a terminal does not.",
		Fixed: "Mend what says no: the account's shell and expiry, /etc/nologin, limits, the chroot's owner. Let shell start-up files print only where a person is.",
	},
	Needs: []fact.Any{
		fact.LoginStage, fact.LoginReason, fact.LoginError, fact.LoginMethods, fact.LoginKeyAccepted, fact.LoginCutAfter, fact.LoginExit, fact.SessionKind, fact.SessionNoise, fact.SessionShellTime, fact.SessionEnd,
		fact.ForceCommand, fact.SFTPServer, fact.LogPAM, fact.LogChroot,
	},
	Judge: judgeSessionRefused,
	Fix:   fixSessionRefused,
})

// sshdSaidNo is the status with which sshd ends a session that it will not
// start: for nologin, and when PAM does not open one.
const sshdSaidNo = 254

// The statuses with which a shell ends for a command that it cannot start.
const (
	cannotExecute = 126
	notFound      = 127
)

// A session is what came after the authentication.
type session struct {
	tried
	kind, end, noise string
	status           int
	took             time.Duration
	timed            bool
	forced, sftp     string
	goodKey          bool          // the server said that it would accept the key
	cutAfter         time.Duration // 0 when the login was not cut off during the authentication
	pam, failures    []string      // lines of the log
}

func sessionOf(v *fact.View) session {
	s := session{tried: triedLogin(v)}
	s.status, _ = fact.LoginExit.In(v)
	s.kind, _ = fact.SessionKind.In(v)
	s.end, _ = fact.SessionEnd.In(v)
	s.noise, _ = fact.SessionNoise.In(v)
	s.took, s.timed = fact.SessionShellTime.In(v)
	s.goodKey, _ = fact.LoginKeyAccepted.In(v)
	s.cutAfter, _ = fact.LoginCutAfter.In(v)
	s.forced, _ = fact.ForceCommand.In(v)
	s.sftp, _ = fact.SFTPServer.In(v)
	s.pam, _ = fact.LogPAM.In(v)
	s.failures, _ = fact.LogChroot.In(v)
	return s
}

// cutShort says that the connection ended, and not the session in order.
func (s session) cutShort() bool {
	return s.reason == "closed" || s.reason == "reset" || s.reason == "disconnected"
}

// pamWords are what PAM modules tell a user whom they turn away. ssh prints
// them before the connection is closed.
var pamWords = pattern.New(`(?i)account has expired|password has expired|required to change your password|not permitted to log ?in|too many logins|access denied by|account is (locked|disabled)`)

// turnedAway says that sshd or PAM ended the session with words of their own.
func (s session) turnedAway() bool {
	return s.reason == "other-command" && (s.status == sshdSaidNo || pamWords.MatchString(s.end))
}

// noSh says that the account has a shell, of a kind that cannot run our
// command.
func (s session) noSh() bool {
	return s.kind == "no-shell" && !strings.Contains(s.end, "not available")
}

// telling is the line of what came back that says why; a message of the day
// may stand before it.
func (s session) telling() string {
	for line := range strings.Lines(s.end) {
		if pamWords.MatchString(line) {
			return firstLine(line)
		}
	}
	return firstLine(s.end)
}

const whySession = "After the authentication sshd becomes the user, and whatever is asked then can say no: PAM, the account's shell and expiry, limits, the chroot directory. The network has done its part."

func judgeSessionRefused(v *fact.View) Verdict {
	s := sessionOf(v)
	switch {
	case !s.seen:
		return unknown(v, fact.LoginStage)
	case s.stage == "session" && (s.kind == "shell" || s.reason == ""):
		return s.judgeWorking()
	case s.kind == "sftp-only":
		return Verdict{Status: RuledOut, Reason: "the account is for sftp only and says so; the session works, and the server's side could not be seen"}
	case s.stage == "session":
		return s.judgeOther()
	case s.stage == "auth":
		return s.judgeUnopened()
	case s.stage == "kex" && s.cutShort():
		return s.judgeAtTheDoor()
	}
	return Verdict{Status: Unknown, Reason: fmt.Sprintf("the login ended before a session (%s, %s)", s.stage, s.reason)}
}

// judgeWorking judges a session that ran our command.
func (s session) judgeWorking() Verdict {
	fine := "a session ran our command"
	if s.timed {
		fine = fmt.Sprintf("a session ran our command %s after it was opened", span(s.took))
	}
	if s.noise != "" {
		spoilt, spared := "scp, sftp and rsync", ""
		if s.sftp == "internal-sftp" {
			spoilt, spared = "rsync, git and scp -O", " scp and sftp are spared by internal-sftp."
		}
		return Verdict{
			Status: Confirmed, Impact: Risk,
			Reason:   "text came before our command's own output",
			Summary:  fmt.Sprintf("The login shell prints text for every command (%s), which breaks %s.%s", firstLine(s.noise), spoilt, spared),
			Why:      "These programs run a command over ssh and take its output for their own protocol. They read the text as a length or a version, and give up with words like \"Received message too long\" or \"protocol version mismatch\".",
			Evidence: []Evidence{says(fact.SessionNoise, "%s", firstLine(s.noise))},
		}
	}
	switch {
	case len(s.failures) > 0:
		return Verdict{Status: Possible, Impact: Risk, Reason: fine + "; within the last day sshd could not start one, of this account or another: " + lastLine(s.failures)}
	case len(s.pam) > 0:
		return Verdict{Status: Possible, Impact: Risk, Reason: fine + "; within the last day PAM turned one away, of this account or another: " + lastLine(s.pam)}
	}
	return Verdict{Status: RuledOut, Reason: fine}
}

// judgeOther judges a session in which something else than our command ran.
func (s session) judgeOther() Verdict {
	found := Verdict{Impact: Breaks, Why: whySession, Evidence: []Evidence{says(fact.SessionEnd, "%s", inOneLine(s.end))}}
	switch {
	case s.cutShort():
		return Verdict{Status: Possible, Impact: Breaks, Reason: fmt.Sprintf("the connection ended (%s) while the session was open, before our command ran; the server's log would settle why", s.reason)}
	case s.reason == "no-answer":
		found.Status = Likely
		found.Reason = "the session opened and our command did not run in the time given; a slow login shell and a path that stalls look the same"
		found.Summary = "The login works, and the session falls silent before it comes to a command."
		found.Why = "The login shell waits for something: a home directory on a dead mount, a start-up file that asks or sleeps. Or the path lets the small packets of the login pass and not what comes after them."
	case s.reason == "timed-out" || s.reason == "cancelled":
		return Verdict{Status: Possible, Impact: Breaks, Reason: "the session opened and then fell silent"}
	case s.turnedAway():
		found.Status = Confirmed
		found.Reason = "the server itself says so"
		if s.status == sshdSaidNo {
			found.Reason = fmt.Sprintf("status %d is sshd's own, for nologin and for PAM", sshdSaidNo)
		}
		found.Summary = "The server lets you in and refuses the session: " + s.telling()
	case s.noSh():
		return Verdict{Status: Possible, Impact: Risk, Reason: "the account's shell cannot run our command, which needs sh; other sessions may well work: " + firstLine(s.end)}
	case s.kind == "no-shell":
		found.Status = Confirmed
		found.Reason = "the account's shell itself says so"
		found.Summary = "The account has no shell for commands: " + firstLine(s.end)
		found.Why = "The account's login shell is one that turns everybody away, as accounts for services and tunnels have it. Forwarding without a session (ssh -N) still works."
	case s.reason == "endless-output":
		found.Status = Likely
		found.Reason = "the session printed without end and our command never ran"
		found.Summary = "The login prints on and on and never comes to the command: " + firstLine(s.end)
		found.Why = "A start-up file of the login shell loops, or a program was started in the shell's place. Commands over ssh, scp and rsync wait for it in vain."
	case s.kind == "forced-command" && (s.status == cannotExecute || s.status == notFound):
		found.Status = Likely
		found.Reason = fmt.Sprintf("status %d is the shell's: what is set to run in place of your command could not be started", s.status)
		found.Summary = "The account is tied to a command that cannot be started: " + firstLine(s.end)
		found.Why = "ForceCommand, or command= before the key in authorized_keys, names a program that is not there or may not be run. Every session ends at once with the shell's complaint."
	case s.kind == "forced-command":
		reason := "something else than our command ran, and the session itself works"
		if s.forced != "" {
			reason += " (ForceCommand " + s.forced + ")"
		}
		return Verdict{Status: Possible, Impact: Risk, Reason: reason + "; if you expected a shell, this is what answers instead: " + firstLine(s.end)}
	default:
		found.Status = Likely
		found.Reason = "the session ended at once and printed nothing; the account's shell (/bin/false?) or forced command would settle it"
		found.Summary = "The login works, and the session ends at once without a word: " + inOneLine(s.end)
		found.Why = "The account's login shell or forced command ends by itself, as /bin/false does, or a start-up file of the shell ends it. Accounts for tunnels (ssh -N) are made so on purpose."
	}
	return found
}

// judgeUnopened judges a login that was let in and got no session.
func (s session) judgeUnopened() Verdict {
	found := Verdict{Status: Confirmed, Impact: Breaks, Why: whySession}
	if s.said != "" {
		found.Evidence = append(found.Evidence, says(fact.LoginError, "%s", firstLine(s.said)))
	} else {
		found.Evidence = append(found.Evidence, says(fact.LoginReason, "after the authentication: %s", s.reason))
	}
	switch {
	case len(s.failures) > 0 && s.reason != "timed-out":
		found.Reason = "sshd's log says why"
		found.Summary = "sshd let you in and could not start the session: " + lastLine(s.failures)
		found.Evidence = append(found.Evidence, says(fact.LogChroot, "%s", lastLine(s.failures)))
	case len(s.pam) > 0 && s.reason != "timed-out":
		found.Reason = "sshd's log says why"
		found.Summary = "PAM on the server turned the session away: " + lastLine(s.pam)
		found.Evidence = append(found.Evidence, says(fact.LogPAM, "%s", lastLine(s.pam)))
	case s.reason == "session-refused" && strings.Contains(s.said, "request failed"):
		return Verdict{Status: Possible, Impact: Risk, Reason: "the server opens sessions and runs no commands in them, as network devices do; a session at a terminal may well work: " + firstLine(s.said)}
	case s.reason == "session-refused" && strings.Contains(s.said, "open failed: connect failed: open failed"):
		return Verdict{Status: Possible, Impact: Breaks, Reason: "the server opened no session, in the words that it has for MaxSessions: see max-sessions"}
	case s.reason == "session-refused":
		found.Reason = "the server itself refused to open a session"
		found.Summary = "The server lets you in and opens no session: " + firstLine(s.said)
		found.Why = "The server's rules leave this account no session, or only forwarding; some servers do so when they are full."
	case s.cutShort():
		found.Status = Likely
		found.Reason = "the connection ended at the moment at which sshd becomes the user; its log would settle why"
		found.Summary = "The server accepts the login and ends the connection before the session opens."
		found.Why = "At this moment sshd enters the chroot directory, opens the PAM session and becomes the user. When one of these fails it ends without telling the client. A chroot directory that does not belong to root is the most common reason."
	default:
		return Verdict{Status: Possible, Impact: Breaks, Reason: fmt.Sprintf("the login was accepted and no session opened (%s)", s.reason)}
	}
	return found
}

// judgeAtTheDoor judges a connection that ended during the authentication:
// PAM may accept the key and refuse the account.
func (s session) judgeAtTheDoor() Verdict {
	found := Verdict{Status: Confirmed, Impact: Breaks, Why: "The key or password was good. sshd then asks PAM whether the account may be used at all, and PAM said no; the client only sees the connection close."}
	switch {
	case pamWords.MatchString(s.said):
		found.Reason = "the server itself says so"
		found.Summary = "The server turns the account away: " + firstLine(s.said)
		found.Evidence = []Evidence{says(fact.LoginError, "%s", firstLine(s.said))}
	case len(s.pam) > 0:
		found.Reason = "sshd's log says why"
		found.Summary = "PAM on the server turns the account away: " + lastLine(s.pam)
		found.Evidence = []Evidence{says(fact.LogPAM, "%s", lastLine(s.pam))}
	case s.goodKey && s.reason == "closed" && s.cutAfter > 0 && s.cutAfter < slowLogin:
		found.Status = Likely
		found.Reason = "the server accepted the key and then closed in order, too early for LoginGraceTime; its log would settle it"
		found.Summary = "The server accepts the key and closes the connection, as it does when PAM refuses the account."
		found.Evidence = []Evidence{
			says(fact.LoginKeyAccepted, "the server said that it would accept the key"),
			says(fact.LoginReason, "then it closed the connection, %s after it was made", span(s.cutAfter)),
		}
	default:
		last := "without a word"
		if !strings.HasPrefix(s.said, "Connection ") && s.said != "" {
			last = "after these words: " + firstLine(s.said)
		}
		return Verdict{Status: Possible, Impact: Breaks, Reason: "the connection ended during the authentication " + last + "; PAM ends it so when it refuses the account of a good key. The server's log would settle it"}
	}
	return found
}

// lastLine is the newest of some lines of a log.
func lastLine(lines []string) string { return firstLine(lines[len(lines)-1]) }

// inOneLine joins text of several lines.
func inOneLine(text string) string { return firstLine(strings.Join(strings.Fields(text), " ")) }

var chrootPath = pattern.New(`chroot directory (?:component )?"(/[^"]*)"`)

func fixSessionRefused(v *fact.View) []remedy.Remedy {
	s := sessionOf(v)
	plan := func(id string, side remedy.Side, risk remedy.Risk, cures fact.Any, summary string, steps ...remedy.Step) remedy.Remedy {
		return remedy.Remedy{ID: id, Side: side, Risk: risk, Cures: cures.Name(), Summary: summary, Steps: steps}
	}
	look := plan("ask-the-log", remedy.Server, remedy.Harmless, fact.LoginReason, "see what sshd and PAM say about the session",
		readLog(""), typed("and what may stand against the account", "ls -l /etc/nologin /run/nologin", "chage -l USER", "getent passwd USER", "grep -rs maxlogins /etc/security/limits.conf /etc/security/limits.d"))
	log := strings.Join(s.failures, "\n")
	switch {
	case s.noise != "":
		return []remedy.Remedy{plan("quiet-shell", remedy.Server, remedy.Harmless, fact.SessionNoise, "let the shell's start-up files print only where a person is",
			typed("on the server, as the first line of ~/.bashrc (or of the file that prints)", "case $- in *i*) ;; *) return ;; esac"),
			typed("what must print goes into ~/.bash_profile, or to standard error; this must then print 0", "ssh HOST true | wc -c"))}
	case chrootPath.MatchString(log):
		dir := chrootPath.FindStringSubmatch(log)[1]
		return []remedy.Remedy{plan("chroot-owner", remedy.Server, remedy.Harmless, fact.LogChroot, "give the chroot directory, and every directory above it, to root alone",
			typed("on the server, for "+dir+" and each directory above it", "chown root:root DIR && chmod go-w DIR"),
			advise("the user's files belong in a directory below it, which the user owns"))}
	case strings.Contains(log, "subsystem request for"):
		return []remedy.Remedy{plan("sftp-subsystem", remedy.Server, remedy.ReloadsSSHD, fact.SFTPServer, "tell sshd which program serves sftp", setSSHD("Subsystem", "sftp internal-sftp")...)}
	case s.turnedAway():
		return []remedy.Remedy{plan("open-account", remedy.Server, remedy.Harmless, fact.SessionEnd, "open the account again, if it is meant to be open",
			typed("on the server, for maintenance or a boot that is under way; root may log in and remove the file when it is over", "ls -l /etc/nologin /run/nologin"),
			typed("for an account or password that has expired; ssh in a terminal lets the user set a new password", "chage -l USER")), look}
	case s.noSh():
		return nil
	case s.reason == "no-answer", s.reason == "endless-output":
		return []remedy.Remedy{plan("start-up-files", remedy.Server, remedy.Harmless, fact.SessionEnd, "see what the login shell does when it starts",
			typed("as root on the server, with bash: the last line shown is where its start-up files stand", "su USER -s /bin/sh -c 'timeout 5 bash -xlic true' 2>&1 | tail"),
			typed("while a login hangs: its processes, and mounts that may be dead", "ps -u USER -o pid,stat,wchan:20,args", "findmnt -t nfs,nfs4,cifs,fuse.sshfs")), look}
	case s.kind == "no-shell" || s.kind == "none" && s.reason == "other-command":
		return []remedy.Remedy{plan("shell", remedy.Server, remedy.CanLockOut, fact.SessionKind, "give the account a shell, if people are meant to log in with it",
			typed("as root on the server, to see the shell and to change it", "getent passwd USER", "usermod -s /bin/bash USER"),
			typed("for a tunnel no shell is needed", "ssh -N -L ... HOST"))}
	case s.kind == "forced-command":
		return []remedy.Remedy{plan("forced-command", remedy.Server, remedy.CanLockOut, fact.SessionKind, "find what runs in place of your command, if that is not meant to be",
			typed("on the server", "sshd -T -C user=USER,host=x,addr=127.0.0.1 | grep -i forcecommand", "grep -n command= ~/.ssh/authorized_keys"))}
	}
	return []remedy.Remedy{look}
}
