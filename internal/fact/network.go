package fact

// Conntrack is a kernel's table of the connections that its firewall or NAT
// keeps track of. Max is 0 where the kernel keeps none.
type Conntrack struct {
	Count   int `json:"count"`
	Max     int `json:"max"`
	Dropped int `json:"dropped"` // packets that were dropped because they could not be tracked, since boot
}

// A LocalSession is an open connection from this machine to the server's port,
// whoever's it is.
type LocalSession struct {
	Local     string `json:"local"`               // its own address
	Address   string `json:"address"`             // what became of that: here, deprecated or gone
	Interface string `json:"interface,omitempty"` // that has it; empty when none does
	Waiting   bool   `json:"waiting"`             // what it sent was sent again and not acknowledged
	PID       int    `json:"pid,omitempty"`       // of the program that holds it, where we may see that
}

// Facts about how each machine is connected.
var (
	ClientConntrack = define[Conntrack]("client.conntrack", "", "how full is the table of connections of this machine's kernel?")
	ClientSource    = define[string]("client.source", "", "from which address do new connections to the server come, and from which interface?")
	ClientSessions  = define[[]LocalSession]("client.sessions", "", "which connections to the server are open, and is their address still this machine's?")
	DuplicateFound  = define[[]string]("server.duplicate_addresses", "", "which of the server's IPv6 addresses did its kernel find in use by another machine?")
	ServerConntrack = define[Conntrack]("server.conntrack", "", "how full is the table of connections of the server's kernel?")
)
