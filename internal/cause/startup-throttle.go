package cause

import (
	"fmt"
	"strings"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/remedy"
)

var _ = register(Cause{
	ID:    "startup-throttle",
	Title: "sshd drops new connections because too many are logging in",
	Doc: Doc{
		Observed: "How our own connections were received and what sshd said before it closed them, MaxStartups and how many connections have not logged in yet, the log's lines about dropped connections, " +
			"and the connections of a socket unit that starts one sshd for each of them.",
		Judged: "Confirmed when sshd says that MaxStartups was exceeded, when its log says so of this address, or when as many connections are unauthenticated as MaxStartups begins to refuse at. " +
			"Likely when some of our connections were told that they are not allowed at this time and others were served: a penalty would have met them all. " +
			"Possible when the log names others only, or when connections end before the banner without a word. Ruled out when slots are free now, every connection was greeted and the log tells of no drops. Checked on the server itself its logs of seven days speak for all clients, where they name networks that also log in.",
		Explained: "sshd holds a limited number of connections that have not logged in. With MaxStartups begin:rate:full, the one after begin is refused with rate percent, and that grows in a line until at full all are refused. " +
			"Password guessers, many jobs at the same minute and slow logins fill these slots. Who is refused is chance, so the same command works the next time. sshd limits how often it logs this.",
		Fixed: "Find who holds the slots and stop it; a larger MaxStartups such as 50:30:100; a shorter LoginGraceTime; for many commands to one host, one shared connection.",
	},
	Needs: []fact.Any{
		fact.HandshakeStage, fact.HandshakeReason, fact.Refusal, fact.HandshakeTries, fact.HandshakeFailures, fact.HandshakeBanner, fact.SSHDVersion,
		fact.MaxStartups, fact.Unauthenticated, fact.PerSourceMaxStartups, fact.LoginGraceTime,
		fact.LogStartupDrops, fact.LogStartupsOurs, fact.LogStartupSample, fact.LogPenaltiesOurs,
		fact.LoginStage, fact.LoginReason, fact.LoginError, fact.SSHDActivation, fact.SSHDUnitState, fact.SocketConnections, fact.SocketConnectionsMax, fact.ResetSender,
		fact.LogHistory,
	},
	Judge: recordedFor("startup-throttle", Confirmed, judgeStartupThrottle),
	Fix:   fixStartupThrottle,
})

const whyStartups = "A connection holds one of sshd's slots from its first packet until it has logged in. When the slots run out sshd drops new connections by chance, before its banner: ssh says that the connection was closed or reset, and the next try may work."

// fewStartups is a MaxStartups that begins to refuse so soon that two logins
// at the same moment are enough.
const fewStartups = 3

func judgeStartupThrottle(v *fact.View) Verdict {
	a, s := admissionOf(v).withLogin(v), slotsOf(v)
	if verdict, found := judgeSocket(v, a, s); found {
		return verdict
	}
	verdict := Verdict{Impact: WillBreak, Why: whyStartups, Evidence: append(a.says(), s.says(v)...)}
	if a.failures > 0 {
		verdict.Impact = Breaks
	}
	penalties, _ := fact.LogPenaltiesOurs.In(v)
	percent := s.refuses()
	switch {
	case percent == 0 && s.bySource(v) && (a.refusal == exceededStartups || s.naming > 0):
		verdict.Status = Possible
		verdict.Reason = fmt.Sprintf("sshd says that MaxStartups was exceeded while MaxStartups %v was not: see source-refused for PerSourceMaxStartups %s", s.limit, s.perSource)
	case a.refusal == exceededStartups:
		verdict.Status = Confirmed
		verdict.Reason = "the server itself said that MaxStartups was exceeded" + s.orPerSource()
		verdict.Summary = fmt.Sprintf("sshd refused %s and said: %s.", a.tally(), exceededStartups)
	case percent > 0:
		verdict.Status = Confirmed
		verdict.Reason = fmt.Sprintf("with %s each new one is refused with %d %%", count(s.held, "unauthenticated connection"), percent)
		verdict.Summary = fmt.Sprintf("sshd holds %s; with MaxStartups %v it refuses each new one with %d %%.", count(s.held, "unauthenticated connection"), s.limit, percent)
	case s.naming > 0:
		verdict.Status = Confirmed
		verdict.Reason = fmt.Sprintf("sshd's log says that it dropped connections of this address%s", s.orPerSource())
		verdict.Summary = fmt.Sprintf("sshd dropped connections of this address for MaxStartups at least %s within the last day.", times(s.naming))
	case a.refusal == notAllowedNow && penalties > 0:
		return Verdict{Status: RuledOut, Reason: "the server's log says that this address was refused for a penalty: see source-refused"}
	case a.refusal == notAllowedNow && a.sometimes():
		verdict.Status = Likely
		verdict.Reason = "some connections were refused and others served; a penalty would have met them all. The server's log would settle it"
		verdict.Summary = fmt.Sprintf("sshd refused %s with the words %q and served the others, as it does when MaxStartups is reached.", a.tally(), notAllowedNow)
	default:
		return weighStartups(v, a, s)
	}
	return verdict
}

