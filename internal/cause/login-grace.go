package cause

import (
	"fmt"
	"strconv"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/pattern"
	"sshtay/internal/remedy"
)

var _ = register(Cause{
	ID:    "login-grace",
	Title: "sshd cuts the login off before it is finished",
	Doc: Doc{
		Observed: "LoginGraceTime, how long our own login took (greeting, key exchange and authentication), how it ended, the log's lines about logins that ran out of time, and UseDNS.",
		Judged: "Confirmed when the log says so of this address and the login is slow, or the time short, or the login failed after as long. Likely when a login took half of the time and more, when the time is so short that nobody can type a password, and when a login was cut off after a number of seconds to the tenth while the setting could not be read. " +
			"A time below 20 s with a fast login, a time of 0, and a line in the log beside fast logins are possible: somebody may have left a prompt open. Ruled out when the login took less than half of the time. Checked on the server itself its logs of seven days speak for all clients, where they name networks that also log in.",
		Explained: "From accepting a connection until the user is authenticated sshd allows LoginGraceTime, 120 s by default, and then closes: ssh says only that the connection was closed. " +
			"Slow name servers, directories, Kerberos and one-time passwords use that time up. Debian's sshd since 9.2p1-2+deb12u3 does not log it, so a silent log proves nothing there. With 0 there is no limit, and connections that never log in hold their slots for ever.",
		Fixed: "LoginGraceTime 120 on the server; take away what makes the login slow: UseDNS no, a dead name server in resolv.conf, GSSAPIAuthentication no where there is no Kerberos.",
	},
	Needs: []fact.Any{
		fact.LoginGraceTime, fact.LoginAuthTime, fact.BannerTime, fact.KexTime, fact.LoginTime, fact.LoginStage, fact.LoginCutAfter, fact.RTT,
		fact.LogGraceOurs, fact.UseDNS, fact.SSHDPackage, fact.ServerVia,
		fact.LogHistory,
	},
	Judge: recordedFor("login-grace", Likely, judgeLoginGrace),
	Fix:   fixLoginGrace,
})

// Limits of the judgement.
const (
	shortGrace   = 20 * time.Second // too little for a directory that is slow, or a one-time password
	untypeable   = 5 * time.Second  // too little to type a password
	ampleGrace   = 60 * time.Second // enough for every usual login
	slowLogin    = 5 * time.Second
	sharpness    = 150 * time.Millisecond // how much later than the full second sshd's timer may be noticed
	graceScatter = 6 * time.Second        // sshd since 9.9 adds up to 4 s by chance
	usualGrace   = 120 * time.Second
)

const whyGrace = "sshd closes a connection that is not authenticated when LoginGraceTime is over. The client sees only that the connection was closed."

// A login is what was seen of our own.
type login struct {
	grace      time.Duration
	graceSeen  bool
	took       time.Duration // what sshd counts: greeting, key exchange, authentication
	timed      bool
	failedWith time.Duration // how long it took until it was closed before the user was authenticated
	trip       time.Duration // that the path took of it, and sshd did not see
	cut        bool
	naming     int
	silent     bool // this sshd does not log it
}

func loginOf(v *fact.View) login {
	var l login
	l.grace, l.graceSeen = fact.LoginGraceTime.In(v)
	l.naming, _ = fact.LogGraceOurs.In(v)
	l.silent = logsNoGrace(v)
	stage, _ := fact.LoginStage.In(v)
	total, totalSeen := fact.LoginTime.In(v)
	// sshd's clock starts half a round trip after ours, and its end takes as
	// long to come.
	l.trip, _ = fact.RTT.In(v)
	if l.failedWith, l.cut = fact.LoginCutAfter.In(v); l.cut {
		l.failedWith = max(0, l.failedWith-l.trip)
		return l
	}
	if l.took, l.timed = fact.LoginAuthTime.In(v); l.timed {
		greeting, _ := fact.BannerTime.In(v)
		exchange, _ := fact.KexTime.In(v)
		l.took += greeting + exchange
	} else if stage == "session" {
		l.took, l.timed = total, totalSeen
	}
	return l
}

var debian12 = pattern.New(`deb12u(\d{1,4})`)

// logsNoGrace says that this package's sshd ends silently.
func logsNoGrace(v *fact.View) bool {
	name, _ := fact.SSHDPackage.In(v)
	m := debian12.FindStringSubmatch(name)
	if m == nil {
		return false
	}
	update, _ := strconv.Atoi(m[1])
	return update >= 3
}

