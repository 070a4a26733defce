package cause

import (
	"fmt"
	"strings"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/remedy"
)

var _ = register(Cause{
	ID:    "idle-timeout",
	Title: "a device on the way forgets connections that are silent",
	Doc: Doc{
		Observed: "Logins that fall silent and are spoken on again after times just below and just above the timeouts that devices are known for, and between these; what came of each, what the server's kernel still knew of those that were lost, and which ones kernel keepalives with a small TTL saved. One more login talks all along.",
		Judged: "Confirmed when the longest silence that was survived and the shortest that was not are within 2 %, at least two connections were lost to silence, and the one that talked was not. Likely when the bracket is wider or only one was lost. " +
			"Ruled out when every silence that was tried was survived, when the server itself ends the connection (then it is server-idle-policy), when talking connections are lost as well, and when ssh or sshd speak more often than the measured time.",
		Explained: "Firewalls, NATs and load balancers keep a table of connections and drop those that were silent for too long. What is sent afterwards is discarded or answered with a reset, and neither end was told. " +
			"Keepalives of the kernel that are sent with a TTL of k refresh every table up to hop k and none behind it: so they save a connection exactly if they get as far as the device, which names it.",
		Fixed: "ServerAliveInterval at a third of the measured time, so that two questions may be lost. The device's own timeout where it is this machine or one that you run.",
	},
	Needs: []fact.Any{
		fact.IdleTimeout, fact.IdleSurvived, fact.IdleFatal, fact.IdleSure, fact.IdleDeaths, fact.IdleEarly, fact.IdleCame, fact.IdleAtServer, fact.IdleSaid,
		fact.IdleHop, fact.IdleDistance, fact.IdleSpeaks, fact.IdleLost, fact.IdleLived, fact.IdleSlept, fact.IdleSlowed, fact.IdleRefused, fact.IdleAge,
		fact.IdleKnown, fact.IdleTried, fact.IdleBefore, fact.IdlePatience, fact.IdlePath, fact.PathHops, fact.ClientConntrackIdle, fact.HandshakeBanner, fact.SSHDVersion, fact.ServerAliveInterval, fact.ServerAliveCountMax, fact.ClientAliveInterval, fact.ClientAliveCountMax,
	},
	Judge: judgeIdle,
	Fix:   fixIdle,
	Masks: []string{"keepalive", "tcp-keepalive"},
})

// silence is what was measured.
type silence struct {
	timeout, survived, fatal time.Duration
	lost                     bool // a silence was too long
	ago                      string
}

func measured(v *fact.View) (s silence, seen bool) {
	s.timeout, s.lost = fact.IdleTimeout.In(v)
	s.survived, seen = fact.IdleSurvived.In(v)
	s.fatal, _ = fact.IdleFatal.In(v)
	if age, _ := fact.IdleAge.In(v); age > 0 {
		s.ago = fmt.Sprintf(" (measured %s ago on this network)", span(age))
	}
	return s, seen || s.lost
}

func judgeIdle(v *fact.View) Verdict {
	s, seen := measured(v)
	talking, _ := fact.IdleLost.In(v)
	lived, _ := fact.IdleLived.In(v)
	speaks, _ := fact.IdleSpeaks.In(v)
	client, server := speakers(v)
	often, who := soonest(client, server)
	switch {
	case talking > 1 || talking > 0 && !s.lost:
		return Verdict{Status: RuledOut, Reason: fmt.Sprintf("the connection that talked all along was lost, too (%s, at last when it was %s old): whatever that is, it does not wait for silence", times(talking), span(lived))}
	case !seen:
		return unknown(v, fact.IdleTimeout)
	case !s.lost && speaks > 0:
		return Verdict{Status: RuledOut, Reason: fmt.Sprintf("the server speaks by itself after %s of silence, and connections survive that%s: a longer silence cannot occur here", span(speaks), s.ago) + inReason(runNotes(v))}
	case !s.lost && cutShort(v, s):
		return Verdict{Status: Unknown, Reason: fmt.Sprintf("connections survived a silence of %s%s: the timeout is at least that%s, and no more is known", span(s.survived), s.ago, rulesOut(s.survived)) + inReason(runNotes(v))}
	case !s.lost:
		return Verdict{Status: RuledOut, Reason: fmt.Sprintf("connections survived a silence of %s%s: the timeout is at least that%s", span(s.survived), s.ago, rulesOut(s.survived)) + inReason(runNotes(v))}
	case endedByServer(v):
		return Verdict{Status: RuledOut, Reason: fmt.Sprintf("after %s of silence the server itself ends the connection%s: nothing on the way forgot it", span(s.timeout), s.ago)}
	case often > 0 && often < s.survived:
		return Verdict{Status: RuledOut, Reason: fmt.Sprintf("%s forgets connections after %s of silence%s, but %s every %s", deviceName(v), span(s.timeout), s.ago, who, span(often))}
	}
	return foundIdle(v, s)
}

