package demo

import (
	"context"
	"net"
	"time"
)

// A Fault is one way in which SSH connections break, or none.
type Fault struct {
	Name  string
	Title string // one line
	What  string // what is broken, and how plain ssh fails in it
	// Expect is the id of the cause that a diagnosis must put first; empty for
	// the fault in which nothing is broken.
	Expect string
	// Prints is what plain ssh says, as a regular expression over its standard
	// error; empty when it says nothing. See Freezes.
	Prints string
	// Freezes tells that plain ssh neither ends nor says anything.
	Freezes bool

	// silent leaves the keepalives out of the client's configuration and of
	// the imaginary server's.
	silent bool
	meet   func(*server) meeting
}

// A meeting is what happens to one connection; it is over when it returns.
// The connection is closed then, and before when ctx is done.
type meeting func(ctx context.Context, c *net.TCPConn)

// All returns the exhibits in the order in which a visitor should meet them.
func All() []Fault {
	return []Fault{healthy, reset, throttle, webServer, oldAlgorithms, hang, noKeepalive, closed, tlsServer, mailServer, drip}
}

// Lookup returns the fault of that name.
func Lookup(name string) (Fault, bool) {
	for _, f := range All() {
		if f.Name == name {
			return f, true
		}
	}
	return Fault{}, false
}

// idleLimit is how long the forgetful network of the demo remembers a silent
// flow. Real ones take minutes; nobody would wait for these in a demo.
const idleLimit = 2 * time.Second

var healthy = Fault{
	Name:  "healthy",
	Title: "nothing is broken",
	What:  "A good server on a good path, with keepalives on both sides. Plain ssh logs in and runs a command.",
	meet: func(s *server) meeting {
		return func(ctx context.Context, c *net.TCPConn) { s.serve(ctx, c) }
	},
}

var reset = Fault{
	Name:  "reset",
	Title: "a box in the path resets the connection in the middle of the handshake",
	What: "The server is good, but something between lets the greetings through and answers the client's KEXINIT, the list of algorithms, with a TCP reset. " +
		"Plain ssh says that the other side reset the connection; it names neither the stage nor who did it.",
	Expect: "sshd-broken",
	Prints: `(?i)connection reset`,
	meet: func(s *server) meeting {
		return func(ctx context.Context, c *net.TCPConn) { s.behind(ctx, c, cutAtKexInit) }
	},
}

var noKeepalive = Fault{
	Name:  "no-keepalive",
	Title: "nobody speaks on an idle session, and the path forgets it",
	What: "A router in the path forgets a flow after 2 s of silence (real ones after 4 to 60 minutes) and drops what follows without a word. Neither ssh nor sshd sends keepalives. " +
		"Plain ssh logs in and works, until the session falls silent once: then the terminal is frozen, and nothing is printed.",
	Expect: "keepalive",
	silent: true, Freezes: true,
	meet: func(s *server) meeting {
		return func(ctx context.Context, c *net.TCPConn) { s.behind(ctx, c, forgetAfter(idleLimit)) }
	},
}
