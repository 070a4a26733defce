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
	ID:    "client-side",
	Title: "the client's own configuration or helper is in the way",
	Doc: Doc{
		Observed: "Whether ssh accepts its configuration, whether the local ends of its forwardings are free, whether the socket of a shared connection (ControlPath) answers or could be made, what the ProxyCommand printed and how it ended, and ConnectTimeout beside the time that the server takes to greet.",
		Judged: "Confirmed when ssh refuses its configuration, when somebody listens on the socket of a shared connection and does not answer or ssh cannot make the socket that it is told to make, when ExitOnForwardFailure meets a local end that is not free, when the ProxyCommand cannot be started, glues text to the server's identification " +
			"or does not pass the connection that ProxyUseFdpass wants, or when the server's greeting takes longer than ConnectTimeout. Likely when the ProxyCommand fails in words that blame nobody else, and when ssh had not read its configuration after five seconds, as with a Match exec that hangs. " +
			"Possible when it says that the network or the host behind it failed. A socket that nobody listens on does no harm: ssh passes over it and connects by itself.",
		Explained: "ssh starts from files, sockets and commands on this machine. Through a ProxyCommand it never sees the network: whatever the command prints on standard output is taken for the server's words, " +
			"and a command that ends is reported as a connection closed by UNKNOWN port 65535. A shared connection whose ssh is frozen takes every new session with it, and no timeout ends that.",
		Fixed: "Mend the line that ssh names; remove the socket of the frozen connection; free the port to forward from; let the ProxyCommand print on standard error only; allow more time.",
	},
	Needs: []fact.Any{
		fact.ClientConfigError, fact.ClientConfigTime, fact.ControlMaster, fact.ControlPath, fact.ControlPathError, fact.ExitOnForwardFailure, fact.ForwardsTaken, fact.RemoteForwards, fact.ProxyCommand, fact.ProxyStderr, fact.ProxyExit, fact.ConnectTimeout, fact.ConnectTime, fact.BannerTime,
		fact.HandshakeStage, fact.HandshakeReason, fact.HandshakeDetail, fact.HandshakeVia, fact.HandshakeBanner, fact.PreBanner, fact.LooksLike, fact.FirstBytes, fact.Refusal, fact.HandshakeReceived, fact.LoginReason, fact.LoginError,
	},
	Judge: judgeClientSide,
	Fix:   fixClientSide,
})

// A clientFault is what is wrong on the client, one word each; it names the
// remedy as well.
type clientFault string

const (
	noClientFault   clientFault = ""
	badConfig       clientFault = "configuration"
	stuckConfig     clientFault = "configuration-hangs"
	sshCannotRun    clientFault = "ssh-program"
	muteMaster      clientFault = "shared-connection"
	noSocket        clientFault = "shared-socket"
	noForward       clientFault = "forwarding"
	wrongFdpass     clientFault = "fdpass"
	proxyCannotRun  clientFault = "proxy-start"
	proxyPrints     clientFault = "proxy-noise"
	proxyFails      clientFault = "proxy-failed"
	tooLittleTime   clientFault = "connect-timeout"
	elsewhereFailed clientFault = "behind-the-proxy"
)

// A clientSide is what was seen on this machine.
type clientSide struct {
	greeting
	configError, master, path string
	socketError               string
	taken, remote             []string // ends of forwardings: of local ones that cannot be made, of all remote ones
	mustForward               bool
	byLogin                   bool // the login met the configuration's error
	configTime                time.Duration
	command, stderr, detail   string
	exit                      int
	exited                    bool
	loginReason, loginError   string
}

func clientSideOf(v *fact.View) clientSide {
	c := clientSide{greeting: greetingOf(v)}
	c.configError, _ = fact.ClientConfigError.In(v)
	c.configTime, _ = fact.ClientConfigTime.In(v)
	c.master, _ = fact.ControlMaster.In(v)
	c.path, _ = fact.ControlPath.In(v)
	c.socketError, _ = fact.ControlPathError.In(v)
	c.taken, _ = fact.ForwardsTaken.In(v)
	c.remote, _ = fact.RemoteForwards.In(v)
	c.mustForward, _ = fact.ExitOnForwardFailure.In(v)
	c.command, _ = fact.ProxyCommand.In(v)
	c.stderr, _ = fact.ProxyStderr.In(v)
	c.detail, _ = fact.HandshakeDetail.In(v)
	c.exit, c.exited = fact.ProxyExit.In(v)
	c.loginReason, _ = fact.LoginReason.In(v)
	c.loginError, _ = fact.LoginError.In(v)
	if c.configError == "" && c.loginReason == "config-error" {
		c.configError, c.byLogin = c.loginError, true
	}
	return c
}

