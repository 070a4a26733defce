package fact

import "time"

// A Stall is a connection that got stuck as packets that are too long for the
// path leave it.
type Stall struct {
	Where     string  `json:"where"`     // "handshake" or "login"
	Direction string  `json:"direction"` // "to-server" or "from-server"
	After     float64 `json:"after"`     // s, from the connection's beginning to where this was certain
	Detail    string  `json:"detail"`    // what the kernel counted
}

// A Trial is a connection of ours with smaller segments.
type Trial struct {
	MSS    int    `json:"mss"`              // bytes of a segment, of the TCP option: 40 less than the packet, with IPv6 60
	Only   string `json:"only,omitempty"`   // "to-server": the segments from the server were as long as ever
	Kind   string `json:"kind"`             // "login" or "handshake"
	Passed bool   `json:"passed"`           // a login carried long data both ways; a handshake was completed
	Detail string `json:"detail,omitempty"` // why it did not
}

// A MTUHop is between which hops packets vanish that are too long, on the way
// to the server. The first router is hop 1, this machine hop 0.
type MTUHop struct {
	Reached   int    `json:"reached"`              // the last hop that a long packet is known to have come to; 0 is none
	ReachedBy string `json:"reached_by,omitempty"` // its address
	Missed    int    `json:"missed"`               // the first hop behind it that answers short packets, every time, and long ones never
	MissedBy  string `json:"missed_by"`            // its address
	Size      int    `json:"size"`                 // bytes of the long IP packet
}

// Facts about how long packets may be on the way, in bytes of an IP packet.
// What vanishes is told apart from what was not tried: there is no limit where
// nothing vanished.
var (
	PathMTUToServer    = define[int]("path.mtu_to_server", "B", "how long is the longest IP packet that is known to reach the server?")
	PathMTUFromServer  = define[int]("path.mtu_from_server", "B", "how long is the longest IP packet that is known to come from the server?")
	PathLostToServer   = define[int]("path.mtu_lost_to_server", "B", "how long is the shortest IP packet that vanished on the way to the server, while shorter ones arrived?")
	PathLostFromServer = define[int]("path.mtu_lost_from_server", "B", "how long is the shortest IP packet that vanished on the way from the server, while shorter ones arrived?")
	PathFullToServer   = define[bool]("path.mtu_full_to_server", "", "did a packet reach the server that is as long as this kernel makes them?")
	PathFullFromServer = define[bool]("path.mtu_full_from_server", "", "did a packet come that is as long as the server makes them?")
	PathMTUKernel      = define[int]("path.mtu_kernel", "B", "how long does this kernel believe that a packet to the server may be?")
	PathMTUInterface   = define[int]("path.mtu_interface", "B", "how long may a packet be on the interface that leads to the server?")
	PathMTUDevice      = define[string]("path.mtu_device", "", "which interface leads to the server?")
	PathMTUTold        = define[bool]("path.mtu_told", "", "does this kernel know of a limit that is below the interface's, as routers tell it by ICMP (or the route itself)?")
	PathMSS            = define[int]("path.mss", "B", "how long may segments to the server be, by its own SYN or by whoever changed it on the way?")
	PathMTUHop         = define[MTUHop]("path.mtu_hop", "", "to which hop do long packets to the server come, and to which no more?")
	PathStall          = define[Stall]("path.mtu_stall", "", "where did a connection get stuck as long packets that vanish leave it?")
	PathHungToServer   = define[time.Duration]("path.mtu_hung_to_server", "s", "for how long was a connection stuck on a long packet to the server, until this kernel tried shorter ones by itself (tcp_mtu_probing)?")
	PathHungFromServer = define[time.Duration]("path.mtu_hung_from_server", "s", "for how long was a connection stuck on a long packet from the server, until its kernel tried shorter ones by itself (tcp_mtu_probing)?")
	PathMTUTrials      = define[[]Trial]("path.mtu_trials", "", "what did connections with smaller segments do?")
)