// weighStartups judges what is no finding, or one about the setting alone.
func weighStartups(v *fact.View, a admission, s slots) Verdict {
	banner, _ := fact.HandshakeBanner.In(v)
	silent := a.cut()
	verdict := Verdict{Status: Possible, Impact: WillBreak, Evidence: append(a.says(), s.says(v)...)}
	if silent {
		verdict.Impact = Breaks
	}
	switch {
	case a.refusal == notAllowedNow:
		verdict.Reason = fmt.Sprintf("%q is what sshd says for MaxStartups and for a penalty; as %s met it, a penalty is likelier (see source-refused). The server's log would settle it", notAllowedNow, a.tally())
	case silent && injected(v):
		return notTheServer()
	case silent && strings.Contains(banner, "dropbear"):
		verdict.Status, verdict.Impact, verdict.Why = Likely, Breaks, whyStartups
		verdict.Reason = "Dropbear closes without a word while an address has 5 unauthenticated connections, or all have 30; one try alone would settle it"
		verdict.Summary = fmt.Sprintf("Dropbear closed %s before its banner; it holds at most 5 unauthenticated connections of an address and 30 in all.", a.tally())
	case silent && a.sometimes() && s.release != (release{}) && !s.release.since(8, 2):
		verdict.Status, verdict.Why = Likely, whyStartups
		verdict.Reason = fmt.Sprintf("%s drops by chance and without a word; the server's log at LogLevel VERBOSE would settle it", s.release)
		verdict.Summary = fmt.Sprintf("%s ended before the banner and the others were served, as happens when MaxStartups is reached.", upper(a.tally()))
	case silent && s.logged && s.drops == 0:
		return Verdict{Status: RuledOut, Reason: "connections ended before the banner, but sshd's log tells of none that it dropped for MaxStartups"}
	case silent:
		verdict.Reason = "connections ended before the banner without a word" + silentEnd(s.release)
	case s.oneEach && s.drops > 0:
		verdict.Impact = Risk
		verdict.Reason = fmt.Sprintf("systemd dropped connections at the limits of the socket unit at least %s within the last day, none of them known to be ours", times(s.drops))
	case s.oneEach:
		return Verdict{Status: RuledOut, Reason: "each connection has an sshd of its own, so there is no MaxStartups" + socketRoom(v)}
	case s.known && s.limit.begin < fewStartups:
		verdict.Status, verdict.Impact, verdict.Why = Confirmed, Risk, whyStartups
		verdict.Reason = fmt.Sprintf("MaxStartups %v refuses as soon as %s", s.limit, othersLogIn(s.limit.begin))
		verdict.Summary = fmt.Sprintf("MaxStartups %v refuses new connections with %d %% as soon as %s.", s.limit, s.limit.refuses(s.limit.begin), othersLogIn(s.limit.begin))
	case s.drops > 0:
		verdict.Impact = Risk
		verdict.Reason = fmt.Sprintf("the log tells of connections dropped for MaxStartups at least %s within the last day, none of them ours", times(s.drops))
	case s.known && s.counted && s.held*10 >= s.limit.begin*7:
		verdict.Impact = Risk
		verdict.Reason = fmt.Sprintf("%s now, and MaxStartups %v begins to refuse at %d", count(s.held, "unauthenticated connection"), s.limit, s.limit.begin)
	default:
		return freeSlots(v, a, s)
	}
	return verdict
}