// networkWords are what a ProxyCommand prints when it could do its work and
// the network or the host behind it could not.
var networkWords = pattern.New(`(?i)connection refused|timed out|no route to host|unreachable|could not resolve|name or service not known|` +
	`connection reset|administratively prohibited|permission denied|host key verification failed|authentication fail`)

// glued is an identification that does not begin its line.
var glued = pattern.New(`[^\n]SSH-[12]\.\d`)

// longConfig is a time that no configuration takes to read by itself.
const longConfig = 5 * time.Second

// fault names what is wrong, and how sure that is.
func (c clientSide) fault() (clientFault, Status) {
	proxied := c.via == "proxy-command" || c.via == "proxy-jump" || c.loginReason == "proxy-failed"
	failed := c.reason == "proxy-failed" || !c.seen && c.loginReason == "proxy-failed"
	switch {
	case c.configError != "":
		return badConfig, Confirmed
	case c.configTime >= longConfig:
		return stuckConfig, Likely
	case c.master == "mute":
		return muteMaster, Confirmed
	case strings.Contains(c.loginError+c.detail, "did not pass back a connection"):
		return wrongFdpass, Confirmed
	case c.loginReason == "local-error" && c.reason == "local-error" && !proxied: // of the kernel's, see unreachable
		return noClientFault, RuledOut
	case c.loginReason == "local-error" && !strings.Contains(c.loginError, "OpenSSL version mismatch"): // see version
		return sshCannotRun, Likely
	case c.socketError != "" && (!proxied || c.greeted()):
		return noSocket, Confirmed
	case c.mustForward && len(c.taken) > 0 && (!proxied || c.greeted()):
		return noForward, Confirmed
	case !proxied || c.greeted():
		return noClientFault, RuledOut
	case c.exited && (c.exit == 126 || c.exit == 127):
		return proxyCannotRun, Confirmed
	case glued.MatchString(strings.NewReplacer(`\r`, "", `\n`, "\n").Replace(c.first)):
		return proxyPrints, Confirmed
	case networkWords.MatchString(c.stderr + "\n" + c.loginError):
		return elsewhereFailed, Possible
	case c.unnamed() && c.via == "proxy-command":
		return proxyPrints, Likely
	case failed && c.via != "proxy-jump" && (c.stderr != "" || c.exit != 0 || c.detail != ""):
		return proxyFails, Likely
	case failed, c.reason == "closed", c.reason == "reset", c.reason == "timed-out":
		return elsewhereFailed, Possible
	}
	return noClientFault, RuledOut
}

func judgeClientSide(v *fact.View) Verdict {
	c := clientSideOf(v)
	allowed, needed := patienceOf(v, c.via)
	lines, _ := fact.PreBanner.In(v)
	fault, status := c.fault()
	switch {
	case fault == elsewhereFailed:
		return Verdict{Status: Possible, Impact: Breaks, Reason: c.elsewhere()}
	case fault != noClientFault:
		return c.verdict(fault, status)
	case allowed > 0 && needed > allowed:
		return Verdict{
			Status: Confirmed, Impact: WillBreak,
			Reason:   "the server's greeting takes longer than ConnectTimeout allows",
			Summary:  fmt.Sprintf("ssh gives up after %s (ConnectTimeout), and the server greeted after %s.", span(allowed), span(needed)),
			Why:      "ConnectTimeout covers the TCP connection and the server's identification together. A slow server, VPN or reverse lookup needs longer than that, and ssh hangs up just before the answer.",
			Evidence: []Evidence{says(fact.ConnectTimeout, "ConnectTimeout %d", int(allowed.Seconds())), says(fact.BannerTime, "connected and greeted after %s", span(needed))},
		}
	case c.loginReason == "ssh-missing":
		return Verdict{Status: Possible, Impact: Breaks, Reason: "there is no ssh program on this machine; the program you use has a configuration of its own"}
	case c.loginReason == "local-error" && c.reason == "local-error":
		return Verdict{Status: RuledOut, Reason: "ssh runs, and this machine's kernel lets no connection out, not ours either: see unreachable"}
	case c.loginReason == "local-error":
		return Verdict{Status: Possible, Impact: Breaks, Reason: "ssh itself does not run here, see version: " + firstLine(c.loginError)}
	case !c.seen:
		return unknown(v, fact.HandshakeStage)
	case len(lines) > 0 && c.via == "proxy-command":
		return Verdict{Status: Possible, Impact: Risk, Reason: fmt.Sprintf("%s before the server's identification, perhaps from the ProxyCommand: ssh passes over it, other programs may not", count(len(lines), "line"))}
	}
	return Verdict{Status: RuledOut, Reason: c.fine()}
}

