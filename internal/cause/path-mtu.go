package cause

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/remedy"
)

var _ = register(Cause{
	ID:    "path-mtu",
	Title: "long packets vanish on the way (path MTU black hole)",
	Doc: Doc{
		Observed: "Each direction by itself: which packets passed on the connections of the check, what the kernel believes, whether routers say so when a packet is too long, which segment size the server asked for, where a connection got stuck, and then what connections with segments of other sizes did.",
		Judged: "Confirmed when a connection got stuck, packets above a certain length were seen to vanish while shorter ones arrived, and a connection with smaller segments worked. Likely when the limit was found but no connection could be made to work, or the other way round. " +
			"Possible when a connection got stuck like this and no experiment could be made, and where the path loses a tenth of all packets or more, whatever their length; and where a connection got stuck, packets were seen to vanish, and the kernel that sends found the limit by itself (tcp_mtu_probing), so that the same connection went on. Ruled out in a direction in which a packet passed that is as long as they get: where routers say so, or somebody writes a smaller segment size into the SYN, that is a shorter one, and all is well.",
		Explained: "A line in the middle carries shorter packets than those at both ends: a tunnel, a VPN, PPPoE, a mobile network. The router before it must say so by ICMP (type 3 code 4, in IPv6 type 2). Where a firewall drops that, the sender sends the same long packet for ever. " +
			"Short packets pass, so the connection is made and ssh hangs where the first long one is due: at \"expecting SSH2_MSG_KEX_ECDH_REPLY\", or after the login at the first screenful. OpenSSH has no option for it (there is no MtuBytes), and IPQoS marks packets without making them shorter. Fewer KexAlgorithms only move the place where it hangs.",
		Fixed: "Let ICMP through where it is dropped; until then make the segments smaller: for one host without being root by `sshtay dial --mss`, for a whole machine by net.ipv4.tcp_mtu_probing=1 on the side that sends in the bad direction or by the mtu of a route or of an interface, for a whole network by an MSS clamp on its router.",
	},
	Needs: []fact.Any{
		fact.PathMTUToServer, fact.PathMTUFromServer, fact.PathLostToServer, fact.PathLostFromServer, fact.PathFullToServer, fact.PathFullFromServer,
		fact.PathMTUKernel, fact.PathMTUInterface, fact.PathMTUDevice, fact.PathMTUTold, fact.PathMSS, fact.PathMTUHop, fact.PathStall, fact.PathMTUTrials, fact.HandshakeAddresses,
		fact.PathHungToServer, fact.PathHungFromServer, fact.PathLossToServer, fact.PathLossFromServer,
	},
	Judge: judgePathMTU,
	Fix:   fixPathMTU,
	Masks: []string{"unreachable", "login-grace", "session-refused"},
})

// A mtuWay is what is known of one direction.
type mtuWay struct {
	name          string // as people say it
	sends         string // who sends
	arrives, lost fact.Key[int]
	full          fact.Key[bool]
	hung          fact.Key[time.Duration]
	loss          fact.Key[float64] // of packets of any length
}

var mtuWays = []mtuWay{
	{"to the server", "this machine", fact.PathMTUToServer, fact.PathLostToServer, fact.PathFullToServer, fact.PathHungToServer, fact.PathLossToServer},
	{"from the server", "the server", fact.PathMTUFromServer, fact.PathLostFromServer, fact.PathFullFromServer, fact.PathHungFromServer, fact.PathLossFromServer},
}

// mtuLimit says where the limit lies.
func mtuLimit(arrives, lost int) string {
	if arrives == lost-1 {
		return fmt.Sprintf("packets of %d bytes pass, and of %d vanish", arrives, lost)
	}
	return fmt.Sprintf("packets of %d bytes pass, and from somewhere between there and %d on they vanish", arrives, lost)
}

