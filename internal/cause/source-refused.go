package cause

import (
	"fmt"
	"net/netip"
	"strings"

	"sshtay/internal/fact"
	"sshtay/internal/remedy"
)

var _ = register(Cause{
	ID:    "source-refused",
	Title: "the server refuses connections from this address",
	Doc: Doc{
		Observed: "How our own connections were received and what sshd said before it closed them; and where the server can be read: the log's lines about this address, bans, hosts.deny, firewall rules that limit or refuse, " +
			"RefuseConnection, PerSourcePenalties and PerSourceMaxStartups.",
		Judged: "Confirmed when the server's log or state names this address: a penalty, a ban, a refusal by TCP wrappers. Likely when every connection was told that it is not allowed at this time, and nothing else is known. " +
			"Possible when connections end without a word or get no answer: a ban looks like that, and so do other things. A firewall rule that limits new connections is no finding while it lets us in. Checked on the server itself its logs of seven days speak for all clients, where they name networks that also log in.",
		Explained: "Servers shut out addresses that fail to log in, connect without logging in, or connect too often: sshd itself since 9.8 (PerSourcePenalties), fail2ban and sshguard by the log, firewalls by counting, TCP wrappers by a list. " +
			"It meets everybody behind the same address, so one broken job or health check shuts out its neighbours.",
		Fixed: "Mend what earns the refusal, usually a job with a dead key or a check that connects and hangs up; lift the ban; exempt the address where it is known to be good. A penalty of sshd decays by itself within 10 minutes. The report says until when a refusal lasts where the penalty, the ban or the rule tells it.",
	},
	Needs: []fact.Any{
		fact.HandshakeStage, fact.HandshakeReason, fact.Refusal, fact.HandshakeTries, fact.HandshakeFailures, fact.HandshakeBanner, fact.SSHDVersion,
		fact.BannedBy, fact.BannedUsers, fact.HostsDeny, fact.LogRefusedOurs, fact.LogPenaltiesOurs, fact.LogPenaltySample, fact.LogPenaltyUntil, fact.LogClientLines,
		fact.FirewallLimits, fact.RefuseConnection, fact.PerSourcePenalties, fact.ServerClientAddress, fact.LoginStage, fact.LoginReason, fact.LoginError,
		fact.MaxStartups, fact.Unauthenticated, fact.PerSourceMaxStartups, fact.SSHDActivation, fact.LogStartupDrops, fact.LogStartupsOurs, fact.LogStartupSample, fact.ResetSender,
		fact.LogHistory,
	},
	Judge: recordedFor("source-refused", Confirmed, func(v *fact.View) Verdict { return refuserOf(v).verdict }),
	Fix:   fixSourceRefused,
	// Who refuses this address is why the server cannot be reached.
	Masks: []string{"unreachable"},
})

// A refuser is who refuses this address, and the verdict on it.
type refuser struct {
	kind    string // ban, bans of users, wrappers, option, penalty, per-source, firewall, or "" when nobody is known
	verdict Verdict
}

// refuserOf asks those who could refuse us, the most certain to know first.
func refuserOf(v *fact.View) refuser {
	a := admissionOf(v).withLogin(v)
	for _, ask := range []func(*fact.View, admission) (refuser, bool){banned, bannedUsers, wrapped, forbidden, penalised, bySource, told, walled, fromOutside} {
		if r, found := ask(v, a); found {
			if r.verdict.Status >= Likely {
				r.verdict.Evidence = append(r.verdict.Evidence, a.says()...)
			}
			return r
		}
	}
	return refuser{verdict: letIn(v, a)}
}

// harm is what a refusal does, by how our own connections went.
func harm(a admission) Impact {
	if a.seen && !a.greeted() || a.failures > 0 {
		return Breaks
	}
	return WillBreak
}

// whyBanned: the rules of fail2ban come before all others, and look at every
// packet to the port.
const whyBanned = "A ban drops or rejects what comes from the address until it ends. The usual rules of fail2ban meet connections that are open as well, which then freeze; others let these live on."