// patienceOf is how long ssh would wait for the server's greeting, 0 for
// longer than that matters, and how long the server took.
func patienceOf(v *fact.View, via string) (allowed, needed time.Duration) {
	allowed, _ = fact.ConnectTimeout.In(v)
	connect, _ := fact.ConnectTime.In(v)
	banner, _ := fact.BannerTime.In(v)
	if via == "proxy-command" || via == "proxy-jump" {
		connect = 0 // the command's own affair
	}
	return allowed, connect + banner
}

// fine says what was seen to be in order.
func (c clientSide) fine() string {
	text := "nothing stands between ssh and the network"
	if c.via == "proxy-command" || c.via == "proxy-jump" {
		text = "the " + strings.ReplaceAll(c.via, "-", " ") + " carries the connection"
	}
	switch c.master {
	case "dead":
		text += "; nobody listens on the socket of the shared connection any more, and ssh then connects by itself"
	case "alive":
		text += "; a shared connection is open (should ssh hang while this check does not: ssh -O exit HOST)"
	}
	if len(c.taken) > 0 {
		text += "; ssh can say that it cannot forward from " + firstLine(strings.Join(c.taken, ", ")) + ", and goes on without"
	}
	if c.mustForward && len(c.remote) > 0 {
		text += "; whether the server lets ssh forward from its end (" + firstLine(strings.Join(c.remote, ", ")) + ") was not tried, and ssh ends if it does not"
	}
	return text
}

// elsewhere says why the helper is probably not to blame.
func (c clientSide) elsewhere() string {
	helper := "the ProxyCommand"
	switch {
	case c.via == "proxy-jump":
		helper = "the jump host"
	case c.via == "":
		helper = "the ProxyCommand or jump host"
	}
	for _, said := range []string{c.stderr, c.loginError} {
		if networkWords.MatchString(said) {
			return fmt.Sprintf("what was said blames the network or the host behind %s: %s; checking that host by itself would settle it", helper, firstLine(said))
		}
	}
	return fmt.Sprintf("the connection through %s failed without a word; running it by hand, and checking the host it goes through, would settle where", helper)
}

