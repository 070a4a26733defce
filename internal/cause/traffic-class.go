package cause

import (
	"fmt"
	"slices"
	"strings"

	"sshtay/internal/fact"
	"sshtay/internal/remedy"
)

var _ = register(Cause{
	ID:    "traffic-class",
	Title: "the path drops packets by their traffic class (IPQoS)",
	Doc: Doc{
		Observed: "Which marks ssh and sshd set for terminals and for commands, by their configuration and version. The handshake's own connection ends with a few bytes under each mark, and the server's kernel answers one more with a reset of the same mark, " +
			"which tells of both ways and costs no connection. Where a mark was lost, or the login hung where the marking begins: sessions that differ in their mark alone.",
		Judged: "Confirmed when a living session is lost each time it carries the mark and goes on when it does not, so that chance would do so once in a hundred cases at most (Fisher's exact test on its packets, for the path may lose others, too), when a session in which the server marks is cut off from everything, acknowledgements included, while one in which it marks otherwise is not, " +
			"or when a handshake stalls where OpenSSH 10.1 begins to mark and the server's kernel is heard unmarked and not marked. Likely from the handshake's end alone. " +
			"Ruled out when the marks of both sides, for terminals and for commands, were seen to pass: a login for a program's sake is never marked as a terminal is.",
		Explained: "OpenSSH asks the network to treat terminals and copies differently: af21 and cs1 from 7.8, ef from 10.1, lowdelay and throughput before and in Debian's. Some routers, NATs and virtual networks drop what is marked, or lose a connection that changes its mark. " +
			"ssh marks from the SYN on since 8.5, and before that, as sshd up to 10.0, when the session begins: so it looks like a server that does not answer, or like a login that freezes right after the password.",
		Fixed: "IPQoS none on the side whose packets are dropped: ssh's configuration for the way to the server, sshd's for the way back. The device that drops them is the one to be mended.",
	},
	Needs: []fact.Any{
		fact.PathMarks, fact.MarkTrials, fact.ClientIPQoS, fact.ServerIPQoS, fact.ClientSSHVersion, fact.SSHDVersion, fact.HandshakeBanner, fact.ServerKernel,
		fact.HandshakeStage, fact.HandshakeReason, fact.LoginStage, fact.LoginReason, fact.PathLossToServer, fact.PathLossFromServer,
	},
	Judge: func(v *fact.View) Verdict { return marksOf(v).judge(v) },
	Fix:   func(v *fact.View) []remedy.Remedy { return marksOf(v).fix(v) },
	Masks: []string{"session-refused"},
})

const (
	toServer = "to-server"
	toClient = "to-client"

	// surelyMarked and likelyMarked are how improbable it must be that a session
	// fared so much better without its mark by chance alone.
	surelyMarked = 0.01
	likelyMarked = 0.05
)

// A marking is what was seen of traffic classes.
type marking struct {
	marks    []fact.Mark
	trials   []fact.MarkTrial
	client   []string // ssh's marks, interactive and bulk
	server   []string // sshd's, as configured; nil when that was not seen
	loggedIn bool     // a session without a terminal answered
	stuck    bool     // the handshake or the login hung
	atKex    bool     // the handshake hung after the banner
	reflects bool     // the server's kernel is not known to answer otherwise than Linux does
}

func marksOf(v *fact.View) marking {
	var m marking
	m.marks, _ = fact.PathMarks.In(v)
	m.trials, _ = fact.MarkTrials.In(v)
	client, _ := fact.ClientIPQoS.In(v)
	server, _ := fact.ServerIPQoS.In(v)
	m.client, m.server = strings.Fields(client), strings.Fields(server)
	stage, _ := fact.HandshakeStage.In(v)
	reason, _ := fact.HandshakeReason.In(v)
	login, _ := fact.LoginStage.In(v)
	why, failed := fact.LoginReason.In(v)
	kernel, known := fact.ServerKernel.In(v)
	m.loggedIn = login == "session" && !failed
	m.atKex = stage == "banner" && reason == "timed-out"
	m.stuck = m.atKex || why == "timed-out" || why == "no-answer"
	m.reflects = !known || strings.Contains(kernel, "Linux")
	return m
}