func banned(v *fact.View, a admission) (refuser, bool) {
	by, seen := fact.BannedBy.In(v)
	if !seen || by == "" {
		return refuser{}, false
	}
	verdict := Verdict{
		Status: Confirmed, Impact: harm(a), Reason: "the server's own list of bans holds this address",
		Summary:  fmt.Sprintf("The server has banned this address: %s.", by),
		Why:      whyBanned,
		Evidence: []Evidence{says(fact.BannedBy, "%s", by)},
	}
	works := a.greeted() && a.failures == 0
	switch {
	case works && strings.Contains(by, "fail2ban") && !strings.Contains(by, "ssh"):
		return refuser{"ban", Verdict{Status: Possible, Impact: Risk, Evidence: verdict.Evidence, Reason: "the server has banned this address for another service (" + by + "), and lets it in by SSH"}}, true
	case works:
		verdict.Status = Likely
		verdict.Reason = "the server's list of bans holds this address, though it let our connection in before the list was read; one more connection would settle it"
	}
	return refuser{"ban", verdict}, true
}

// bannedUsers judges on the server itself, where nobody is "us": whoever has
// logged in here is one of those that the server is for.
func bannedUsers(v *fact.View, _ admission) (refuser, bool) {
	who, _ := fact.BannedUsers.In(v)
	if len(who) == 0 {
		return refuser{}, false
	}
	return refuser{"bans of users", Verdict{
		Status: Confirmed, Impact: Breaks, Reason: "fail2ban holds addresses that have logged in here",
		Summary:  fmt.Sprintf("fail2ban has banned addresses from which people log in here: %s.", strings.Join(who, ", ")),
		Why:      whyBanned,
		Evidence: []Evidence{says(fact.BannedUsers, "banned now, and accepted by sshd within the last days: %s", strings.Join(who, ", "))},
	}}, true
}

// wrapped judges TCP wrappers. Only some builds of sshd read hosts.deny.
func wrapped(v *fact.View, a admission) (refuser, bool) {
	line, denied := fact.HostsDeny.In(v)
	n, _ := fact.LogRefusedOurs.In(v)
	verdict := Verdict{
		Status: Confirmed, Impact: harm(a),
		Why: "An sshd that is built with TCP wrappers closes connections of addresses in hosts.deny before its banner, unless hosts.allow names them. An address of the other family is another address.",
	}
	if denied {
		verdict.Evidence = append(verdict.Evidence, says(fact.HostsDeny, "%s", line))
	}
	if n > 0 {
		verdict.Evidence = append(verdict.Evidence, says(fact.LogRefusedOurs, "the log says %s that this address was refused", times(n)))
	}
	switch {
	case n > 0 && (denied || harm(a) == Breaks):
		verdict.Reason = "the server's log says that TCP wrappers refused this address"
		verdict.Summary = fmt.Sprintf("TCP wrappers (hosts.deny) refused this address %s within the last day.", times(n))
	case denied && a.shut():
		verdict.Status = Likely
		verdict.Reason = "a line of hosts.deny refuses this address and the connection was closed before the banner; not every sshd reads that file, and its log would settle it"
		verdict.Summary = fmt.Sprintf("A line of hosts.deny refuses this address (%s), and the server closed the connection before its banner.", line)
	case n > 0:
		verdict.Status, verdict.Impact = Possible, Risk
		verdict.Reason = fmt.Sprintf("TCP wrappers refused this address %s within the last day; it is let in now", times(n))
	case denied:
		verdict.Status = Possible
		verdict.Reason = "a line of hosts.deny seems to refuse this address"
		if a.greeted() {
			verdict.Reason += ", yet it was let in"
		}
	default:
		return refuser{}, false
	}
	return refuser{"wrappers", verdict}, true
}

