package probe

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"sshtay/internal/fact"
	"sshtay/internal/sshlog"
	"sshtay/internal/visible"
)

// The sessions that a server marks in different ways: one with a terminal is
// interactive, one with a command alone is bulk, and in one that asks for
// neither a server up to OpenSSH 10.0 does not mark at all.
var serverKinds = map[string]trial{
	"terminal": {SSH: []string{unmarked}, Command: "cat", TTY: true},
	"command":  {SSH: []string{unmarked}, Command: "cat"},
	"silent":   {SSH: silent},
}

// serverTrials makes sessions that carry no mark on the way to the server and
// differ in how the server marks its own, until one is lost and one is not.
func serverTrials(ctx context.Context, env *Env, to netip.AddrPort, s suspicion) (all []fact.MarkTrial) {
	kinds := []string{"terminal", "command"}
	if s.stuck { // the login was a command
		kinds = []string{"command", "terminal", "silent"}
	}
	lost, passed := false, false
	for i, kind := range kinds {
		r := serverTrial(ctx, env, to, kind)
		all = append(all, r)
		lost, passed = lost || r.Lost > 0, passed || r.Lost == 0 && r.Passed > 0
		if r.Unsent != "" || lost && passed || i == 0 && passed {
			break
		}
	}
	return all
}

func serverTrial(ctx context.Context, env *Env, to netip.AddrPort, kind string) fact.MarkTrial {
	r := fact.MarkTrial{Way: toClient, Kind: kind}
	t, stage := serverKinds[kind], sshlog.Session
	if t.Command == "" {
		stage = sshlog.Auth
	}
	s, err := openMarked(ctx, env, to, t, stage)
	if s != nil {
		defer s.Close()
	}
	if err != nil {
		r.Unsent = visible.Line(err.Error(), 300)
		return r
	}
	for range passRounds {
		if t.Command != "" {
			s.IO.Write([]byte("\n"))
		}
		switch s.answered(ctx) {
		case getsThrough:
			r.Passed++
		case isLost:
			r.Lost++
			return r // what is stuck stays so
		default:
			return r
		}
	}
	return r
}

// answered waits until what ssh sends next is acknowledged. It is lost when the server's
// kernel, which needs no program to acknowledge, is not heard at all any more.
func (s *session) answered(ctx context.Context) (what int) {
	before, err := s.Info()
	if err != nil {
		return nothingSeen
	}
	o := s.nextGetsThrough(ctx).what
	after, err := s.Info()
	if o == isLost && (err != nil || after.SegmentsIn > before.SegmentsIn) {
		return nothingSeen
	}
	return o
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}