func judgePathMTU(v *fact.View) Verdict {
	verdict := Verdict{Impact: Breaks, Evidence: mtuEvidence(v)}
	var holes, heals, passes, open []string
	chance := 0.0 // that a packet of any length is lost, where a long one was
	var missing fact.Any
	for _, w := range mtuWays {
		arrives, _ := w.arrives.In(v)
		lost, isHole := w.lost.In(v)
		full, _ := w.full.In(v)
		switch {
		case isHole:
			loss, _ := w.loss.In(v)
			chance = max(chance, loss)
			holes = append(holes, fmt.Sprintf("%s %s", w.name, mtuLimit(arrives, lost)))
			if d, is := w.hung.In(v); is {
				heals = append(heals, fmt.Sprintf("the kernel of %s found that out by itself after %.1f s", w.sends, d.Seconds()))
			}
		case full:
			passes = append(passes, fmt.Sprintf("%d bytes %s", arrives, w.name))
		default:
			open, missing = append(open, w.name), w.full
		}
	}
	stall, stuck := fact.PathStall.In(v)
	worked, tried := mtuTrial(v)
	switch {
	case len(holes) > 0 && chance >= slowing:
		verdict.Status = Possible
		verdict.Reason = fmt.Sprintf("%s; but the path loses %s of all packets there, so that this may be chance", strings.Join(holes, "; "), percent(chance))
	case len(holes) > 0 && len(heals) == len(holes):
		verdict.Status, verdict.Impact = Possible, Risk
		verdict.Reason = fmt.Sprintf("%s; but %s (tcp_mtu_probing): each new connection hangs for that long, once, and goes on", strings.Join(holes, "; "), strings.Join(heals, ", and "))
	case len(holes) > 0:
		verdict.Status, verdict.Reason = Likely, strings.Join(holes, "; ")+", and no connection with smaller segments was made to work"
		if tried && worked.Passed {
			verdict.Status, verdict.Reason = Confirmed, strings.Join(holes, "; ")+"; a "+worked.Kind+" with smaller segments worked"
		}
		verdict.Summary = fmt.Sprintf("Long packets vanish on the way, and nobody says so: %s.", strings.Join(holes, "; "))
		verdict.Why = "The sender believes in a longer packet than the path carries, gets no answer, and sends the same packet again and again: the connection is open and nothing moves. ssh hangs in the key exchange, or after the login as soon as something longer is sent."
	case tried && worked.Passed:
		verdict.Status = Likely
		verdict.Reason = fmt.Sprintf("a %s got stuck, and one with segments of %d bytes worked", stall.Where, worked.MSS)
		verdict.Summary = fmt.Sprintf("A connection got stuck, and one with segments of at most %d bytes worked: long packets seem to vanish %s.", worked.MSS, mtuDirection(stall))
		verdict.Why = "Where packets are too long for a line in the middle and nobody tells the sender, it sends the same packet again and again."
	case stuck && len(passes) < len(mtuWays):
		outcome := v.Why(fact.PathMTUTrials)
		if tried {
			outcome = "smaller segments did not help: " + worked.Detail
		}
		verdict.Status, verdict.Reason = Possible, fmt.Sprintf("the %s got stuck %s as it does when long packets vanish; %s", stall.Where, mtuDirection(stall), outcome)
	case len(passes) == 0:
		return unknown(v, missing)
	case len(open) > 0:
		return Verdict{Status: Unknown, Reason: fmt.Sprintf("packets of %s pass, and those are as long as they get; nothing was seen that is surely as long %s: %s", passes[0], open[0], v.Why(missing))}
	default:
		return Verdict{Status: RuledOut, Reason: fmt.Sprintf("packets of %s pass, and those are as long as they get%s", strings.Join(passes, " and of "), mtuWhyShort(v))}
	}
	return verdict
}