// forbidden judges RefuseConnection, an option of sshd since 9.9.
func forbidden(v *fact.View, a admission) (refuser, bool) {
	if refuses, _ := fact.RefuseConnection.In(v); !refuses {
		return refuser{}, false
	}
	verdict := Verdict{
		Status: Confirmed, Impact: Breaks, Reason: "the configuration says RefuseConnection yes for this user from this address",
		Summary:  "sshd is told to refuse this user from this address (RefuseConnection yes).",
		Why:      "sshd closes such a connection as soon as it knows the user's name, and counts it as a reason for a penalty.",
		Evidence: []Evidence{says(fact.RefuseConnection, "RefuseConnection yes")},
	}
	if stage, _ := fact.LoginStage.In(v); stage == "session" {
		verdict.Impact = WillBreak
		verdict.Reason += "; this login was let in, so sshd has not read it yet"
	}
	return refuser{"option", verdict}, true
}

// penaltyLine is the last line of the log that names our address and a
// penalty.
func penaltyLine(v *fact.View) (fact.Any, string) {
	lines, _ := fact.LogClientLines.In(v)
	sample, _ := fact.LogPenaltySample.In(v)
	address, known := clientAddress(v)
	for i := len(lines) - 1; i >= 0; i-- {
		if strings.Contains(lines[i], "penalty:") {
			return fact.LogClientLines, lines[i]
		}
	}
	if known && strings.Contains(sample, address.String()) {
		return fact.LogPenaltySample, sample
	}
	return nil, ""
}

// misdeeds are the words of sshd's log for what earns a penalty, and what they
// mean.
var misdeeds = []struct{ words, means string }{
	{"failed authentication", "a login from here fails: a job with a dead key or password, or an agent with too many keys"},
	{"connections without attempting authentication", "something here connects without logging in: a health check, a monitor or a scanner"},
	{"exceeded LoginGraceTime", "a login from here was not finished in time"},
	{"caused crash", "a connection from here made a process of sshd crash"},
	{"prohibited by RefuseConnection", "a user from here is refused by RefuseConnection"},
	{"by invalid user", "something here logs in as a user that does not exist"},
}

func penalised(v *fact.View, a admission) (refuser, bool) {
	n, _ := fact.LogPenaltiesOurs.In(v)
	if n == 0 {
		return refuser{}, false
	}
	verdict := Verdict{
		Status: Confirmed, Impact: harm(a), Reason: "sshd's log tells of a penalty for this address",
		Summary:  fmt.Sprintf("sshd gave this address a penalty, or refused it for one, at least %s within the last day.", times(n)),
		Why:      "Since 9.8 sshd counts what addresses do wrong. Once the sum exceeds 15 s it closes every connection of the address, without its banner, until the time is over, at most 10 minutes by default.",
		Evidence: []Evidence{says(fact.LogPenaltiesOurs, "at least %s", count(n, "line"))},
	}
	if until, known := fact.LogPenaltyUntil.In(v); known {
		verdict.Evidence = append(verdict.Evidence, says(fact.LogPenaltyUntil, "the last one that was given ends at %s by the server's clock", until))
	}
	if k, line := penaltyLine(v); line != "" {
		verdict.Evidence = append(verdict.Evidence, says(k, "%s", line))
		for _, m := range misdeeds {
			if strings.Contains(line, m.words) {
				verdict.Summary += " What earned it: " + m.means + "."
			}
		}
	}
	return refuser{"penalty", verdict}, true
}

