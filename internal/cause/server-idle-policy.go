package cause

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/pattern"
	"sshtay/internal/remedy"
)

var _ = register(Cause{
	ID:    "server-idle-policy",
	Title: "the server itself ends sessions that are idle",
	Doc: Doc{
		Observed: "ChannelTimeout, UnusedConnectionTimeout and ClientAlive of sshd for this user, TMOUT of the login shell, StopIdleSessionSec of logind, and the log's lines about connections of this address that sshd gave up; and, where silent connections were tried, how they ended.",
		Judged: "Confirmed when a setting that ends idle sessions was read, when the log says that sshd ended connections of this address, or when it was seen to end a silent one. " +
			"Likely when a ChannelTimeout may stand in a Match block, where it does nothing before 10.5, and when ClientAliveCountMax 0 meets an sshd from before 8.2, whose meaning some distributions changed by a back-port. " +
			"Ruled out when the server's settings were read and none ends a session. The types that sshd knows are session:shell, session:command and session:subsystem:NAME: a ChannelTimeout for plain session does nothing on a server. Checked on the server itself its logs of seven days speak for all clients, where they name networks that also log in.",
		Explained: "These rules look at what is typed and printed, and not at the connection: keepalives keep a path from forgetting the connection and do not count here. " +
			"So a session that always ends after the same time, however often keepalives are sent, is ended by a rule, and not by the path. ClientAlive is the other way round: an idle client answers by itself, and is given up only when it does not.",
		Fixed: "Change or lift the rule on the server, where it is yours to change; it is often there on purpose. No setting of the client helps, except against ClientAliveCountMax 0.",
	},
	Needs: []fact.Any{
		fact.HandshakeBanner, fact.SSHDVersion, fact.SSHDPackage, fact.ChannelTimeout, fact.MatchOptions, fact.UnusedConnectionTimeout, fact.ClientAliveInterval, fact.ClientAliveCountMax,
		fact.ShellTMOUT, fact.LogindIdle, fact.LogClientTimeouts, fact.LogInactive,
		fact.IdleTimeout, fact.IdleCame, fact.IdleAtServer,
		fact.LogHistory,
	},
	Judge: recordedFor("server-idle-policy", Confirmed, judgeIdlePolicy),
	Fix:   fixIdlePolicy,
})

// A policy is one rule by which the server ends sessions, or a setting that
// looks like one: then its status is RuledOut and what says why.
type policy struct {
	key       fact.Any
	status    Status
	impact    Impact
	what, why string
	doubt     string // what would make it sure, when it is only likely
	logged    bool   // the log says that it was applied to this address
	mend      remedy.Remedy
}

// seenEnding is an idle connection that was seen to be ended by the server,
// whatever rule that was.
func seenEnding(v *fact.View) (policy, bool) {
	after, _ := fact.IdleTimeout.In(v)
	if !endedByServer(v) {
		return policy{}, false
	}
	how := "in its own words, on a connection on which nobody else can speak"
	if came, _ := fact.IdleCame.In(v); came == "closed" {
		how = "by its own kernel, which the connection that talked saw closing it"
	}
	return policy{
		key: fact.IdleTimeout, status: Confirmed, impact: idleImpact(after),
		what: fmt.Sprintf("Connections that we left silent were ended by the server after %s, %s", span(after), how),
		why:  "The server has a rule against idle sessions. Keepalives are no use against it: it looks at what is typed and printed.",
		mend: mendPolicy("seen-ending", remedy.Harmless, fact.IdleTimeout, "find the rule, and whether it is yours to change",
			typed("on the server, as root", "sshd -T | grep -i -e channeltimeout -e unusedconnectiontimeout -e clientalive", "grep -rn TMOUT /etc/profile /etc/profile.d /etc/bash.bashrc /etc/environment 2>/dev/null")),
	}, true
}

// longIdle is an idle time that hardly anybody notices.
const longIdle = 12 * time.Hour

// idleImpact says what a rule does that acts after so much silence.
func idleImpact(after time.Duration) Impact {
	if after >= longIdle {
		return Risk
	}
	return WillBreak
}

func policies(v *fact.View) []policy {
	var all []policy
	for _, find := range []func(*fact.View) (policy, bool){shellTMOUT, channelTimeout, logindIdle, countZero, gaveUp, unusedConnection, seenEnding} {
		if p, found := find(v); found {
			all = append(all, p)
		}
	}
	return all
}

