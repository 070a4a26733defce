package cause

import (
	"fmt"
	"strings"

	"sshtay/internal/fact"
	"sshtay/internal/remedy"
)

var _ = register(Cause{
	ID:    "reset-injected",
	Title: "a box in the path resets connections in the server's name",
	Doc: Doc{
		Observed: "For a connection of ours that was reset: where packets may be watched (root, CAP_NET_RAW) the reset itself beside the server's packets, with its TTL, flags, timestamps, sequence number and what came after it; " +
			"otherwise up to three connections or logins that are brought to the same point while the server cannot be heard (IP_MINTTL, IPV6_MINHOPCOUNT above its TTL) or while our packets end before it (IP_TTL). For a refusal, how far datagrams to the host travel beside connection attempts. Over a shared connection the server's count of the resets that it sent; on the server itself the kernel's own reasons for them.",
		Judged: "Confirmed when the reset came from nearer than the server is, in answer to packets that never reached it, with guessed sequence numbers, or while the server's side went on. " +
			"Likely when one good forgery arrived with another TTL than the server's packets and nothing else shows it. Possible while nobody knows who sent it: what would settle it is said. Ruled out when the server's own machine sent it, or no connection was reset.",
		Explained: "Whoever sees a connection can end it: a reset needs the right addresses, ports and sequence number, and both ends believe it. Firewalls that reject, intrusion prevention, filters of a network's owner and balancers do it. " +
			"ssh prints the same for all of them and for sshd itself: Connection reset by peer, and Connection refused where the first packet is answered so.",
		Fixed: "Only the owner of the box can: a rule that lets SSH to this server pass. Until then another way around it: another network, a VPN, a jump host, another port where the rule is about port 22.",
	},
	Needs: []fact.Any{
		fact.ResetSender, fact.ResetSure, fact.ResetStage, fact.ResetHops, fact.ResetWithin, fact.ResetReasons, fact.ResetSettle, fact.ResetCapture,
		fact.ResetAgain, fact.ServerResetsSent, fact.ServerResetsUsual, fact.ServerResetsSeen,
		fact.PathHops, fact.PathDistance, fact.PathDistanceBack,
		fact.HandshakeStage, fact.LoginStage, fact.LoginError, fact.HandshakeDetail,
	},
	Judge: judgeResetInjected,
	Fix:   fixResetInjected,
	Masks: []string{"unreachable", "sshd-broken", "source-refused", "startup-throttle", "session-refused"},
})

// A resetting is what is known of a reset that ended a connection of ours.
type resetting struct {
	sender, stage, settle string
	sure                  bool
	hops                  int // 0 is not known
	within                []int
	reasons               []string
	counted               string // what the server's kernel counted of it; "" is nothing that tells
	routers               string // at these hops, and before them; "" is not known
}

func resettingOf(v *fact.View) resetting {
	var r resetting
	r.sender, _ = fact.ResetSender.In(v)
	r.sure, _ = fact.ResetSure.In(v)
	r.stage, _ = fact.ResetStage.In(v)
	r.hops, _ = fact.ResetHops.In(v)
	r.within, _ = fact.ResetWithin.In(v)
	r.reasons, _ = fact.ResetReasons.In(v)
	r.settle, _ = fact.ResetSettle.In(v)
	r.routers = r.routersIn(v)
	r.counted = countedIn(v)
	return r
}

// fewUsual is how many resets a server may send on average, to anybody, in a
// time in which one to us would still stand out.
const fewUsual = 0.1

// countedIn says what the server's counters tell. They count for everybody
// there: that none was sent is a sign at any time, that one was only where
// that is rare. Neither is proof: a firewall on the server is not counted.
func countedIn(v *fact.View) string {
	again, _ := fact.ResetAgain.In(v)
	sent, counted := fact.ServerResetsSent.In(v)
	usual, _ := fact.ServerResetsUsual.In(v)
	was := count(again, "connection") + " of ours"
	switch {
	case !counted || again == 0:
		return ""
	case sent == 0:
		return fmt.Sprintf("the TCP of the server's kernel sent no reset to anybody while %s ended by one: it was a box, or a firewall on the server", was)
	case sent >= again && usual < fewUsual:
		return fmt.Sprintf("the TCP of the server's kernel sent %s while %s ended by one, and on average it sends %.2g in such a time", count(sent, "reset"), was, usual)
	}
	return ""
}

