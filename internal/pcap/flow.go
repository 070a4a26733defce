package pcap

import (
	"net/netip"
	"strings"
	"time"

	"sshtay/internal/rst"
)

const (
	stallTime   = time.Second
	mostStalls  = 20
	firstKept   = 8  // packets of a connection that are kept for the question who reset it
	lastKept    = 48 // and of its end
	silentTimes = 3  // sendings of the same segment that nobody answered
)

// A flow follows one connection.
type flow struct {
	client, server side
	began          time.Time
	whole          bool
	synAt, ackAt   time.Duration
	answered       time.Duration // when the SYN+ACK came
	stages         []Stage
	stalls         []Stall
	first, last    []rst.Packet
	now            time.Duration // of the last packet
	before         time.Duration // of the last packet with data before the present silence
	idle           time.Duration
	ended          End
	other          bool      // it is not SSH
	seen           time.Time // when the last packet came
	kexinits       int
}

func newFlow(f Frame, p rst.Packet, fromClient bool) *flow {
	c, s := p.Src, p.Dst
	if !fromClient {
		c, s = s, c
	}
	return &flow{client: side{addr: c}, server: side{addr: s}, began: f.At, ended: End{Kind: Open}}
}

// add takes the next packet of the connection.
func (w *flow) add(f Frame, p rst.Packet) {
	p.At = f.At.Sub(w.began)
	if p.At < w.now { // clocks jump, and captures of two cards interleave
		p.At = w.now
	}
	w.keep(p)
	from, to := &w.client, &w.server
	if p.Src == w.server.addr {
		from, to = to, from
	}
	w.wait(p, from, to)
	w.now = p.At
	switch {
	case p.Has(rst.SYN):
		w.open(p, from, to, f.Length)
		return
	case p.Has(rst.RST):
		w.reset(p, from)
		return
	}
	if w.answered > 0 && w.ackAt == 0 && from == &w.client {
		w.ackAt = p.At
		w.reach("connect", p.At)
	}
	from.sends(p, f.Length, payloadOf(f.Data, p))
	if p.Has(rst.ACK) {
		to.hears(p.Ack)
	}
	if p.Has(rst.FIN) && !from.fin {
		from.fin = true
		if w.ended.Kind == Open {
			w.ended = End{Kind: Closed, By: w.name(from)}
		}
	}
	if p.Payload > 0 && !w.other {
		from.stream.follow(from.head, func(message byte) { w.said(from, message, p.At) })
		if from.stream.sealed {
			from.head = nil
		}
		w.other = from.stream.notSSH && from.stream.ident == ""
	}
}

// payloadOf is what the capture kept of the data of a segment.
func payloadOf(b []byte, p rst.Packet) []byte {
	head := 40
	if b[0]>>4 == 4 {
		head = int(b[0]&15) * 4
	}
	head += 20 + p.Options
	return b[min(head, len(b)):min(head+p.Payload, len(b))]
}

// keep holds the packets that tell who sent a reset: the first ones, and the
// last ones.
func (w *flow) keep(p rst.Packet) {
	if len(w.first) < firstKept {
		w.first = append(w.first, p)
		return
	}
	if len(w.last) == 2*lastKept {
		w.last = append(w.last[:0], w.last[lastKept:]...)
	}
	w.last = append(w.last, p)
}

// open takes a SYN.
func (w *flow) open(p rst.Packet, from, to *side, size int) {
	from.packets++
	if from.begun && from.base == p.Seq+1 {
		from.resent++
		return
	}
	from.begun, from.base, from.next, from.acked = true, p.Seq+1, p.Seq+1, p.Seq+1
	if from == &w.client {
		w.whole, w.synAt = true, p.At
	} else {
		w.answered = max(p.At, 1)
	}
}

// reset takes a RST: the first one ends the connection.
func (w *flow) reset(p rst.Packet, from *side) {
	from.packets++
	if w.ended.Kind != Reset && !(w.client.fin && w.server.fin) {
		w.ended = End{Kind: Reset, By: w.name(from)}
	}
}

func (w *flow) name(s *side) string {
	if s == &w.client {
		return "client"
	}
	return "server"
}

func (w *flow) reach(stage string, at time.Duration) {
	w.stages = append(w.stages, Stage{stage, at})
}

// said takes a message that a side sent in the clear; 0 is its identification.
func (w *flow) said(from *side, message byte, at time.Duration) {
	switch {
	case message == 0 && w.client.stream.ident != "" && w.server.stream.ident != "":
		w.reach("banner", at)
	case message == msgKexInit:
		if w.kexinits++; w.kexinits == 2 {
			w.reach("kexinit", at)
		}
	case message == msgNewKeys && w.client.stream.sealed && w.server.stream.sealed:
		w.reach("kex", at)
	}
}

