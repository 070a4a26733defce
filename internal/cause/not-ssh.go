package cause

import (
	"fmt"
	"strconv"
	"strings"

	"sshtay/internal/fact"
	"sshtay/internal/remedy"
)

var _ = register(Cause{
	ID:    "not-ssh",
	Title: "something that is not SSH answers, or stands in between",
	Doc: Doc{
		Observed: "The first bytes that came after the connection was made, which protocol they belong to, how the connection ended, and whether an SSH server rejected our identification line.",
		Judged: "Confirmed when bytes came that are no SSH identification: they are shown. Confirmed also when sshd greets and then says that what it read was no SSH identification: ours is one, so something on the way wrote before it. Likely when text came and nothing after it, since an SSH server may send lines before its identification. Possible when what came is an identification but for a character or two, which something altered, and when the other side closed, reset or stayed silent without a byte, " +
			"as a forwarder without a backend does, and as a server that refuses does too. " +
			"Ruled out when an SSH identification or one of sshd's own refusals came. Unknown when no connection was made. Text that came through a ProxyCommand may be the command's own and is judged there.",
		Explained: "An SSH server begins with a line such as SSH-2.0-OpenSSH_9.2. A web server, a reverse proxy, a captive portal, a load balancer that speaks the PROXY protocol, a TLS tunnel or a tarpit says something else; " +
			"ssh then reports an invalid format, or that the connection was closed. A balancer that begins connections with a PROXY header speaks to sshd before ssh does: sshd answers in plain text, which ssh takes for a packet of an impossible length.",
		Fixed: "Use the host and the port that sshd listens on; let the reverse proxy or load balancer pass the bytes on as they are; log in to the captive portal.",
	},
	Needs: []fact.Any{fact.HandshakeStage, fact.HandshakeReason, fact.HandshakeVia, fact.HandshakeBanner, fact.LooksLike, fact.FirstBytes, fact.Refusal, fact.Complaint, fact.HandshakeReceived},
	Judge: judgeNotSSH,
	Fix:   fixNotSSH,
})

// protocols are the words of handshake.looks_like for what is not SSH, as
// people call them.
var protocols = map[string]string{
	"http": "HTTP", "http2": "HTTP/2", "tls": "TLS", "proxy-protocol-v1": "the PROXY protocol", "proxy-protocol-v2": "the PROXY protocol",
	"smtp": "SMTP (mail)", "ftp": "FTP", "smtp-or-ftp": "SMTP or FTP", "pop3": "POP3 (mail)", "imap": "IMAP (mail)", "mysql": "MySQL", "rdp": "RDP (remote desktop)",
	"telnet": "Telnet", "vnc": "VNC", "redis": "Redis",
}

// A greeting is what the other side began with.
type greeting struct {
	stage, reason, via string
	looks, first       string // handshake.looks_like and its bytes, made visible
	banner, refusal    string
	received           int // bytes
	seen               bool
}

func greetingOf(v *fact.View) greeting {
	var g greeting
	g.stage, g.seen = fact.HandshakeStage.In(v)
	g.reason, _ = fact.HandshakeReason.In(v)
	g.via, _ = fact.HandshakeVia.In(v)
	g.looks, _ = fact.LooksLike.In(v)
	g.first, _ = fact.FirstBytes.In(v)
	g.banner, _ = fact.HandshakeBanner.In(v)
	g.refusal, _ = fact.Refusal.In(v)
	g.received, _ = fact.HandshakeReceived.In(v)
	return g
}

// greeted says that an SSH server identified itself.
func (g greeting) greeted() bool { return g.stage == "banner" || g.stage == "kex" }

// foreign says that bytes came that are no SSH identification, whichever
// stage that is: a proxy's connection is none to the server until it greets.
func (g greeting) foreign() bool { return g.unnamed() || protocols[g.looks] != "" }

// half says that the beginning of an SSH identification came.
func (g greeting) half() bool { return g.looks == "ssh" || g.looks == "" && g.received > 0 }

// unnamed says that what came is text or bytes of no protocol that is known.
func (g greeting) unnamed() bool { return g.looks == "text" || g.looks == "binary" }

