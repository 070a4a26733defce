package cause

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sshtay/internal/fact"
	"sshtay/internal/remedy"
)

var _ = register(Cause{
	ID:    "version",
	Title: "the versions or algorithms of the two sides do not fit",
	Doc: Doc{
		Observed: "The algorithms that both sides offer, what the user's ssh printed, the identifications, and settings that some releases of OpenSSH are known to read wrongly.",
		Judged: "Confirmed when the two sides have no algorithm in common for a purpose, when the server speaks only version 1 of the protocol, when ssh says that it does not fit its OpenSSL, " +
			"or when a release and a setting were read that together do harm: PerSourceNetBlockSize without an IPv6 part before 10.3, MaxStartups N in 10.1 and 10.2, a hexadecimal IPQoS since 9.8. " +
			"A banner alone is never a reason: distributions mend old releases without changing it. Ruled out when the two sides agree on every algorithm.",
		Explained: "OpenSSH switches weak algorithms off as years go by: protocol 1 in 7.6, group14-sha1 in 8.2, ssh-rsa signatures with SHA-1 in 8.8, DSA and, on the server, Diffie-Hellman over integers in 10.0. " +
			"An old device or an old client is then left without anything in common, and the connection ends right after the greeting. A configuration that lists algorithms by name does the same after an update.",
		Fixed: "Update the older side. Until then let ssh offer the old algorithm to this one host, such as HostKeyAlgorithms +ssh-rsa: the plus adds to the list and keeps the rest.",
	},
	Needs: []fact.Any{
		fact.HandshakeStage, fact.HandshakeReason, fact.HandshakeBanner, fact.NoCommon, fact.LoginStage, fact.LoginError,
		fact.ClientKex, fact.ServerKex, fact.ClientHostKey, fact.ServerHostKey, fact.ClientCiphers, fact.ServerCiphers, fact.ClientMACs, fact.ServerMACs,
		fact.ClientSSHVersion, fact.SSHDVersion, fact.ClientConfigError, fact.SSHDConfigError, fact.SSHDConfigSource, fact.ServerIPQoS,
		fact.PerSourceNetBlockSize, fact.PerSourcePenalties, fact.PerSourceMaxStartups, fact.ServerClientAddress, fact.HandshakeAddresses,
		fact.MaxStartups, fact.LogNegotiation,
	},
	Judge: func(v *fact.View) Verdict { verdict, _ := misfit(v); return verdict },
	Fix:   func(v *fact.View) []remedy.Remedy { _, plans := misfit(v); return plans },
})

// misfit finds what does not fit, the worst first, and what mends it.
func misfit(v *fact.View) (Verdict, []remedy.Remedy) {
	gaps, compared := negotiation(v)
	for _, look := range []func(*fact.View) (Verdict, []remedy.Remedy, bool){wrongLibrary, oldProtocol} {
		if verdict, plans, found := look(v); found {
			return verdict, plans
		}
	}
	if verdict, plans, found := nothingInCommon(v, gaps, compared); found {
		return verdict, plans
	}
	for _, look := range misread {
		if verdict, plans, found := look(v); found {
			return verdict, plans
		}
	}
	return agree(v, compared), nil
}

