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
	ID:    "rekey",
	Title: "sessions die when their keys are renewed",
	Doc: Doc{
		Observed: "RekeyLimit of ssh and of sshd; how the login ended, and the server's program. Where one of these points to it, sessions of the user's own ssh that send 64 KB: one that renews its keys after 16 KB, and where that dies others that renew and others that do not, in turn.",
		Judged: "Confirmed when every session that renewed its keys died in the renewal and every other lived, twice each. Likely when it was seen once. Ruled out when a session renewed its keys in the midst of its data and lived. " +
			"Unknown when nothing pointed to it, and when the others die as well.",
		Explained: "Both sides of a connection agree on new keys after some data (1 GB with chacha20-poly1305, 64 GB with AES), and after some time where RekeyLimit says so; hardening guides set an hour. " +
			"Some programs cannot do it, or not while data moves: versions of AsyncSSH, russh, libssh, libssh2, paramiko, SSH.NET, wolfSSH, mod_sftp, and appliances. Sessions through them die after the same amount of data, or on the hour to the second.",
		Fixed: "Update the program that cannot renew keys: mostly the one that is not OpenSSH. Until then a larger RekeyLimit, or none, on the side that asks for it, for this host only; PuTTY and others have a setting of their own.",
	},
	Needs: []fact.Any{fact.RekeyTrials, fact.ClientRekeyLimit, fact.ServerRekeyLimit, fact.HandshakeBanner, fact.LoginRenewing, fact.LoginReason, fact.LoginError},
	Judge: judgeRekey,
	Fix:   fixRekey,
	// The login dies of the same.
	Masks: []string{"sshd-broken", "session-refused"},
})

// A renewal is what sessions with and without one have shown.
type renewal struct {
	died, lived         int  // in a renewal, and after one that was finished
	otherDied, othersOK int  // sessions that renewed nothing
	login               bool // the user's own login died in one
	reason, says        string
	unstarted           string
}

func renewalOf(v *fact.View) (r renewal, seen bool) {
	trials, seen := fact.RekeyTrials.In(v)
	if r.login, _ = fact.LoginRenewing.In(v); r.login {
		r.died++
		r.reason, _ = fact.LoginReason.In(v)
		r.says, _ = fact.LoginError.In(v)
	}
	for _, t := range trials {
		switch {
		case t.Unstarted != "":
			r.unstarted = t.Unstarted
		case t.Renews && t.Whole && t.Renewed:
			r.lived++
		case t.Renews && !t.Whole && t.Began && !t.Renewed:
			r.died++
			r.reason, r.says = t.Reason, t.Says
		case !t.Renews && t.Whole:
			r.othersOK++
		case !t.Renews:
			r.otherDied++
		}
	}
	return r, seen
}

func judgeRekey(v *fact.View) Verdict {
	r, seen := renewalOf(v)
	limits := rekeyLimits(v)
	banner, _ := fact.HandshakeBanner.In(v)
	verdict := Verdict{
		Impact: WillBreak,
		Why:    "Both sides must agree on new keys without losing what is on its way. A program that cannot ends the connection, or waits for ever; until then nothing is wrong.",
	}
	switch {
	case !seen:
		return unknown(v, fact.RekeyTrials)
	case r.unstarted != "" && r.died+r.lived == 0:
		return Verdict{Status: Unknown, Reason: "no session could be made to renew its keys: " + r.unstarted}
	case r.died > 0 && r.othersOK > 0 && r.lived+r.otherDied == 0:
		verdict.Status = Likely
		if r.died > 1 && r.othersOK > 1 {
			verdict.Status = Confirmed
		}
		verdict.Reason = fmt.Sprintf("%s died in the renewal of the keys, and %s that renewed none lived", count(r.died, "session"), count(r.othersOK, "session"))
		verdict.Summary = fmt.Sprintf("A session dies when its keys are renewed: of sessions that sent 64 KB %d that renewed them broke, and %d that did not lived%s.", r.died, r.othersOK, limits.when())
	case r.died > 0 && r.lived+r.otherDied == 0:
		return Verdict{Status: Possible, Impact: WillBreak, Reason: fmt.Sprintf("%s died in the renewal of the keys; one that renews none would settle it, and none could be made: %s", count(r.died, "session"), orWord(r.unstarted, "it was not tried"))}
	case r.died > 0:
		return Verdict{Status: Possible, Impact: WillBreak, Reason: fmt.Sprintf("%s died in the renewal of the keys, but so did %d that renewed none, and %d lived through it", count(r.died, "session"), r.otherDied, r.lived)}
	case r.lived > 0:
		return Verdict{Status: RuledOut, Reason: "a session renewed its keys in the midst of its data, and lived" + limits.known()}
	default:
		return Verdict{Status: Unknown, Reason: "no renewal of keys was seen to begin in the sessions that were to renew them"}
	}
	trials := r.died
	if r.login {
		verdict.Impact = Breaks
		verdict.Evidence = append(verdict.Evidence, says(fact.LoginRenewing, "ssh was renewing the keys when the login ended"))
		trials--
	}
	if trials > 0 {
		verdict.Evidence = append(verdict.Evidence, says(fact.RekeyTrials, "with RekeyLimit 16K: %s (%d of %d)", orWord(r.says, r.reason), trials, trials))
	}
	verdict.Evidence = append(verdict.Evidence, says(fact.RekeyTrials, "with RekeyLimit default none: whole (%d of %d)", r.othersOK, r.othersOK))
	verdict.Evidence = append(verdict.Evidence, limits.says()...)
	if banner != "" {
		verdict.Evidence = append(verdict.Evidence, says(fact.HandshakeBanner, "the server's program: %s", banner))
	}
	return verdict
}