// bySource judges PerSourceMaxStartups, which sshd reports as MaxStartups.
func bySource(v *fact.View, a admission) (refuser, bool) {
	s := slotsOf(v)
	if !s.bySource(v) || a.refusal != exceededStartups && s.naming == 0 {
		return refuser{}, false
	}
	return refuser{"per-source", Verdict{
		Status: Likely, Impact: harm(a), Reason: fmt.Sprintf("sshd says that MaxStartups was exceeded while MaxStartups %v was not: PerSourceMaxStartups %s is reported in the same words", s.limit, s.perSource),
		Summary:  fmt.Sprintf("Connections of this address were refused because %s of them may be logging in at a time (PerSourceMaxStartups).", s.perSource),
		Why:      "Everybody behind the same address shares that number: a NAT, a jump host or a job that opens many connections at once uses it up.",
		Evidence: append([]Evidence{says(fact.PerSourceMaxStartups, "PerSourceMaxStartups %s", s.perSource)}, s.says(v)...),
	}}, true
}

// told judges what sshd itself said, where nothing on the server decides.
func told(v *fact.View, a admission) (refuser, bool) {
	penalties, _ := fact.PerSourcePenalties.In(v)
	n, read := fact.LogPenaltiesOurs.In(v)
	perSource, _ := fact.PerSourceMaxStartups.In(v)
	verdict := Verdict{Status: Possible, Impact: Breaks, Evidence: a.says()}
	switch {
	case a.refusal == exceededStartups && perSource == "none":
		return refuser{"", Verdict{Status: RuledOut, Reason: "sshd says that MaxStartups was exceeded, and PerSourceMaxStartups is none: see startup-throttle"}}, true
	case a.refusal == exceededStartups:
		verdict.Reason = "sshd says that MaxStartups was exceeded; PerSourceMaxStartups is reported in the same words. sshd -T on the server would settle it"
		return refuser{"per-source", verdict}, true
	case a.refusal != notAllowedNow:
		return refuser{}, false
	case penalties == "no":
		return refuser{"", Verdict{Status: RuledOut, Reason: "sshd gives no penalties here (PerSourcePenalties no): see startup-throttle"}}, true
	case read && n == 0:
		verdict.Reason = "sshd refused us, but its log tells of no penalty for this address: see startup-throttle"
	case a.sometimes():
		verdict.Reason = "some connections were let in, and a penalty meets them all until it ends: see startup-throttle. The server's log would settle it"
	default:
		verdict.Status = Likely
		verdict.Reason = fmt.Sprintf("%s met it, as with a penalty; MaxStartups refuses by chance. The server's log would settle it", a.tally())
		verdict.Summary = fmt.Sprintf("sshd refused %s and said: %s. It does so with addresses that have earned a penalty.", a.tally(), notAllowedNow)
		verdict.Why = "Since 9.8 sshd shuts out an address for a while after failed logins or connections without a login. It closes without its banner, so ssh reports a closed or reset connection."
		verdict.Evidence = nil // said once, by the caller
	}
	return refuser{"penalty", verdict}, true
}

// walled judges firewall rules on the server. A limit that lets us in does
// what it is for.
func walled(v *fact.View, a admission) (refuser, bool) {
	rules, _ := fact.FirewallLimits.In(v)
	if len(rules) == 0 {
		return refuser{}, false
	}
	some := strings.Join(rules[:min(3, len(rules))], "; ")
	verdict := Verdict{Status: Possible, Impact: Risk, Reason: fmt.Sprintf("the server's firewall limits or refuses some connections (%s), and let ours in", some)}
	again := ""
	for _, r := range rules {
		if window := windowOf(r); window == "" {
			verdict.Evidence = append(verdict.Evidence, says(fact.FirewallLimits, "%s", r))
		} else {
			verdict.Evidence = append(verdict.Evidence, says(fact.FirewallLimits, "%s (whom it refused it lets in again %s)", r, window))
			again = orWord(again, window)
		}
	}
	if a.failures > 0 && a.refusal == "" && !a.shut() {
		verdict.Status, verdict.Impact = Likely, Breaks
		verdict.Reason = "connections failed without a word of sshd, and the server's firewall has a rule that refuses; the rule's counter would settle it"
		verdict.Summary = fmt.Sprintf("%s failed, and the server's firewall limits or refuses connections to sshd: %s.", upper(a.tally()), some)
		if again != "" {
			verdict.Summary += " It lets a new connection in again " + again + "."
		}
		verdict.Why = "Such a rule counts new connections of an address and drops or rejects those above the limit: ssh times out or is refused, and works again a little later."
	}
	return refuser{"firewall", verdict}, true
}

