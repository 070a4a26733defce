package cause

import (
	"fmt"
	"strings"

	"sshtay/internal/fact"
	"sshtay/internal/remedy"
)

var _ = register(Cause{
	ID:    "auth",
	Title: "the transport is clean; authentication is in the way",
	Doc: Doc{
		Observed: "How far the user's own ssh came and what it printed, which methods the server would still accept, whether our own key exchange with the server was completed, and the log's lines about too many failed tries from this address.",
		Judged: "Confirmed when ssh itself says that every method was refused, that the tries were used up, or that the host's key is another one, revoked, or unknown under strict checking. " +
			"Likely when ssh would have asked the user something and nobody could be asked. Possible when the connection ended during the authentication without such a word. " +
			"Ruled out when the server let the user in. Unknown when no login was tried or it ended earlier.",
		Explained: "When the key exchange is done, packets of all kinds have gone both ways: what fails after it is a matter of keys, names and rights, and no change to the network or to keepalives helps. " +
			"ssh offers the keys of the agent one after the other, and each one that the server does not want counts as a failed try.",
		Fixed: "Offer the right key and only that one; put it into authorized_keys; compare the host key before trusting it. What ssh -v prints on one side and the log of sshd on the other settle most cases.",
	},
	Needs: []fact.Any{
		fact.HandshakeStage, fact.LoginStage, fact.LoginReason, fact.LoginError, fact.LoginMethods, fact.LoginMethod, fact.IdentitiesOnly, fact.MaxAuthTries, fact.LogTooManyAuth,
	},
	Judge: judgeAuth,
	Fix:   fixAuth,
})

// A tried is a login as the user's ssh saw it.
type tried struct {
	stage, reason, said string
	methods             []string
	seen                bool
}

func triedLogin(v *fact.View) tried {
	var t tried
	t.stage, t.seen = fact.LoginStage.In(v)
	t.reason, _ = fact.LoginReason.In(v)
	t.said, _ = fact.LoginError.In(v)
	t.methods, _ = fact.LoginMethods.In(v)
	return t
}

// in says that the server let the user in.
func (t tried) in() bool { return t.stage == "auth" || t.stage == "session" }

// hint is what ssh said of a key on the way, where that explains the refusal.
func (t tried) hint() string {
	for _, h := range [][2]string{
		{"bad permissions", " ssh passed over a key file because others may read it."},
		{"no mutual signature", " ssh could not use a key: the two sides have no signature algorithm for it in common."},
		{"invalid format", " ssh could not read a key file."},
		{"error in libcrypto", " ssh could not read a key file."},
	} {
		if strings.Contains(t.said, h[0]) {
			return h[1]
		}
	}
	return ""
}

func judgeAuth(v *fact.View) Verdict {
	t := triedLogin(v)
	reached, _ := fact.HandshakeStage.In(v)
	only, _ := fact.IdentitiesOnly.In(v)
	method, _ := fact.LoginMethod.In(v)
	verdict := Verdict{
		Status: Confirmed, Impact: Breaks,
		Why: "The connection itself works: packets of all kinds went both ways before this. What fails is the question who may log in, which ssh and sshd decide between them.",
	}
	if reached == "kex" {
		verdict.Evidence = append(verdict.Evidence, says(fact.HandshakeStage, "our own key exchange with the server was completed"))
	}
	if t.said != "" {
		verdict.Evidence = append(verdict.Evidence, says(fact.LoginError, "%s", firstLine(t.said)))
	} else {
		verdict.Evidence = append(verdict.Evidence, says(fact.LoginReason, "ssh ended with: %s", t.reason))
	}
	if len(t.methods) > 0 {
		verdict.Evidence = append(verdict.Evidence, says(fact.LoginMethods, "the server would still accept %s", strings.Join(t.methods, ", ")))
	}
	switch {
	case !t.seen:
		return unknown(v, fact.LoginStage)
	case t.in():
		return judgePastFailures(v, method)
	case t.reason == "permission-denied":
		verdict.Reason = "ssh says that the server refused every way to log in that it tried"
		verdict.Summary = "The server refused the login."
		if len(t.methods) > 0 {
			verdict.Summary = fmt.Sprintf("The server refused the login; it asks for %s.", strings.Join(t.methods, " or "))
		}
		verdict.Summary += t.hint()
	case t.reason == "needs-terminal":
		verdict.Status = Likely
		verdict.Reason = "no key was accepted, and nobody could be asked for a password or code; in a terminal ssh asks"
		verdict.Summary = fmt.Sprintf("Without a person at a terminal nobody can log in here: no key was accepted, and the server asks for %s.%s", strings.Join(t.methods, " or "), t.hint())
	case t.reason == "too-many-failures":
		verdict.Reason = "the server itself ended the connection for too many failed tries"
		verdict.Summary = "The server hung up because too many keys were offered before the right one."
		if !only {
			verdict.Evidence = append(verdict.Evidence, says(fact.IdentitiesOnly, "ssh offers every key of the agent (IdentitiesOnly no)"))
		}
		verdict.Why = "Each key that is offered and not wanted counts as a failed try, and sshd allows MaxAuthTries of them (6 by default) on one connection. An agent with more keys than that never gets to the right one."
	default:
		return judgeHostKey(t, verdict)
	}
	return verdict
}

