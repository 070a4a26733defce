package rst

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Who sent a reset.
const (
	Server    = "server"    // the machine that the connection leads to: its sshd, its kernel or its firewall
	Middlebox = "middlebox" // something between, or beside the way, in the server's name
	Unknown   = "unknown"
)

// An Answer says who sent the reset that ended one connection, and what shows
// it.
type Answer struct {
	Sender  string
	Sure    bool     // no accident of routing looks the same
	Hops    int      // from here to the sender, the first router being 1; 0 is not known
	Reset   Packet   // the first one
	Resets  int      // how many came
	Closed  bool     // the server had closed the connection in order before
	Server  []int    // the TTLs with which the server's own packets arrived
	Reasons []string // what shows it, plain sentences without an end; never empty
}

// Judge looks at the packets of one connection, both ways in the order of
// arrival, and says who ended it by a reset; false when nobody did, or when
// this side had ended it before. The TTLs of the server's packets in other
// connections serve where it never spoke in this one.
func Judge(flow []Packet, server netip.AddrPort, others []int) (Answer, bool) {
	s, found := follow(flow, server)
	if !found {
		return Answer{}, false
	}
	a := Answer{Sender: Unknown, Reset: s.resets[0], Resets: len(s.resets), Closed: s.closed, Server: s.ttls}
	if len(a.Server) == 0 {
		a.Server = slices.Compact(slices.Sorted(slices.Values(others)))
	}
	s.thirdParty(&a)
	s.distance(&a)
	a.Reasons = append(a.Reasons, Describe(a.Reset))
	return a, true
}

// A story is what happened in one connection.
type story struct {
	resets []Packet // from the server's address, before this side ended anything
	ttls   []int    // of the server's packets before the reset, each once
	last   Packet   // the server's last packet before the reset
	spoke  bool     // there is one
	closed bool     // it had sent its FIN
	acks   []uint32 // what this side acknowledged, each once
	alive  string   // what came after the reset that only a living connection sends
	syn    bool     // this side had only sent its SYN
}

// mostAcks bounds what is remembered of this side's acknowledgements.
const mostAcks = 1 << 12

func follow(flow []Packet, server netip.AddrPort) (story, bool) {
	s := story{syn: true}
	for _, p := range flow {
		switch mine := p.Src != server; {
		case mine && (p.Has(FIN) || p.Has(RST)) && len(s.resets) == 0:
			return s, false // whatever comes now is an answer to that
		case mine:
			s.syn = s.syn && (p.Has(SYN) || len(s.resets) > 0)
			if p.Has(ACK) && len(s.acks) < mostAcks && !slices.Contains(s.acks, p.Ack) {
				s.acks = append(s.acks, p.Ack)
			}
		case p.Has(RST):
			s.resets = append(s.resets, p)
		case len(s.resets) > 0:
			s.after(p)
		default:
			s.last, s.spoke, s.closed = p, true, s.closed || p.Has(FIN)
			if !slices.Contains(s.ttls, p.TTL) {
				s.ttls = append(s.ttls, p.TTL)
			}
		}
	}
	slices.Sort(s.ttls)
	return s, len(s.resets) > 0
}

// after looks at what came from the server's address after a reset. Data from
// before the reset may have been overtaken by it; data behind it was sent by
// somebody whose connection lived on.
func (s *story) after(p Packet) {
	first := s.resets[0]
	switch {
	case s.alive != "":
	case p.Has(SYN|ACK) && !s.spoke:
		s.alive = "after the reset the server accepted the connection: it had not refused it"
	case p.Payload > 0 && s.spoke && int32(p.Seq-first.Seq) >= 0:
		s.alive = fmt.Sprintf("after the reset the server went on with %d bytes of new data: its connection was alive, so it had not reset it", p.Payload)
	}
}

// odd says that resets came with sequence numbers that neither the server's
// last packet nor any answer of ours accounts for.
func (s *story) odd() bool {
	if len(s.resets) < 2 || !s.spoke {
		return false
	}
	return slices.ContainsFunc(s.resets, func(p Packet) bool {
		return p.Seq != s.last.next() && !slices.Contains(s.acks, p.Seq)
	})
}

// thirdParty judges what the sender did.
func (s *story) thirdParty(a *Answer) {
	if s.alive != "" {
		a.Sender, a.Sure = Middlebox, true
		a.Reasons = append(a.Reasons, s.alive)
	}
	if s.odd() {
		var seqs []string
		for _, p := range s.resets[:min(4, len(s.resets))] {
			seqs = append(seqs, fmt.Sprintf("%+d", int32(p.Seq-s.last.next())))
		}
		a.Sender, a.Sure = Middlebox, true
		a.Reasons = append(a.Reasons, fmt.Sprintf("%d resets came with sequence numbers tried out (%s from the right one): the sender did not know the connection's state", len(s.resets), strings.Join(seqs, ", ")))
	}
}

