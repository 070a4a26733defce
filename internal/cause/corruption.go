package cause

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sshtay/internal/fact"
	"sshtay/internal/remedy"
)

var _ = register(Cause{
	ID:    "corruption",
	Title: "data is altered on the way, or one side miscounts it",
	Doc: Doc{
		Observed: "What ssh and sshd said about bad MACs, packet lengths and signatures, an identification that came with a character or two altered, segments with a wrong checksum that either kernel dropped, and, where any of that was seen, sessions that move 4 MiB each way under several ciphers and MACs.",
		Judged: "Confirmed as the path's fault when it was seen in different places, at different stages or under different ciphers, or when segments with wrong checksums came while our own session moved data. Confirmed as a fault of a program when the user's own cipher broke at its first packet twice, " +
			"and another moved everything. Confirmed for the way to the server when sshd's log names this client and the server hangs up on what our session sends. Likely when it was seen in one place only, or when the server hangs up in the midst of data under two ciphers. Ruled out when all that was moved was whole. Checked on the server itself its logs of seven days speak for all clients, where they name networks that also log in.",
		Explained: "Whoever receives an altered packet hangs up: its MAC does not fit. So the side that complains is the one that received it: when ssh says \"message authentication code incorrect\" the data was altered on the way from the server, when the server does, on the way to it; the other side sees nothing but a connection that is closed or reset. " +
			"TCP's own checksum catches most of it, and sends such segments again: then it looks like loss. What TCP does not catch was altered where checksums are computed anew: in a network card's offloading, a NAT, a VPN or a broken memory.",
		Fixed: "Offloading switched off on the sending and the receiving machine, one after the other, shows whether a network card does it; another path, cable or VPN shows whether the network does. Another cipher cures only a program's fault.",
	},
	Needs: []fact.Any{
		fact.DataTrials, fact.ClientChecksumErrors, fact.ServerChecksumErrors, fact.ServerSegments, fact.LogCorrupt,
		fact.LoginStage, fact.LoginReason, fact.LoginError, fact.HandshakeReason, fact.HandshakeDetail, fact.FirstBytes,
		fact.LogHistory,
	},
	Judge: recordedFor("corruption", Likely, func(v *fact.View) Verdict { return alteredOf(v).judge(v) }),
	Fix:   func(v *fact.View) []remedy.Remedy { return alteredOf(v).fix() },
	Masks: []string{"not-ssh", "session-refused", "reset-injected", "path-loss"},
})

// An alteration is one time that altered data was received, and by whom.
type alteration struct {
	way    string
	suite  string // "" is the user's own choice
	stage  string // of the login
	source fact.Any
	says   string
}

// altered is what was seen of altered data.
type altered struct {
	seen         []alteration
	hungUp       []string // sessions that the server ended in the midst of their data
	whole, tried int
	trials       []fact.DataTrial
	log          []string // what sshd's log says of data from this address
	badHere      int      // segments with a wrong checksum during our sessions, here and there
	badThere     int
}

func alteredOf(v *fact.View) altered {
	var a altered
	stage, _ := fact.LoginStage.In(v)
	reason, _ := fact.LoginReason.In(v)
	said, _ := fact.LoginError.In(v)
	if way := alteredWay(stage, reason, said); way != "" {
		a.seen = append(a.seen, alteration{way, "", stage, fact.LoginError, said})
	}
	detail, _ := fact.HandshakeDetail.In(v)
	first, _ := fact.FirstBytes.In(v)
	for _, k := range []struct {
		source fact.Any
		ident  string
	}{{fact.LoginError, quotedIdent(said)}, {fact.HandshakeDetail, quotedIdent(detail)}, {fact.FirstBytes, first}} {
		if altersIdent(k.ident) {
			a.seen = append(a.seen, alteration{toClient, "", "connect", k.source, "the server's identification came as " + firstLine(k.ident)})
		}
	}
	a.log, _ = fact.LogCorrupt.In(v)
	a.trials, _ = fact.DataTrials.In(v)
	for _, t := range a.trials {
		if t.Unstarted != "" {
			continue
		}
		a.tried++
		a.badHere, a.badThere = a.badHere+max(t.BadHere, 0), a.badThere+max(t.BadThere, 0)
		if t.Whole {
			a.whole++
			continue
		}
		says := fmt.Sprintf("under %s, after %d bytes had come and %d gone: %s", suiteName(t), t.Received, t.Sent, t.Says)
		way := alteredWay(t.Stage, t.Reason, t.Says)
		if hungUp(t) {
			a.hungUp = append(a.hungUp, says)
		} else if way != "" {
			a.seen = append(a.seen, alteration{way, t.Cipher, t.Stage, fact.DataTrials, says})
		}
	}
	return a
}

// quotedIdent is the identification that ssh, or our own handshake, calls
// wrong, or "".
func quotedIdent(said string) string {
	_, quoted, found := strings.Cut(said, "identification: ")
	if !found {
		return ""
	}
	if text, err := strconv.QuotedPrefix(quoted); err == nil && quoted[0] == '"' {
		text, _ = strconv.Unquote(text)
		return text
	}
	quoted, _, _ = strings.Cut(strings.TrimPrefix(quoted, "'"), "'")
	return quoted
}

