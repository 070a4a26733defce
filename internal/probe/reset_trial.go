package probe

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"sshtay/internal/rst"
	"sshtay/internal/sock"
	"sshtay/internal/sshwire"
)

// A scene is one connection that is brought to where another one was reset,
// with what provokes the reset still to be sent. It goes through acts that
// differ in how far our packets get, and in who can be heard.
type scene struct {
	conn   *net.TCPConn
	ttl    int           // with which the server's packets arrive
	rtt    time.Duration // shortest seen
	unsent []byte        // what comes next in the handshake
}

// An act is a part of a scene. The kernel sends again in each of them what was
// not acknowledged before.
type act struct {
	reach int // TTL of what we send
	floor int // packets that arrive with less are not heard; 0 hears all
}

// How a scene ends.
const (
	sceneReset   = "reset"
	sceneAlive   = "alive"    // the server has acknowledged all that was sent
	sceneFrozen  = "frozen"   // nobody answers
	sceneClosed  = "closed"   // in order
	sceneTooSoon = "too soon" // it ended before the part that matters began
)

var errTooSoon = errors.New("it ended before the experiment could begin")

// usualReach is the TTL that reaches everywhere.
const usualReach = 64

// Bounds for one act, and for learning the server's TTL.
const (
	actLimit  = 3 * time.Second
	hearLimit = 2 * time.Second
	tick      = 5 * time.Millisecond
)

// openScene makes a connection and brings it to the stage after which the
// other one was reset: connect, or banner.
func openScene(ctx context.Context, env *Env, to netip.AddrPort, stage string) (*scene, error) {
	if !env.Budget.Take() {
		return nil, errNoBudget
	}
	o := sock.Options{Timeout: connectTime}
	if local, err := source(ctx, env, to.Addr()); err == nil && local != nil {
		o.Local, _ = local.(*net.TCPAddr)
	}
	conn, err := sock.Dial(ctx, to, o)
	if err != nil {
		return nil, err
	}
	s := &scene{conn: conn}
	if err := s.begin(ctx, env, stage); err != nil {
		conn.Close()
		return nil, err
	}
	return s, nil
}

// begin sends what does no harm yet, so that the server's answer shows its TTL:
// all of the identification, or no more than its first letter.
func (s *scene) begin(ctx context.Context, env *Env, stage string) error {
	if err := sock.WatchTTL(s.conn); err != nil {
		return err
	}
	end := time.Now().Add(stageTime)
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(end) {
		end = deadline
	}
	s.conn.SetDeadline(end)
	ident := []byte(sshwire.OurIdent(env.Version) + "\r\n")
	first := ident[:1]
	if s.unsent = ident[1:]; stage == stageBanner {
		first, s.unsent = ident, sshwire.Opening(offer(env))
	}
	if _, err := s.conn.Write(first); err != nil {
		return errTooSoon
	}
	if stage == stageBanner {
		if _, _, err := sshwire.ReadIdent(bufio.NewReaderSize(s.conn, 1<<10), nil); err != nil {
			return errTooSoon
		}
	}
	for deadline := time.Now().Add(hearLimit); s.ttl == 0; {
		ttl, err := sock.ReceivedTTL(s.conn)
		info, failed := sock.InfoOf(s.conn)
		switch {
		case err != nil:
			return err
		case failed != nil || info.State != established:
			return errTooSoon
		case ttl == 0 && time.Now().After(deadline):
			return errors.New("the server acknowledged nothing")
		case ttl == 0:
			time.Sleep(tick)
		}
		s.ttl, s.rtt = ttl, info.MinRTT
	}
	return nil
}

// established is how Linux numbers that state.
const established = 1

// play goes through acts until the connection ends, and returns in which one
// and how. In the last one it also sees whether the server has everything.
func (s *scene) play(ctx context.Context, acts []act) (int, string) {
	for i, a := range acts {
		if sock.SetMinTTL(s.conn, a.floor) != nil || sock.SetTTL(s.conn, a.reach) != nil {
			return i, sceneTooSoon
		}
		before, _ := sock.InfoOf(s.conn)
		if i == 0 {
			if before.State != established {
				return i, sceneTooSoon
			}
			if s.conn.SetWriteDeadline(time.Now().Add(actLimit)); len(s.unsent) > 0 {
				s.conn.Write(s.unsent)
			}
		}
		if how := s.watch(ctx, i == 0, i == len(acts)-1, before); how != "" {
			return i, how
		}
	}
	return len(acts), sceneFrozen
}

// calmTime is how long a connection must live by itself before what ends it
// next counts as an answer: several times as long as an answer may take.
const calmTime = 300 * time.Millisecond

// calm says whether the connection lives while nothing is sent.
func (s *scene) calm(ctx context.Context) bool {
	buf := make([]byte, 4<<10)
	s.conn.SetReadDeadline(time.Now().Add(calmTime + 2*s.rtt))
	for ctx.Err() == nil {
		_, err := s.conn.Read(buf)
		if reason := sshwire.ReasonOf(err); reason != "" {
			return reason == sshwire.ReasonTimedOut
		}
	}
	return false
}

// watch waits until an act is over: once what was sent, or sent again, has had
// its time to be answered.
func (s *scene) watch(ctx context.Context, fresh, last bool, before sock.Info) string {
	answer := s.rtt*3/2 + 60*time.Millisecond
	var since time.Time // when the last packet that counts went out
	if fresh {
		since = time.Now()
	}
	buf := make([]byte, 4<<10)
	for end := time.Now().Add(actLimit + 2*s.rtt); time.Now().Before(end) && ctx.Err() == nil; {
		s.conn.SetReadDeadline(time.Now().Add(tick))
		_, err := s.conn.Read(buf)
		switch sshwire.ReasonOf(err) {
		case "", sshwire.ReasonTimedOut:
		case sshwire.ReasonReset:
			return sceneReset
		case sshwire.ReasonClosed:
			return sceneClosed
		default:
			return sceneTooSoon
		}
		info, err := sock.InfoOf(s.conn)
		if err != nil {
			return sceneTooSoon
		}
		if since.IsZero() && info.TotalRetrans > before.TotalRetrans {
			since = time.Now()
		}
		over := !since.IsZero() && time.Since(since) > answer
		if over && last && info.Unacked == 0 {
			return sceneAlive
		}
		if over && !last {
			return ""
		}
	}
	return ""
}

// close hears everybody again and takes leave.
func (s *scene) close() {
	sock.SetMinTTL(s.conn, 0)
	sock.SetTTL(s.conn, usualReach)
	s.conn.SetDeadline(time.Now().Add(100 * time.Millisecond))
	s.conn.Write(sshwire.Goodbye())
	s.conn.Close()
}

// below is how far our packets may go so that the server never gets them.
func (s *scene) below() int { return rst.Hops(s.ttl) - 1 }