func judgeLoginGrace(v *fact.View) Verdict {
	l := loginOf(v)
	if !l.graceSeen {
		return graceUnseen(v, l)
	}
	verdict := Verdict{
		Impact: WillBreak, Evidence: l.says(),
		Why: whyGrace,
	}
	cutOff := l.cut && l.grace > 0 && l.failedWith >= l.grace-time.Second && l.failedWith <= l.grace+graceScatter
	switch {
	case l.grace == 0:
		return Verdict{Status: Possible, Impact: Risk, Evidence: l.says(), Reason: "LoginGraceTime 0 cuts no login off, but connections that never log in hold sshd's slots for ever"}
	case cutOff:
		verdict.Status, verdict.Impact = Likely, Breaks
		verdict.Reason = fmt.Sprintf("the server closed after %s, and LoginGraceTime is %s%s", span(l.failedWith), span(l.grace), l.silence())
		verdict.Summary = fmt.Sprintf("The server closed the connection %s after it was made, in the middle of the login: LoginGraceTime is %s.", span(l.failedWith), span(l.grace))
		if l.naming > 0 {
			verdict.Status = Confirmed
		}
	case l.naming > 0 && (l.grace < shortGrace || l.timed && l.took >= l.grace/2):
		verdict.Status = Confirmed
		verdict.Reason = fmt.Sprintf("sshd's log says %s that a login from this address ran out of time", times(l.naming))
		verdict.Summary = fmt.Sprintf("Logins from this address ran out of LoginGraceTime (%s) %s within the last day%s.", span(l.grace), times(l.naming), l.tells())
	case l.timed && l.took >= l.grace/2:
		verdict.Status = Likely
		verdict.Reason = fmt.Sprintf("the login took %s of %s; a slower one is cut off", span(l.took), span(l.grace))
		verdict.Summary = fmt.Sprintf("The login took %s, and sshd cuts it off after %s (LoginGraceTime).", span(l.took), span(l.grace))
	case l.timed && l.grace < shortGrace && l.took >= l.grace/4, l.grace <= untypeable:
		verdict.Status, verdict.Impact = Likely, Risk
		verdict.Reason = fmt.Sprintf("LoginGraceTime is only %s%s", span(l.grace), l.tells())
		verdict.Summary = fmt.Sprintf("sshd allows a login only %s%s.", span(l.grace), l.tells())
	default:
		return graceEnough(v, l)
	}
	return verdict
}

// graceEnough judges a time in which our own login fits easily.
func graceEnough(v *fact.View, l login) Verdict {
	verdict := Verdict{Status: Possible, Impact: Risk, Evidence: l.says()}
	via, _ := fact.ServerVia.In(v)
	switch {
	case l.grace < shortGrace:
		verdict.Reason = fmt.Sprintf("LoginGraceTime %s is short for one-time passwords and slow directories%s", span(l.grace), l.tells())
	case l.naming > 0 && l.timed:
		verdict.Reason = fmt.Sprintf("the log says %s that a login from this address ran out of %s, but ours took only %s: somebody may have left a prompt open", times(l.naming), span(l.grace), span(l.took))
	case l.naming > 0:
		verdict.Status, verdict.Impact = Likely, WillBreak
		verdict.Reason = fmt.Sprintf("the log says %s that a login from this address ran out of time; one that is timed would settle it", times(l.naming))
		verdict.Summary = fmt.Sprintf("Logins from this address ran out of LoginGraceTime (%s) %s within the last day.", span(l.grace), times(l.naming))
		verdict.Why = whyGrace
	case l.timed:
		return Verdict{Status: RuledOut, Reason: fmt.Sprintf("the login took %s, and LoginGraceTime allows %s", span(l.took), span(l.grace))}
	case l.cut && l.failedWith < l.grace-time.Second:
		return Verdict{Status: RuledOut, Reason: fmt.Sprintf("the server closed after %s, long before LoginGraceTime (%s) was over", span(l.failedWith), span(l.grace))}
	case via == "local" && l.grace >= ampleGrace:
		return Verdict{Status: RuledOut, Reason: fmt.Sprintf("LoginGraceTime allows %s, time enough for every usual login", span(l.grace))}
	default:
		open := unknown(v, fact.LoginAuthTime)
		open.Reason = fmt.Sprintf("LoginGraceTime is %s; %s%s", span(l.grace), open.Reason, l.silence())
		return open
	}
	return verdict
}

