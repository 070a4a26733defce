package probe

import (
	"context"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/sock"
	"sshtay/internal/sshconf"
	"sshtay/internal/sshwire"
)

// A parting ends the connection of a handshake so that it shows, in the time
// of one round trip more, which traffic classes get through. Our goodbye goes
// out in pieces: a few bytes under each mark, and the rest without. A piece
// that is lost is sent again without its mark, so the server reads the whole
// in any case, and the number of bytes that were sent again says which it was.
//
// Then the server has closed, and its kernel answers one byte more with a
// reset that carries the byte's own mark (Linux does so, RFC 9293 leaves it
// open): what comes back of it tells of the way to us.
type parting struct {
	out  []fact.Mark // tried on the way to the server, each with another mark
	back fact.Mark   // tried on the way back; zero is none
}

const (
	toServer = "to-server"
	toClient = "to-client"

	interactive = "interactive"
	bulk        = "bulk"
)

// partingTime is how long the server may take to close after our goodbye.
// markedTime is how long a marked answer of its kernel is waited for at a time
// beyond two round trips: by then what was lost has been sent again.
const (
	partingTime = 2 * time.Second
	markedTime  = 300 * time.Millisecond
	mostWaits   = 6
	mostParting = 256 << 10 // bytes that are read after our goodbye
)

// newParting lists the marks of the user's ssh, and the one by which the
// server would mark a terminal session, as far as its banner tells.
func newParting(config, banner string) parting {
	var p parting
	add := func(class, name string) fact.Mark {
		m := fact.Mark{Way: toServer, Name: name, TOS: sshconf.QoSByte(name), Class: class}
		if m.TOS != 0 && !slices.ContainsFunc(p.out, func(o fact.Mark) bool { return o.TOS == m.TOS }) {
			p.out = append(p.out, m)
		}
		return m
	}
	ours := strings.Fields(config)
	for i, class := range []string{interactive, bulk} {
		if i < len(ours) {
			add(class, ours[i])
		}
	}
	if server := serverMarks(banner); server != nil {
		p.back = add(interactive, server[0])
		p.back.Way = toClient
	}
	return p
}

// serverMarks are the names by which a server with this banner marks
// interactive sessions and others when nothing is configured, or nil.
func serverMarks(banner string) []string {
	release, ok := sshconf.ParseRelease(banner)
	if !ok {
		return nil
	}
	return strings.Fields(release.DefaultQoS())
}

// end says goodbye on the connection. What it returns was seen; a mark that is
// missing was not, for instance where loss of another kind was in the way.
func (p parting) end(ctx context.Context, conn *net.TCPConn, goodbye []byte, rtt time.Duration) (seen []fact.Mark, closed bool) {
	before, err := sock.InfoOf(conn)
	if err != nil || before.Unacked > 0 || before.NotSent > 0 {
		conn.Write(goodbye)
		conn.CloseWrite()
		return nil, drained(conn, partingTime)
	}
	p.send(conn, goodbye)
	closed = drained(conn, partingTime)
	after, err := sock.InfoOf(conn)
	if err == nil && after.Unacked == 0 {
		seen = arrived(p.out, len(goodbye), resent(before, after))
	}
	there := slices.ContainsFunc(seen, func(m fact.Mark) bool { return m.TOS == p.back.TOS && m.Passed })
	if !closed || !there || ctx.Err() != nil {
		conn.CloseWrite()
		return seen, closed
	}
	if passed, known := reflected(conn, p.back.TOS, rtt); known {
		p.back.Passed = passed
		seen = append(seen, p.back)
	}
	return seen, true
}

// send writes the goodbye in pieces of 1, 2, 4 ... bytes, each under its mark,
// and the rest without one. TCP_NODELAY makes each a segment of its own.
func (p parting) send(conn *net.TCPConn, goodbye []byte) {
	for i, m := range p.out {
		sock.SetTOS(conn, m.TOS)
		conn.Write(goodbye[:1<<i])
		goodbye = goodbye[1<<i:]
	}
	sock.SetTOS(conn, 0)
	conn.Write(goodbye)
}

