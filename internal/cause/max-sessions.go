package cause

import (
	"fmt"
	"strconv"
	"strings"

	"sshtay/internal/fact"
	"sshtay/internal/remedy"
)

var _ = register(Cause{
	ID:    "max-sessions",
	Title: "sshd refuses more sessions on a shared connection",
	Doc: Doc{
		Observed: "MaxSessions for this user, whether ssh shares one connection among its sessions (ControlMaster, ControlPath), how many sessions the user has, whether our login got one, and the log's lines about refused sessions.",
		Judged: "Confirmed when MaxSessions is 0, whether it was read or OpenSSH refused our first session in its words, and when it is 1 while the connection is shared. Likely when the log tells of refused sessions and this client shares its connection, " +
			"or when the user's sessions cannot be on the open connections without filling the shared one. Ruled out when the limit is 2 or more and nothing is shared, or when there is room.",
		Explained: "MaxSessions limits the shells, commands and file transfers on one connection, not on the server, and counts for a user who shares a connection: the master carries all of them. " +
			"When it is reached, ssh prints that the session open was refused by the peer and logs in anew, which is slow, or fails where the master is needed. With 0 nobody gets a session at all, only forwarding.",
		Fixed: "MaxSessions 10 on the server, or more where more is shared; or no shared connection for this host.",
	},
	Needs: []fact.Any{
		fact.MaxSessions, fact.ControlMaster, fact.ControlPath, fact.LogNoMoreSessions, fact.UserSessions, fact.Connections, fact.LoginStage, fact.LoginError, fact.HandshakeBanner,
	},
	Judge: judgeMaxSessions,
	Fix:   fixMaxSessions,
})

// refusedSession is how ssh prints that an OpenSSH server opens no more
// sessions on a connection.
const refusedSession = "open failed: connect failed: open failed"

// usualSessions is sshd's default.
const usualSessions = 10

// A sharing is what was seen of sessions on one connection.
type sharing struct {
	limit        int
	limitSeen    bool
	alive        bool // a master carries the connection now
	configured   bool
	told         bool // whether the client shares was seen
	log          int
	sessions     int
	refused      bool // our login was refused its session, the first on a connection of its own
	openSSH      bool
	gotSession   bool
	sessionsSeen bool
	connections  int // to sshd, of everybody
}

func sharingOf(v *fact.View) sharing {
	var s sharing
	s.limit, s.limitSeen = fact.MaxSessions.In(v)
	master, masterSeen := fact.ControlMaster.In(v)
	path, pathSeen := fact.ControlPath.In(v)
	s.alive = master == "alive"
	s.configured = s.alive || pathSeen && path != "" && path != "none"
	s.told = masterSeen
	s.log, _ = fact.LogNoMoreSessions.In(v)
	s.sessions, s.sessionsSeen = fact.UserSessions.In(v)
	s.connections, _ = fact.Connections.In(v)
	stage, _ := fact.LoginStage.In(v)
	s.gotSession = stage == "session"
	said, _ := fact.LoginError.In(v)
	s.refused = strings.Contains(said, refusedSession)
	banner, _ := fact.HandshakeBanner.In(v)
	s.openSSH = strings.Contains(banner, "OpenSSH")
	return s
}

// full says that the user's sessions do not fit on the open connections unless
// each of them has as many as it may, but for one that may be our check's own.
func (s sharing) full() bool {
	others := s.connections - 1
	return s.sessionsSeen && (others == 0 && s.sessions >= s.limit || others > 0 && s.sessions-1 >= s.limit*others)
}

func judgeMaxSessions(v *fact.View) Verdict {
	s := sharingOf(v)
	verdict := Verdict{Status: Confirmed, Impact: Breaks, Evidence: s.says()}
	switch {
	case s.limitSeen && s.limit == 0:
		verdict.Reason = "MaxSessions is 0 for this user"
		verdict.Summary = "MaxSessions is 0: after the login this user gets no shell, no command and no file transfer, only forwarding."
		verdict.Why = "sshd answers every request for a session with a failure; ssh then ends right after the login."
		if s.gotSession {
			verdict.Impact = WillBreak
			verdict.Reason += "; this login got a session, so sshd has not read it yet"
		}
	case s.refused && s.limitSeen:
		return Verdict{Status: RuledOut, Reason: fmt.Sprintf("the login was refused its first session, and MaxSessions allows %d: see session-refused", s.limit)}
	case s.refused:
		verdict.Reason = "OpenSSH refuses a session in these words only when MaxSessions is used up, and the connection had none yet"
		verdict.Summary = "sshd lets you in and refuses the first session: MaxSessions is 0 for this user."
		verdict.Why = "With MaxSessions 0 nobody gets a shell, a command or a file transfer, only forwarding; ssh ends right after the login."
		if !s.openSSH {
			verdict.Status = Likely
			verdict.Reason = "the login was refused its first session, in the words that OpenSSH has for MaxSessions 0; the server's configuration would settle it"
			verdict.Summary = "The server lets you in and refuses the first session, as with MaxSessions 0."
		}
	case s.limitSeen && s.limit == 1 && s.configured:
		verdict.Impact = WillBreak
		verdict.Reason = "MaxSessions is 1, and this client shares its connection among sessions"
		verdict.Summary = "MaxSessions is 1, so the second session on this client's shared connection is refused."
		verdict.Why = whySessions
	case s.limitSeen && s.alive && s.full():
		verdict.Status, verdict.Impact = Likely, WillBreak
		verdict.Reason = fmt.Sprintf("%s cannot be on %s unless the shared one has as many as it may (%d); one more session would settle it", count(s.sessions, "session"), count(s.connections, "connection"), s.limit)
		verdict.Summary = fmt.Sprintf("The user has %s on %s, one of them shared by this client, and MaxSessions allows %d on one.", count(s.sessions, "session"), count(s.connections, "connection"), s.limit)
		verdict.Why = whySessions
	case s.log > 0 && s.configured:
		verdict.Status, verdict.Impact = Likely, WillBreak
		verdict.Reason = "sshd's log tells of refused sessions and this client shares its connection; the log does not say whose they were"
		verdict.Summary = fmt.Sprintf("sshd refused sessions for MaxSessions %s within the last day, and this client shares one connection.", times(s.log))
		verdict.Why = whySessions
	default:
		return roomForSessions(v, s)
	}
	return verdict
}