// graceUnseen judges without the setting.
func graceUnseen(v *fact.View, l login) Verdict {
	switch {
	case l.naming > 0:
		return Verdict{Status: Possible, Impact: WillBreak, Evidence: l.says(), Reason: fmt.Sprintf("the log says %s that a login from this address ran out of time; LoginGraceTime was not seen: %s", times(l.naming), v.Why(fact.LoginGraceTime))}
	case l.cut && l.failedWith >= slowLogin && l.failedWith%time.Second < sharpness:
		return Verdict{
			Status: Likely, Impact: Breaks, Evidence: l.says(),
			Reason:  fmt.Sprintf("%s to the second is a timer's doing; sshd -T or the server's log would settle that it is LoginGraceTime", span(l.failedWith.Truncate(time.Second))),
			Summary: fmt.Sprintf("The server closed the connection in the middle of the login, %s after it was made, as sshd does when LoginGraceTime is over.", span(l.failedWith.Truncate(time.Second))),
			Why:     whyGrace,
		}
	case l.cut && l.failedWith >= slowLogin:
		return Verdict{Status: Possible, Impact: Breaks, Evidence: l.says(), Reason: fmt.Sprintf("the server closed in the middle of the login after %s, as it does when LoginGraceTime is over (120 s by default); sshd -T or the server's log would settle it", span(l.failedWith))}
	}
	return unknown(v, fact.LoginGraceTime)
}

// tells adds how long our own login took.
func (l login) tells() string {
	if !l.timed {
		return ""
	}
	return fmt.Sprintf("; our login took %s", span(l.took))
}

// silence adds that the log would not tell.
func (l login) silence() string {
	if l.silent && l.naming == 0 {
		return "; Debian's sshd does not log it"
	}
	return ""
}

func (l login) says() []Evidence {
	var e []Evidence
	if l.graceSeen {
		e = append(e, says(fact.LoginGraceTime, "LoginGraceTime %d", int(l.grace.Seconds())))
	}
	if l.timed {
		e = append(e, says(fact.LoginAuthTime, "the login took %s", span(l.took)))
	}
	if l.cut {
		way := ""
		if l.trip >= sharpness {
			way = fmt.Sprintf(", not counting %s on the way", span(l.trip))
		}
		e = append(e, says(fact.LoginCutAfter, "the login was cut off after %s%s", span(l.failedWith), way))
	}
	if l.naming > 0 {
		e = append(e, says(fact.LogGraceOurs, "%s of the log", count(l.naming, "line")))
	}
	return e
}

func fixLoginGrace(v *fact.View) []remedy.Remedy {
	l := loginOf(v)
	seconds := int(usualGrace.Seconds())
	if need := int((2*l.took + time.Minute - 1) / time.Minute * 60); need > seconds {
		seconds = need
	}
	plans := []remedy.Remedy{{
		ID: "longer-grace", Side: remedy.Server, Risk: remedy.ReloadsSSHD, Cures: fact.LoginGraceTime.Name(),
		Summary: "allow a login the usual time",
		Steps:   setSSHD("LoginGraceTime", strconv.Itoa(seconds)),
	}}
	if l.took < slowLogin && !l.cut {
		return plans
	}
	if useDNS, _ := fact.UseDNS.In(v); useDNS {
		plans = append(plans, remedy.Remedy{
			ID: "no-name-lookup", Unless: []string{"longer-grace"}, Side: remedy.Server, Risk: remedy.ReloadsSSHD, Cures: fact.UseDNS.Name(),
			Summary: "let sshd look up no client's name: a dead name server holds every login up (a from= or Match Host by name then needs the address)",
			Steps:   setSSHD("UseDNS", "no"),
		})
	}
	return append(plans, remedy.Remedy{
		ID: "no-gssapi", Unless: []string{"longer-grace", "no-name-lookup"}, Side: remedy.Client, Risk: remedy.Harmless, Cures: fact.LoginAuthTime.Name(),
		Summary: "do not try Kerberos first, where you do not use it",
		Steps: []remedy.Step{{
			Kind: remedy.SSHConfig, With: map[string]string{"GSSAPIAuthentication": "no"},
			Text: ownHost + ": GSSAPIAuthentication no",
		}},
	})
}