// find returns what was seen of a mark, by the way and whether it passed.
func (m marking) find(way string, passed bool) []fact.Mark {
	var found []fact.Mark
	for _, k := range m.marks {
		if k.Way == way && k.Passed == passed {
			found = append(found, k)
		}
	}
	return found
}

// switched is what became of the session that changed its mark, if there was
// one: of the mark that it lost most often.
func (m marking) switched() (worst fact.MarkTrial, tried bool) {
	for _, t := range m.trials {
		if t.Kind == "switched" && t.Unsent == "" && (!tried || t.Lost > worst.Lost) {
			worst, tried = t, true
		}
	}
	return worst, tried
}

// byServer sorts the sessions that differ in how the server marks.
func (m marking) byServer() (lost, passed []fact.MarkTrial) {
	for _, t := range m.trials {
		switch {
		case t.Way != toClient:
		case t.Lost > 0:
			lost = append(lost, t)
		case t.Passed > 0:
			passed = append(passed, t)
		}
	}
	return lost, passed
}

func (m marking) judge(v *fact.View) Verdict {
	for _, look := range []func() (Verdict, bool){m.lostToServer, m.lostToClient, m.stalledAtKex} {
		if verdict, found := look(); found {
			return m.byChance(v, verdict)
		}
	}
	verdict := m.clean(v)
	if lost := m.find(toServer, false); len(lost) > 0 && !m.sends(lost[0].Name) && verdict.Status == RuledOut {
		verdict.Reason = fmt.Sprintf("the path drops what is marked %s on the way to the server, and this ssh marks nothing so; %s", lost[0].Name, verdict.Reason)
	}
	return verdict
}

// byChance doubts what a path that loses packets of every mark may have done
// without looking at any.
func (m marking) byChance(v *fact.View, verdict Verdict) Verdict {
	to, _ := fact.PathLossToServer.In(v)
	from, _ := fact.PathLossFromServer.In(v)
	if trial, tried := m.switched(); tried && trial.Chance() < likelyMarked {
		return verdict
	}
	if loss := max(to, from); verdict.Status == Likely && loss >= slowing {
		verdict.Status = Possible
		verdict.Reason += fmt.Sprintf("; but the path loses %s of all packets, so that this may be chance", percent(loss))
	}
	return verdict
}

const whyMarks = "OpenSSH marks what it sends, terminals otherwise than commands and copies, so that networks may treat them differently. A router, a NAT or a virtual network on the way treats these marks as a reason to drop."

// lostToServer is a mark of ssh's own that is lost.
func (m marking) lostToServer() (Verdict, bool) {
	lost := slices.DeleteFunc(m.find(toServer, false), func(k fact.Mark) bool { return !m.sends(k.Name) })
	trial, tried := m.switched()
	if len(lost) == 0 || tried && (trial.Lost == 0 || !m.sends(trial.Name)) {
		return Verdict{}, false
	}
	verdict := Verdict{Status: Possible, Impact: WillBreak, Why: whyMarks}
	var names []string
	for _, k := range lost {
		names = append(names, k.Name)
		verdict.Evidence = append(verdict.Evidence, says(fact.PathMarks, "on one connection, what was marked %s (%s) was lost once and what was not arrived", k.Name, dscp(k.TOS)))
	}
	verdict.Reason = "marked once each, " + strings.Join(names, " and ") + " got lost where what was unmarked arrived"
	if m.stuck {
		verdict.Status, verdict.Impact = Likely, Breaks
	}
	verdict.Summary = fmt.Sprintf("Packets to the server seem to be dropped when they are marked %s, as this ssh marks them.", strings.Join(names, " or "))
	if !tried {
		return verdict, true
	}
	verdict.Evidence = append(verdict.Evidence, says(fact.MarkTrials, "one living session was lost %s of %d under the mark %s, and went on without it %s",
		times(trial.Lost), trial.Lost+trial.Passed, trial.Name, times(trial.Plain)))
	verdict.Summary = fmt.Sprintf("The path drops what ssh sends to the server marked %s (%s): %s.", trial.Name, dscp(trial.TOS), m.meaning(trial.Name))
	verdict.Impact = Breaks
	verdict.Evidence = append(verdict.Evidence, says(fact.MarkTrials, "of its packets %d of %d marked %s did not arrive, and %d of %d that were not marked", trial.Missed, trial.Sent, trial.Name, trial.PlainMissed, trial.PlainSent))
	switch chance := trial.Chance(); {
	case trial.Lost >= 2 && trial.Passed == 0 && chance < surelyMarked:
		verdict.Status, verdict.Reason = Confirmed, "one session was lost each time it carried the mark, and went on without it"
	case trial.Lost > trial.Passed && chance < likelyMarked:
		verdict.Status, verdict.Reason = Likely, "a session was lost under the mark, and went on without it"
	default:
		verdict.Status, verdict.Reason = Possible, "a session was lost under the mark, but neither each time nor so much more often than without it that it could not be chance"
	}
	for _, t := range m.trials {
		if t.Kind == "constant" && t.Passed > 0 {
			verdict.Evidence = append(verdict.Evidence, says(fact.MarkTrials, "a session marked %s from its first packet on got through", t.Name))
			verdict.Summary = "The path drops what is marked otherwise than the connection's first packet: ssh freezes when it changes from one class to the other."
		}
	}
	return verdict, true
}