// verdict tells a fault.
func (c clientSide) verdict(fault clientFault, status Status) Verdict {
	v := Verdict{Status: status, Impact: Breaks}
	switch fault {
	case badConfig:
		v.Reason = "ssh refuses its configuration"
		v.Summary = "ssh does not start, because it refuses its configuration: " + firstLine(c.configError)
		v.Why = "ssh reads all of its configuration before it connects, and stops at the first thing it cannot accept, in whichever host's section it stands."
		v.Evidence = []Evidence{says(fact.ClientConfigError, "%s", firstLine(c.configError))}
		if c.byLogin {
			v.Evidence = []Evidence{says(fact.LoginError, "%s", firstLine(c.configError))}
		}
	case stuckConfig:
		if c.loginReason == "" {
			v.Impact = Risk
		}
		v.Reason = "ssh had not read its configuration after " + span(c.configTime) + "; whether it ever does, only patience would settle"
		v.Summary = fmt.Sprintf("ssh does not get past its own configuration: after %s it had not read it yet.", span(c.configTime))
		v.Why = "Before it connects, ssh runs the command of every Match exec that it meets, and with CanonicalizeHostname asks the name service. It waits for both as long as they take."
		v.Evidence = []Evidence{says(fact.ClientConfigTime, "ssh -G was still reading after %s", span(c.configTime))}
	case muteMaster:
		v.Reason = "the socket of the shared connection is open and does not answer"
		v.Summary = fmt.Sprintf("Every ssh to this host hangs: the process behind the shared connection %s does not answer.", c.path)
		v.Why = "With ControlPath ssh hands its session to a process that is already connected. That process is stopped or stuck, ssh waits for it, and no timeout ends the wait."
		v.Evidence = []Evidence{says(fact.ControlMaster, "a process listens on the socket and says nothing"), says(fact.ControlPath, "%s", c.path)}
	case noSocket:
		if c.loginReason != "" || !c.greeted() {
			v.Impact = WillBreak // it does not get that far
		}
		v.Reason = "the socket of the shared connection cannot be made"
		v.Summary = "Every ssh to this host logs in and then ends, because it cannot make the socket of its shared connection: " + c.socketError + "."
		v.Why = "With ControlMaster ssh makes a socket at ControlPath after the login, and ends when it cannot. Programs that share no connection, as this check, are not touched by that."
		v.Evidence = []Evidence{says(fact.ControlPathError, "%s", c.socketError), says(fact.ControlPath, "%s", c.path)}
	case noForward:
		if c.loginReason != "" || !c.greeted() {
			v.Impact = WillBreak // it does not get that far
		}
		v.Reason = "a port to forward from is not to be had, and ExitOnForwardFailure is on"
		v.Summary = "Every ssh to this host logs in and then ends, because it cannot forward from " + firstLine(strings.Join(c.taken, ", ")) + "."
		v.Why = "With ExitOnForwardFailure ssh ends when one of its forwardings cannot be made; without, it only says so. Often it is another ssh to the same host that has the port already. Programs that forward nothing, as this check, are not touched by that."
		v.Evidence = []Evidence{says(fact.ForwardsTaken, "%s", firstLine(strings.Join(c.taken, ", "))), says(fact.ExitOnForwardFailure, "ExitOnForwardFailure yes")}
	case sshCannotRun:
		v.Reason = "ssh ended before it reached the network; what it printed says why"
		v.Summary = "ssh could not do its work on this machine: " + firstLine(c.loginError)
		v.Why = "The failure is on this side: no packet of the connection was sent, so nothing on the way or on the server can be the reason."
		v.Evidence = []Evidence{says(fact.LoginError, "%s", firstLine(c.loginError))}
	case wrongFdpass:
		v.Reason = "ssh waited for a connection from the ProxyCommand and got none"
		v.Summary = "ProxyUseFdpass is on, and the ProxyCommand does not hand over a connection: " + c.command
		v.Why = "With ProxyUseFdpass the command has to pass an open socket to ssh and end. This one carries the bytes itself, as most commands do."
		v.Evidence = []Evidence{says(fact.LoginError, "%s", firstLine(c.loginError))}
		if c.loginError == "" {
			v.Evidence = []Evidence{says(fact.HandshakeDetail, "%s", firstLine(c.detail))}
		}
	default:
		return c.proxyVerdict(fault, v)
	}
	return v
}

// proxyVerdict tells a fault of the ProxyCommand.
func (c clientSide) proxyVerdict(fault clientFault, v Verdict) Verdict {
	v.Why = "ssh takes whatever its ProxyCommand prints on standard output for the server's words, and its end for the end of the connection."
	if c.command != "" {
		v.Evidence = append(v.Evidence, says(fact.ProxyCommand, "%s", firstLine(c.command)))
	}
	if c.exited {
		v.Evidence = append(v.Evidence, says(fact.ProxyExit, "the command ended with status %d", c.exit))
	}
	if c.stderr != "" {
		v.Evidence = append(v.Evidence, says(fact.ProxyStderr, "%s", firstLine(c.stderr)))
	}
	switch fault {
	case proxyCannotRun:
		v.Reason = fmt.Sprintf("status %d is the shell's: the command could not be started", c.exit)
		v.Summary = "The ProxyCommand cannot be started: " + firstLine(c.stderr+"\n"+c.command)
	case proxyPrints:
		v.Reason = "the server's identification does not begin its line"
		v.Summary = "The ProxyCommand prints text into the connection: " + firstLine(c.first)
		v.Evidence = append(v.Evidence, says(fact.FirstBytes, "%s", firstLine(c.first)))
		if v.Status < Confirmed {
			v.Reason = "what came is text of no known protocol; whether the command or the far end printed it, running the command by hand would settle"
		}
	case proxyFails:
		v.Reason = "the command ended before a byte of the server came, and does not blame the network"
		v.Summary = "The ProxyCommand ends before it has connected."
		if c.exited {
			v.Summary = fmt.Sprintf("The ProxyCommand ends with status %d before it has connected.", c.exit)
		}
		switch {
		case c.stderr != "":
			v.Summary += " It says: " + firstLine(c.stderr)
		case !c.exited && c.detail != "":
			v.Reason = "the command could not be used at all"
			v.Summary = "The ProxyCommand cannot be used: " + firstLine(c.detail)
			v.Evidence = append(v.Evidence, says(fact.HandshakeDetail, "%s", firstLine(c.detail)))
		}
		if len(v.Evidence) == 0 {
			v.Evidence = []Evidence{says(fact.HandshakeReason, "the connection ended with: %s", c.reason)}
		}
	}
	return v
}