// foundIdle is the verdict where something forgets.
func foundIdle(v *fact.View, s silence) Verdict {
	sure, _ := fact.IdleSure.In(v)
	deaths, _ := fact.IdleDeaths.In(v)
	came, _ := fact.IdleCame.In(v)
	early, isEarly := fact.IdleEarly.In(v)
	said, isSaid := fact.IdleSaid.In(v)
	verdict := Verdict{
		Status: Likely, Impact: WillBreak,
		Reason:  fmt.Sprintf("a silence of %s was survived, one of %s was not%s: %s", span(s.survived), span(s.fatal), s.ago, doubt(deaths)),
		Summary: fmt.Sprintf("%s forgets connections that are silent for %s%s. %s", upper(deviceName(v)), span(s.timeout), vendors(v, s.timeout), comings[came].what),
		Why:     comings[came].why,
		Evidence: []Evidence{
			says(fact.IdleSurvived, "a silence of %s was survived", span(s.survived)),
			says(fact.IdleFatal, "a silence of %s was not", span(s.fatal)),
			says(fact.IdleDeaths, "%s lost to silence, while the one that talked lived", count(deaths, "connection")),
		},
	}
	if sure {
		verdict.Status = Confirmed
		verdict.Reason = fmt.Sprintf("connections live after a silence of %s and are lost after %s; the one that talked lives%s", span(s.survived), span(s.fatal), s.ago)
	}
	if isEarly {
		verdict.Evidence = append(verdict.Evidence, says(fact.IdleEarly, "one was lost after only %s, others lived longer: chance, or a device whose clock is not exact", span(early)))
	}
	if hop, is := fact.IdleHop.In(v); is {
		verdict.Evidence = append(verdict.Evidence, says(fact.IdleHop, "keepalives that get as far as hop %d keep a connection, those that end before it do not", hop))
	} else {
		verdict.Why += " Which device it is cannot be told: " + v.Why(fact.IdleHop) + "."
	}
	if state, is := fact.IdleAtServer.In(v); is {
		verdict.Evidence = append(verdict.Evidence, says(fact.IdleAtServer, "%s", atServer[state]))
	}
	if isSaid {
		verdict.Evidence = append(verdict.Evidence, says(fact.IdleSaid, "ssh: %s", said))
	}
	verdict.Why += inWhy(runNotes(v))
	return verdict
}

// doubt is why a bracket is not sure.
func doubt(deaths int) string {
	if deaths < 2 {
		return "only one connection was lost, which may be chance"
	}
	return "that is too wide for more"
}

// comings say what happens at the limit, and what ssh makes of it.
var comings = map[string]struct{ what, why string }{
	"silent": {"What is sent afterwards vanishes: the terminal freezes.",
		"Neither end is told. The next key goes nowhere; the kernel sends it again for about 15 minutes, then ssh prints \"Read from remote host: Connection timed out\" and \"client_loop: send disconnect: Broken pipe\". With ServerAliveInterval it gives up sooner: \"Timeout, server not responding.\""},
	"reset": {"What is sent afterwards is answered with a reset.",
		"The next key is answered in the server's name: ssh prints \"Read from remote host: Connection reset by peer\" and \"client_loop: send disconnect: Broken pipe\"."},
	"reset-early": {"It resets them at that moment, with nobody at the keyboard.",
		"ssh prints \"Read from remote host: Connection reset by peer\" and \"client_loop: send disconnect: Connection reset\" while nobody touches anything."},
	"closed": {"It closes them in order at that moment, as load balancers and proxies do.",
		"ssh prints \"Connection closed by remote host\", which sounds like the server; but the server was told by the same device, or not at all."},
	"ended": {"They end then.",
		"The jump host passes on that its connection has ended, and not how: ssh prints \"Connection closed by UNKNOWN port 65535\" for a reset as well."},
}