// sends says whether this ssh marks anything so. Where its marks are not known,
// it may.
func (m marking) sends(name string) bool {
	return len(m.client) == 0 || slices.Contains(m.client, name)
}

// meaning says what a user sees of a mark of ssh's that is lost.
func (m marking) meaning(name string) string {
	terminal, command := len(m.client) > 0 && m.client[0] == name, len(m.client) > 1 && m.client[1] == name
	switch {
	case terminal && command:
		return "every session"
	case command:
		return "commands and copies freeze when they begin"
	}
	return "terminals, and since OpenSSH 8.5 every connection from its first packet on"
}

// lostToClient is a mark of the server's that is lost on the way to us.
func (m marking) lostToClient() (Verdict, bool) {
	lost, passed := m.byServer()
	back := m.find(toClient, false)
	verdict := Verdict{Status: Likely, Impact: Breaks, Why: whyMarks}
	for _, k := range back {
		verdict.Evidence = append(verdict.Evidence, says(fact.PathMarks, "the server's kernel was not heard when its answer was marked %s (%s), and was when it was not", k.Name, dscp(k.TOS)))
	}
	if len(lost) == 0 {
		if len(back) == 0 || len(passed) > 0 || m.atKex || !m.reflects {
			return Verdict{}, false
		}
		if !m.stuck {
			verdict.Impact = WillBreak
		}
		verdict.Reason = "the server's kernel was heard unmarked, and not under that mark"
		verdict.Summary = fmt.Sprintf("What comes from the server marked %s is dropped on the way; a server of this version marks terminals so.", back[0].Name)
		return verdict, true
	}
	var cut, fine []string
	for _, t := range lost {
		cut = append(cut, kindOf(t))
		verdict.Evidence = append(verdict.Evidence, says(fact.MarkTrials, "in a session %s nothing more was heard of the server, not even acknowledgements", kindOf(t)))
	}
	for _, t := range passed {
		fine = append(fine, kindOf(t))
		verdict.Evidence = append(verdict.Evidence, says(fact.MarkTrials, "one %s was answered %s of %d", kindOf(t), times(t.Passed), t.Passed))
	}
	verdict.Summary = fmt.Sprintf("The path drops what the server sends in sessions %s%s.", strings.Join(cut, " and "), m.serverMark(lost))
	verdict.Reason = "sessions " + strings.Join(cut, " and ") + " are cut off from the server as soon as it marks what it sends"
	if len(fine) > 0 {
		verdict.Status = Confirmed
		verdict.Reason += ", and one " + fine[0] + " is not"
	}
	return verdict, true
}

// kindOf names how the server marked a session.
func kindOf(t fact.MarkTrial) string {
	return map[string]string{"terminal": "with a terminal", "command": "without a terminal", "silent": "that begins nothing"}[t.Kind]
}

// serverMark names the mark that the server sets in sessions that were lost,
// when it was read.
func (m marking) serverMark(lost []fact.MarkTrial) string {
	if len(m.server) != 2 || len(lost) > 1 {
		return ""
	}
	return fmt.Sprintf(", which it marks %s", m.server[map[string]int{"terminal": 0, "command": 1}[lost[0].Kind]])
}