// distance judges how far the sender is from here, beside the server.
func (s *story) distance(a *Answer) {
	ttl := a.Reset.TTL
	if len(a.Server) == 0 {
		a.Reasons = append(a.Reasons, fmt.Sprintf("the reset arrived with TTL %d, and no other packet came from the server's address to compare it with", ttl))
		return
	}
	low, high := a.Server[0], a.Server[len(a.Server)-1]
	near, far := Hops(ttl), Hops(high)
	apart := fmt.Sprintf("the reset arrived with TTL %d and the server's packets with TTL %s", ttl, list(a.Server))
	switch {
	case slices.Contains(a.Server, ttl):
		from := fmt.Sprintf("the reset arrived with TTL %d, as the server's packets do", ttl)
		switch {
		case s.alive != "" && s.spoke && !s.odd():
			// A firewall on the server resets what its socket knows nothing of.
			a.Sender, a.Sure = Unknown, false
			a.Reasons = append(a.Reasons, from+": a firewall on the server, or a box that copies the server's TTL")
		case a.Sender == Unknown:
			s.shape(a, from)
		}
		return
	case ttl > low && ttl < high:
		apart += ", which varies so much that it shows nothing"
	case near == far:
		apart += ": a machine as far away as the server that starts at another TTL, which may be the server itself"
	case near < far:
		a.Sender, a.Hops = Middlebox, near
		a.Sure = a.Sure || !a.Reset.Stamped || ttl-high > 2
		apart += fmt.Sprintf(": its sender is about %s away (if it started at %d, as it seems) and the server %d", hops(near), First(ttl), far)
	default:
		a.Sender, a.Sure = Middlebox, a.Sure || !a.Reset.Stamped
		apart += ": it did not come from where the server is, and its TTL does not show from where"
	}
	a.Reasons = append(a.Reasons, apart)
}

// shape judges a reset that comes from as far away as the server.
func (s *story) shape(a *Answer, from string) {
	p := a.Reset
	age := int32(p.Value - s.last.Value)
	a.Sender = Server
	switch {
	case s.syn:
		from += ", in answer to the SYN"
	case s.closed:
		from += ", and the server had closed the connection before"
	case p.Has(ACK) && p.Stamped && s.last.Stamped && age >= 0:
		// Who watches the server's packets pass can copy all of it: not sure.
		from += fmt.Sprintf(", and carries the server's own timestamps (%s after its last packet), as its socket would send it", ticks(age))
	case p.Has(ACK) && s.spoke && p.Stamped == s.last.Stamped && p.Seq == s.last.next() && !p.Stamped:
		from += ", with the right sequence number, and acknowledges as a socket does"
	case p.Has(ACK):
		a.Sender = Unknown
		from += ", but it acknowledges without the timestamps that the server's socket would send"
	case slices.Contains(s.acks, p.Seq):
		from += ", with the sequence number that we acknowledged: a machine there that knows nothing of the connection, or its firewall, answered us"
	default:
		a.Sender = Unknown
		from += ", but with a sequence number that the server would not have sent"
	}
	a.Reasons = append(a.Reasons, from)
}

// firsts are the TTLs at which systems start.
var firsts = []int{32, 64, 128, 255}

// First is the TTL at which a packet started that arrived with this one: the
// least of those in use from which it can come.
func First(ttl int) int {
	for _, f := range firsts {
		if ttl <= f {
			return f
		}
	}
	return 255
}

// Hops is how far away the sender of a packet is that arrived with this TTL,
// the first router being 1. It is exact where packets go and come the same way.
func Hops(ttl int) int { return First(ttl) - ttl + 1 }

func hops(n int) string {
	if n == 1 {
		return "1 hop"
	}
	return fmt.Sprintf("%d hops", n)
}

func ticks(n int32) string {
	if n == 1 {
		return "1 tick"
	}
	return fmt.Sprintf("%d ticks", n)
}

// Describe writes a reset as a person who looks at packets would.
func Describe(p Packet) string {
	flags, stamps := "RST", "no timestamps"
	if p.Has(ACK) {
		flags = "RST+ACK"
	}
	if p.Stamped {
		stamps = "timestamps"
	}
	text := fmt.Sprintf("the packet: %s, TTL %d, window %d, %d bytes of options, %s", flags, p.TTL, p.Window, p.Options, stamps)
	if p.Src.Addr().Is4() {
		text += fmt.Sprintf(", IP ID %d", p.ID)
	}
	return text
}

func list(all []int) string {
	var out []string
	for _, n := range all {
		out = append(out, fmt.Sprint(n))
	}
	return strings.Join(out, " and ")
}