// wait judges the silence that a packet ends.
func (w *flow) wait(p rst.Packet, from, to *side) {
	silent := p.At - w.now
	if p.Payload > 1 || p.Has(rst.FIN) || p.Has(rst.RST) {
		quiet := p.At - w.before
		if !w.client.outstanding() && !w.server.outstanding() {
			w.idle = 0
			if quiet >= stallTime {
				w.idle = quiet
			}
		}
		w.before = p.At
	}
	if silent < stallTime || len(w.stalls) == mostStalls {
		return
	}
	s := Stall{At: w.now, Length: silent}
	switch {
	case w.client.outstanding():
		s.For, s.Of = "acknowledgement", "server"
	case w.server.outstanding():
		s.For, s.Of = "acknowledgement", "client"
	case w.client.stream.sealed && w.server.stream.sealed:
		return // who owes whom is encrypted; silence may be meant
	case p.Payload > 0 || p.Has(rst.FIN) || p.Has(rst.RST):
		s.For, s.Of = "answer", w.name(from)
	default:
		return
	}
	w.stalls = append(w.stalls, s)
}

// tell ends the story.
func (w *flow) tell() Story {
	s := Story{
		Client: w.client.addr, Server: w.server.addr, Began: w.began, Took: w.now, Whole: w.whole,
		ClientIdent: w.client.stream.ident, ServerIdent: w.server.stream.ident,
		Stages: w.stages, Stalls: w.stalls, Hole: w.hole(), Idle: w.idle, End: w.ended,
		FromClient: w.client.count(), FromServer: w.server.count(),
	}
	if w.ackAt > 0 {
		s.RTT = w.ackAt - w.synAt
	}
	if why := w.client.cut + w.server.cut; why != "" {
		s.Unread = w.client.cut
		if s.Unread == "" {
			s.Unread = w.server.cut
		}
	} else if !w.whole && len(w.stages) == 0 {
		s.Unread = "the connection is older than the capture"
	}
	w.finish(&s.End)
	return s
}

func (s *side) count() Count { return Count{s.packets, s.bytes, s.resent, s.late} }

// finish says how the connection ended and who sent a reset.
func (w *flow) finish(e *End) {
	for _, s := range []*side{&w.client, &w.server} {
		if s.stream.words != "" {
			e.Said = s.stream.words
		}
		if (e.Kind == Open || e.Kind == Closed) && s.outstanding() && s.again.times > silentTimes {
			*e = End{Kind: Silence, Said: e.Said}
		}
	}
	if e.Kind == Open && w.whole && w.server.packets == 0 && w.client.resent > 1 { // nobody answered its SYN
		e.Kind = Silence
	}
	if e.Kind != Reset {
		return
	}
	packets := append(append([]rst.Packet{}, w.first...), w.last...)
	to := w.server.addr
	if e.By == "client" {
		to = w.client.addr
	}
	if a, ok := rst.Judge(packets, to, nil); ok {
		e.Sender, e.Hops, e.Reasons = a.Sender, a.Hops, a.Reasons
		if e.By == "client" && a.Sender == rst.Server {
			e.Sender = "client" // the end in whose name it came, seen from the other side
		}
		for i, r := range e.Reasons {
			if e.By == "client" {
				e.Reasons[i] = strings.ReplaceAll(r, "the server", "the client")
			}
		}
	}
}

// hole finds a direction in which long packets vanish and shorter ones pass.
func (w *flow) hole() *Hole {
	for _, s := range []*side{&w.client, &w.server} {
		other, h := &w.server, Hole{Towards: "server", Passed: s.largest}
		if s == &w.server {
			other, h.Towards = &w.client, "client"
		}
		heard := other.last > s.again.first-time.Second // the other side is there, and answers what is short
		if s.outstanding() && s.again.times > silentTimes && heard && s.again.size > smallest && s.again.size > s.largest {
			h.Lost, h.Times = s.again.size, s.again.times
			return &h
		}
		// Behind the hole, only what is short arrives of what was sent.
		if len(s.gaps) > 0 && w.now-s.gaps[0].seen >= stallTime && s.seen > 0 {
			missing := int(s.gaps[0].to - s.gaps[0].from)
			if lost := missing + s.headers; lost > smallest && lost > s.longest && lost <= mostLink {
				h.Passed, h.Lost = s.longest, lost
				return &h
			}
		}
	}
	return nil
}

// mostLink is the longest packet of the links of this world; a longer gap is
// more than one packet.
const mostLink = 9000

// smallest is the size that every IPv4 path lets through, beyond which a hole
// is suspected (RFC 791).
const smallest = 576

// key names a connection, the same for both directions.
type key struct{ a, b netip.AddrPort }

func keyOf(p rst.Packet) key {
	if p.Src.Compare(p.Dst) < 0 {
		return key{p.Src, p.Dst}
	}
	return key{p.Dst, p.Src}
}