// mtuWhyShort says why packets are shorter than the interface allows, where
// they are.
func mtuWhyShort(v *fact.View) string {
	told, _ := fact.PathMTUTold.In(v)
	kernel, _ := fact.PathMTUKernel.In(v)
	mss, seen := fact.PathMSS.In(v)
	switch {
	case told:
		return fmt.Sprintf(" (the kernel knows of the limit of %d: routers say so, or the route does)", kernel)
	case seen && kernel > 0 && mss < kernel-60:
		return fmt.Sprintf(" (the server, or a router in its name, asks for segments of %d bytes at most)", mss)
	}
	return ""
}

func mtuDirection(s fact.Stall) string {
	if s.Direction == "to-server" {
		return "on the way to the server"
	}
	return "on the way from the server"
}

// mtuTrial is the connection with smaller segments that says most: one that
// worked, and of these a login, and the longest.
func mtuTrial(v *fact.View) (best fact.Trial, tried bool) {
	all, _ := fact.PathMTUTrials.In(v)
	rank := func(t fact.Trial) (n int) {
		if t.Passed {
			n += 2
		}
		if t.Kind == "login" {
			n++
		}
		return n
	}
	for _, t := range all {
		if !tried || rank(t) > rank(best) || rank(t) == rank(best) && t.MSS > best.MSS {
			best, tried = t, true
		}
	}
	return best, tried
}

func mtuEvidence(v *fact.View) (e []Evidence) {
	if s, ok := fact.PathStall.In(v); ok {
		e = append(e, says(fact.PathStall, "the %s was stuck %s after %.1f s: %s", s.Where, mtuDirection(s), s.After, s.Detail))
	}
	for _, w := range mtuWays {
		if n, ok := w.arrives.In(v); ok {
			e = append(e, says(w.arrives, "an IP packet of %d bytes passed on the way %s", n, w.name))
		}
		if n, ok := w.lost.In(v); ok {
			e = append(e, says(w.lost, "an IP packet of %d bytes vanished on the way %s, while shorter ones passed", n, w.name))
		}
		if d, ok := w.hung.In(v); ok {
			e = append(e, says(w.hung, "a connection was stuck on the way %s for %.1f s, and went on with shorter packets by itself", w.name, d.Seconds()))
		}
	}
	if h, ok := fact.PathMTUHop.In(v); ok {
		e = append(e, says(fact.PathMTUHop, "datagrams of %d bytes %s, and none to hop %d (%s), which answered short ones", h.Size, mtuReached(h), h.Missed, h.MissedBy))
	}
	if n, ok := fact.PathMTUKernel.In(v); ok {
		told, _ := fact.PathMTUTold.In(v)
		say := "no router has told it otherwise"
		if told {
			wide, _ := fact.PathMTUInterface.In(v)
			say = fmt.Sprintf("its interface would carry %d", wide)
		}
		e = append(e, says(fact.PathMTUKernel, "this kernel believes in %d bytes; %s", n, say))
	}
	if t, ok := mtuTrial(v); ok {
		outcome := "worked"
		if !t.Passed {
			outcome = "did not work either: " + t.Detail
		}
		only := ""
		if t.Only != "" {
			only = " towards the server"
		}
		e = append(e, says(fact.PathMTUTrials, "a %s with segments of at most %d bytes%s %s", t.Kind, t.MSS, only, outcome))
	}
	return e
}

// mtuReached says how far long packets came.
func mtuReached(h fact.MTUHop) string {
	if h.Reached == 0 {
		return "came to no hop"
	}
	return fmt.Sprintf("came to hop %d (%s)", h.Reached, h.ReachedBy)
}

// mtuPlace says where a router has to be mended, as far as the way shows it.
func mtuPlace(v *fact.View) string {
	h, ok := fact.PathMTUHop.In(v)
	switch {
	case !ok:
		return ""
	case h.Reached == 0:
		return fmt.Sprintf("the packets vanish between this machine and hop %d (%s)", h.Missed, h.MissedBy)
	case h.Missed == h.Reached+1:
		return fmt.Sprintf("the packets vanish between hop %d (%s) and hop %d (%s): the first of these is the one that should say so", h.Reached, h.ReachedBy, h.Missed, h.MissedBy)
	}
	return fmt.Sprintf("the packets vanish somewhere between hop %d (%s) and hop %d (%s); what stands between these does not show itself", h.Reached, h.ReachedBy, h.Missed, h.MissedBy)
}

