package cause

import (
	"fmt"
	"strings"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/remedy"
)

var _ = register(Cause{
	ID:    "path-loss",
	Title: "the path to the server loses packets",
	Doc: Doc{
		Observed: "What the kernels of both ends count of real TCP connections to the server: of this check's own, and of the user's ssh that is running. Segments that were sent again and had not arrived already were lost. " +
			"Where the handshake or the login lost anything, one more login carries 400 small packets each way, at a pace that fills no queue.",
		Judged: "Confirmed when at least 5 of 100 or more segments of one direction were lost and the true loss is 1 % or more in 99 of 100 cases; likely when fewer segments say so, when the user's running ssh says so and no connection of the check could say better, " +
			"or when the user's ssh waits in vain while no new connection gets through. Possible when too few packets were seen. Ruled out when neither direction of enough packets lost 1 %. " +
			"Answers of routers to pings never count: most routers limit these. Packets that come late, twice or in another order are no loss, nor are those that a router found too long and said so; jitter alone is no fault.",
		Explained: "TCP sends again what was lost, after a round trip at best and after a fifth of a second or more at worst, and it slows down each time. A few lost packets in a hundred make a terminal stutter and a transfer crawl. " +
			"At a quarter and more logins run into their time limits, and keepalives give up on connections that still work.",
		Fixed: "Not by a setting of ssh. The owner of the segment that loses packets mends it: a bad cable, a radio link, a full line, a router at its limit. The remedy is the text to send there, with what was counted, when, and between which addresses.",
	},
	Needs: []fact.Any{
		fact.PathFlows, fact.PathLossToServer, fact.PathLossFromServer, fact.PathMeasured, fact.PathHops, fact.HandshakeStage, fact.HandshakeReason, fact.LoginStage, fact.LoginReason, fact.ServerClientAddress,
		fact.ServerAliveInterval, fact.ServerAliveCountMax,
	},
	Judge: judgeLoss,
	Fix:   fixLoss,
})

const (
	// harmful is the loss that a finding begins at. TCP mends less unseen.
	harmful = 0.01
	// breaking is the loss, of both directions together, at which logins fail
	// and keepalives give up.
	breaking = 0.25
	// slowing is the loss that can keep a login from ending in time.
	slowing = 0.1
	// stalled is how long an answer must be overdue, and fewestBackoffs how
	// often it was asked for again.
	stalled        = 3 * time.Second
	fewestBackoffs = 2
)

// sureLoss says how sure a tally is that packets are lost in number.
func sureLoss(t fact.Tally) Status {
	low, _ := t.Bounds()
	switch {
	case low >= harmful && t.Lost >= 5 && t.Of >= 100:
		return Confirmed
	case low >= harmful && t.Lost >= 4:
		return Likely
	case t.Lost >= 2 && t.Ratio() >= 2*harmful:
		return Possible
	case t.Of >= 100 && t.Ratio() < harmful:
		return RuledOut
	}
	return Unknown
}

// A lossView is what was seen of lost packets.
type lossView struct {
	flows    []fact.Flow
	to, from fact.Tally // of the check's own connections
	sure     Status     // of these
	user     []fact.Flow
	stuck    []fact.Flow // of the user's: they wait in vain
	lossy    []fact.Flow // of the user's: they lost much since they began
	fails    bool        // a new connection, or the login, ran out of time or was cut
	begins   string      // the hop at which the loss begins, where the way shows it
	hops     []fact.Hop
	full     string // that a queue on the way is full, and how that shows
	stalls   bool   // a connection of the check ended without an answer
	dead     bool   // no new connection gets an answer
}

