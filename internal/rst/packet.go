// Package rst tells from packets who sent a TCP reset: the server in whose
// name it came, or a box in the path. Packets go in, an answer with its reasons
// comes out; nothing here captures, waits or guesses.
package rst

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// Flags of TCP.
const (
	FIN = 1
	SYN = 2
	RST = 4
	ACK = 16
)

// A Packet is what the headers of one TCP segment say.
type Packet struct {
	At       time.Duration // since any moment, the same for all
	Src, Dst netip.AddrPort
	TTL      int // hop limit with which it arrived
	ID       int // of IPv4; 0 in IPv6, which has none
	Flags    byte
	Seq, Ack uint32
	Window   int // as it stands in the header, not scaled
	Payload  int // bytes
	Options  int // bytes

	Stamped     bool   // it carries timestamps (RFC 7323)
	Value, Echo uint32 // the sender's clock, and ours as the sender heard it last
}

// Has says whether all these flags are set.
func (p Packet) Has(flags byte) bool { return p.Flags&flags == flags }

// next is the sequence number after the segment.
func (p Packet) next() uint32 {
	n := p.Seq + uint32(p.Payload)
	for _, f := range []byte{SYN, FIN} {
		if p.Has(f) {
			n++
		}
	}
	return n
}

// Parse reads the headers of a packet that begins with IP, of which the end may
// be missing. What is no TCP segment with whole headers is refused: fragments
// after the first, and IPv6 with extension headers, too.
func Parse(b []byte) (Packet, bool) {
	var p Packet
	if len(b) < 20 {
		return p, false
	}
	switch b[0] >> 4 {
	case 4:
		head, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
		if head < 20 || len(b) < head || total < head || b[9] != 6 || binary.BigEndian.Uint16(b[6:])&0x1fff != 0 {
			return p, false
		}
		p.TTL, p.ID = int(b[8]), int(binary.BigEndian.Uint16(b[4:]))
		return p, p.parseTCP(b[head:], total-head, netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:])))
	case 6:
		if len(b) < 40 || b[6] != 6 {
			return p, false
		}
		p.TTL = int(b[7])
		return p, p.parseTCP(b[40:], int(binary.BigEndian.Uint16(b[4:])), netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:])))
	}
	return p, false
}

// parseTCP reads a segment of so many bytes.
func (p *Packet) parseTCP(t []byte, length int, src, dst netip.Addr) bool {
	if len(t) < 20 {
		return false
	}
	head := int(t[12]>>4) * 4
	if head < 20 || head > len(t) || head > length {
		return false
	}
	p.Src, p.Dst = netip.AddrPortFrom(src, binary.BigEndian.Uint16(t)), netip.AddrPortFrom(dst, binary.BigEndian.Uint16(t[2:]))
	p.Seq, p.Ack, p.Flags = binary.BigEndian.Uint32(t[4:]), binary.BigEndian.Uint32(t[8:]), t[13]
	p.Window, p.Payload, p.Options = int(binary.BigEndian.Uint16(t[14:])), length-head, head-20
	p.parseOptions(t[20:head])
	return true
}

func (p *Packet) parseOptions(o []byte) {
	for len(o) > 0 && o[0] != 0 {
		if o[0] == 1 {
			o = o[1:]
			continue
		}
		if len(o) < 2 || o[1] < 2 || int(o[1]) > len(o) {
			return
		}
		if o[0] == 8 && o[1] == 10 {
			p.Stamped, p.Value, p.Echo = true, binary.BigEndian.Uint32(o[2:]), binary.BigEndian.Uint32(o[6:])
		}
		o = o[o[1]:]
	}
}