func orWord(says, reason string) string {
	if says != "" {
		return says
	}
	return reason
}

// A rekeyLimit is after how much a side asks for new keys; zero is its default.
type rekeyLimit struct {
	key   fact.Key[string]
	whose string
	bytes int
	time  time.Duration
}

type bothLimits []rekeyLimit

// rekeyLimits are the limits that somebody has set.
func rekeyLimits(v *fact.View) bothLimits {
	var all bothLimits
	for _, side := range []struct {
		key   fact.Key[string]
		whose string
	}{{fact.ClientRekeyLimit, "ssh"}, {fact.ServerRekeyLimit, "sshd"}} {
		text, _ := side.key.In(v)
		first, second, _ := strings.Cut(text, " ")
		bytes, _ := strconv.Atoi(first)
		seconds, _ := strconv.Atoi(second)
		if bytes > 0 || seconds > 0 {
			all = append(all, rekeyLimit{side.key, side.whose, bytes, time.Duration(seconds) * time.Second})
		}
	}
	return all
}

func (l rekeyLimit) String() string {
	var parts []string
	switch {
	case l.bytes >= mib:
		parts = append(parts, size(l.bytes))
	case l.bytes > 0:
		parts = append(parts, fmt.Sprintf("%d bytes", l.bytes))
	}
	if l.time > 0 {
		parts = append(parts, span(l.time))
	}
	return strings.Join(parts, " or ")
}

// when says when sessions die of it.
func (b bothLimits) when() string {
	if len(b) == 0 {
		return "; without a RekeyLimit that is after 1 GB with chacha20-poly1305 and 64 GB with AES"
	}
	var parts []string
	for _, l := range b {
		parts = append(parts, fmt.Sprintf("after %v by %s's setting", l, l.whose))
	}
	return "; that is " + strings.Join(parts, ", and ")
}

func (b bothLimits) known() string {
	if len(b) == 0 {
		return ""
	}
	return " (" + strings.TrimPrefix(b.when(), "; that is ") + " the next)"
}

func (b bothLimits) says() (all []Evidence) {
	for _, l := range b {
		all = append(all, says(l.key, "%s renews them after %v", l.whose, l))
	}
	return all
}

func fixRekey(v *fact.View) []remedy.Remedy {
	if r, _ := renewalOf(v); r.died == 0 {
		return nil
	}
	plans := []remedy.Remedy{byHand("update-renewal", remedy.Server, fact.RekeyTrials, "update the program that cannot renew keys",
		advise("mostly it is the one that is not OpenSSH; a proxy or gateway that ends the SSH connection counts too"))}
	for _, l := range rekeyLimits(v) {
		switch l.whose {
		case "ssh":
			with := map[string]string{"RekeyLimit": "default none"}
			plans = append(plans, remedy.Remedy{
				ID: "client-renews-late", Side: remedy.Client, Risk: remedy.Harmless, Cures: fact.ClientRekeyLimit.Name(),
				Summary: "let ssh renew keys by the cipher's own limit only, for this host",
				Steps:   []remedy.Step{{Kind: remedy.SSHConfig, With: with, Text: ownHost + ": " + lines(with)}},
			})
		case "sshd":
			plans = append(plans, remedy.Remedy{
				ID: "server-renews-late", Side: remedy.Server, Risk: remedy.ReloadsSSHD, Cures: fact.ServerRekeyLimit.Name(),
				Summary: "let sshd renew keys by the cipher's own limit only",
				Steps:   setSSHD("RekeyLimit", "default none"),
			})
		}
	}
	return plans
}
