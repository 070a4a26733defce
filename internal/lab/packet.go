package lab

import (
	"bytes"
	"encoding/binary"
	"net/netip"
)

// Protocol numbers and TCP flags that the link looks at.
const (
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58

	flagFIN = 1
	flagSYN = 2
	flagRST = 4
	flagACK = 16
)

// A packet is an IPv4 or IPv6 packet and what the link needs to know of it.
// Fields of the TCP header are 0 unless tcp is true.
type packet struct {
	raw      []byte // whole, and no byte more
	v6       bool
	proto    byte
	head     int // length of the IP header, extension headers not counted
	src, dst netip.AddrPort
	tcp      bool
	flags    byte
	seq, ack uint32
	options  []byte // of TCP, within raw
	payload  []byte // of TCP, within raw
}

// parse looks at a packet as a router does: it trusts nothing and gives up on
// what it cannot follow. Fragments and IPv6 extension headers are passed
// without a look at TCP.
func parse(raw []byte) (packet, bool) {
	if len(raw) < 20 {
		return packet{}, false
	}
	switch raw[0] >> 4 {
	case 4:
		return parse4(raw)
	case 6:
		return parse6(raw)
	}
	return packet{}, false
}

func parse4(raw []byte) (packet, bool) {
	head, total := int(raw[0]&15)*4, int(binary.BigEndian.Uint16(raw[2:]))
	if head < 20 || total < head || total > len(raw) {
		return packet{}, false
	}
	p := packet{raw: raw[:total], proto: raw[9], head: head}
	src, dst := netip.AddrFrom4([4]byte(raw[12:16])), netip.AddrFrom4([4]byte(raw[16:20]))
	p.src, p.dst = netip.AddrPortFrom(src, 0), netip.AddrPortFrom(dst, 0)
	if fragment := binary.BigEndian.Uint16(raw[6:]) & 0x3fff; fragment == 0 {
		p.parseTCP()
	}
	return p, true
}

func parse6(raw []byte) (packet, bool) {
	if len(raw) < 40 {
		return packet{}, false
	}
	total := 40 + int(binary.BigEndian.Uint16(raw[4:]))
	if total > len(raw) {
		return packet{}, false
	}
	p := packet{raw: raw[:total], v6: true, proto: raw[6], head: 40}
	p.src = netip.AddrPortFrom(netip.AddrFrom16([16]byte(raw[8:24])), 0)
	p.dst = netip.AddrPortFrom(netip.AddrFrom16([16]byte(raw[24:40])), 0)
	p.parseTCP()
	return p, true
}

func (p *packet) parseTCP() {
	t := p.raw[p.head:]
	if p.proto != protoTCP || len(t) < 20 {
		return
	}
	head := int(t[12]>>4) * 4
	if head < 20 || head > len(t) {
		return
	}
	p.tcp = true
	p.src = netip.AddrPortFrom(p.src.Addr(), binary.BigEndian.Uint16(t))
	p.dst = netip.AddrPortFrom(p.dst.Addr(), binary.BigEndian.Uint16(t[2:]))
	p.seq, p.ack, p.flags = binary.BigEndian.Uint32(t[4:]), binary.BigEndian.Uint32(t[8:]), t[13]
	p.options, p.payload = t[20:head], t[head:]
}

func (p packet) has(flags byte) bool { return p.flags&flags == flags }

// dscp returns the six bits of the packet's traffic class.
func (p packet) dscp() int {
	if p.v6 {
		return int(binary.BigEndian.Uint16(p.raw)>>4) & 0xff >> 2
	}
	return int(p.raw[1]) >> 2
}

// bleach clears what dscp returns, and leaves congestion notification alone.
func (p packet) bleach() {
	if p.v6 {
		p.raw[0] &= 0xf0
		p.raw[1] &= 0x3f
		return
	}
	p.raw[1] &= 3
	p.mendIP()
}

// hop takes one from the TTL and returns what is left.
func (p packet) hop() int {
	if p.v6 {
		p.raw[7] = max(p.raw[7], 1) - 1
		return int(p.raw[7])
	}
	p.raw[8] = max(p.raw[8], 1) - 1
	p.mendIP()
	return int(p.raw[8])
}

// beside is which of so many equal ways the packet takes: routers choose by
// what all packets of a flow have in common. Without ports all take one.
func (p packet) beside(ways int) int {
	if body := p.raw[p.head:]; ways > 1 && (p.proto == protoTCP || p.proto == protoUDP) && len(body) >= 4 {
		return int(binary.BigEndian.Uint16(body)+binary.BigEndian.Uint16(body[2:])) % ways
	}
	return 0
}

// answers says whether the packet is ICMP and no echo request: of those routers
// say nothing, lest answers answer answers.
func (p packet) answers() bool {
	if p.proto != protoICMP && p.proto != protoICMPv6 {
		return false
	}
	kind := p.raw[p.head:]
	return len(kind) == 0 || kind[0] != map[byte]byte{protoICMP: 8, protoICMPv6: 128}[p.proto]
}

// ttl is how many routers more the packet may pass.
func (p packet) ttl() int {
	if p.v6 {
		return int(p.raw[7])
	}
	return int(p.raw[8])
}

// clone is a copy that no one else changes.
func (p packet) clone() packet {
	c, _ := parse(bytes.Clone(p.raw))
	return c
}

// optTimestamps is the option of RFC 7323.
const optTimestamps = 8