// resent is how many bytes had to be sent again, or -1 when some of them had
// arrived after all.
func resent(before, after sock.Info) int {
	if after.Duplicates > before.Duplicates {
		return -1
	}
	return int(after.BytesRetrans - before.BytesRetrans)
}

// arrived reads from the bytes that were sent again which of the pieces were
// lost. More than the pieces and the rest hold leaves it open: something was
// lost more than once.
func arrived(marks []fact.Mark, goodbye, resent int) []fact.Mark {
	pieces := 1<<len(marks) - 1
	if rest := goodbye - pieces; resent >= rest {
		resent -= rest // it is sent again for good measure when the answer is slow
	}
	if resent < 0 || resent > pieces {
		return nil
	}
	seen := slices.Clone(marks)
	for i := range seen {
		seen[i].Passed = resent&(1<<i) == 0
	}
	return seen
}

// earlyMark is the mark that a server with this banner sets from its key
// exchange on: OpenSSH does so since 10.1.
func earlyMark(banner string) (m fact.Mark, early bool) {
	release, ok := sshconf.ParseRelease(banner)
	if !ok || release.Major < 10 || release.Major == 10 && release.Minor < 1 {
		return m, false
	}
	p := newParting("", banner)
	return p.back, p.back.TOS != 0
}

// hearServer makes one connection more where the server fell silent when it
// began to mark: it says goodbye at once, and sees whether the server's kernel
// is heard under that mark. It returns nil when that does not show.
func hearServer(ctx context.Context, env *Env, to netip.Addr, mark fact.Mark) []fact.Mark {
	if !env.Budget.Take() {
		return nil
	}
	env.Progress("hearing the server without its marks")
	conn, took, err := dial(ctx, env, to)
	if err != nil {
		return nil
	}
	defer conn.Close()
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil
	}
	conn.SetDeadline(time.Now().Add(partingTime))
	conn.Write(append([]byte(sshwire.OurIdent(env.Version)+"\r\n"), sshwire.Goodbye()...))
	drained(conn, 4*took+markedTime)
	passed, known := reflected(tcp, mark.TOS, took)
	if !known {
		return nil
	}
	mark.Passed = passed
	return []fact.Mark{mark}
}

// drained reads until the other side has closed in order, and says whether it
// has.
func drained(conn net.Conn, within time.Duration) bool {
	conn.SetReadDeadline(time.Now().Add(within))
	n, err := io.Copy(io.Discard, io.LimitReader(conn, mostParting))
	return err == nil && n < mostParting
}

// reflected sends one byte under a mark on a connection that the other side
// has closed, and says whether the reset that answers it came. Where none came
// the byte is sent again without its mark: only when that is answered is it
// known that the mark was to blame.
func reflected(conn *net.TCPConn, tos int, rtt time.Duration) (passed, known bool) {
	if sock.SetTOS(conn, tos) != nil {
		return false, false
	}
	if _, err := conn.Write([]byte{0}); err != nil {
		return false, false
	}
	first, err := sock.InfoOf(conn)
	for range mostWaits { // until it was sent three times, which takes the kernel longer each time
		if err != nil || wasReset(conn, 2*rtt+markedTime) {
			return err == nil, err == nil
		}
		var now sock.Info
		if now, err = sock.InfoOf(conn); now.TotalRetrans-first.TotalRetrans >= 2 {
			sock.SetTOS(conn, 0)
			return false, wasReset(conn, partingTime)
		}
	}
	return false, false
}

// tcpClosed is the state of a connection that was reset.
const tcpClosed = 7

// wasReset waits for a reset of the other side, which has closed before.
func wasReset(conn *net.TCPConn, within time.Duration) bool {
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	conn.SetReadDeadline(time.Now().Add(within))
	reset := false
	raw.Read(func(uintptr) bool { // called whenever something happened
		info, err := sock.InfoOf(conn)
		reset = err == nil && info.State == tcpClosed
		return reset || err != nil
	})
	return reset
}