func fixPathMTU(v *fact.View) []remedy.Remedy {
	mtu, six := 0, mtuIPv6(v)
	var senders []mtuWay
	cures := fact.Any(fact.PathMTUTrials)
	for _, w := range mtuWays {
		arrives, _ := w.arrives.In(v)
		if _, isHole := w.lost.In(v); isHole {
			if senders = append(senders, w); mtu == 0 || arrives < mtu {
				mtu = arrives
			}
			cures = w.lost
		}
	}
	if mtu == 0 {
		mtu = 1280 // what every IPv6 path carries, and nearly every other
	}
	header := 40
	if six {
		header = 60
	}
	mss := mtu - header
	if t, ok := mtuTrial(v); ok && t.Passed {
		mss = min(mss, t.MSS)
	}
	plans := []remedy.Remedy{dialSmaller(mss, cures)}
	for _, w := range senders {
		if _, does := w.hung.In(v); !does {
			plans = append(plans, probeMTU(w))
		}
	}
	plans = append(plans, mtuOfRoute(v, mtu, cures))
	if device, known := fact.PathMTUDevice.In(v); known {
		plans = append(plans, mtuOfInterface(device, mtu, cures))
	}
	return append(plans, clampMSS(mss, cures), passICMP(six, mtuPlace(v), cures))
}

// mtuIPv6 says whether the connection is one over IPv6.
func mtuIPv6(v *fact.View) bool { return strings.Contains(mtuServer(v), ":") }

// mtuServer is the address that the connection goes to, "" if none was made.
func mtuServer(v *fact.View) string {
	addresses, _ := fact.HandshakeAddresses.In(v)
	for _, a := range addresses {
		if connected(a) {
			return a.Address
		}
	}
	return ""
}

// dialSmaller is the cure for one user and one host.
func dialSmaller(mss int, cures fact.Any) remedy.Remedy {
	command := fmt.Sprintf("sshtay dial --mss %d %%h %%p", mss)
	return remedy.Remedy{
		ID: "dial-mss", Side: remedy.Client, Risk: remedy.Harmless, Cures: cures.Name(),
		Summary: fmt.Sprintf("for this host let ssh's connection have segments of at most %d bytes, in both directions; no process of sshtay stays", mss),
		Steps: []remedy.Step{{
			Kind: remedy.SSHConfig, With: map[string]string{"ProxyCommand": command, "ProxyUseFdpass": "yes"},
			Text: ownHost + ": ProxyCommand " + command + " and ProxyUseFdpass yes",
		}},
	}
}

// probeMTU lets the kernel that sends find the limit by itself.
func probeMTU(w mtuWay) remedy.Remedy {
	side, id, where, unless := remedy.Client, "client-mtu-probing", "as root on this machine", []string{"dial-mss"}
	if w.sends == "the server" {
		side, id, where, unless = remedy.Server, "server-mtu-probing", "as root on the server", nil
	}
	return remedy.Remedy{
		ID: id, Unless: unless, Side: side, Risk: remedy.Harmless, Cures: w.hung.Name(),
		Summary: fmt.Sprintf("let the kernel of %s, which sends in the bad direction, find the limit by itself (it holds for IPv6, too); new connections then hang for some seconds and go on", w.sends),
		Steps: []remedy.Step{
			{Kind: remedy.Sysctl, With: map[string]string{"net.ipv4.tcp_mtu_probing": "1"}, Text: where + ", in /etc/sysctl.d/90-mtu-probing.conf: net.ipv4.tcp_mtu_probing = 1"},
			done(remedy.Implied, "sysctl --system", nil),
		},
	}
}