func lossOf(v *fact.View) (l lossView, seen bool) {
	l.flows, seen = fact.PathFlows.In(v)
	to, from := fact.LossOf(l.flows, "check")
	if _, counted := fact.PathLossToServer.In(v); counted {
		l.to = to
	}
	if _, counted := fact.PathLossFromServer.In(v); counted {
		l.from = from
	}
	l.sure = max(sureLoss(l.to), sureLoss(l.from))
	stage, _ := fact.HandshakeStage.In(v)
	reason, _ := fact.HandshakeReason.In(v)
	login, _ := fact.LoginStage.In(v)
	end, _ := fact.LoginReason.In(v)
	late := func(reason string) bool { return reason == "timed-out" || reason == "cancelled" }
	l.fails = late(reason) || late(end) && login != "session"
	l.full = queue(l.flows)
	l.hops, _ = fact.PathHops.In(v)
	for _, h := range l.hops {
		if h.Verdict == "loss-begins" {
			l.begins = fmt.Sprintf("it begins at hop %d (%s), or just before", h.TTL, strings.Join(h.Addresses, ", "))
		}
	}
	l.dead = stage == "resolve" && reason == "timed-out"
	for _, f := range l.flows {
		if f.Whose != "user" {
			// What is on its way when ssh ends is no sign of anything.
			waits := f.Unanswered && (f.Unacked == 0 || f.Backoff > 0)
			l.stalls = l.stalls || waits || !f.Connected
			continue
		}
		l.user = append(l.user, f)
		from, _ := f.FromServer()
		if f.Unacked > 0 && f.Backoff >= fewestBackoffs && f.SinceAck >= stalled.Seconds() {
			l.stuck = append(l.stuck, f)
		} else if max(sureLoss(f.ToServer()), sureLoss(from)) >= Likely {
			l.lossy = append(l.lossy, f)
		}
	}
	return l, seen
}

func judgeLoss(v *fact.View) Verdict {
	l, seen := lossOf(v)
	switch {
	case !seen:
		return unknown(v, fact.PathFlows)
	case l.sure >= Likely:
		return l.lossNow()
	case len(l.stuck) > 0 && l.dead:
		return l.outage()
	case len(l.lossy) > 0:
		return l.lossBefore()
	}
	verdict := Verdict{Status: l.sure, Impact: Risk, Evidence: l.evidence(), Reason: l.reason()}
	if l.sure == Unknown && l.to.Lost+l.from.Lost == 0 && l.to.Of > 0 && !l.stalls {
		_, high := l.to.Bounds()
		verdict.Status = RuledOut
		verdict.Reason += fmt.Sprintf("; so few packets exclude only %s and more", percent(high))
	}
	if len(l.stuck) > 0 {
		verdict.Reason += fmt.Sprintf("; %s waits in vain while new connections work, so it is that connection which the path has forgotten", whoIs(l.stuck[0]))
	}
	return verdict
}

// reason says what was counted, in one line.
func (l lossView) reason() string {
	var parts []string
	if l.to.Of > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d segments to the server", l.to.Lost, l.to.Of))
	}
	if l.from.Of > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d from it", l.from.Lost, l.from.Of))
	}
	switch {
	case len(parts) == 0:
		return "no connection of this check carried anything"
	case l.sure == Possible:
		return strings.Join(parts, " and ") + " were lost; more packets would settle how many it is in the long run"
	}
	return strings.Join(parts, " and ") + " were lost"
}

// lossNow is loss that this check saw itself.
func (l lossView) lossNow() Verdict {
	verdict := Verdict{
		Status: l.sure, Impact: Risk, Reason: l.reason(), Evidence: l.evidence(),
		Summary: fmt.Sprintf("The path loses %s.", l.directions()),
	}
	whole := 1 - (1-l.to.Ratio())*(1-l.from.Ratio())
	switch {
	case l.fails && whole >= slowing:
		verdict.Impact = Breaks
		verdict.Why = "So many packets are lost that this check's own connections did not get through in time: what is lost is sent again after a wait that doubles each time, and both sides give up on a login that takes too long."
	case whole >= breaking:
		verdict.Impact = WillBreak
		verdict.Why = fmt.Sprintf("A packet or its answer is lost in %s of all cases. What is lost is sent again after a wait that doubles each time: logins run into their time limits, and keepalives give up on connections that still work.", percent(whole))
	default:
		verdict.Why = fmt.Sprintf("One keystroke in %.0f, or its echo, is lost and comes a fifth of a second late or later; every transfer slows down again and again. Connections survive this, unless impatient keepalives end them.", 1/whole)
	}
	if l.begins != "" {
		verdict.Summary += " " + upper(l.begins) + "."
		verdict.Evidence = append(verdict.Evidence, says(fact.PathHops, "%s", l.begins))
	}
	if l.full != "" {
		verdict.Why += " " + upper(l.full) + "; a full line loses packets."
		verdict.Reason += "; " + l.full
	}
	if l.full != "" && whole < slowing {
		verdict.Status = Possible
		verdict.Reason += ", and what overflows there is how TCP finds its pace; once it is empty, another check would settle it"
	}
	return verdict
}