func nothingInCommon(v *fact.View, gaps []gap, compared int) (Verdict, []remedy.Remedy, bool) {
	what, told := fact.NoCommon.In(v)
	reason, _ := fact.HandshakeReason.In(v)
	version, _ := fact.ClientSSHVersion.In(v)
	client, _ := parseRelease(version)
	switch {
	case len(gaps) > 0:
	case !told && reason != "no-common-algorithm":
		return Verdict{}, nil, false
	case compared == len(purposes) && what != "compression":
		return Verdict{Status: RuledOut, Reason: "ssh itself and the server have an algorithm in common for every purpose"}, nil, true
	}
	verdict := Verdict{
		Status: Confirmed, Impact: Breaks,
		Why: "Each side says which algorithms it accepts; without one in common for each purpose the connection ends right after the greeting, before anybody logs in. " +
			"Newer releases leave out what has become weak, and older ones do not know what came instead.",
	}
	if len(gaps) == 0 {
		verdict.Reason = "the two sides have no algorithm in common"
		verdict.Summary = fmt.Sprintf("This client and the server have no algorithm in common for: %s.", what)
		verdict.Evidence = []Evidence{says(fact.NoCommon, "%s", what)}
		return verdict, []remedy.Remedy{updateServer(nil)}, true
	}
	var names, offers []string
	for _, g := range gaps {
		names = append(names, g.name)
		offers = append(offers, some(g.offersTheirs))
		verdict.Evidence = append(verdict.Evidence, says(g.seenIn, "the server offers %s", some(g.offersTheirs)))
		if len(g.offersOurs) > 0 {
			verdict.Evidence = append(verdict.Evidence, says(g.ours, "ssh offers %s", some(g.offersOurs)))
		}
	}
	verdict.Reason = "what both sides offer was read, and nothing is in common: " + strings.Join(names, ", ")
	verdict.Summary = fmt.Sprintf("ssh and the server have no %s in common: the server offers only %s.", strings.Join(names, " and no "), strings.Join(offers, "; "))
	return verdict, fixGaps(v, gaps, client), true
}

func fixGaps(v *fact.View, gaps []gap, client release) []remedy.Remedy {
	offer, onServer := map[string]string{}, map[string]string{}
	var hopeless []string
	narrowed := false
	for _, g := range gaps {
		name, current, found := g.remedy(client)
		narrowed = narrowed || current
		if found {
			offer[g.option] = "+" + name
		} else {
			hopeless = append(hopeless, g.name)
		}
		if name, found := g.serverRemedy(); found {
			onServer[g.option] = "+" + name
		}
	}
	var plans []remedy.Remedy
	current := client.since(8, 5)
	switch {
	case narrowed && current:
	case narrowed:
		plans = append(plans, updateClient())
	default:
		plans = append(plans, updateServer(hopeless))
	}
	if len(hopeless) == 0 && (current || !narrowed) {
		plans = append(plans, offerMore(gaps[0].theirs, offer, narrowed))
	}
	banner, _ := fact.HandshakeBanner.In(v)
	if narrowed && strings.Contains(banner, "OpenSSH") && len(onServer) == len(gaps) {
		plans = append(plans, remedy.Remedy{
			ID: "server-offers-more", Unless: []string{"client-offers-more"}, Side: remedy.Server, Risk: remedy.ReloadsSSHD, Cures: gaps[0].theirs.Name(),
			Summary: "or let the server offer in addition what this client knows",
			Steps: []remedy.Step{{
				Kind: remedy.SSHDConfig, With: onServer,
				Text: "in /etc/ssh/sshd_config (or a file of sshd_config.d that it includes first): " + lines(onServer),
			}, reloadSSHD()},
		})
	}
	return plans
}

// offerMore lets ssh offer more to this host.
func offerMore(cures fact.Any, offer map[string]string, narrowed bool) remedy.Remedy {
	plan := remedy.Remedy{
		ID: "client-offers-more", Side: remedy.Client, Risk: remedy.Harmless, Cures: cures.Name(),
		Summary: "until then let ssh offer the old algorithm to this one host",
		Steps: []remedy.Step{{
			Kind: remedy.SSHConfig, With: offer,
			Text: "in ~/.ssh/config, above every `Host *`, under a Host line for this host alone: " + lines(offer),
		}},
	}
	if narrowed {
		plan.Summary = "let ssh offer it again: a line of the client's configuration leaves it out"
	}
	if offer["HostKeyAlgorithms"] == "+ssh-rsa" {
		plan.Steps = append(plan.Steps, note(typed("to log in with an RSA key, in the same place also", "PubkeyAcceptedAlgorithms +ssh-rsa")), note(typed("on RHEL 9 and later the system's policy has to allow SHA-1 too", "update-crypto-policies --set DEFAULT:SHA1")))
	}
	return plan
}

// lines writes options as the lines of a configuration.
func lines(options map[string]string) string {
	var out []string
	for _, option := range slices.Sorted(maps.Keys(options)) {
		out = append(out, option+" "+options[option])
	}
	return strings.Join(out, ", ")
}