func judgeIdlePolicy(v *fact.View) Verdict {
	_, configured := fact.ClientAliveInterval.In(v)
	var found, other []policy
	for _, p := range policies(v) {
		if p.status >= Likely {
			found = append(found, p)
		} else {
			other = append(other, p)
		}
	}
	remarks, perhaps := "", RuledOut
	for _, p := range other {
		remarks += "; " + p.what
		perhaps = max(perhaps, p.status)
	}
	switch {
	case len(found) > 0:
		return foundPolicies(found)
	case perhaps == Possible:
		return Verdict{Status: Possible, Impact: WillBreak, Reason: strings.TrimPrefix(remarks, "; ")}
	case !configured:
		return unknown(v, fact.ClientAliveInterval)
	case v.Open(fact.ShellTMOUT):
		return unknown(v, fact.ShellTMOUT)
	case v.Open(fact.LogindIdle):
		return unknown(v, fact.LogindIdle)
	}
	return Verdict{Status: RuledOut, Reason: "no setting that was read ends idle sessions" + remarks}
}

// foundPolicies tells all rules at once: whoever lifts one meets the next.
func foundPolicies(found []policy) Verdict {
	verdict := Verdict{Why: found[0].why, Reason: "a setting that ends idle sessions was read on the server"}
	switch {
	case found[0].logged:
		verdict.Reason = "the server's log says so of this address"
	case found[0].key == fact.Any(fact.IdleTimeout):
		verdict.Reason = "the server was seen to end connections that we left silent"
	}
	for _, p := range found {
		verdict.Status, verdict.Impact = max(verdict.Status, p.status), max(verdict.Impact, p.impact)
		verdict.Summary += p.what + ". "
		verdict.Evidence = append(verdict.Evidence, says(p.key, "%s", p.what))
	}
	verdict.Summary = strings.TrimSpace(verdict.Summary)
	if verdict.Status == Likely {
		verdict.Reason += "; " + found[0].doubt
	}
	return verdict
}

func fixIdlePolicy(v *fact.View) []remedy.Remedy {
	var plans []remedy.Remedy
	for _, p := range policies(v) {
		if p.status >= Possible {
			plans = append(plans, p.mend)
		}
	}
	return plans
}

func mendPolicy(id string, risk remedy.Risk, cures fact.Any, summary string, steps ...remedy.Step) remedy.Remedy {
	return remedy.Remedy{ID: id, Side: remedy.Server, Risk: risk, Cures: cures.Name(), Summary: summary, Steps: steps}
}

func shellTMOUT(v *fact.View) (policy, bool) {
	after, _ := fact.ShellTMOUT.In(v)
	return policy{
		key: fact.ShellTMOUT, status: Confirmed, impact: idleImpact(after),
		what: fmt.Sprintf("The login shell ends after %s without input at its prompt (TMOUT)", span(after)),
		why:  "bash and other shells end by themselves when nothing was typed at their prompt for that long. Keepalives keep the connection up and are no input, so they do not help.",
		mend: mendPolicy("tmout", remedy.Harmless, fact.ShellTMOUT, "lift TMOUT, if the rule is yours to change",
			typed("on the server, to see where it is set", "grep -n TMOUT /etc/profile /etc/profile.d/* /etc/bash.bashrc /etc/bashrc ~/.profile ~/.bash_profile ~/.bashrc"),
			advise("take the line out there (a readonly TMOUT cannot be unset later), or set a longer time in seconds; it holds from the next login on")),
	}, after > 0
}

// channelTypes are the types of channels that sshd opens for sessions, and
// what people call them.
var channelTypes = [][2]string{{"session:shell", "shells"}, {"session:command", "commands"}, {"session:subsystem:sftp", "sftp"}}

func channelTimeout(v *fact.View) (policy, bool) {
	text, _ := fact.ChannelTimeout.In(v)
	inMatch, known := fact.MatchOptions.In(v)
	release, dated := sshdRelease(v)
	rules := timeoutRules(text)
	p := policy{
		key: fact.ChannelTimeout, status: Confirmed, impact: Risk,
		why:   "sshd closes a channel when no data went through it for that long; keepalives are no data. When it was the only one ssh ends with status 255 and says nothing.",
		doubt: "if it stands in a Match block it does nothing before OpenSSH 10.5: sshd_config shows where",
		mend: mendPolicy("channel-timeout", remedy.ReloadsSSHD, fact.ChannelTimeout, "lift ChannelTimeout, if the rule is yours to change",
			setSSHD("ChannelTimeout", "none")...),
	}
	closes, soonest := rules.closes(!dated || release.since(9, 7))
	p.impact = idleImpact(soonest)
	p.what = fmt.Sprintf("sshd closes %s (ChannelTimeout %s)", closes, text)
	switch {
	case len(rules) == 0:
		return p, false
	case closes == "" && rules.after("session") > 0:
		p.status, p.what = RuledOut, "ChannelTimeout "+text+" does nothing for sessions: on a server their types are session:shell and the like"
	case closes == "":
		p.status, p.what = RuledOut, "ChannelTimeout "+text+" ends idle forwardings and no session"
	case release.since(10, 5):
	case !known:
		p.status = Likely
	case slices.ContainsFunc(inMatch, func(o string) bool { return strings.EqualFold(o, "ChannelTimeout") }):
		p.status, p.what = RuledOut, "ChannelTimeout "+text+" stands in a Match block, where it does nothing before OpenSSH 10.5"
		if !dated {
			p.status, p.what = Possible, p.what+"; which release this is could not be seen"
		}
	}
	return p, true
}

