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
	// Doubt says why a diagnosis from outside may not go further than to call
	// that cause possible; empty when it must find it.
	Doubt string
	// Command is what to run there with plain ssh to meet the fault; see the
	// usage that the server prints for other commands.
	Command string
	// Prints is what plain ssh then says, as a regular expression over its
	// standard error. Empty when nothing is broken, and when it freezes.
	Prints string
	// Freezes is how long one must watch to believe that plain ssh neither
	// ends nor says a word; 0 when it ends by itself.
	Freezes time.Duration

	scene scene
	meet  func(*server) meeting
}

// A meeting is what happens to one connection; it is over when it returns.
// The connection is closed then, and before when ctx is done.
type meeting func(ctx context.Context, c *net.TCPConn)

// All returns the exhibits in the order in which a visitor should meet them.
func All() []Fault {
	return []Fault{healthy, reset, throttle, webServer, oldAlgorithms, hang, noKeepalive, rekey, penalty, tlsServer, mailServer, drip}
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

// hello is a command that succeeds where anything does.
const hello = "echo hello"

// starving is how long a visitor should watch a login that does not come on.
const starving = 3 * time.Second

// idleLimit is how long the forgetful network of the demo remembers a silent
// flow. Real ones take minutes; nobody would wait for these in a demo.
const idleLimit = 2 * time.Second

var healthy = Fault{
	Name:    "healthy",
	Title:   "nothing is broken",
	What:    "A good server on a good path, with keepalives on both sides. Plain ssh logs in and runs a command.",
	Command: hello,
	meet: func(s *server) meeting {
		return func(ctx context.Context, c *net.TCPConn) { s.serve(ctx, c) }
	},
}

var reset = Fault{
	Name:  "reset",
	Title: "a box in the path resets the connection in the middle of the handshake",
	What: "The server is good, but something between lets the greetings through and answers the client's KEXINIT, the list of algorithms, with a TCP reset. " +
		"Plain ssh says that the other side reset the connection; it names neither the stage nor who did it.",
	Expect:  "sshd-broken",
	Doubt:   "From outside this looks the same as a crash of sshd's own process. The diagnosis says at which stage it happens and what it is not, and accuses nobody: the server's log has to settle it.",
	Command: hello,
	Prints:  `(?i)connection reset`,
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
	// A second longer than the network remembers, and two to wait for "awake".
	Command: "sleep 3; echo awake",
	Freezes: 5 * time.Second,
	scene:   scene{silent: true},
	meet: func(s *server) meeting {
		return func(ctx context.Context, c *net.TCPConn) { s.behind(ctx, c, forgetAfter(idleLimit)) }
	},
}