var atServer = map[string]string{
	"there":   "the server still holds a connection that is lost for us: it was not told",
	"closing": "the server is closing it, too",
	"gone":    "the server's end is gone, too: it was told",
}

// endedByServer says that a silent connection was ended by the server: it said
// so on the connection, where nobody else can speak; or its own kernel closes.
func endedByServer(v *fact.View) bool {
	came, _ := fact.IdleCame.In(v)
	state, _ := fact.IdleAtServer.In(v)
	return came == "closed-said" || (came == "closed" || came == "ended") && state == "closing"
}

// deviceName says where the device is.
func deviceName(v *fact.View) string {
	hop, isHop := fact.IdleHop.In(v)
	distance, isFar := fact.IdleDistance.In(v)
	came, _ := fact.IdleCame.In(v)
	jump, isLeg := legBehind(v)
	switch {
	case isLeg:
		return "a device between " + jump + " and the server"
	case ownDevice(v):
		return "this machine's own connection tracking"
	case isHop && isFar && hop >= distance:
		return fmt.Sprintf("something at the server (hop %d), or right before it,", hop)
	case isHop && hop == 1:
		return fmt.Sprintf("the first router%s (hop 1)", hopAddress(v, hop))
	case isHop:
		return fmt.Sprintf("a device at hop %d%s, or between hop %d%s and it,", hop, hopAddress(v, hop), hop-1, hopAddress(v, hop-1))
	case came == "closed":
		return "a load balancer or proxy before the server"
	}
	return "a device on the way"
}

// legBehind is the jump host behind which the measured leg begins, where there
// is one.
func legBehind(v *fact.View) (jump string, is bool) {
	path, _ := fact.IdlePath.In(v)
	return strings.CutPrefix(path, "behind ")
}

// hopAddress is the address by which the router at a hop answers, in
// parentheses; "" where it does not.
func hopAddress(v *fact.View, hop int) string {
	hops, _ := fact.PathHops.In(v)
	for _, h := range hops {
		if h.TTL == hop && !h.Host && len(h.Addresses) > 0 {
			return " (" + strings.Join(h.Addresses, " or ") + ")"
		}
	}
	return ""
}

// ownDevice says that this machine itself forgets: its first hop, and its own
// timeout is the measured one.
func ownDevice(v *fact.View) bool {
	own, tracks := fact.ClientConntrackIdle.In(v)
	hop, isHop := fact.IdleHop.In(v)
	low, _ := fact.IdleSurvived.In(v)
	high, _ := fact.IdleFatal.In(v)
	return tracks && isHop && hop == 1 && low < own+time.Second && own <= high
}

// makers of devices that come with a timeout, as they document them.
var makers = map[time.Duration]string{
	60 * time.Second:   "as load balancers of AWS for applications do",
	240 * time.Second:  "as load balancers and NAT gateways of Azure do",
	350 * time.Second:  "as network load balancers, NAT gateways and network firewalls of AWS do, and the connection tracking of its newer instances",
	600 * time.Second:  "as the firewall of Google Cloud's networks does",
	1200 * time.Second: "as Google Cloud NAT does",
	1800 * time.Second: "as firewalls of Juniper do for SSH",
	3600 * time.Second: "as firewalls of Cisco and Fortinet do",
	7440 * time.Second: "as OpenWrt and others do that follow RFC 5382",
}

func vendors(v *fact.View, timeout time.Duration) string {
	if known, _ := fact.IdleKnown.In(v); known && makers[timeout] != "" {
		return ", " + makers[timeout]
	}
	return ""
}

// rulesOut names the well-known timeouts that a survived silence excludes.
func rulesOut(survived time.Duration) string {
	switch {
	case survived > 3600*time.Second:
		return ", which rules out the load balancers, NATs and firewalls that come with an hour or less"
	case survived > 350*time.Second:
		return ", which rules out the balancers and gateways of the large clouds that come with 240 or 350 s"
	case survived > 240*time.Second:
		return ", which rules out those of Azure (240 s)"
	}
	return ""
}

