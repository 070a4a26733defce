package demo

import (
	"context"
	"io"
	"net"
	"sync/atomic"
	"time"
)

// Servers and boxes that turn a connection away, or let it starve, before the
// server's identification.

var throttle = Fault{
	Name:  "throttle",
	Title: "sshd holds too many unauthenticated connections and drops new ones",
	What: "The server's MaxStartups is used up by connections that do not log in, a password guesser's perhaps. sshd drops two of three new connections before it identifies itself; " +
		"it says why in one line that ssh hides. Plain ssh says only that the other side closed the connection, and the next try may work.",
	Command: hello,
	Expect:  "startup-throttle",
	Prints:  `(?i)connection (closed|reset)`,
	// With 10:30:100 and 58 held, sshd drops 67 of 100 new ones.
	scene: scene{held: 58},
	meet: func(s *server) meeting {
		var met atomic.Int64
		return func(ctx context.Context, c *net.TCPConn) {
			if met.Add(1)%3 == 0 {
				s.serve(ctx, c)
				return
			}
			io.WriteString(c, "Exceeded MaxStartups\r\n")
			part(c)
		}
	},
}

var penalty = Fault{
	Name:  "penalty",
	Title: "sshd refuses every connection of this address for a while",
	What: "Since OpenSSH 9.8 sshd shuts out addresses whose logins fail too often (PerSourcePenalties), and everybody behind the same address with them. " +
		"It says so in one line that ssh hides. Plain ssh says only that the other side closed the connection.",
	Expect:  "source-refused",
	Command: hello,
	Prints:  `(?i)connection (closed|reset)`,
	meet: func(*server) meeting {
		return func(_ context.Context, c *net.TCPConn) {
			io.WriteString(c, "Not allowed at this time\r\n")
			part(c)
		}
	},
}

var hang = Fault{
	Name:  "hang",
	Title: "the port accepts connections and never says anything",
	What: "The kernel completes the connection, but no program greets: a server that is out of memory or stopped, or a firewall that only plays a server. " +
		"Plain ssh waits without a word, for ever unless ConnectTimeout is set.",
	Command: hello,
	Expect:  "unreachable",
	Freezes: starving,
	meet:    func(*server) meeting { return func(_ context.Context, c *net.TCPConn) { io.Copy(io.Discard, c) } },
}

var drip = Fault{
	Name:  "banner-drip",
	Title: "the server's greeting comes letter by letter and never ends",
	What: "A tarpit, or a machine too loaded to speak: letters arrive, but never a whole SSH identification. " +
		"Plain ssh goes on reading, for ever unless ConnectTimeout is set.",
	Command: hello,
	Expect:  "not-ssh",
	Freezes: starving,
	meet:    func(*server) meeting { return dripping },
}

// letterTime is no divisor of whole seconds: a letter that comes at the very
// moment at which ConnectTimeout ends makes OpenSSH 9.2 wait without limit.
const letterTime = 700 * time.Millisecond

func dripping(ctx context.Context, c *net.TCPConn) {
	const lines = "be with you in a moment\r\n"
	tick := time.NewTicker(letterTime)
	defer tick.Stop()
	for i := 0; ; i++ {
		if _, err := c.Write([]byte{lines[i%len(lines)]}); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// partingTime is how long we wait for the other side to close after us.
const partingTime = 2 * time.Second

// part closes our direction and waits for the other side to close its own. A
// plain close with unread bytes would send a reset, and whether the last words
// then arrive is a race.
func part(c *net.TCPConn) {
	c.CloseWrite()
	c.SetReadDeadline(time.Now().Add(partingTime))
	io.Copy(io.Discard, c)
}