func mtuOfRoute(v *fact.View, mtu int, cures fact.Any) remedy.Remedy {
	route := typed("for one destination, as root on this machine (it is gone after a reboot; a kernel before 4.15 does not ask for shorter IPv4 packets by it: there on the server, too, in the same way)", fmt.Sprintf("ip route replace ADDRESS via GATEWAY dev DEVICE mtu %d", mtu))
	if to := mtuServer(v); to != "" {
		route.Kind, route.With = remedy.RouteMTU, map[string]string{"to": to, "mtu": strconv.Itoa(mtu)}
	}
	plan := byHand("route-mtu", remedy.Client, cures, "tell this machine's kernel of the limit, where the narrow line cannot: it sends that host no longer packets, and asks it for none", route)
	plan.Unless = []string{"dial-mss", "client-mtu-probing"}
	return plan
}

// mtuOfInterface is for a line that is narrow right behind an interface of this
// machine. It touches everything that leaves there.
func mtuOfInterface(device string, mtu int, cures fact.Any) remedy.Remedy {
	set := typed("as root on this machine", fmt.Sprintf("ip link set dev %s mtu %d", device, mtu))
	set.Kind, set.With = remedy.InterfaceMTU, map[string]string{"device": device, "mtu": strconv.Itoa(mtu)}
	plan := byHand("interface-mtu", remedy.Client, cures, "the same for everything that leaves by "+device+", where the narrow line begins right there, as a VPN's does", set,
		note(advise("to keep it, for a VPN, in its own configuration: MTU = %d in WireGuard's, tun-mtu in OpenVPN's", mtu)))
	plan.Risk, plan.Unless = remedy.CanLockOut, []string{"dial-mss", "client-mtu-probing", "route-mtu"}
	return plan
}

func clampMSS(mss int, cures fact.Any) remedy.Remedy {
	rule := "nft add rule inet mangle forward tcp flags syn tcp option maxseg size set " + strconv.Itoa(mss)
	clamp := typed("as root on that router", "nft add table inet mangle", "nft 'add chain inet mangle forward { type filter hook forward priority mangle; }'", rule,
		"#or, where the narrow line is the router's own and its interface knows the MTU:", "nft add rule inet mangle forward tcp flags syn tcp option maxseg size set rt mtu",
		"#or, for the connections of this machine or of the server alone: there, in chains of the hooks input and output")
	clamp.Kind, clamp.With = remedy.MSSClamp, map[string]string{"mss": strconv.Itoa(mss)}
	plan := byHand("clamp-mss", remedy.Network, cures, "let a router that is yours write the smaller segment size into every SYN that it forwards", clamp,
		note(advise("sshtay does it for all connections of this machine, or with --side server of the server, when it is asked to by name: sshtay fix HOST --only path-mtu/clamp-mss")))
	plan.Unless = []string{"dial-mss", "client-mtu-probing", "server-mtu-probing", "route-mtu"}
	return plan
}

func passICMP(six bool, place string, cures fact.Any) remedy.Remedy {
	rule, what, family := "nft insert rule inet filter forward icmp type destination-unreachable accept", "ICMP type 3 code 4 (fragmentation needed)", "4"
	if six {
		rule, what, family = "nft insert rule inet filter forward icmpv6 type packet-too-big accept", "ICMPv6 type 2 (packet too big)", "6"
	}
	pass := typed("as root on each router and firewall that is yours, and in the input chain of both ends", rule)
	pass.Kind, pass.With = remedy.PassICMP, map[string]string{"family": family}
	steps := []remedy.Step{
		pass,
		note(advise("where the firewall of this machine drops it, or with --side server that of the server, sshtay lets it in there when it is asked to by name: sshtay fix HOST --only path-mtu/pass-icmp")),
		note(advise("with others, send them the two numbers above: which packets pass and which vanish")),
	}
	if place != "" {
		steps = append(steps, note(advise("%s", place)))
	}
	return byHand("pass-icmp", remedy.Network, cures, "let "+what+" through every firewall on the way: that cures it for everybody", steps...)
}