// timestamps is the option with the sender's clock and the one it has heard
// last, 10 bytes, or nothing.
func (p packet) timestamps() []byte {
	for o := p.options; len(o) > 0; {
		switch {
		case o[0] == 0:
			return nil
		case o[0] == 1:
			o = o[1:]
			continue
		case len(o) < 2 || o[1] < 2 || int(o[1]) > len(o):
			return nil
		case o[0] == optTimestamps && o[1] == 10:
			return o[:10]
		}
		o = o[o[1]:]
	}
	return nil
}

// next is the sequence number that follows the packet's last byte.
func (p packet) next() uint32 {
	n := p.seq + uint32(len(p.payload))
	if p.has(flagSYN) {
		n++
	}
	if p.has(flagFIN) {
		n++
	}
	return n
}

// mendIP makes the checksum of the IPv4 header right.
func (p packet) mendIP() {
	if !p.v6 {
		p.raw[10], p.raw[11] = 0, 0
		binary.BigEndian.PutUint16(p.raw[10:], ^fold(sum(p.raw[:p.head])))
	}
}

// mend makes the checksum of what the packet carries right.
func (p packet) mend() {
	body := p.raw[p.head:]
	at := map[byte]int{protoTCP: 16, protoICMP: 2, protoICMPv6: 2}[p.proto]
	if at == 0 || at+2 > len(body) {
		return
	}
	body[at], body[at+1] = 0, 0
	s := sum(body)
	if p.proto != protoICMP {
		from := 12
		if p.v6 {
			from = 8
		}
		s += sum(p.raw[from:p.headAddresses()]) + uint64(p.proto) + uint64(len(body))
	}
	binary.BigEndian.PutUint16(body[at:], ^fold(s))
}

// headAddresses is where the addresses in the header end.
func (p packet) headAddresses() int {
	if p.v6 {
		return 40
	}
	return 20
}

// sum adds up big-endian 16-bit words, the last padded with a zero.
func sum(b []byte) (s uint64) {
	for ; len(b) > 1; b = b[2:] {
		s += uint64(b[0])<<8 | uint64(b[1])
	}
	if len(b) == 1 {
		s += uint64(b[0]) << 8
	}
	return s
}

func fold(s uint64) uint16 {
	for s>>16 != 0 {
		s = s&0xffff + s>>16
	}
	return uint16(s)
}

// makeIP returns a packet with an empty body of the given length.
func makeIP(src, dst netip.Addr, proto byte, ttl int, body int) packet {
	if src.Is6() {
		raw := make([]byte, 40+body)
		raw[0], raw[6], raw[7] = 6<<4, proto, byte(ttl)
		binary.BigEndian.PutUint16(raw[4:], uint16(body))
		s, d := src.As16(), dst.As16()
		copy(raw[8:], s[:])
		copy(raw[24:], d[:])
		return packet{raw: raw, v6: true, proto: proto, head: 40}
	}
	raw := make([]byte, 20+body)
	raw[0], raw[6], raw[8], raw[9] = 4<<4|5, 0x40, byte(ttl), proto // 0x40: don't fragment
	binary.BigEndian.PutUint16(raw[2:], uint16(20+body))
	s, d := src.As4(), dst.As4()
	copy(raw[12:], s[:])
	copy(raw[16:], d[:])
	p := packet{raw: raw, proto: proto, head: 20}
	p.mendIP()
	return p
}

// makeReset returns the bare RST of a machine that has no socket for the
// connection: no options, window 0.
func makeReset(from, to netip.AddrPort, seq uint32, ttl int) []byte {
	return makeTCP(from, to, flagRST, seq, 0, ttl, packet{})
}

// makeAckReset returns a RST that acknowledges, with the window and the
// timestamps of a packet that is copied, if any.
func makeAckReset(from, to netip.AddrPort, seq, ack uint32, ttl int, copied packet) []byte {
	return makeTCP(from, to, flagRST|flagACK, seq, ack, ttl, copied)
}

func makeTCP(from, to netip.AddrPort, flags byte, seq, ack uint32, ttl int, copied packet) []byte {
	var options []byte
	if stamps := copied.timestamps(); stamps != nil {
		options = append([]byte{1, 1}, stamps...)
	}
	p := makeIP(from.Addr(), to.Addr(), protoTCP, ttl, 20+len(options))
	t := p.raw[p.head:]
	binary.BigEndian.PutUint16(t, from.Port())
	binary.BigEndian.PutUint16(t[2:], to.Port())
	binary.BigEndian.PutUint32(t[4:], seq)
	binary.BigEndian.PutUint32(t[8:], ack)
	t[12], t[13] = byte(5+len(options)/4)<<4, flags
	if copied.tcp {
		copy(t[14:16], copied.raw[copied.head+14:])
	}
	copy(t[20:], options)
	p.mend()
	return p.raw
}

// makeTimeExceeded returns what a router at the given address tells the sender
// of a packet whose TTL is used up.
func makeTimeExceeded(router netip.Addr, lost packet) []byte {
	quote := lost.raw[:min(len(lost.raw), lost.head+8)]
	proto, kind := byte(protoICMP), byte(11)
	if lost.v6 {
		proto, kind = protoICMPv6, 3
		quote = lost.raw[:min(len(lost.raw), 1232)]
	}
	p := makeIP(router, lost.src.Addr(), proto, 64, 8+len(quote))
	body := p.raw[p.head:]
	body[0] = kind
	copy(body[8:], quote)
	p.mend()
	return p.raw
}
