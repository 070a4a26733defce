package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"sshtay/internal/sock"
	"sshtay/internal/sshwire"
)

// pollEvery is how often the kernel is asked about a connection that carries
// an experiment.
const pollEvery = 5 * time.Millisecond

// poll asks the kernel about a connection until seen says that it has seen
// enough, or ctx is done.
func poll(ctx context.Context, c *net.TCPConn, seen func(time.Time, sock.Info) (bool, error)) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		info, err := sock.InfoOf(c)
		if err != nil {
			return err
		}
		if enough, err := seen(time.Now(), info); enough || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// tcpCloseWait is the state of a connection that the other side ended in
// order, as Linux numbers it.
const tcpCloseWait = 8

var errEnded = errors.New("the server ended the connection")

// climb finds the longest packet that reaches the server: one connection
// carries segments of ascending sizes, whose bytes are messages that SSH
// ignores (RFC 4253, 11.2). The server's kernel acknowledges them up to the
// first that vanishes, and the loss of any other is repaired by sending it
// again. It needs no login, and the server's program takes no part.
func climb(ctx context.Context, env *Env, m *mtuRun, known bracket) (bracket, error) {
	if !env.Budget.Take() {
		return known, errNoBudget
	}
	ctx, cancel := context.WithTimeout(ctx, experimentTime)
	defer cancel()
	conn, err := m.dial(ctx, sock.Options{})
	if err != nil {
		return known, err
	}
	defer sock.Abort(conn) // in order where nothing is stuck, see below
	info, err := sock.InfoOf(conn)
	if err != nil {
		return known, err
	}
	head := headers(m.to.Addr().Is4(), info.Timestamps)
	top := info.SendMSS + head
	if known.vanishes > 0 {
		top = min(top, known.vanishes)
	}
	sizes := rungs(max(known.arrives, head+smallSegment/2), top)
	if len(sizes) == 0 {
		return known, nil
	}
	ident := []byte(sshwire.OurIdent(env.Version) + "\r\n")
	segments, total := []int{}, 0
	for _, n := range sizes {
		segments, total = append(segments, n-head), total+n-head
	}
	stream, rest := sshwire.Filler(total)
	last := min(len(rest), smallSegment/4) // a small one behind the others shows what is missing before it
	go sock.WriteSegments(ctx, conn, append(append(ident, stream...), rest...), append(append([]int{len(ident)}, segments...), last))
	before := int(info.BytesAcked) + len(ident)
	done, s := 0, stall{lossy: m.lossy}
	err = poll(ctx, conn, func(_ time.Time, i sock.Info) (bool, error) {
		now := climbed(segments, int(i.BytesAcked)-before)
		s.lossy = s.lossy || now > done && i.TotalRetrans > 0
		done = now
		if done < len(segments) && (i.State == tcpClosed || i.State == tcpCloseWait) {
			return false, errEnded
		}
		// Had more than the small one at the end arrived behind it, then longer
		// ones pass, and it was lost by chance.
		return done == len(segments) || i.Unacked > 0 && i.Sacked <= 1 && i.Backoff >= s.backoff(), nil
	})
	m.lossy = s.lossy
	if err != nil {
		return known, fmt.Errorf("a connection with segments of many sizes: %w", err)
	}
	if done > 0 {
		known.arrives = max(known.arrives, sizes[done-1])
	}
	if known.vanishes = 0; done < len(sizes) {
		known.vanishes = sizes[done]
	} else {
		leave(ctx, conn, rest[last:])
	}
	return known, nil
}

// leave ends a connection that nothing is stuck on, as one should.
func leave(ctx context.Context, conn *net.TCPConn, rest []byte) {
	conn.SetDeadline(time.Now().Add(margin))
	conn.Write(append(rest, sshwire.Goodbye()...))
	conn.CloseWrite()
	for b := make([]byte, 4096); ctx.Err() == nil; {
		if _, err := conn.Read(b); err != nil {
			return
		}
	}
}

// dial makes a connection of an experiment, from where the user's would come.
func (m *mtuRun) dial(ctx context.Context, o sock.Options) (*net.TCPConn, error) {
	return dialAsUser(ctx, m.env, m.to, o)
}