const whySessions = "All sessions of a shared connection count against MaxSessions. A refused one makes ssh log in anew, which is slow and may be throttled, or fail where a tool needs the shared connection."

// roomForSessions judges what is no finding.
func roomForSessions(v *fact.View, s sharing) Verdict {
	verdict := Verdict{Status: Possible, Impact: Risk, Evidence: s.says()}
	switch {
	case s.log > 0 && !s.told:
		verdict.Reason = fmt.Sprintf("sshd refused sessions for MaxSessions %s within the last day; whether they were this client's is not known", times(s.log))
	case s.log > 0:
		verdict.Reason = fmt.Sprintf("sshd refused sessions for MaxSessions %s within the last day, but this client shares no connection: they were another's", times(s.log))
	case !s.limitSeen:
		return unknown(v, fact.MaxSessions)
	case s.limit == 1 && !s.told:
		verdict.Reason = "MaxSessions is 1; it bars shared connections, and whether this client shares one was not seen"
	case s.alive && s.sessionsSeen && s.sessions >= s.limit:
		verdict.Reason = fmt.Sprintf("the user has %s and MaxSessions is %d; how many are on this client's shared connection is not known, and one more session would settle it", count(s.sessions, "session"), s.limit)
	case s.limit < usualSessions && s.alive:
		verdict.Reason = fmt.Sprintf("MaxSessions is %d, and this client shares one connection among its sessions", s.limit)
	case s.configured:
		return Verdict{Status: RuledOut, Reason: fmt.Sprintf("MaxSessions allows %s on one connection, and the log tells of none refused", count(s.limit, "session"))}
	case !s.told:
		return Verdict{Status: RuledOut, Reason: fmt.Sprintf("MaxSessions allows %s on one connection", count(s.limit, "session"))}
	default:
		return Verdict{Status: RuledOut, Reason: fmt.Sprintf("MaxSessions allows %s on one connection, and this client shares none", count(s.limit, "session"))}
	}
	return verdict
}

func (s sharing) says() []Evidence {
	var e []Evidence
	if s.limitSeen {
		e = append(e, says(fact.MaxSessions, "MaxSessions %d", s.limit))
	}
	if s.refused {
		e = append(e, says(fact.LoginError, "%s", refusedSession))
	}
	switch {
	case s.alive:
		e = append(e, says(fact.ControlMaster, "a shared connection is open"))
	case s.configured:
		e = append(e, says(fact.ControlPath, "connections are shared"))
	}
	if s.log > 0 {
		e = append(e, says(fact.LogNoMoreSessions, "%s of the log", count(s.log, "line")))
	}
	if s.sessionsSeen {
		e = append(e, says(fact.UserSessions, "the user has %s", count(s.sessions, "session")))
	}
	return e
}

func fixMaxSessions(v *fact.View) []remedy.Remedy {
	s := sharingOf(v)
	room := usualSessions
	if s.limitSeen && s.limit >= room {
		room = 2 * s.limit
	}
	plans := []remedy.Remedy{{
		ID: "raise-max-sessions", Side: remedy.Server, Risk: remedy.ReloadsSSHD, Cures: fact.MaxSessions.Name(),
		Summary: fmt.Sprintf("allow %d sessions on one connection", room),
		Steps:   setSSHD("MaxSessions", strconv.Itoa(room)),
	}}
	if s.limitSeen && s.limit == 0 || s.refused || !s.configured && s.told {
		return plans
	}
	return append(plans, remedy.Remedy{
		ID: "share-nothing", Unless: []string{"raise-max-sessions"}, Side: remedy.Client, Risk: remedy.Harmless, Cures: fact.ControlPath.Name(),
		Summary: "give each session to this host a connection of its own",
		Steps: []remedy.Step{{
			Kind: remedy.SSHConfig, With: map[string]string{"ControlMaster": "no", "ControlPath": "none"},
			Text: ownHost + ": ControlMaster no and ControlPath none",
		}},
	})
}
