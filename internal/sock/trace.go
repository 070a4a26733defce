package sock

import (
	"context"
	"net/netip"
	"time"
)

// A Method is a kind of packet that a trace sends.
type Method string

// The methods. TCP is a connection attempt to the port, UDP a datagram of one
// byte to a port that nobody is likely to listen on, ICMP an echo request:
// for this a system must let its users ping (net.ipv4.ping_group_range), or
// us have the privilege to (CAP_NET_RAW).
const (
	TCP  Method = "tcp"
	UDP  Method = "udp"
	ICMP Method = "icmp"
)

// A TTLProbe is one packet, sent with a hop limit that lets it come so far.
type TTLProbe struct {
	Method Method
	TTL    int
	// Size is how long the IP packet of a UDP probe is, and no router may cut
	// it, whatever the kernel believes of the path; 0 is as short as it gets.
	Size int
	// Guarded sends a TCP probe that no server takes for a connection: it is
	// signed (RFC 2385) with a key that nobody knows, and dropped by whoever
	// has the port. Routers on the way do not look at that.
	Guarded bool
}

// What an answer to a probe means.
type Answer string

// The answers.
const (
	Expired   Answer = "expired"   // the hop limit ran out at From
	Arrived   Answer = "arrived"   // the host itself answered
	Forbidden Answer = "forbidden" // From says that it does not let the packet through, or knows no way
)

// A TTLReply is the answer to a probe.
type TTLReply struct {
	Probe  TTLProbe
	Answer Answer
	From   netip.Addr
	Took   time.Duration
	Code   [2]int // type and code of the ICMP message; 0, 0 where TCP answered
}

// Trace sends all probes to a host at once and calls heard with each reply, in
// the order of their arrival, until all were answered or ctx is done. TCP and
// UDP need no privileges. local may be invalid: then the kernel chooses. An error means
// that nothing could be sent at all.
func Trace(ctx context.Context, local netip.Addr, to netip.AddrPort, probes []TTLProbe, heard func(TTLReply)) error {
	return trace(ctx, local, to, probes, heard)
}