// silentEnd says what a close without a word speaks for.
func silentEnd(r release) string {
	text := ": MaxStartups, TCP wrappers, a ban, a broken sshd or a load balancer without a server all look like this from outside; the server's log or a login on its console would settle it"
	if r.since(8, 2) {
		text += fmt.Sprintf(". %s would have said why it throttles", r)
	}
	return text
}

func othersLogIn(n int) string {
	if n == 1 {
		return "one other is logging in"
	}
	return fmt.Sprintf("%d others are logging in", n)
}

// freeSlots judges a server on which nothing points to throttling.
func freeSlots(v *fact.View, a admission, s slots) Verdict {
	switch {
	case !s.known && !s.counted && !s.logged:
		open := fact.Any(fact.MaxStartups)
		if !a.seen {
			open = fact.HandshakeStage
		}
		return unknown(v, open)
	case !s.known:
		return unknown(v, fact.MaxStartups)
	case !s.counted:
		return unknown(v, fact.Unauthenticated)
	}
	now := fmt.Sprintf("%s now, and MaxStartups %v refuses from %d on", count(s.held, "unauthenticated connection"), s.limit, s.limit.begin)
	if !s.logged {
		verdict := unknown(v, fact.LogStartupDrops)
		if s.drops == 0 && !s.release.since(8, 4) && s.release != (release{}) {
			verdict.Reason = fmt.Sprintf("%s does not log what it drops", s.release)
		}
		verdict.Reason = now + "; whether it was so before is open: " + verdict.Reason
		return verdict
	}
	return Verdict{Status: RuledOut, Reason: now + "; the log tells of no drops"}
}

// judgeSocket judges systemd's socket units, which have limits of their own.
func judgeSocket(v *fact.View, a admission, s slots) (Verdict, bool) {
	state, _ := fact.SSHDUnitState.In(v)
	held, counted := fact.SocketConnections.In(v)
	limit, known := fact.SocketConnectionsMax.In(v)
	verdict := Verdict{Status: Confirmed, Impact: Breaks}
	switch {
	case strings.Contains(state, "trigger-limit-hit"):
		verdict.Reason = "the unit's state says that its trigger limit was hit"
		verdict.Summary = "systemd stopped the SSH socket because too many connections came in a short time; nobody listens any more."
		verdict.Why = "A socket unit that is triggered more often than TriggerLimitBurst allows fails, and stays so until it is started again: every new connection is refused."
		verdict.Evidence = []Evidence{says(fact.SSHDUnitState, "%s", state)}
	case counted && known && limit > 0 && held >= limit:
		verdict.Reason = fmt.Sprintf("the socket unit holds %d of %d connections", held, limit)
		verdict.Summary = fmt.Sprintf("The SSH socket unit holds %d connections and MaxConnections is %d: systemd closes every new one.", held, limit)
		verdict.Why = "With Accept=yes systemd itself counts the connections, logged in or not, and closes new ones without a word while MaxConnections are open."
		verdict.Evidence = []Evidence{says(fact.SocketConnections, "%d connections are open", held), says(fact.SocketConnectionsMax, "MaxConnections is %d", limit)}
	case s.oneEach && s.naming > 0:
		verdict.Impact = WillBreak
		verdict.Reason = "systemd's log says that it dropped connections of this address"
		verdict.Summary = fmt.Sprintf("systemd dropped connections of this address at the limits of the SSH socket unit at least %s within the last day.", times(s.naming))
		verdict.Why = "With Accept=yes systemd itself counts the connections, logged in or not, and closes new ones without a word while MaxConnections, or MaxConnectionsPerSource of one address, are open."
		verdict.Evidence = s.says(v)
	default:
		return Verdict{}, false
	}
	verdict.Evidence = append(verdict.Evidence, a.says()...)
	return verdict, true
}

func socketRoom(v *fact.View) string {
	held, counted := fact.SocketConnections.In(v)
	limit, known := fact.SocketConnectionsMax.In(v)
	if !counted || !known {
		return ""
	}
	return fmt.Sprintf(", and %d of MaxConnections %d are open", held, limit)
}