// mostRouters is how many hops a place may be off to be worth names.
const mostRouters = 2

// routersIn names the routers among which the sender is. The hop that counts
// is one of the way back, and the routers are those of the way there: they are
// the same ones, as far as numbers tell, where both ways are equally long.
func (r resetting) routersIn(v *fact.View) string {
	hops, _ := fact.PathHops.In(v)
	there, known := fact.PathDistance.In(v)
	back, _ := fact.PathDistanceBack.In(v)
	least, most := r.hops, r.hops
	if r.hops == 0 && len(r.within) == 2 {
		least, most = r.within[0], r.within[1]
	}
	if most == 0 || most-least > mostRouters || !known || there != back {
		return ""
	}
	var named []string
	for _, h := range hops { // one before the first: what is no router stands between two
		if h.TTL >= least-1 && h.TTL <= most && !h.Host && len(h.Addresses) > 0 {
			named = append(named, fmt.Sprintf("hop %d is %s", h.TTL, strings.Join(h.Addresses, " or ")))
		}
	}
	return strings.Join(named, ", ")
}

func judgeResetInjected(v *fact.View) Verdict {
	r := resettingOf(v)
	fact.ResetCapture.In(v)
	said, _ := fact.LoginError.In(v)
	if said == "" {
		said, _ = fact.HandshakeDetail.In(v)
	}
	stage, _ := fact.HandshakeStage.In(v)
	login, _ := fact.LoginStage.In(v)
	shown := "nothing was seen of the reset itself"
	if len(r.reasons) > 0 {
		shown = r.reasons[0]
	}
	switch r.sender {
	case "middlebox":
	case "server":
		reason := "the reset came from the server's own machine: " + shown
		if !r.sure {
			reason = "the reset came from the server's own machine, as it seems: " + shown + "; a box that copies all of that would look the same"
		}
		return Verdict{Status: RuledOut, Reason: reason}
	case "unknown":
		if r.counted != "" {
			shown += "; " + r.counted
		}
		verdict := Verdict{Status: Possible, Impact: Breaks, Reason: fmt.Sprintf("who sent the reset is not known: %s. To settle it, %s", shown, r.settle)}
		for _, reason := range r.reasons {
			verdict.Evidence = append(verdict.Evidence, says(fact.ResetReasons, "%s", reason))
		}
		if r.counted != "" {
			verdict.Evidence = append(verdict.Evidence, says(fact.ServerResetsSent, "%s", r.counted))
		}
		return verdict
	default:
		if own := ownResets(v); own != "" {
			return Verdict{Status: RuledOut, Reason: "the resets that were seen are the server's own: " + own}
		}
		if stage == "kex" && (login == "session" || login == "" || login == "kex" || login == "auth") {
			return Verdict{Status: RuledOut, Reason: "no connection of ours was reset"}
		}
		return unknown(v, fact.ResetSender)
	}
	verdict := Verdict{
		Status: Confirmed, Impact: Breaks, Reason: shown,
		Summary: fmt.Sprintf("Something %s ends connections to this server %s, by a TCP reset in the server's name.", r.where(), r.when()),
		Why:     "Both ends believe a reset with the right addresses and sequence number, whoever sent it. The server did not: it may not even have noticed. " + r.prints(said),
	}
	if !r.sure {
		verdict.Status = Likely
		verdict.Reason += "; a route that changed at that moment would look the same"
	}
	for _, reason := range r.reasons {
		verdict.Evidence = append(verdict.Evidence, says(fact.ResetReasons, "%s", reason))
	}
	if r.hops > 0 {
		verdict.Evidence = append(verdict.Evidence, says(fact.ResetHops, "its sender is %s away", count(r.hops, "hop")))
	}
	if r.counted != "" {
		verdict.Evidence = append(verdict.Evidence, says(fact.ServerResetsSent, "%s", r.counted))
	}
	if r.routers != "" {
		verdict.Evidence = append(verdict.Evidence, says(fact.PathHops, "on the way there %s: the sender is one of these routers, or stands just before one", r.routers))
	}
	return verdict
}