// A timeoutRule closes channels of the types that fit the pattern.
type timeoutRule struct {
	pattern string
	after   time.Duration // 0 is never
}

type timeoutRuleList []timeoutRule

// timeoutRules reads the value of ChannelTimeout.
func timeoutRules(text string) timeoutRuleList {
	var rules timeoutRuleList
	for _, word := range strings.Fields(text) {
		pattern, value, ok := strings.Cut(word, "=")
		if after, valid := sshTime(value); ok && valid {
			rules = append(rules, timeoutRule{pattern, after})
		}
	}
	return rules
}

// after is when idle channels of that type are closed; the first rule whose
// pattern fits counts, as in sshd.
func (l timeoutRuleList) after(channel string) time.Duration {
	for _, r := range l {
		if fits(r.pattern, channel) {
			return r.after
		}
	}
	return 0
}

// closes says which idle sessions the rules close, or "" for none, and how
// soon the first of them. The type global is for a connection as a whole.
func (l timeoutRuleList) closes(global bool) (text string, soonest time.Duration) {
	var parts []string
	same := true
	for _, t := range channelTypes {
		after := l.after(t[0])
		same = same && after == l.after(channelTypes[0][0])
		if after > 0 {
			parts = append(parts, fmt.Sprintf("%s after %s", t[1], span(after)))
			if soonest == 0 || after < soonest {
				soonest = after
			}
		}
	}
	whole := l.after("global")
	switch {
	case len(parts) > 0 && same:
		return "idle sessions after " + span(soonest), soonest
	case len(parts) > 0:
		return "idle " + strings.Join(parts, ", "), soonest
	case global && whole > 0:
		return "every channel after " + span(whole) + " without any data", whole
	}
	return "", 0
}

// fits matches a pattern of OpenSSH: * is any text, ? any letter.
func fits(pattern, text string) bool {
	quoted := strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(pattern))
	ok, err := regexp.MatchString(`^(?:`+quoted+`)$`, text)
	return ok && err == nil
}

var sshTimePart = pattern.New(`^(\d+)([smhdwSMHDW]?)`)

// sshTime reads a time as OpenSSH writes it: 300, 5m, 1h30m. Longer ones than
// an int of seconds holds are none to OpenSSH either.
func sshTime(text string) (time.Duration, bool) {
	units := map[string]int64{"": 1, "s": 1, "m": 60, "h": 3600, "d": 24 * 3600, "w": 7 * 24 * 3600}
	var seconds int64
	for rest := text; rest != ""; {
		m := sshTimePart.FindStringSubmatch(rest)
		if m == nil || len(m[1]) > 9 {
			return 0, false
		}
		n, _ := strconv.ParseInt(m[1], 10, 64)
		if seconds += n * units[strings.ToLower(m[2])]; seconds > math.MaxInt32 {
			return 0, false
		}
		rest = rest[len(m[0]):]
	}
	return time.Duration(seconds) * time.Second, text != ""
}

var stopIdle = pattern.New(`StopIdleSessionSec=(\S+)`)

func logindIdle(v *fact.View) (policy, bool) {
	text, _ := fact.LogindIdle.In(v)
	m := stopIdle.FindStringSubmatch(text)
	if m == nil {
		return policy{}, false
	}
	p := policy{
		key: fact.LogindIdle, status: Confirmed, impact: WillBreak,
		what: "logind stops sessions that are idle for " + m[1],
		why:  "systemd-logind stops a session when nothing was typed at its terminal for that long, and with it everything that runs in it. Keepalives are no input.",
		mend: mendPolicy("logind-idle", remedy.Harmless, fact.LogindIdle, "let logind leave idle sessions alone, if the rule is yours to change",
			typed("on the server, in /etc/systemd/logind.conf.d/60-idle.conf", "[Login]", "StopIdleSessionSec=infinity"), run("systemctl restart systemd-logind")),
	}
	if after, valid := sshTime(strings.NewReplacer("min", "m", "sec", "s").Replace(m[1])); valid {
		p.what, p.impact = "logind stops sessions that are idle for "+span(after), idleImpact(after)
	}
	p.what += " (StopIdleSessionSec)"
	return p, true
}

// backported is the package of RHEL 8 and its kin: from its 13th release on
// the 8.0 in it means by a count of 0 what 8.2 does.
var backported = pattern.New(`8\.0p1-(\d{1,4})\.el8`)

