package probe

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/sock"
	"sshtay/internal/sshlog"
	"sshtay/internal/visible"
)

// Rekey sees whether a session lives on when its keys are renewed, where
// something points to it: a limit that somebody has set, a program that is
// known for it, or a session that ended by itself.
var Rekey = Probe{Name: "rekey", Yields: []fact.Any{fact.RekeyTrials}, Run: runRekey}

// Renewing does the same where the login itself ended in a renewal: then
// nothing is likelier, and other experiments would use up the connections.
var Renewing = Probe{Name: "renewing", Yields: []fact.Any{fact.RekeyTrials}, Run: func(ctx context.Context, env *Env, facts *fact.Set) {
	if renewing, _ := fact.LoginRenewing.Get(facts); renewing {
		runRekey(ctx, env, facts)
	}
}}

const (
	rekeyAfter    = "16K"    // the treatment's RekeyLimit
	rekeyBytes    = 64 << 10 // that a trial sends
	rekeyPatience = 6 * time.Second
)

// noRekeyLimit is a RekeyLimit that nobody has set, as ssh -G and sshd -T have
// it.
const noRekeyLimit = "0 0"

// rekeyTrouble are the beginnings of the names of servers of which versions
// are known that do not survive a renewal.
var rekeyTrouble = []string{"AsyncSSH_", "russh", "warpgate", "Sun_SSH_1.0", "mod_sftp", "wolfSSH", "paramiko", "libssh", "Twisted", "SSH.NET", "HPN"}

func runRekey(ctx context.Context, env *Env, facts *fact.Set) {
	if _, tried := fact.RekeyTrials.Get(facts); tried {
		return
	}
	if why := noRekey(facts); why != "" {
		fact.Miss(facts, why, fact.RekeyTrials)
		return
	}
	to, why := serverAddr(env, facts)
	if why != "" {
		fact.Miss(facts, why, fact.RekeyTrials)
		return
	}
	env.Progress("renewing the keys of a session")
	var all []fact.RekeyTrial
	order := []bool{true, false, true, false}
	if renewing, _ := fact.LoginRenewing.Get(facts); renewing { // the login was the first of these
		order = order[1:]
	}
	for _, renews := range order {
		t := rekeyTrial(ctx, env, to, renews)
		all = append(all, t)
		if t.Unstarted != "" || len(all) == 1 && t.Renews && (t.Whole || !t.Began) { // it lives, or never came to a renewal
			break
		}
	}
	fact.RekeyTrials.Put(facts, all, fmt.Sprintf("sessions of ssh to %s port %d", to.Addr(), to.Port()))
}

// noRekey says why nothing is to be tried, or "".
func noRekey(facts *fact.Set) string {
	client, _ := fact.ClientRekeyLimit.Get(facts)
	server, _ := fact.ServerRekeyLimit.Get(facts)
	stage, logged := fact.LoginStage.Get(facts)
	reason, _ := fact.LoginReason.Get(facts)
	banner, _ := fact.HandshakeBanner.Get(facts)
	_, software, _ := strings.Cut(strings.TrimPrefix(banner, "SSH-"), "-")
	known := slices.ContainsFunc(rekeyTrouble, func(p string) bool { return strings.HasPrefix(software, p) })
	set := func(limit string) bool { return limit != "" && limit != noRekeyLimit }
	sender, _ := fact.ResetSender.Get(facts)
	renewing, _ := fact.LoginRenewing.Get(facts)
	died := renewing || stage == sshlog.Session && (reason == "closed" || reason == "reset")
	switch {
	case !logged:
		return "there was no login"
	case !sshlog.Reached(stage, sshlog.Auth):
		return "the login did not come so far"
	case sender == "middlebox":
		return fact.NotNeeded + "a box in the path reset the login"
	case !set(client) && !set(server) && !known && !died:
		return fact.NotNeeded + "nothing pointed to the renewal of the keys"
	}
	return ""
}

// rekeyTrial sends data through a session, and then nothing more.
func rekeyTrial(ctx context.Context, env *Env, to netip.AddrPort, renews bool) fact.RekeyTrial {
	r := fact.RekeyTrial{Renews: renews}
	limit := "RekeyLimit=default none"
	if renews {
		limit = "RekeyLimit=" + rekeyAfter
	}
	s, err := openSession(ctx, env, to, trial{Socket: sock.Options{Timeout: markConnect}, SSH: []string{limit, "Compression=no"}, Command: devour})
	if err != nil {
		r.Unstarted = visible.Line(err.Error(), 300)
		return r
	}
	defer s.Close()
	ready, cancel := context.WithTimeoutCause(ctx, markLogin, errNoLogin)
	defer cancel()
	if s.Await(ready, sshlog.Session) == nil {
		r.Whole = s.sendAll(rekeyBytes, rekeyPatience)
		s.awaitEnd(ctx) // ssh says why after its output has ended
	}
	r.Stage = s.Stage()
	s.mu.Lock()
	r.Began, r.Renewed = s.trace.Renewals > 0, s.trace.Renewed > 0
	r.Whole = r.Whole && s.trace.Reason() == "" && s.trace.Renewed == s.trace.Renewals
	s.mu.Unlock()
	if !r.Whole {
		if r.Reason = s.Reason(); r.Reason == "" && s.alive() {
			r.Reason = "silence"
		}
		r.Says = visible.Line(s.Words(), 300)
	}
	return r
}

// sendAll sends zeros to a command that reads to the end and ends, within the
// time, and returns whether all went well.
func (s *session) sendAll(bytes int, within time.Duration) bool {
	s.IO.SetDeadline(time.Now().Add(within))
	zeros := make([]byte, 8<<10)
	for range bytes / len(zeros) {
		if _, err := s.IO.Write(zeros); err != nil {
			return false
		}
	}
	if half, ok := s.IO.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
	_, err := io.Copy(io.Discard, io.LimitReader(s.IO, maxText))
	return err == nil
}