// judgeHostKey judges logins that the client itself stopped for the server's
// key, and what is left.
func judgeHostKey(t tried, verdict Verdict) Verdict {
	verdict.Why = "The connection itself works. ssh stops before the login, because it cannot tell whether this is the server that you mean."
	switch {
	case t.reason == "host-key-unknown" && strings.Contains(t.said, "strict checking"):
		verdict.Reason = "ssh says that it does not know the host's key and may not accept it"
		verdict.Summary = "ssh does not know this server's host key, and StrictHostKeyChecking forbids to accept a new one."
	case t.reason == "host-key-unknown":
		verdict.Status = Likely
		verdict.Reason = "ssh does not know the host's key and nobody accepted it; in a terminal ssh asks"
		verdict.Summary = "ssh does not know this server's host key yet, so it logs in nowhere without a person who says yes."
	case t.reason == "host-key-changed":
		verdict.Reason = "ssh says that the host's key is not the one in known_hosts"
		verdict.Summary = "The server shows another host key than the one ssh remembers; ssh refuses to go on."
		verdict.Why = "The server was reinstalled, or the name or address now leads to another machine, or somebody sits in between. Only the key's fingerprint, read on the server, tells which."
	case t.reason == "host-key-revoked":
		verdict.Reason = "ssh says that the host's key or certificate is not to be trusted"
		verdict.Summary = "The server shows a host key or certificate that is marked as revoked; ssh refuses to go on."
	case t.stage == "kex" && t.reason == "timed-out":
		return Verdict{Status: Possible, Impact: Breaks, Reason: "the connection fell silent during the authentication: a slow lookup or PAM module on the server, or a code that nobody typed"}
	case t.stage == "kex":
		said := ""
		if t.said != "" {
			said = ": " + firstLine(t.said)
		}
		return Verdict{Status: Possible, Impact: Breaks, Reason: fmt.Sprintf("the connection ended during the authentication (%s)%s; the server's log would settle why", t.reason, said)}
	default:
		return Verdict{Status: Unknown, Reason: fmt.Sprintf("the login ended before the authentication (%s, %s)", t.stage, t.reason)}
	}
	return verdict
}

// judgePastFailures looks at the log when this login went well.
func judgePastFailures(v *fact.View, method string) Verdict {
	reason := "the server let the user in"
	if method != "" {
		reason += " by " + method
	}
	tries, known := fact.MaxAuthTries.In(v)
	if failed, _ := fact.LogTooManyAuth.In(v); failed > 0 {
		reason += fmt.Sprintf("; within the last day other connections of this address ended for too many failed tries, %s", times(failed))
		if known {
			reason += fmt.Sprintf(" (MaxAuthTries %d)", tries)
		}
		return Verdict{Status: Possible, Impact: Risk, Reason: reason}
	}
	return Verdict{Status: RuledOut, Reason: reason}
}

func fixAuth(v *fact.View) []remedy.Remedy {
	t := triedLogin(v)
	only, _ := fact.IdentitiesOnly.In(v)
	plan := func(id string, side remedy.Side, summary string, steps ...remedy.Step) remedy.Remedy {
		return remedy.Remedy{ID: id, Side: side, Risk: remedy.Harmless, Cures: fact.LoginReason.Name(), Summary: summary, Steps: steps}
	}
	compare := typed("on the server, over its console or a connection that you trust", "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub", "#it must print the fingerprint that ssh shows")
	switch t.reason {
	case "host-key-unknown":
		return []remedy.Remedy{plan("trust-host-key", remedy.Client, "compare the host key, then accept it", compare, typed("then, in a terminal, and answer yes", "ssh HOST"))}
	case "host-key-changed":
		return []remedy.Remedy{plan("replace-host-key", remedy.Client, "compare the host key, and only if it is the server's replace the old one",
			compare, typed("then, with '[HOST]:PORT' in place of HOST where the port is not 22", "ssh-keygen -R HOST", "ssh HOST"))}
	case "host-key-revoked":
		return []remedy.Remedy{plan("renew-host-key", remedy.Server, "give the server a new host key or certificate",
			advise("do not connect before whoever revoked the key has said why; then on the server make a new key and take the mark from known_hosts, or sign a new certificate"))}
	case "too-many-failures":
		return []remedy.Remedy{oneKey(only, plan)}
	}
	plans := []remedy.Remedy{
		plan("right-key", remedy.Client, "see which keys ssh offers, and offer the right one",
			typed("which keys ssh offers, and which the agent holds", "ssh -v HOST 2>&1 | grep -E 'Offering|Server accepts|can continue'", "ssh-add -l"),
			typed("ssh passes over key files that others may read", "chmod 600 ~/.ssh/id_*"),
			typed("to have a new key accepted, where a password still is", "ssh-copy-id HOST")),
		plan("ask-the-log", remedy.Server, "see why sshd refuses",
			readLog("it tells a wrong name, a locked account, AllowUsers and a bad key apart"),
			typed("sshd passes over files that others may write; as the user on the server", "chmod go-w ~ && chmod 700 ~/.ssh && chmod 600 ~/.ssh/authorized_keys")),
	}
	switch {
	case t.in():
		plans = []remedy.Remedy{oneKey(only, plan)}
	case t.reason == "needs-terminal":
		plans = append([]remedy.Remedy{plan("ask-in-terminal", remedy.Client, "let ssh ask you: check again in a terminal", run("sshtay check HOST"))}, plans...)
	}
	return plans
}

// oneKey keeps ssh from offering every key of the agent.
func oneKey(only bool, plan func(string, remedy.Side, string, ...remedy.Step) remedy.Remedy) remedy.Remedy {
	if only {
		return plan("one-key", remedy.Client, "name only the key that this host knows",
			advise("IdentitiesOnly is set already: under the Host line of this host and under `Host *` in ~/.ssh/config keep only the IdentityFile that the server knows"))
	}
	return plan("one-key", remedy.Client, "offer only the key that is named for this host", remedy.Step{
		// Alone the option may leave no key at all: which one is a person's to say.
		Kind: remedy.Advice, With: map[string]string{"IdentitiesOnly": "yes"},
		Text: ownHost + ": IdentitiesOnly yes, and IdentityFile with the path of the key that the server knows",
	})
}