func updateServer(hopeless []string) remedy.Remedy {
	plan := remedy.Remedy{
		ID: "update-server", Side: remedy.Server, Risk: remedy.CanLockOut, Cures: fact.HandshakeBanner.Name(),
		Summary: "update the server: what it is left with is weak",
		Steps:   []remedy.Step{advise("update the server's SSH program or the device's firmware, with a second way in at hand")},
	}
	if len(hopeless) > 0 {
		plan.Steps = append(plan.Steps, advise("no option of this ssh helps: it has no %s that the server offers. Until then an older ssh can reach it, from a container of an old release", strings.Join(hopeless, " and no ")))
	}
	return plan
}

func updateClient() remedy.Remedy {
	return remedy.Remedy{
		ID: "update-client", Side: remedy.Client, Risk: remedy.Harmless, Cures: fact.ClientSSHVersion.Name(),
		Summary: "update this machine's OpenSSH: it does not offer what the server asks for",
		Steps:   []remedy.Step{advise("update the package openssh-client (Debian, Ubuntu) or openssh-clients (RHEL, Fedora), or the system itself")},
	}
}

// oldProtocol is a server that speaks only version 1 of SSH.
func oldProtocol(v *fact.View) (Verdict, []remedy.Remedy, bool) {
	if reason, _ := fact.HandshakeReason.In(v); reason != "version-mismatch" {
		return Verdict{}, nil, false
	}
	banner, _ := fact.HandshakeBanner.In(v)
	return Verdict{
		Status: Confirmed, Impact: Breaks,
		Reason:   "the server's identification names another version of the protocol",
		Summary:  fmt.Sprintf("The server does not speak version 2 of SSH; it says: %s.", banner),
		Why:      "Version 1 of the protocol is broken, and OpenSSH has left it out since 7.6.",
		Evidence: []Evidence{says(fact.HandshakeBanner, "%s", banner)},
	}, []remedy.Remedy{updateServer(nil)}, true
}

// wrongLibrary is an ssh that refuses to run with the OpenSSL it finds.
func wrongLibrary(v *fact.View) (Verdict, []remedy.Remedy, bool) {
	printed, _ := fact.LoginError.In(v)
	if !strings.Contains(printed, "OpenSSL version mismatch") {
		return Verdict{}, nil, false
	}
	return Verdict{
			Status: Confirmed, Impact: Breaks,
			Reason:   "ssh itself says that it was built for another OpenSSL",
			Summary:  "This client's ssh does not fit the OpenSSL it finds and ends at once.",
			Why:      "The library was updated and the program was not, or the other way round; some releases refuse to run then.",
			Evidence: []Evidence{says(fact.LoginError, "%s", printed)},
		}, []remedy.Remedy{{
			ID: "update-together", Side: remedy.Client, Risk: remedy.Harmless, Cures: fact.LoginError.Name(),
			Summary: "install OpenSSH and OpenSSL of the same release of the system",
			Steps:   []remedy.Step{typed("update both packages together, on Debian and Ubuntu", "apt-get update && apt-get install openssh-client openssl", "#on RHEL and Fedora:", "dnf upgrade openssh-clients openssl-libs")},
		}}, true
}

// agree judges two sides between which nothing is known to be wrong.
func agree(v *fact.View, compared int) Verdict {
	stage, seen := fact.HandshakeStage.In(v)
	login, _ := fact.LoginStage.In(v)
	lines, _ := fact.LogNegotiation.In(v)
	ok := stage == "kex" || login == "kex" || login == "auth" || login == "session" || compared == len(purposes)
	switch {
	case ok && len(lines) > 0:
		return Verdict{
			Status: Possible, Impact: Risk, Evidence: []Evidence{says(fact.LogNegotiation, "%s", lines[len(lines)-1])},
			Reason: "ssh and the server agree on every algorithm, but another client of this address did not",
		}
	case ok:
		return Verdict{Status: RuledOut, Reason: "ssh and the server agree on every algorithm"}
	case !seen:
		return unknown(v, fact.HandshakeStage)
	}
	return Verdict{Status: Unknown, Reason: "what the server offers was not seen: the connection ended after the stage " + stage}
}