// countZero is ClientAliveCountMax 0, which before 8.2 ended clients at their
// first silence.
func countZero(v *fact.View) (policy, bool) {
	interval, _ := fact.ClientAliveInterval.In(v)
	count, seen := fact.ClientAliveCountMax.In(v)
	release, dated := sshdRelease(v)
	pkg, _ := fact.SSHDPackage.In(v)
	p := policy{
		key: fact.ClientAliveCountMax, status: Likely, impact: idleImpact(interval),
		what:  fmt.Sprintf("sshd before 8.2 ends clients from which nothing comes for %s (ClientAliveCountMax 0, %v)", span(interval), release),
		doubt: "some distributions changed what it means by a back-port: a session that is silent for longer than that would settle it",
		why:   "With a count of 0 an sshd from before 8.2 takes the first silence for a dead client and never asks. Here a keepalive of the client does count: ServerAliveInterval below that time keeps the session.",
		mend: mendPolicy("client-alive-count", remedy.ReloadsSSHD, fact.ClientAliveCountMax, "let sshd ask before it gives up",
			setSSHD("ClientAliveCountMax", "3")...),
	}
	newer := release.since(8, 2)
	if m := backported.FindStringSubmatch(pkg); m != nil {
		n, _ := strconv.Atoi(m[1])
		newer = n >= 13
	}
	switch {
	case interval == 0 || !seen || count > 0:
		return p, false
	case newer:
		p.status, p.what = RuledOut, "ClientAliveCountMax 0 ends nobody: since OpenSSH 8.2 sshd then never gives up"
	case !dated:
		p.status, p.what = Possible, fmt.Sprintf("ClientAliveCountMax 0 ends silent clients after %s if sshd is older than 8.2, which could not be seen", span(interval))
	}
	return p, true
}

// gaveUp is what the log says of clients of this address that did not answer.
func gaveUp(v *fact.View) (policy, bool) {
	lines, _ := fact.LogClientTimeouts.In(v)
	interval, _ := fact.ClientAliveInterval.In(v)
	count, _ := fact.ClientAliveCountMax.In(v)
	p := policy{
		key: fact.LogClientTimeouts, status: Confirmed, impact: Risk, logged: true,
		what: fmt.Sprintf("sshd gave up connections of this address %s within the last day, because no sign of life came", times(lines)),
		why:  "An idle client answers sshd's questions by itself, so this was no idleness: the client slept or was off the network, or the path had already lost the connection. sshd only noticed.",
		mend: remedy.Remedy{ID: "survive-absence", Side: remedy.Server, Risk: remedy.Harmless, Cures: fact.LogClientTimeouts.Name(), Summary: "run what must survive the client's absence in a terminal that stays on the server",
			Steps: []remedy.Step{run("ssh -t HOST tmux new -A -s main")}},
	}
	every, slow := sshdAsksEvery(v, interval)
	if patience := givesUpAfter(every, count); patience > 0 && count > 0 {
		p.what += fmt.Sprintf(" for %s (ClientAliveInterval %d, ClientAliveCountMax %d)%s", span(patience), int(interval.Seconds()), count, slow)
		if patience < time.Minute {
			p.impact = WillBreak
			p.mend = mendPolicy("client-alive", remedy.ReloadsSSHD, fact.LogClientTimeouts, "let sshd wait longer for a client that is away for a moment",
				remedy.Step{Kind: remedy.SSHDConfig, With: map[string]string{"ClientAliveInterval": "60", "ClientAliveCountMax": "3"},
					Text: "in /etc/ssh/sshd_config (or a file of sshd_config.d that it includes first): ClientAliveInterval 60 and ClientAliveCountMax 3"}, reloadSSHD())
		}
	}
	return p, lines > 0
}

func unusedConnection(v *fact.View) (policy, bool) {
	after, _ := fact.UnusedConnectionTimeout.In(v)
	lines, _ := fact.LogInactive.In(v)
	p := policy{
		key: fact.UnusedConnectionTimeout, status: Confirmed, impact: Risk,
		what: fmt.Sprintf("sshd ends connections on which no session or forwarding is open for %s: ssh -N, and shared connections between two uses (UnusedConnectionTimeout)", span(after)),
		why:  "A tunnel that nobody uses and the connection that ControlPersist leaves open have no channels. sshd ends them then, whatever keepalives they send.",
		mend: mendPolicy("unused-connection", remedy.ReloadsSSHD, fact.UnusedConnectionTimeout, "lift UnusedConnectionTimeout, if the rule is yours to change",
			setSSHD("UnusedConnectionTimeout", "none")...),
	}
	if lines > 0 {
		p.key, p.impact, p.logged = fact.LogInactive, WillBreak, true
		p.what = fmt.Sprintf("sshd ended unused connections of this address %s within the last day (UnusedConnectionTimeout)", times(lines))
	}
	return p, after > 0 || lines > 0
}