// fromOutside judges what a ban looks like where nothing on the server was
// read.
func fromOutside(v *fact.View, a admission) (refuser, bool) {
	verdict := Verdict{Status: Possible, Impact: Breaks, Evidence: a.says()}
	switch {
	case injected(v):
		return refuser{"", notTheServer()}, true
	case a.shut() && a.late:
		verdict.Reason = "connections were silent for a long time and then ended before the banner, as TCP wrappers do that refuse an address after they looked its name up in vain, and load balancers that waited for a dead server; the server's log would settle it"
	case a.shut():
		verdict.Reason = "connections ended before the banner without a word, as with a ban or TCP wrappers, but also with a broken sshd or MaxStartups; one from another address, or the server's log, would settle it"
	case a.sometimes():
		verdict.Reason = "some connections failed and others did not, as with a limit on new connections; slower ones, or the server's firewall, would settle it"
	case a.stage == "resolve" && (a.reason == "timed-out" || a.reason == "refused" || a.reason == "unreachable"):
		verdict.Reason = "a firewall that bans this address looks like a server that is not there; a connection from another address would settle it"
	default:
		return refuser{}, false
	}
	return refuser{"", verdict}, true
}

// letIn judges where nothing speaks for a refusal.
func letIn(v *fact.View, a admission) Verdict {
	n, read := fact.LogPenaltiesOurs.In(v)
	switch {
	case !a.seen:
		return unknown(v, fact.HandshakeStage)
	case !a.greeted():
		return Verdict{Status: Unknown, Reason: fmt.Sprintf("the connection went no further than the stage %s (%s), where nobody refuses an address", a.stage, a.reason)}
	case read && n == 0:
		return Verdict{Status: RuledOut, Reason: "the server let this address in, and its log tells of no penalty for it"}
	}
	return Verdict{Status: RuledOut, Reason: "the server let this address in"}
}

// clientAddress is the address from which the server sees us. It is the other
// side's word, so it has to be an address and nothing more.
func clientAddress(v *fact.View) (netip.Addr, bool) {
	text, _ := fact.ServerClientAddress.In(v)
	address, err := netip.ParseAddr(text)
	return address.Unmap(), err == nil && address.Zone() == ""
}

func fixSourceRefused(v *fact.View) []remedy.Remedy {
	address, known := clientAddress(v)
	who := "ADDRESS"
	if known {
		who = address.String()
	}
	switch refuserOf(v).kind {
	case "ban":
		by, _ := fact.BannedBy.In(v)
		return []remedy.Remedy{unban(by, who, known, address)}
	case "bans of users":
		return []remedy.Remedy{unbanUsers(v)}
	case "wrappers":
		if address.Is6() {
			who = "[" + who + "]"
		}
		return []remedy.Remedy{onAddress(remedy.Remedy{
			ID: "allow-in-wrappers", Side: remedy.Server, Risk: remedy.CanLockOut, Cures: fact.HostsDeny.Name(),
			Summary: "let this address in by hosts.allow, which comes first; it takes effect at once",
		}, known, remedy.HostsDeny, address, fmt.Sprintf("echo 'sshd: %s' >> /etc/hosts.allow", who))}
	case "option":
		return []remedy.Remedy{{
			ID: "allow-connection", Side: remedy.Server, Risk: remedy.ReloadsSSHD, Cures: fact.RefuseConnection.Name(),
			Summary: "take RefuseConnection out of the Match block that meets this user", Steps: setSSHD("RefuseConnection", "no"),
		}}
	case "per-source":
		return []remedy.Remedy{raisePerSource(), shareConnection(fact.PerSourceMaxStartups, "raise-per-source")}
	case "firewall":
		return []remedy.Remedy{onAddress(remedy.Remedy{
			ID: "exempt-in-firewall", Side: remedy.Server, Risk: remedy.CanLockOut, Cures: fact.FirewallLimits.Name(),
			Summary: "let this address through before the rule counts it (with ufw; with another firewall put the same rule first)",
		}, known, remedy.Command, address, fmt.Sprintf("ufw insert 1 allow from %s to any port 22 proto tcp", who)), shareConnection(fact.FirewallLimits)}
	case "penalty":
		return fixPenalty(who, known)
	}
	return nil
}