// stalledAtKex is a server that marks from its first packet after the banner
// on, and is not heard from then on.
func (m marking) stalledAtKex() (Verdict, bool) {
	back := m.find(toClient, false)
	if !m.atKex || len(back) == 0 || !m.reflects {
		return Verdict{}, false
	}
	return Verdict{
		Status: Confirmed, Impact: Breaks, Why: whyMarks,
		Reason:  "the server was heard until it began to mark, and its kernel was heard unmarked but not marked",
		Summary: fmt.Sprintf("The path drops what comes from the server marked %s, as OpenSSH marks everything after the banner since 10.1.", back[0].Name),
		Evidence: []Evidence{
			says(fact.HandshakeStage, "the banner came, and nothing after it"),
			says(fact.PathMarks, "on a second connection the server's kernel was not heard when its answer was marked %s (%s), and was when it was not", back[0].Name, dscp(back[0].TOS)),
		},
	}, true
}

// clean judges when nothing was seen to be lost.
func (m marking) clean(v *fact.View) Verdict {
	_, passed := m.byServer()
	terminal := slices.ContainsFunc(passed, func(t fact.MarkTrial) bool { return t.Kind == "terminal" })
	back := m.find(toClient, true)
	switch _, seen := fact.PathMarks.In(v); {
	case !seen:
		return unknown(v, fact.PathMarks)
	case !m.loggedIn:
		return Verdict{Status: Unknown, Reason: "what ssh marks gets through; what the server marks shows only in a session, and there was none"}
	case terminal || m.terminalUnmarked():
	case len(m.server) == 2 && !slices.ContainsFunc(back, func(k fact.Mark) bool { return k.Name == m.server[0] }):
		return Verdict{Status: Unknown, Reason: fmt.Sprintf("the server marks terminals %s, and whether that comes through was not seen", m.server[0])}
	case len(back) == 0 || !m.reflects:
		return Verdict{Status: Unknown, Reason: "what ssh marks gets through; whether the server's mark of terminals does was not seen"}
	}
	return Verdict{Status: RuledOut, Reason: "what both sides mark gets through, terminals and commands"}
}

// terminalUnmarked says that the server marks terminals not at all, or as it
// marks the login that worked.
func (m marking) terminalUnmarked() bool {
	return len(m.server) == 2 && (m.server[0] == "none" || m.server[0] == "cs0" || m.server[0] == m.server[1])
}

func dscp(tos int) string { return fmt.Sprintf("DSCP %d", tos>>2) }

func (m marking) fix(v *fact.View) []remedy.Remedy {
	var plans []remedy.Remedy
	_, there := m.lostToServer()
	_, back := m.lostToClient()
	if _, atKex := m.stalledAtKex(); atKex {
		back = true
	}
	version, _ := fact.ClientSSHVersion.In(v)
	if there {
		client, _ := parseRelease(version)
		value := noMark(client)
		plans = append(plans, remedy.Remedy{
			ID: "client-unmarked", Side: remedy.Client, Risk: remedy.Harmless, Cures: fact.PathMarks.Name(),
			Summary: "let ssh mark nothing on the way to this host",
			Steps: []remedy.Step{{
				Kind: remedy.SSHConfig, With: map[string]string{"IPQoS": value},
				Text: clientPlace(v, fact.ClientIPQoS) + ": IPQoS " + value,
			}},
		})
	}
	server, _ := sshdRelease(v)
	if back {
		value := noMark(server)
		plans = append(plans, remedy.Remedy{
			ID: "server-unmarked", Side: remedy.Server, Risk: remedy.ReloadsSSHD, Cures: fact.PathMarks.Name(),
			Summary: "let sshd mark nothing; IPQoS of the client changes nothing on this way",
			Steps: []remedy.Step{{
				Kind: remedy.SSHDConfig, With: map[string]string{"IPQoS": value},
				Text: "in /etc/ssh/sshd_config, outside every Match and in place of any other IPQoS line (up to 10.2 the last one counts): IPQoS " + value,
			}, reloadSSHD()},
		})
	}
	if !there && !back {
		return nil
	}
	return append(plans, byHand("pass-marks", remedy.Network, fact.PathMarks, "have the device that drops marked packets mended",
		advise("a router, a NAT, a VPN or a virtual network between here and there drops what is marked; give its owner the evidence above, or clear the marks (DSCP) before it")))
}

// noMark is the value of IPQoS that leaves packets unmarked.
func noMark(r release) string {
	if r != (release{}) && !r.since(7, 6) {
		return "cs0"
	}
	return "none"
}
