package pcap

import (
	"bytes"
	"net/netip"
	"slices"
	"time"

	"sshtay/internal/rst"
)

// Bounds for one connection, whatever its packets say.
const (
	mostGaps    = 64       // holes in a stream that are remembered
	mostFlight  = 256      // segments that wait for an acknowledgement
	mostHead    = 64 << 10 // bytes of a stream until its encryption begins
	reorderTime = 3 * time.Millisecond
)

// A side is one end of a connection, with the stream that it sends.
type side struct {
	addr  netip.AddrPort
	begun bool   // base is known
	base  uint32 // sequence number of the first byte that we know of
	next  uint32 // behind the last byte that it sent
	acked uint32 // behind the last byte that the other side acknowledged
	fin   bool

	gaps   []span    // missing below next
	flight []segment // sent and not acknowledged
	again  repeat    // the segment that it sends again and again

	packets, bytes, resent, late int
	largest                      int // bytes of the longest IP packet that was acknowledged
	longest                      int // of those that the capture saw
	seen                         int // packets with data
	headers                      int // bytes of IP and TCP before the data of the last packet
	last                         time.Duration

	head   []byte  // the stream's begin, until its encryption begins
	early  []piece // what came before what stands before it
	cut    string  // why the stream could not be followed further; empty while it can
	stream stream
}

// A span is a piece of a stream, from the first byte to behind the last.
type span struct {
	from, to uint32
	seen     time.Duration // when the gap appeared
}

// A piece of a stream that cannot be read yet.
type piece struct {
	seq  uint32
	data []byte
}

// A segment is on its way.
type segment struct {
	end  uint32
	size int // bytes of the IP packet
}

// A repeat is a segment that was sent more than once without being
// acknowledged.
type repeat struct {
	seq   uint32
	size  int // bytes of the IP packet
	times int
	first time.Duration
}

// before compares sequence numbers, which wrap (RFC 9293, 3.4).
func before(a, b uint32) bool { return int32(a-b) < 0 }

// sends takes a segment with data that this side sent. size is that of the IP
// packet, data what the capture kept of the payload.
func (s *side) sends(p rst.Packet, size int, data []byte) {
	s.packets++
	s.bytes += p.Payload
	s.last = p.At
	if !s.begun {
		s.begun, s.base, s.next, s.acked = true, p.Seq, p.Seq, p.Seq
	}
	end := p.Seq + uint32(p.Payload)
	if p.Has(rst.FIN) { // it has a sequence number of its own
		end++
	}
	if end == p.Seq {
		s.reaches(p) // an acknowledgement stands behind all that was sent
		return
	}
	s.seen, s.headers = s.seen+1, size-p.Payload
	s.longest = max(s.longest, size)
	probe := p.Payload == 1 && !p.Has(rst.FIN) && p.Seq == s.next-1 // a keepalive
	switch {
	case probe:
	case !before(p.Seq, s.next): // new
		s.reaches(p)
		s.fly(end, size)
	case s.fills(p, end):
		s.late++
	default:
		s.resent++
	}
	if before(s.next, end) {
		s.next = end
	}
	if !probe {
		s.repeats(p, size)
	}
	s.collect(p.Seq, data, p.Payload)
}

// reaches notes what must have been sent before a packet and was not seen.
func (s *side) reaches(p rst.Packet) {
	if !before(s.next, p.Seq) {
		return
	}
	if len(s.gaps) < mostGaps {
		s.gaps = append(s.gaps, span{s.next, p.Seq, p.At})
	}
	s.next = p.Seq
}

func (s *side) fly(end uint32, size int) {
	if len(s.flight) < mostFlight {
		s.flight = append(s.flight, segment{end, size})
	}
}

// fills closes gaps that a segment fills. It says whether the segment had only
// been overtaken: what comes later was sent again after a loss before the
// capture.
func (s *side) fills(p rst.Packet, end uint32) (overtaken bool) {
	kept := s.gaps[:0]
	for _, g := range s.gaps {
		if before(g.from, end) && before(p.Seq, g.to) {
			overtaken = p.At-g.seen < reorderTime
			if before(g.from, p.Seq) {
				kept = append(kept, span{g.from, p.Seq, g.seen})
			}
			if before(end, g.to) && len(kept) < mostGaps {
				kept = append(kept, span{end, g.to, g.seen})
			}
			continue
		}
		kept = append(kept, g)
	}
	s.gaps = kept
	return overtaken
}

// repeats notes the first unacknowledged segment when it comes again.
func (s *side) repeats(p rst.Packet, size int) {
	if p.Seq != s.acked {
		return
	}
	if s.again.times == 0 || s.again.seq != p.Seq {
		s.again = repeat{seq: p.Seq, first: p.At}
	}
	s.again.times++
	s.again.size = size
}

// hears takes an acknowledgement of the other side.
func (s *side) hears(ack uint32) {
	if !s.begun || !before(s.acked, ack) || before(s.next, ack) {
		return
	}
	s.acked = ack
	kept := s.flight[:0]
	for _, f := range s.flight {
		if before(ack, f.end) {
			kept = append(kept, f)
			continue
		}
		s.largest = max(s.largest, f.size)
	}
	s.flight = kept
	s.again = repeat{}
}

// outstanding says whether something it sent was not acknowledged.
func (s *side) outstanding() bool { return s.begun && before(s.acked, s.next) }

// collect adds to the begin of the stream what follows on it.
func (s *side) collect(seq uint32, data []byte, length int) {
	if s.cut != "" || s.stream.sealed {
		return
	}
	if len(data) < length {
		s.cut = "the capture kept only the begin of each packet"
	}
	have := s.base + uint32(len(s.head))
	if before(have, seq) {
		if len(s.early) < mostGaps && seq-have < mostHead {
			s.early = append(s.early, piece{seq, bytes.Clone(data)})
		}
		return
	}
	s.append(seq, data)
	for again := true; again; {
		again = false
		for i, p := range s.early {
			if have := s.base + uint32(len(s.head)); !before(have, p.seq) {
				s.append(p.seq, p.data)
				s.early = slices.Delete(s.early, i, i+1)
				again = true
				break
			}
		}
	}
	if len(s.head) > mostHead {
		s.cut = "no encryption began within 64 KiB"
	}
}

// append adds what is new of a piece that begins at or before the end of the
// stream's begin.
func (s *side) append(seq uint32, data []byte) {
	have := s.base + uint32(len(s.head))
	if before(have, seq+uint32(len(data))) {
		s.head = append(s.head, data[have-seq:]...)
	}
}