// altersIdent says whether bytes, made visible, begin as an identification does
// but for a character or two.
func altersIdent(first string) bool {
	const ident = "SSH-2.0-"
	if strings.HasPrefix(first, "SSH-1.") {
		return false // an old version
	}
	same := 0
	for i := 0; i < len(ident) && first != ""; i++ {
		c, n := first[0], 1
		if strings.HasPrefix(first, `\x`) && len(first) >= 4 {
			if b, err := strconv.ParseUint(first[2:4], 16, 8); err == nil {
				c, n = byte(b), 4
			}
		}
		if first = first[n:]; c == ident[i] {
			same++
		}
	}
	return same < len(ident) && same >= len(ident)-2
}

func judgeNotSSH(v *fact.View) Verdict {
	g := greetingOf(v)
	ownWords, isOwn := sshdsOwnWords(g.first)
	complaint, _ := fact.Complaint.In(v)
	switch {
	case !g.seen:
		return unknown(v, fact.HandshakeStage)
	case gotOther[complaint]:
		return foundHeader(g, complaint)
	case g.greeted():
		return Verdict{Status: RuledOut, Reason: "an SSH server answers: " + firstLine(g.banner)}
	case g.refusal != "" || g.reason == "throttled":
		return Verdict{Status: RuledOut, Reason: "sshd answered, in its own words: " + firstLine(g.refusal)}
	case g.reason == "version-mismatch":
		return Verdict{Status: RuledOut, Reason: "an SSH server of another major version answers"}
	case isOwn:
		return Verdict{Status: RuledOut, Reason: "what came is an error of sshd's own, see sshd-broken: " + ownWords}
	case g.half():
		return Verdict{Status: RuledOut, Reason: "what came begins as an SSH identification does"}
	case g.unnamed() && g.via == "proxy-command":
		return Verdict{Status: Possible, Impact: Breaks, Reason: "what came through the ProxyCommand is not SSH; the command may have printed it itself, see client-side"}
	case altersIdent(g.first):
		return Verdict{Status: Possible, Impact: Breaks, Evidence: []Evidence{says(fact.FirstBytes, "%s", firstLine(g.first))},
			Reason: "what came is an SSH identification but for a character or two: it was altered, by the path perhaps, and a login would tell (see corruption)"}
	case g.foreign():
		return foundNotSSH(g)
	case g.stage != "connect":
		return Verdict{Status: Unknown, Reason: fmt.Sprintf("no connection was made (%s), so nothing could answer", g.reason)}
	case g.reason == "timed-out":
		return Verdict{Status: Possible, Impact: Breaks, Reason: "the connection was made and not a byte came: some other service that waits for its client would do that, and so would a stuck sshd"}
	}
	return Verdict{Status: Possible, Impact: Breaks,
		Reason: fmt.Sprintf("the other side ended the connection (%s) without a byte, as a forwarder without a backend would, and a server that refuses too; the server's log would settle it", g.reason)}
}

// gotOther are the complaints of sshd, up to 7.9 and since, about a line that
// is no identification. Others are about one that is late or of another version.
var gotOther = map[string]bool{"Protocol mismatch.": true, "Invalid SSH identification string.": true}

// foundHeader judges an sshd that read something else than what we sent.
func foundHeader(g greeting, complaint string) Verdict {
	return Verdict{
		Status: Confirmed, Impact: Breaks,
		Reason:  "sshd says that what it read first was no SSH identification, and ours is one",
		Summary: "Something on the way writes to sshd before ssh does, as a load balancer with PROXY headers; sshd answers: " + complaint,
		Why:     "sshd takes the first line that comes for the client's identification. A PROXY header or other text before it makes sshd hang up with a line of plain text, which ssh reads as a packet: \"Bad packet length\" or \"Connection closed\".",
		Evidence: []Evidence{
			says(fact.Complaint, "the server said: %s", complaint),
			says(fact.HandshakeBanner, "it is an SSH server: %s", firstLine(g.banner)),
		},
	}
}

