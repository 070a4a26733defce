package fact

// Conntrack is a kernel's table of the connections that its firewall or NAT
// keeps track of. Max is 0 where the kernel keeps none.
type Conntrack struct {
	Count   int `json:"count"`
	Max     int `json:"max"`
	Dropped int `json:"dropped"` // packets that were dropped because they could not be tracked, since boot
}

// Facts about how each machine is connected.
var (
	ClientConntrack = define[Conntrack]("client.conntrack", "", "how full is the table of connections of this machine's kernel?")
	ServerConntrack = define[Conntrack]("server.conntrack", "", "how full is the table of connections of the server's kernel?")
)