// runNotes are what happened to the measurement itself, and which part of the way it was.
func runNotes(v *fact.View) (notes []string) {
	if why, is := fact.IdleBefore.In(v); is {
		notes = append(notes, "nobody could log in ("+strings.TrimSuffix(why, ".")+"), so a few connections were silent before the login, which a server allows for its LoginGraceTime only")
	}
	if age, is := fact.IdlePatience.In(v); is {
		notes = append(notes, fmt.Sprintf("they were closed when they were %s old, because nobody had logged in", span(age)))
	}
	if jump, is := legBehind(v); is {
		notes = append(notes, "that is the leg behind "+jump+"; the one to it is another: sshtay idle "+jump)
	}
	if n, _ := fact.IdleSlept.In(v); n > 0 {
		notes = append(notes, fmt.Sprintf("this machine slept %s meanwhile, and what was lost then does not count", times(n)))
	}
	if why, is := fact.IdleSlowed.In(v); is {
		notes = append(notes, "after a quick beginning logins were made slowly, for new connections are limited here: "+why)
	}
	if why, is := fact.IdleRefused.In(v); is {
		notes = append(notes, "no more connections could be opened: "+why)
	}
	if s, _ := measured(v); !s.lost && cutShort(v, s) {
		tried, _ := fact.IdleTried.In(v)
		notes = append(notes, span(tried)+" was to be tried")
	}
	return notes
}

// inReason and inWhy are the notes behind a reason, and behind sentences.
func inReason(notes []string) string {
	if len(notes) == 0 {
		return ""
	}
	return "; " + strings.Join(notes, "; ")
}

func inWhy(notes []string) (text string) {
	for _, n := range notes {
		text += " " + upper(n) + "."
	}
	return text
}

// cutShort says that the run ended before the longest silence that was to be
// tried.
func cutShort(v *fact.View, s silence) bool {
	tried, _ := fact.IdleTried.In(v)
	return tried > s.survived+s.survived/20
}

// pace is how often to speak on a path that forgets after so much silence, and
// how many answers may fail: two questions may be lost, and a dead peer is
// noticed after a minute or so at the earliest.
func pace(timeout time.Duration) (interval, count int) {
	interval = max(1, min(60, int(timeout.Seconds()/3)))
	return interval, max(3, 60/interval-1)
}

func fixIdle(v *fact.View) []remedy.Remedy {
	s, _ := measured(v)
	interval, n := pace(s.timeout)
	every, most := fmt.Sprint(interval), fmt.Sprint(n)
	plans := []remedy.Remedy{{
		ID: "keepalive-below-timeout", Side: remedy.Client, Risk: remedy.Harmless, Cures: fact.IdleTimeout.Name(),
		Summary: fmt.Sprintf("let ssh speak every %s s, so that the path never sees %s of silence", every, span(s.timeout)),
		Steps: []remedy.Step{{
			Kind: remedy.SSHConfig, With: map[string]string{"ServerAliveInterval": every, "ServerAliveCountMax": most},
			Text: fmt.Sprintf("%s: ServerAliveInterval %s and ServerAliveCountMax %s", clientPlace(v, fact.ServerAliveInterval), every, most),
		}},
	}, {
		ID: "server-keepalive-below-timeout", Unless: []string{"keepalive-below-timeout"}, Side: remedy.Server, Risk: remedy.ReloadsSSHD, Cures: fact.IdleTimeout.Name(),
		Summary: "or let sshd do it, for every client at once",
		Steps: append([]remedy.Step{{
			Kind: remedy.SSHDConfig, With: map[string]string{"ClientAliveInterval": every, "ClientAliveCountMax": most},
			Text: fmt.Sprintf("in /etc/ssh/sshd_config (or a file of sshd_config.d that it includes first): ClientAliveInterval %s and ClientAliveCountMax %s", every, most),
		}}, reloadSSHD()),
	}}
	if ownDevice(v) {
		const name = "net.netfilter.nf_conntrack_tcp_timeout_established"
		plans = append(plans, remedy.Remedy{
			ID: "own-conntrack", Unless: []string{"keepalive-below-timeout", "server-keepalive-below-timeout"}, Side: remedy.Client, Risk: remedy.Harmless, Cures: fact.ClientConntrackIdle.Name(),
			Summary: "or let this machine remember connections for longer: five days are Linux's default",
			Steps: []remedy.Step{{Kind: remedy.Sysctl, With: map[string]string{name: "432000"},
				Text: "on this machine, in /etc/sysctl.d/60-conntrack.conf: " + name + "=432000; then: sysctl --system"}},
		})
	}
	return plans
}