func foundNotSSH(g greeting) Verdict {
	where, name := "on this port", protocols[g.looks]
	switch g.via {
	case "proxy-command":
		where = "at the far end of the ProxyCommand"
	case "proxy-jump":
		where = "behind the jump host"
	}
	verdict := Verdict{
		Status: Confirmed, Impact: Breaks,
		Reason:   "the first bytes are not those of an SSH server",
		Why:      "An SSH server begins with a line like SSH-2.0-OpenSSH_9.2. Whatever answers here does not, so ssh gives up at once or when the other side closes.",
		Evidence: []Evidence{says(fact.FirstBytes, "%s", firstLine(g.first))},
	}
	switch {
	case name != "":
		verdict.Summary = fmt.Sprintf("What answers %s speaks %s, not SSH. The first bytes: %s", where, name, firstLine(g.first))
		verdict.Evidence = append(verdict.Evidence, says(fact.LooksLike, "this is how %s begins", name))
	case g.reason == "not-ssh":
		verdict.Summary = fmt.Sprintf("What answers %s is not an SSH server. The first bytes: %s", where, firstLine(g.first))
	case g.reason == "timed-out":
		verdict.Status = Likely
		verdict.Reason = "text came and no SSH identification after it; more patience would settle it"
		verdict.Summary = fmt.Sprintf("What answers %s sends text and no SSH identification, as a tarpit does. The first line: %s", where, firstLine(g.first))
	default:
		verdict.Status = Likely
		verdict.Reason = fmt.Sprintf("text came, and the connection ended (%s) without an SSH identification; a server that refuses in words of its own would look the same", g.reason)
		verdict.Summary = fmt.Sprintf("What answers %s sent a line of text and closed: %s", where, firstLine(g.first))
	}
	return verdict
}

func fixNotSSH(v *fact.View) []remedy.Remedy {
	g := greetingOf(v)
	plan := func(id string, side remedy.Side, summary string, steps ...remedy.Step) remedy.Remedy {
		return remedy.Remedy{ID: id, Side: side, Risk: remedy.Harmless, Cures: fact.LooksLike.Name(), Summary: summary, Steps: steps}
	}
	noHeader := plan("no-proxy-header", remedy.Network, "stop the load balancer from sending PROXY headers for SSH",
		advise("HAProxy: take send-proxy and send-proxy-v2 from the server lines of the SSH backend; other balancers: turn the PROXY protocol off for this target"))
	if complaint, _ := fact.Complaint.In(v); gotOther[complaint] {
		noHeader.Cures = fact.Complaint.Name()
		return []remedy.Remedy{noHeader}
	}
	plans := []remedy.Remedy{plan("right-port", remedy.Client, "use the host and port that sshd listens on",
		typed("on the server, to see the port of sshd", "ss -tlnp | grep ssh"),
		typed("then, to try it", "ssh -p PORT HOST"), typed("and to keep it, in ~/.ssh/config under the Host line of this host", "Port PORT"))}
	switch g.looks {
	case "http", "http2", "tls":
		plans = append(plans, plan("captive-portal", remedy.Network, "log in to the network, if it is one that answers in everybody's place",
			advise("open any http:// page in a browser: if a login page comes, log in there and try ssh again")))
	}
	switch {
	case protocols[g.looks] == "HTTP" && g.via == "proxy-command":
		plans = append(plans, plan("ask-the-proxy", remedy.Network, "get the HTTP proxy to let SSH through",
			advise("the answer is the proxy's own: 407 wants a login (give the ProxyCommand one), 403 forbids the port (ask for it, or use an sshd on port 443)")))
	case protocols[g.looks] == "HTTP", protocols[g.looks] == "HTTP/2":
		plans = append(plans, plan("pass-through", remedy.Server, "let the reverse proxy pass SSH on as plain TCP",
			typed("nginx passes TCP on only in a stream block, beside the http block", "stream { server { listen PORT; proxy_pass SSHD_HOST:22; } }", "#and HAProxy with", "mode tcp")))
	case g.looks == "tls":
		plans = append(plans, plan("inside-tls", remedy.Client, "speak TLS first, if the SSH server is behind a TLS tunnel",
			typed("to see what is inside", "openssl s_client -quiet -connect HOST:PORT"),
			typed("if it says SSH-2.0-..., then in ~/.ssh/config under the Host line of this host", "ProxyCommand openssl s_client -quiet -connect %h:%p")))
	case protocols[g.looks] == "the PROXY protocol":
		plans = append(plans, noHeader)
	case g.looks == "", g.looks == "empty":
		plans = append(plans, plan("backend", remedy.Server, "see whether a forwarder stands in front of a server that is down",
			typed("docker-proxy, a load balancer, a service mesh or a NAT rule accepts the connection before the server behind it does; see whether that server runs and listens", "docker ps", "ss -tln"),
			typed("Istio: exclude the port from the sidecar with the annotation", `traffic.sidecar.istio.io/excludeOutboundPorts: "22"`),
			advise("a balancer in front of sshd must not send PROXY headers, and one that expects them closes connections like ours without a word")))
	}
	return plans
}