// kernelWords are the kernel's reasons for resets that SSH meets.
var kernelWords = map[string]string{
	"TCP_ABORT_ON_CLOSE":    "its program closed the connection, or was killed, with data unread",
	"TCP_ABORT_ON_LINGER":   "its program threw the connection away",
	"TCP_STATE":             "its program threw the connection away",
	"TCP_ABORT_ON_DATA":     "data came for a connection that its program had closed",
	"TCP_TIMEWAIT_SOCKET":   "data came for a connection that had ended",
	"NO_SOCKET":             "nothing listens there, or the connection is not known",
	"TCP_KEEPALIVE_TIMEOUT": "its keepalives were not answered",
	"TCP_ABORT_ON_MEMORY":   "it ran out of memory for connections",
	"TCP_RFC7323_PAWS":      "a packet's timestamp was too old",
}

// ownResets says which resets the server's kernel sent while it was watched,
// and why; "" is none that was seen.
func ownResets(v *fact.View) string {
	all, _ := fact.ServerResetsSeen.In(v)
	var said []string
	for _, r := range all[:min(3, len(all))] {
		why := r.Reason
		if words := kernelWords[r.Reason]; words != "" {
			why = words + " (" + r.Reason + ")"
		}
		said = append(said, fmt.Sprintf("%s to %s: %s", count(r.N, "reset"), r.Client, why))
	}
	if len(all) > len(said) {
		said = append(said, fmt.Sprintf("and %d kinds more", len(all)-len(said)))
	}
	return strings.Join(said, "; ")
}

// where is the sender's place in words.
func (r resetting) where() string {
	switch {
	case r.hops > 0:
		return count(r.hops, "hop") + " away, before the server,"
	case len(r.within) == 2 && r.within[0] < r.within[1]:
		return fmt.Sprintf("%d to %d hops away, before the server,", r.within[0], r.within[1])
	case len(r.within) == 2:
		return count(r.within[1], "hop") + " away, before the server,"
	}
	return "that is not the server"
}

// when is the moment of the reset in words.
func (r resetting) when() string {
	switch r.stage {
	case "resolve":
		return "at their first packet"
	case "connect":
		return "before the server's greeting"
	case "banner":
		return "during the key exchange"
	case "kex":
		return "during the authentication"
	case "auth":
		return "after the authentication"
	}
	return "in the middle of a session"
}

// prints is what a user sees of it.
func (r resetting) prints(said string) string {
	if said = firstLine(said); said != "" && strings.Contains(said, "onnection") {
		return fmt.Sprintf("ssh knows no more than this: %s", said)
	}
	if r.stage == "resolve" {
		return "ssh knows no more than this: Connection refused"
	}
	return "ssh knows no more than this: Connection reset by peer"
}

func fixResetInjected(v *fact.View) []remedy.Remedy {
	r := resettingOf(v)
	if r.sender != "middlebox" {
		return []remedy.Remedy{byHand("watch-packets", remedy.Client, fact.ResetSender, "see who sends the reset", advise("run the same check as root, or with CAP_NET_RAW: it then watches the reset itself"))}
	}
	where := strings.TrimSuffix(r.where(), ",")
	if r.routers != "" {
		where += " (" + r.routers + ")"
	}
	owner := byHand("let-ssh-pass", remedy.Network, fact.ResetSender, "have the owner of the box let SSH to this server pass",
		advise("show its owner the evidence above: something %s ends connections %s", where, r.when()),
		typed("on a Linux router that is yours, the rule that does it", "nft list ruleset | grep -n 'reject with tcp reset'"))
	around := byHand("go-around", remedy.Client, fact.ResetSender, "until then go around it",
		advise("from another network or by a VPN the box is not in the way; a jump host beyond it (ProxyJump) helps where it stands near the client, another port where its rule is about the port"))
	return []remedy.Remedy{owner, around}
}