// directions says how much is lost which way.
func (l lossView) directions() string {
	to := percent(l.to.Ratio()) + " of the packets to the server"
	from := percent(l.from.Ratio()) + " of the packets from the server"
	other := l.from
	switch {
	case sureLoss(l.to) >= Likely && sureLoss(l.from) >= Likely:
		return to + ", and " + from
	case sureLoss(l.from) >= Likely:
		to, other = from, l.to
	}
	switch {
	case other.Of == 0:
		return to + " (the other way could not be counted)"
	case sureLoss(other) == RuledOut:
		return to + ", and hardly any the other way"
	}
	return to
}

// queue says that packets wait long on the way, as on a line that is full: a
// round trip takes much longer now than the shortest one that any connection
// to the server has seen.
func queue(flows []fact.Flow) string {
	var now, best float64
	for _, f := range flows {
		now = max(now, f.RTT)
		if f.MinRTT > 0 && (best == 0 || f.MinRTT < best) {
			best = f.MinRTT
		}
	}
	if best == 0 || now <= 3*best+0.05 {
		return ""
	}
	return fmt.Sprintf("round trips take %s now and %s at best, so a queue on the way is full", span(seconds(now)), span(seconds(best)))
}

// outage is a connection of the user's that waits in vain while no new one
// gets through.
func (l lossView) outage() Verdict {
	f := l.stuck[0]
	e := []Evidence{says(fact.HandshakeReason, "a new connection gets no answer")}
	for _, f := range l.stuck {
		e = append(e, says(fact.PathFlows, "%s had its last answer %s ago, and has asked again %s since", whoIs(f), span(seconds(f.SinceAck)), times(f.Backoff)))
	}
	return Verdict{
		Status: Likely, Impact: Breaks, Evidence: e,
		Reason:  "a connection that worked waits in vain, and no new one gets an answer; whether the path is down or the server is off, somebody near it would see",
		Summary: fmt.Sprintf("The path to the server, or the server itself, went away %s ago: until then %s was answered.", span(seconds(f.SinceAck)), whoIs(f)),
		Why:     "Nothing comes back, so the terminal is frozen. TCP keeps trying for about a quarter of an hour and goes on where it stopped if the path comes back by then; keepalives may end the connection sooner.",
	}
}

// lossBefore is loss that only the user's own connection saw.
func (l lossView) lossBefore() Verdict {
	f := l.lossy[0]
	from, _ := f.FromServer()
	verdict := Verdict{Status: Likely, Impact: Risk, Evidence: l.evidence()}
	lost := lossView{to: f.ToServer(), from: from}
	verdict.Summary = fmt.Sprintf("Since it began, %s lost %s.", whoIs(f), lost.directions())
	verdict.Why = "What is lost is sent again, late: the terminal stutters, and transfers crawl. Over hours, short outages count too: while the path was down, or this machine asleep, everything that was sent again was lost."
	verdict.Reason = fmt.Sprintf("%s since it began: %s", whoIs(f), lost.reason())
	switch {
	case l.full != "":
		verdict.Status = Possible
		verdict.Reason += "; " + l.full + ", and what it lost may be its own doing"
	case !still(l.to, lost.to) && !still(l.from, lost.from):
		verdict.Status = Possible
		verdict.Reason += "; this check: " + l.reason()
	}
	return verdict
}

// still says whether this check saw of one direction what a connection of the
// user's saw before: it lost something there, and not so much less that chance
// would do so once in twenty times.
func still(now, before fact.Tally) bool {
	return sureLoss(before) >= Likely && now.Lost > 0 && now.Chance(before) >= 0.05
}

// evidence is what was counted of each direction, and of the user's
// connections.
func (l lossView) evidence() (e []Evidence) {
	if l.to.Of > 0 {
		e = append(e, says(fact.PathLossToServer, "to the server: %s", tallied(l.to)))
	}
	if l.from.Of > 0 {
		e = append(e, says(fact.PathLossFromServer, "from the server: %s", tallied(l.from)))
	}
	if n, learned := l.tooLong(); n > 0 {
		e = append(e, says(fact.PathFlows, "%d more were sent again, in shorter pieces: the sender had learned that no more than %d bytes fit, which is no loss", n, learned))
	}
	for _, f := range l.user {
		e = append(e, says(fact.PathFlows, "%s: %s", whoIs(f), lostBy(f)))
	}
	return e
}

// tooLong is how many segments were sent again because they were too long, by
// both sides, and how long packets may be.
func (l lossView) tooLong() (n, learned int) {
	for _, f := range l.flows {
		n += f.TooLong()
		learned = max(learned, f.Learned)
		if f.Other != nil {
			n += f.Other.TooLong()
			learned = max(learned, f.Other.Learned)
		}
	}
	return n, learned
}