const longGrace = 60 * time.Second

func fixStartupThrottle(v *fact.View) []remedy.Remedy {
	s := slotsOf(v)
	if socket, found := judgeSocket(v, admission{}, s); found || s.oneEach {
		return fixSocket(v, found && socket.Evidence[0].Fact == fact.SSHDUnitState.Name())
	}
	var plans []remedy.Remedy
	if s.refuses() > 0 || s.drops > 0 || !s.counted {
		plans = append(plans, findHolders(s.release))
	}
	raise := remedy.Remedy{
		ID: "raise-max-startups", Side: remedy.Server, Risk: remedy.ReloadsSSHD, Cures: fact.MaxStartups.Name(),
		Summary: "let sshd hold more connections that have not logged in",
		Steps:   setSSHD("MaxStartups", s.roomy().String()),
	}
	if s.release != (release{}) && !s.release.since(10, 1) {
		raise.Steps[0].Text += "; in this release the last MaxStartups line counts, so let it be the only one"
	}
	plans = append(plans, raise)
	if s.perSource != "" {
		plans = append(plans, raisePerSource())
	}
	if grace, seen := fact.LoginGraceTime.In(v); seen && (grace == 0 || grace > longGrace) {
		plans = append(plans, remedy.Remedy{
			ID: "free-slots-sooner", Unless: []string{"raise-max-startups"}, Side: remedy.Server, Risk: remedy.ReloadsSSHD, Cures: fact.LoginGraceTime.Name(),
			Summary: "give a connection that does not log in less time to hold a slot",
			Steps:   setSSHD("LoginGraceTime", "60"),
		})
	}
	return append(plans, shareConnection(fact.LogStartupsOurs, "raise-max-startups", "raise-per-source"))
}

func findHolders(r release) remedy.Remedy {
	plan := remedy.Remedy{
		ID: "find-holders", Side: remedy.Server, Risk: remedy.Harmless, Cures: fact.Unauthenticated.Name(),
		Summary: "see which addresses hold connections, and stop those that do not belong",
		Steps:   []remedy.Step{note(run(`ss -Htn state established '( sport = :22 )' | awk '{print $4}' | sed 's/:[0-9]*$//' | sort | uniq -c | sort -rn | head`))},
	}
	if r.within(release{9, 8}, release{10, 0}) {
		plan.Steps = append(plan.Steps, advise("if far fewer connections are open than sshd counts, it is the slot leak of OpenSSH 9.8 to 10.0: restart sshd (open sessions survive it), and update it"))
	}
	return plan
}

// roomy is a MaxStartups with room for twice what is held and allowed now.
func (s slots) roomy() startups {
	begin := 50
	if need := 2 * max(s.held, s.limit.begin); s.known && s.limit.begin >= begin || need > 100 {
		begin = (need + 49) / 50 * 50
	}
	return startups{begin, 30, 2 * begin}
}

func fixSocket(v *fact.View, stopped bool) []remedy.Remedy {
	limit, _ := fact.SocketConnectionsMax.In(v)
	with := map[string]string{"MaxConnections": fmt.Sprint(max(256, 2*limit))}
	settings := []string{"MaxConnections=" + with["MaxConnections"]}
	cures := fact.Any(fact.SocketConnectionsMax)
	if stopped {
		with["TriggerLimitIntervalSec"] = "0"
		settings = append(settings, "TriggerLimitIntervalSec=0")
		cures = fact.SSHDUnitState
	}
	line := `mkdir -p /etc/systemd/system/ssh.socket.d && printf '[Socket]\n` + strings.Join(settings, `\n`) + `\n' > /etc/systemd/system/ssh.socket.d/limits.conf && systemctl daemon-reload && systemctl reset-failed ssh.socket && systemctl restart ssh.socket`
	step := done(remedy.SocketLimits, line, with)
	step.Text += "   (the unit is called sshd.socket on RHEL, Fedora and SUSE)"
	return []remedy.Remedy{{
		ID: "raise-socket-limits", Side: remedy.Server, Risk: remedy.CanLockOut, Cures: cures.Name(),
		Summary: "raise the limits of the socket unit",
		Steps:   []remedy.Step{step},
	}}
}
