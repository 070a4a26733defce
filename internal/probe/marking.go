package probe

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/sock"
	"sshtay/internal/sshconf"
	"sshtay/internal/sshlog"
	"sshtay/internal/visible"
)

// Marking makes sessions that differ in their traffic class alone, and one
// that changes it while it lives, where the handshake's end or the login gave
// reason to. It runs after both.
var Marking = Probe{Name: "marking", Yields: []fact.Any{fact.MarkTrials}, Run: runMarking}

const (
	mostRounds  = 8               // times that a session changes its mark, and changes back, at most
	passRounds  = 3               // times that the mark must get through, where it ever does, to be left alone
	plainTries  = 3               // times that what is sent without the mark is waited for, on a path that loses that, too
	sureMark    = 0.01            // how probable chance may be when the rounds end before
	roundTime   = 4 * time.Second // for one such change; what is lost shows sooner
	markLogin   = 6 * time.Second // for a session of ours to log in
	markConnect = 3 * time.Second // for its connection: two lost SYNs
	lookAgain   = 5 * time.Millisecond
)

func runMarking(ctx context.Context, env *Env, facts *fact.Set) {
	s := suspicionOf(facts)
	if s.none() {
		fact.Miss(facts, fact.NotNeeded+"nothing pointed to the traffic class", fact.MarkTrials)
		return
	}
	to, why := serverAddr(env, facts)
	if why != "" {
		fact.Miss(facts, why, fact.MarkTrials)
		return
	}
	env.Progress("trying traffic classes")
	var all []fact.MarkTrial
	for _, t := range s.toServer {
		all = append(all, t.run(ctx, env, to)...)
	}
	if s.toClient {
		all = append(all, serverTrials(ctx, env, to, s)...)
	}
	fact.MarkTrials.Put(facts, all, fmt.Sprintf("sessions of ssh to %s port %d", to.Addr(), to.Port()))
}

// A suspicion says what is worth a session.
type suspicion struct {
	toServer []markTrial
	toClient bool
	stuck    bool // the login itself hung where the server begins to mark
}

func (s suspicion) none() bool { return len(s.toServer) == 0 && !s.toClient }

// suspicionOf reads the handshake's end and the login.
func suspicionOf(facts *fact.Set) suspicion {
	marks, seen := fact.PathMarks.Get(facts)
	stage, _ := fact.LoginStage.Get(facts)
	reason, _ := fact.LoginReason.Get(facts)
	s := suspicion{stuck: stage == sshlog.Session && (reason == "no-answer" || reason == "timed-out")}
	var lost, passed []fact.Mark
	for _, m := range marks {
		switch {
		case m.Way == toClient:
			s.toClient = s.toClient || !m.Passed
		case m.Passed:
			passed = append(passed, m)
		default:
			lost = append(lost, m)
		}
	}
	if len(lost) > 0 {
		if s.stuck { // by the mark of commands, more likely than by another
			slices.SortStableFunc(lost, func(a, b fact.Mark) int { return cmp.Compare(a.Class, b.Class) })
		}
		s.toServer = append(s.toServer, markTrial{"switched", lost})
		if len(passed) == 0 && len(lost) > 1 {
			// Each mark is lost where others came before: it may be the change.
			s.toServer = append(s.toServer, markTrial{"constant", lost[:1]})
		}
	}
	s.toClient = s.toClient || seen && s.stuck && len(lost) == 0 || seen && reason == "" && stage == sshlog.Session && untried(facts, marks)
	return s
}

// untried says that the server marks terminals in a way of its own that the
// handshake, which knew only the banner, did not try.
func untried(facts *fact.Set, marks []fact.Mark) bool {
	value, _ := fact.ServerIPQoS.Get(facts)
	qos := strings.Fields(value)
	if len(qos) != 2 || qos[0] == qos[1] || sshconf.QoSByte(qos[0]) == 0 {
		return false
	}
	return !slices.ContainsFunc(marks, func(m fact.Mark) bool { return m.Way == toClient && m.TOS == sshconf.QoSByte(qos[0]) })
}

// A markTrial is one session to make, with one mark after the other until one
// is lost each time.
type markTrial struct {
	kind  string
	marks []fact.Mark
}

// none leaves the marking of ssh's packets to who made the socket.
const unmarked = "IPQoS=none"

// silent is a session that asks nothing of the server but signs of life: a
// server up to OpenSSH 10.0 does not begin to mark in it.
var silent = []string{unmarked, "ServerAliveInterval=1", "ServerAliveCountMax=100"}