func fixClientSide(v *fact.View) []remedy.Remedy {
	c := clientSideOf(v)
	fault, _ := c.fault()
	plan := func(cures fact.Any, summary string, steps ...remedy.Step) []remedy.Remedy {
		return []remedy.Remedy{{ID: string(fault), Side: remedy.Client, Risk: remedy.Harmless, Cures: cures.Name(), Summary: summary, Steps: steps}}
	}
	option := func(name, value string) remedy.Step {
		return remedy.Step{Kind: remedy.SSHConfig, With: map[string]string{name: value},
			Text: fmt.Sprintf(ownHost+": %s %s", name, value)}
	}
	switch fault {
	case badConfig:
		return plan(fact.ClientConfigError, "mend what ssh names", append(mendConfig(c.configError), typed("to see that it is right now", "ssh -G HOST >/dev/null && echo fine"))...)
	case stuckConfig:
		return plan(fact.ClientConfigTime, "mend the command that ssh waits for", typed("the last command named is the one that hangs", "timeout 10 ssh -v -G HOST 2>&1 | grep 'Executing command'"))
	case muteMaster:
		return plan(fact.ControlMaster, "take the stuck shared connection away",
			typed("see whose it is, and end that process", "ss -xlp | grep -F "+quoted(c.path), "kill PID"), run("rm -f -- "+quoted(c.path)))
	case noSocket:
		return plan(fact.ControlPathError, "give the socket a place", option("ControlPath", "~/.ssh/cm-%C"))
	case noForward:
		return plan(fact.ForwardsTaken, "free the port, or let ssh go on without it", note(typed("who has it", "ss -xltnp")),
			note(typed("another ssh of yours with the same forwardings may be left alone, and this one go without them", "ssh -o ClearAllForwardings=yes HOST")),
			option("ExitOnForwardFailure", "no"))
	case sshCannotRun:
		return plan(fact.LoginReason, "mend what ssh names", typed("to see it by itself", "ssh -v HOST"))
	case wrongFdpass:
		return plan(fact.LoginReason, "let the ProxyCommand carry the bytes", option("ProxyUseFdpass", "no"))
	case proxyCannotRun, proxyFails:
		return plan(fact.HandshakeReason, "make the ProxyCommand work by itself", c.byHand())
	case proxyPrints:
		return plan(fact.FirstBytes, "keep the ProxyCommand's standard output clean", c.byHand(),
			typed("let everything in it that talks write to standard error, as in", `echo "connecting" >&2`))
	case elsewhereFailed:
		return plan(fact.HandshakeReason, "check the host that the connection goes through", c.byHand())
	}
	allowed, needed := patienceOf(v, c.via)
	if allowed > 0 && needed > allowed {
		fault = tooLittleTime
		return plan(fact.ConnectTimeout, "give the server more time", option("ConnectTimeout", fmt.Sprint(max(30, 2*int(needed.Seconds())))))
	}
	return nil
}

var (
	badOption = pattern.New(`Bad configuration option: ([A-Za-z0-9_]+)`)
	badOwner  = pattern.New(`^Bad owner or permissions on ([^;\n]+)`)
)

// mendConfig is what to do about a line that ssh refuses.
func mendConfig(said string) []remedy.Step {
	if m := badOwner.FindStringSubmatch(said); m != nil {
		file := quoted(strings.TrimSpace(m[1]))
		return []remedy.Step{run("chmod go-w -- " + file), typed("if it belongs to somebody else", `chown "$USER" -- `+file)}
	}
	steps := []remedy.Step{advise("edit the line that ssh names: %s", firstLine(said))}
	if m := badOption.FindStringSubmatch(said); m != nil && !strings.HasPrefix(said, "command-line") {
		steps = append(steps, typed("if the option is right and only this ssh is too old or too new for it, put a line above it", "IgnoreUnknown "+m[1]))
	}
	return steps
}

// byHand is how to see what ssh would see of its helper.
func (c clientSide) byHand() remedy.Step {
	if c.via == "proxy-jump" || c.command == "" {
		return typed("check the jump host by itself", "sshtay check JUMP_HOST")
	}
	return typed("run the ProxyCommand by hand, with the host for %h and the port for %p; the first thing that it prints must be SSH-2.0-...", firstLine(c.command))
}

// quoted makes text one word for a shell.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
