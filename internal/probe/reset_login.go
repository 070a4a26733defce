package probe

import (
	"context"
	"io"
	"net/netip"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/rst"
	"sshtay/internal/sock"
	"sshtay/internal/sshlog"
)

// devour takes what it gets: bytes that we send still flow when the server is
// not heard any more.
const devour = "exec cat >/dev/null"

// A session is fed in chunks of this many bytes, or of a tenth of what it has
// carried, so that it is known to a tenth where it is reset; and in one piece
// once the server is muted.
const (
	leastChunk = 1 << 10
	upload     = 256 << 10
)

// loginTrialTime bounds one session of the experiment.
const loginTrialTime = 7 * time.Second

// inLogin is the experiment for a reset that comes after the handshake: the
// user's own ssh logs in again, first to see after how many bytes or how long
// it is reset; then the server is no longer heard shortly before that.
func (f *finding) inLogin(ctx context.Context, env *Env, facts *fact.Set, to netip.AddrPort) {
	ttl, known := fact.HandshakeTTL.Get(facts)
	if !known || rst.Hops(ttl) < 2 {
		f.unsettled("no experiment was possible: the TTL of the server's packets is not known, or there is no hop between")
		return
	}
	control, err := sessionTrial(ctx, env, to, 0, moment{})
	switch {
	case err != nil:
		f.unsettled("no experiment was possible: " + err.Error())
		return
	case !control.reset:
		f.unsettled("a session that was to be reset once more was not: it does not happen every time")
		return
	}
	f.again++
	nearer, err := sessionTrial(ctx, env, to, ttl+1, control.moment)
	switch {
	case err != nil:
		f.unsettled("no experiment was possible: " + err.Error())
		return
	case !nearer.muted:
		f.unsettled("the session was reset before the server could be muted")
		return
	case !nearer.reset && !nearer.doubted:
		f.unsettled("a session that hears nothing of the server is not reset: the server sent it, or it came from as far or farther")
		return
	}
	f.again++
	beyond, err := sessionTrial(ctx, env, to, rst.First(ttl)+1, control.moment)
	if err != nil || beyond.reset || beyond.doubted || !beyond.muted {
		f.unsettled("the reset comes with a TTL above the server's: from nearer, or from the server if it starts its resets at another TTL")
		return
	}
	if nearer.reset {
		f.proven(rst.Middlebox, true, "sessions are reset, too, while nothing of the server's is heard: the reset has a TTL above the server's (%d), and not above %d", ttl, rst.First(ttl))
	} else {
		f.proven(rst.Middlebox, false, "a session got a reset, too, while nothing of the server's was heard: it has a TTL above the server's (%d), and not above %d; this kernel did not believe it, for the server had sent more meanwhile", ttl, rst.First(ttl))
	}
	f.least, f.most = 1, rst.Hops(ttl)-1
}

// A moment is how far a session had come: its stage, whether what we send had
// begun to arrive, bytes both ways, and time.
type moment struct {
	stage string
	flows bool
	bytes uint64
	time  time.Duration
}

// reached says whether a session is close to a moment where another one ended.
func (m moment) reached(end moment) bool {
	return sshlog.Reached(m.stage, end.stage) && (m.flows || !end.flows) && (m.bytes*100 >= end.bytes*85 || m.time*10 >= end.time*9)
}

// A sessionEnd is how a session of the experiment ended.
type sessionEnd struct {
	moment
	reset bool
	muted bool // the floor was set before it ended
	// A reset was heard that has another sequence number than the next one, as when
	// the server had sent something that was not heard (RFC 5961, 3.2); or some other
	// connection of this machine's got one.
	doubted bool
}

// sessionTrial logs in, sends more and more data and waits for the reset. Close to the
// given moment it stops to hear what arrives with a TTL below the floor.
func sessionTrial(ctx context.Context, env *Env, to netip.AddrPort, floor int, near moment) (sessionEnd, error) {
	var end sessionEnd
	s, err := openSession(ctx, env, to, trial{Command: devour})
	if err != nil {
		return end, err
	}
	defer s.Close()
	go io.Copy(io.Discard, s.IO)
	start := time.Now()
	doubts := 0
	next := uint64(0) // acknowledged bytes when the last chunk has arrived
	every := time.NewTicker(2 * time.Millisecond)
	defer every.Stop()
	for limit := time.After(loginTrialTime); ; {
		info, err := s.Info()
		if err == nil && info.State == established {
			end.moment = moment{s.Stage(), end.flows || next > 0 && info.BytesAcked >= next, info.BytesReceived + info.BytesAcked, time.Since(start)}
		}
		if err == nil && info.State != established && end.muted {
			end.reset = true // a FIN of the server's would not be heard
			return end, nil
		}
		if floor > 0 && !end.muted && end.reached(near) && info.State == established {
			if end.muted = sock.SetMinTTL(s.Conn, floor) == nil; end.muted {
				doubts = challenges()
				s.IO.SetWriteDeadline(time.Now().Add(loginTrialTime))
				go s.IO.Write(make([]byte, upload))
			}
		}
		if !end.muted && end.stage == sshlog.Session && info.BytesAcked >= next {
			chunk := max(leastChunk, end.bytes/10)
			next = info.BytesAcked + chunk
			s.IO.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
			s.IO.Write(make([]byte, chunk))
		}
		select {
		case <-s.Ended():
			end.reset = end.reset || s.Reason() == "reset"
			return end, nil
		case <-limit:
			end.doubted = end.muted && challenges() > doubts
			return end, nil
		case <-ctx.Done():
			return end, context.Cause(ctx)
		case <-every.C:
		}
	}
}

// challenges is how often this kernel has answered a reset with a question.
func challenges() int {
	n, _ := sock.Counter("TcpExt", "TCPChallengeACK")
	return n
}