func (t markTrial) run(ctx context.Context, env *Env, to netip.AddrPort) (all []fact.MarkTrial) {
	first := t.marks[0]
	r := fact.MarkTrial{Way: toServer, Kind: t.kind, Name: first.Name, TOS: first.TOS}
	socket := sock.Options{Timeout: markConnect}
	if t.kind == "constant" {
		socket.TOS = &first.TOS
	}
	s, err := openMarked(ctx, env, to, trial{Socket: socket, SSH: silent}, sshlog.Auth)
	if s != nil {
		defer s.Close()
	}
	switch {
	case t.kind == "constant" && err == nil:
		r.Passed++
	case t.kind == "constant" && (s != nil || isTimeout(err)):
		r.Lost++
	case err != nil:
		r.Unsent = visible.Line(err.Error(), 300)
	default:
		for _, m := range t.marks {
			r := fact.MarkTrial{Way: toServer, Kind: t.kind, Name: m.Name, TOS: m.TOS}
			change(ctx, s, &r)
			all = append(all, r)
			if r.Lost > r.Passed {
				break
			}
		}
		return all
	}
	return []fact.MarkTrial{r}
}

// change has a session carry the mark and lose it again, and counts what gets
// through with it and without, until it is plain that the mark makes the
// difference, or that it makes none.
func change(ctx context.Context, s *session, r *fact.MarkTrial) {
	for range mostRounds {
		if r.Passed == passRounds || r.Lost > 1 && r.Chance() < sureMark {
			return
		}
		before, quiet := s.quiet(ctx)
		if !quiet {
			return
		}
		sock.SetTOS(s.Conn, r.TOS)
		if now, err := s.Info(); err != nil || now.DataSegmentsOut != before.DataSegmentsOut {
			sock.SetTOS(s.Conn, 0) // under which mark that was sent cannot be told
			continue
		}
		o := s.nextGetsThrough(ctx)
		r.Sent, r.Missed = r.Sent+o.sent, r.Missed+o.missed
		sock.SetTOS(s.Conn, 0)
		switch o.what {
		case getsThrough:
			r.Passed++
		case isLost:
			r.Lost++
		default:
			return
		}
		if !s.goesOn(ctx, r) {
			return
		}
	}
}

// goesOn waits until the session gets through without its mark.
func (s *session) goesOn(ctx context.Context, r *fact.MarkTrial) bool {
	for range plainTries {
		o := s.nextGetsThrough(ctx)
		r.PlainSent, r.PlainMissed = r.PlainSent+o.sent, r.PlainMissed+o.missed
		switch o.what {
		case getsThrough:
			r.Plain++
			return true
		case nothingSeen:
			return false
		}
	}
	return false
}

// openMarked opens a session and waits until it has come to the stage. The
// session is nil when its connection was not made.
func openMarked(ctx context.Context, env *Env, to netip.AddrPort, t trial, stage string) (*session, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, markLogin, errNoLogin)
	defer cancel()
	s, err := openSession(ctx, env, to, t)
	if err != nil {
		return nil, err
	}
	return s, s.Await(ctx, stage)
}

// An outcome is what became of the next thing that a session sent.
type outcome struct {
	what         int
	sent, missed int // packets with data, and those of them that did not arrive
}

const (
	nothingSeen = iota
	getsThrough
	isLost
)

// nextGetsThrough waits until ssh sends something, or has something on its
// way, and says whether it is acknowledged. It is lost when its second sending
// brought no acknowledgement either, and the kernel has begun to wait longer.
func (s *session) nextGetsThrough(ctx context.Context) outcome {
	ctx, cancel := context.WithTimeout(ctx, roundTime)
	defer cancel()
	before, err := s.Info()
	if err != nil {
		return outcome{}
	}
	for {
		now, err := s.Info()
		if o := throughBetween(before, now); err != nil || o.what != nothingSeen {
			return o
		}
		select {
		case <-ctx.Done():
			return outcome{}
		case <-s.Ended():
			return outcome{}
		case <-time.After(lookAgain):
		}
	}
}

// quiet waits until nothing is on its way to the server: what was sent under
// one mark shall not be counted for the next.
func (s *session) quiet(ctx context.Context) (sock.Info, bool) {
	for {
		now, err := s.Info()
		if err == nil && now.Unacked == 0 && now.NotSent == 0 {
			return now, true
		}
		select {
		case <-ctx.Done():
			return sock.Info{}, false
		case <-s.Ended():
			return sock.Info{}, false
		case <-time.After(lookAgain):
		}
	}
}

// throughBetween compares two looks at a connection. What was on its way in
// the first one counts: it was sent before, and may be sent again now.
func throughBetween(before, now sock.Info) outcome {
	sent, again := now.DataSegmentsOut-before.DataSegmentsOut, now.TotalRetrans-before.TotalRetrans
	switch {
	case now.BytesAcked > before.BytesAcked && now.Unacked == 0:
		// What was sent again was missed before, but for what was only late. The
		// last sending of what was on its way already is the one that arrived.
		missed := again - (now.Duplicates - before.Duplicates)
		if before.Unacked > 0 {
			missed--
		}
		return outcome{getsThrough, sent, min(max(0, missed), sent)}
	case again >= 2 && now.Backoff > 0 && now.BytesAcked == before.BytesAcked:
		return outcome{isLost, sent, sent}
	}
	return outcome{}
}