// lostBy says what one connection lost.
func lostBy(f fact.Flow) string {
	text := "lost " + tallied(f.ToServer()) + " to the server"
	if from, seen := f.FromServer(); seen {
		text += ", " + tallied(from) + " from it"
	}
	return text
}

// tallied writes "21 of 420 (5.0 %; at least 3.0 %, 99 % sure)".
func tallied(t fact.Tally) string {
	low, _ := t.Bounds()
	if t.Lost == 0 {
		return fmt.Sprintf("0 of %d", t.Of)
	}
	return fmt.Sprintf("%d of %d (%s; at least %s, 99 %% sure)", t.Lost, t.Of, percent(t.Ratio()), percent(low))
}

// percent writes a ratio with two digits that matter.
func percent(r float64) string {
	if r >= 0.0995 {
		return fmt.Sprintf("%.0f %%", 100*r)
	}
	return fmt.Sprintf("%.1f %%", 100*r)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// whoIs names a connection of the user's.
func whoIs(f fact.Flow) string {
	switch {
	case f.PID == 0:
		return "the connection from " + f.Local
	case f.Age < 1:
		return fmt.Sprintf("your %s (process %d)", f.Program, f.PID)
	}
	return fmt.Sprintf("your %s (process %d, running for %s)", f.Program, f.PID, span(seconds(f.Age).Truncate(time.Second)))
}

func fixLoss(v *fact.View) []remedy.Remedy {
	l, _ := lossOf(v)
	when, _ := fact.PathMeasured.In(v)
	seenAs, _ := fact.ServerClientAddress.In(v)
	plans := []remedy.Remedy{byHand("tell-the-network", remedy.Network, fact.PathLoss,
		"send what was counted to whoever runs the path: the provider, or the network team",
		typed("the text to send", l.letter(when, seenAs)...))}
	interval, _ := fact.ServerAliveInterval.In(v)
	count, _ := fact.ServerAliveCountMax.In(v)
	if interval > 0 && interval*time.Duration(count+1) < time.Minute {
		plans = append(plans, remedy.Remedy{
			ID: "patient-keepalive", Side: remedy.Client, Risk: remedy.Harmless, Cures: fact.ServerAliveCountMax.Name(),
			Summary: "meanwhile let ssh wait two minutes before it gives a connection up",
			Steps: []remedy.Step{{
				Kind: remedy.SSHConfig, With: map[string]string{"ServerAliveInterval": "15", "ServerAliveCountMax": "7"},
				Text: clientPlace(v, fact.ServerAliveInterval) + ": ServerAliveInterval 15 and ServerAliveCountMax 7",
			}},
		})
	}
	return plans
}

// letter is the evidence for people who do not know this program.
func (l lossView) letter(when, seenAs string) []string {
	var lines []string
	line := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	line("Packet loss on a TCP connection (SSH)")
	if when != "" {
		line("when: %s UTC", when)
	}
	var ends string
	for _, f := range l.flows {
		if f.Whose == "check" || ends == "" {
			ends = f.Local + " to " + f.Remote
		}
	}
	line("between: %s", ends)
	if seenAs != "" {
		line("the server sees the client as: %s", seenAs)
	}
	if l.to.Of > 0 {
		line("client to server: lost %s", tallied(l.to))
	}
	if l.from.Of > 0 {
		line("server to client: lost %s", tallied(l.from))
	} else {
		line("server to client: not counted")
	}
	for _, f := range l.stuck {
		line("an older connection, %s to %s: no answer for %s", f.Local, f.Remote, span(seconds(f.SinceAck)))
	}
	for _, f := range l.lossy {
		line("an older connection, %s to %s: %s", f.Local, f.Remote, lostBy(f))
	}
	for _, h := range l.hops {
		name := strings.Join(h.Addresses, ", ")
		if name == "" {
			name = "?"
		}
		line("hop %d: %s answered %d of %d", h.TTL, name, h.Answers, h.Of)
	}
	if l.begins != "" {
		line("where: %s", l.begins)
	} else if len(l.hops) > 0 {
		line("where: the hops do not show it; routers limit what they answer")
	}
	line("how: counted by the kernels of the two ends: data segments sent again that had not arrived. No ping counts.")
	line("load: small segments, at most 100 a second each way.")
	return lines
}