// eitherWay is said of a key exchange whose signature does not fit: it covers
// what was sent both ways.
const eitherWay = "either"

// alteredWay says which way the data went that was altered, or "". Before
// keys are used a bad packet may be any kind of text.
func alteredWay(stage, reason, said string) string {
	encrypted := stage == "kex" || stage == "auth" || stage == "session"
	switch {
	case strings.Contains(said, "Packet corrupt"):
		return toServer
	case reason == "bad-packet" && encrypted:
		return toClient
	case reason == "bad-signature" && strings.Contains(said, "incorrect signature"):
		return eitherWay
	}
	return ""
}

// hungUp says that a session was ended from the other side in the midst of
// the data that it moved.
func hungUp(t fact.DataTrial) bool {
	return t.Stage == "session" && (t.Reason == "closed" || t.Reason == "reset") && t.Received > movedBytes
}

// movedBytes is more than a session moves that only begins and ends.
const movedBytes = 128 << 10

func suiteName(t fact.DataTrial) string {
	switch {
	case t.Cipher == "":
		return "the user's own cipher"
	case t.MAC == "":
		return t.Cipher
	}
	return t.Cipher + " with " + t.MAC
}

// ways names the directions in which data was altered.
func (a altered) ways() []string {
	var all []string
	for _, s := range a.seen {
		if s.way != eitherWay {
			all = append(all, s.way)
		}
	}
	if len(a.hungUp) > 0 {
		all = append(all, toServer)
	}
	if a.badHere > 0 {
		all = append(all, toClient)
	}
	if a.badThere > 0 {
		all = append(all, toServer)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// wayNames are the directions as people say them.
var wayNames = map[string]string{toClient: "from the server to this machine", toServer: "from this machine to the server"}

func (a altered) direction() string {
	var names []string
	for _, w := range a.ways() {
		names = append(names, wayNames[w])
	}
	if len(names) == 0 {
		return "between this machine and the server, one way or the other"
	}
	return strings.Join(names, " and ")
}

// bug is a session that holds where the user's own cipher breaks at its first
// packet each time.
func (a altered) bug() (holds fact.DataTrial, is bool) {
	own := 0
	for _, s := range a.seen {
		if s.suite != "" || s.stage != "kex" {
			return holds, false
		}
		own++
	}
	i := slices.IndexFunc(a.trials, func(t fact.DataTrial) bool { return t.Whole && t.Cipher != "" })
	if own < 2 || i < 0 {
		return holds, false
	}
	return a.trials[i], true
}

// places counts where altered data was received: stages of a login that no
// program's fault would hit by turns, and ciphers.
func (a altered) places() int {
	places := map[string]bool{}
	for _, s := range a.seen {
		place := s.stage
		if s.way != eitherWay {
			place += " " + s.suite
		}
		places[place] = true
	}
	return len(places) + min(1, len(a.hungUp))
}

// fewErrors is how many segments with a wrong checksum during our sessions may
// be somebody else's.
const fewErrors = 2

func (a altered) judge(v *fact.View) Verdict {
	verdict := Verdict{Impact: Breaks, Evidence: a.evidence()}
	holds, bug := a.bug()
	switch {
	case bug:
		verdict.Status = Confirmed
		verdict.Reason = fmt.Sprintf("the user's own cipher broke at its first packet each time, and %s moved everything", suiteName(holds))
		verdict.Summary = "ssh and the server do not compute the same MAC or cipher: the first encrypted packet does not fit, each time. That is a fault of a program, not of the path."
		verdict.Why = "A path that alters data does so at random places and under every cipher. One cipher or MAC that never works, while others do, is computed differently by the two sides."
	case len(a.seen) > 0 || len(a.hungUp) > 1 || len(a.hungUp) > 0 && len(a.log) > 0:
		times := times(len(a.seen) + len(a.hungUp))
		verdict.Status, verdict.Reason = Likely, "altered data was received "+times
		verdict.Summary = fmt.Sprintf("Data is altered on the way %s, and TCP does not notice.", a.direction())
		verdict.Why = "ssh and sshd check every packet, and end the connection when one was altered. TCP's checksum fits, so it was altered where checksums are computed anew: in a network card, a NAT, a VPN or a memory."
		if len(a.log) > 0 && len(a.hungUp) > 0 {
			verdict.Status, verdict.Reason = Confirmed, "sshd's log says that it received altered data from this address, and it hung up on a session of now"
		} else if len(a.seen) == 0 {
			verdict.Reason = "the server hung up " + times + " in the midst of a session's data, whatever the cipher, and all of its own came whole; its log says whether that was for altered data"
		} else if a.places() == 1 {
			verdict.Reason += ", in one place; a program that computes it wrongly would look the same"
		} else {
			verdict.Status, verdict.Reason = Confirmed, fmt.Sprintf("altered data was received %s, in %d different places: no cipher and no program is to blame", times, a.places())
		}
	case a.badHere > fewErrors || a.badThere > fewErrors:
		verdict.Status, verdict.Impact = Confirmed, WillBreak
		verdict.Reason = "segments with wrong checksums came while our own session moved data"
		verdict.Summary = fmt.Sprintf("Data is altered on the way %s. TCP catches it and sends it again, which makes the connection slow.", a.direction())
		verdict.Why = "What TCP's checksum catches is dropped and sent again, like what is lost. What it does not catch ends the connection."
	default:
		return a.clean(v)
	}
	return verdict
}

func (a altered) evidence() []Evidence {
	var all []Evidence
	for _, s := range a.seen {
		all = append(all, says(s.source, "%s", s.says))
	}
	for _, l := range a.log {
		all = append(all, says(fact.LogCorrupt, "%s", l))
	}
	for _, h := range a.hungUp {
		all = append(all, says(fact.DataTrials, "the server hung up %s", h))
	}
	for _, t := range a.trials {
		if t.Whole {
			all = append(all, says(fact.DataTrials, "under %s %d bytes came and %d went, whole", suiteName(t), t.Received, t.Sent))
		}
	}
	if a.badHere > 0 {
		all = append(all, says(fact.DataTrials, "meanwhile %s with a wrong checksum came to this machine", count(a.badHere, "segment")))
	}
	if a.badThere > 0 {
		all = append(all, says(fact.DataTrials, "meanwhile %s with a wrong checksum came to the server", count(a.badThere, "segment")))
	}
	return all
}

// clean judges when no altered data was received in what was tried.
func (a altered) clean(v *fact.View) Verdict {
	here, _ := fact.ClientChecksumErrors.In(v)
	there, _ := fact.ServerChecksumErrors.In(v)
	segments, _ := fact.ServerSegments.In(v)
	handshake, _ := fact.HandshakeReason.In(v)
	stage, seen := fact.LoginStage.In(v)
	_, failed := fact.LoginReason.In(v)
	switch {
	case len(a.log) > 0:
		return Verdict{Status: Possible, Impact: Risk, Reason: "sshd's log tells of altered data from this address; now all was whole", Evidence: []Evidence{says(fact.LogCorrupt, "%s", a.log[len(a.log)-1])}}
	case here > fewErrors:
		return Verdict{Status: Possible, Impact: Risk, Reason: "segments with wrong checksums came to this machine, perhaps on other connections", Evidence: []Evidence{says(fact.ClientChecksumErrors, "%d during the check", here)}}
	case a.tried > 0 && a.whole == a.tried:
		return Verdict{Status: RuledOut, Reason: fmt.Sprintf("%s moved data both ways, whole", count(a.whole, "session"))}
	case handshake == "bad-packet" || handshake == "bad-signature":
		detail, _ := fact.HandshakeDetail.In(v)
		return Verdict{Status: Unknown, Reason: "something came that does not fit, and whether it was altered on the way cannot be told: " + firstLine(detail)}
	case stage == "session" && !failed:
		reason := "every packet of the login fitted its MAC"
		if there > 0 {
			reason += fmt.Sprintf("; the server has dropped %d of %d segments for their checksum since it was started", there, segments)
		}
		return Verdict{Status: RuledOut, Reason: reason}
	case !seen:
		return unknown(v, fact.LoginStage)
	}
	return Verdict{Status: Unknown, Reason: "the login ended before it could have shown"}
}

func (a altered) fix() []remedy.Remedy {
	if holds, bug := a.bug(); bug {
		with := map[string]string{"Ciphers": holds.Cipher}
		if holds.MAC != "" {
			with["MACs"] = holds.MAC
		}
		return []remedy.Remedy{{
			ID: "other-cipher", Side: remedy.Client, Risk: remedy.Harmless, Cures: fact.DataTrials.Name(),
			Summary: "use what works for this host, until one of the two programs is mended",
			Steps:   []remedy.Step{{Kind: remedy.SSHConfig, With: with, Text: ownHost + ": " + lines(with)}},
		}, byHand("update-either", remedy.Server, fact.DataTrials, "update ssh or the server: one of them computes it wrongly",
			advise("report it with the versions of both sides and the cipher and MAC that fail; known: umac-128-etm between OpenSSH for Windows 9.5 and OpenSSH 10.3"))}
	}
	offloads := typed("switch off what the network card computes by itself, for a try (until the next start), and check again; DEV is its name in `ip link`",
		"ethtool -K DEV rx off tx off tso off gso off gro off lro off")
	return []remedy.Remedy{
		byHand("client-offloads", remedy.Client, fact.DataTrials, "see whether this machine's network card does it", offloads),
		byHand("server-offloads", remedy.Server, fact.DataTrials, "see whether the server's network card, or its hypervisor's, does it", offloads),
		byHand("other-path", remedy.Network, fact.DataTrials, "see whether the network between does it",
			advise("try another path: another cable, another network, without the VPN or through one; data is altered %s", a.direction()),
			advise("give the owner of the path the evidence above: a device that computes checksums anew (a NAT, a VPN, a balancer) alters data")),
	}
}