func fixPenalty(who string, known bool) []remedy.Remedy {
	exempt := remedy.Remedy{
		ID: "exempt-from-penalties", Side: remedy.Server, Risk: remedy.ReloadsSSHD, Cures: fact.LogPenaltiesOurs.Name(),
		Summary: "exempt this address, where it is known to be good; a list that is there already has to be kept",
		Steps:   setSSHD("PerSourcePenaltyExemptList", who),
	}
	if !known {
		exempt.Steps = []remedy.Step{typed("in /etc/ssh/sshd_config, with the address from which the server sees this client", "PerSourcePenaltyExemptList ADDRESS"), reloadSSHD()}
	}
	return []remedy.Remedy{{
		ID: "earn-no-penalty", Side: remedy.Client, Risk: remedy.Harmless, Cures: fact.LogPenaltiesOurs.Name(),
		Summary: "wait 10 minutes, and mend what earns the penalty",
		Steps:   []remedy.Step{advise("stop jobs behind this address that fail to log in, or connect to the port without logging in; penalties then decay by themselves within 10 minutes")},
	}, exempt}
}

func unban(by, who string, known bool, address netip.Addr) remedy.Remedy {
	plan := remedy.Remedy{
		ID: "lift-ban", Side: remedy.Server, Risk: remedy.Harmless, Cures: fact.BannedBy.Name(),
		Summary: "lift the ban, and mend what earns it: usually a job here that fails to log in",
	}
	if strings.Contains(by, "fail2ban") {
		plan = onAddress(plan, known, remedy.Ban, address, "fail2ban-client unban "+who)
		plan.Steps = append(plan.Steps, keepUnbanned(who)...)
		return plan
	}
	plan.Steps = []remedy.Step{advise("take %s off the list of %s", who, by)}
	return plan
}

// unbanUsers lifts the ban of each address that logs in.
func unbanUsers(v *fact.View) remedy.Remedy {
	plan := remedy.Remedy{
		ID: "lift-bans", Side: remedy.Server, Risk: remedy.Harmless, Cures: fact.BannedUsers.Name(),
		Summary: "lift the bans, and mend what earns them: usually a job at that address that fails to log in",
	}
	who, _ := fact.BannedUsers.In(v)
	for _, a := range who {
		plan.Steps = append(plan.Steps, done(remedy.Ban, "fail2ban-client unban "+a, map[string]string{"address": a}))
	}
	plan.Steps = append(plan.Steps, keepUnbanned(strings.Join(who, " "))...)
	return plan
}

// keepUnbanned keeps bans from coming back.
func keepUnbanned(who string) []remedy.Step {
	return []remedy.Step{note(typed("to keep it from coming back, in /etc/fail2ban/jail.local under [DEFAULT]", "ignoreip = 127.0.0.1/8 ::1 "+who)), note(run("fail2ban-client reload"))}
}

// onAddress completes a remedy with a command about our address, or with
// advice where the address is not known.
func onAddress(plan remedy.Remedy, known bool, kind remedy.Kind, address netip.Addr, line string) remedy.Remedy {
	if known {
		plan.Steps = []remedy.Step{done(kind, line, map[string]string{"address": address.String()})}
	} else {
		plan.Steps = []remedy.Step{typed("with the address from which the server sees this client for ADDRESS", line)}
	}
	return plan
}
