package lab

import (
	"bytes"
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// A Box is a stateful device in the middle of the link: a firewall, a NAT or a
// balancer that remembers connections, for better or worse. The zero Box
// remembers nothing and passes everything.
type Box struct {
	Idle   time.Duration // a connection silent for this long is forgotten; 0 is never
	After  After         // what then
	Table  int           // connections it can remember; a new one beyond that is dropped; 0 is without limit
	Resets []Reset       // connections it ends on its own
	Forge  Forge         // how its resets look
	Tap    bool          // it stands beside the way: all passes, and its resets race what others send
	OneWay bool          // it sees only what goes to the server, and drops there what has no beginning and answer that it saw
	Spare  int           // how many connections it resets nothing of, the first ones
	Behind int           // how many of the routers that the lab does not build stand between it and the client
}

// A Forge says how a reset that a box makes looks to who gets it.
type Forge struct {
	Shape Shape
	TTL   int  // with which it leaves the box; 0 is 64
	Mimic bool // instead it arrives with the TTL of the end in whose name it is sent
}

// A Shape is what a forged reset carries.
type Shape string

// The shapes, from the poorest to the best forgery.
const (
	Bare   Shape = "bare"   // 40 bytes, as from a machine without the connection
	Acks   Shape = "ack"    // it acknowledges, without options
	Copied Shape = "copied" // it acknowledges, with the timestamps and the window of what passed last
)

// After says what a [Box] does once it has forgotten a connection.
type After string

// What can happen to a forgotten connection.
const (
	Silent      After = "silent"       // its packets vanish
	ResetSender After = "reset"        // who sends is told so by a reset, as the other end
	ResetClient After = "reset-client" // at that moment the client is told
	ResetServer After = "reset-server" // at that moment the server is told
	ResetBoth   After = "reset-both"   // at that moment both are told
)

// A Reset ends a connection after so many bytes of payload in either
// direction, after so much time, or at a packet: whichever is set.
type Reset struct {
	Bytes int
	Time  time.Duration
	At    string // syn, ident or kexinit of the client, or banner of the server
	To    After  // [ResetClient], [ResetServer] or [ResetBoth]
}

// moments are the packets at which a [Reset] can come.
var moments = map[string]func(Way, packet) bool{
	"syn":    func(w Way, p packet) bool { return w == ToServer && p.has(flagSYN) },
	"ident":  func(w Way, p packet) bool { return w == ToServer && bytes.HasPrefix(p.payload, []byte("SSH-")) },
	"banner": func(w Way, p packet) bool { return w == ToClient && bytes.HasPrefix(p.payload, []byte("SSH-")) },
	"kexinit": func(w Way, p packet) bool {
		return w == ToServer && len(p.payload) > 5 && p.payload[5] == 20 && p.payload[0] == 0
	},
}

// due says whether it is time for the reset.
func (r Reset) due(e *entry, now time.Duration) bool {
	return r.Bytes > 0 && e.bytes >= r.Bytes || r.Time > 0 && now-e.born >= r.Time
}

// A flow names a TCP connection, the client first.
type flow struct{ client, server netip.AddrPort }

// entry is what a box remembers of a connection.
type entry struct {
	born, seen time.Duration
	bytes      int
	last       [2]packet // that went each way
	ended      bool      // the box ended it
	spared     bool      // no [Reset] meets it
}

// expects is the sequence number that the receiver of a way expects next.
func (e *entry) expects(way Way) uint32 {
	if e.last[way].raw == nil {
		return 0
	}
	return e.last[way].next()
}

// made is a packet that the box made.
type made struct {
	way Way
	raw []byte
}

type box struct {
	Box
	flows map[flow]*entry
	met   int // connections so far
}

func newBox(b Box) *box { return &box{Box: b, flows: map[flow]*entry{}} }

// boxTTL is the TTL with which resets leave the box.
const boxTTL = 64

func (b *box) idleTime() bool { return b.Idle > 0 }

func (b *box) remembers() bool { return b.Idle > 0 || b.Table > 0 || len(b.Resets) > 0 }

// look says whether a packet passes, and what the box sends because of it.
func (b *box) look(now time.Duration, way Way, p packet) (passes bool, out []made) {
	if b.OneWay && p.tcp && way == ToServer && !p.has(flagSYN) {
		return false, nil
	}
	if !b.remembers() || !p.tcp {
		return true, nil
	}
	f := flow{p.src, p.dst}
	if way == ToClient {
		f = flow{p.dst, p.src}
	}
	e := b.flows[f]
	if e != nil && b.idleTime() && now-e.seen > b.Idle {
		delete(b.flows, f)
		e = nil
	}
	switch {
	case e == nil && p.has(flagSYN) && !p.has(flagACK) && way == ToServer:
		if b.Table > 0 && len(b.flows) >= b.Table {
			return false, nil
		}
		b.met++
		e = &entry{born: now, spared: b.met <= b.Spare}
		b.flows[f] = e
	case e == nil:
		return false, b.stray(way, p)
	case e.ended:
		return b.Tap, nil
	}
	e.seen = now
	e.bytes += len(p.payload)
	if p.has(flagRST) {
		delete(b.flows, f)
		return true, nil
	}
	// Whoever the packet is for has not got it when a reset comes in its place,
	// or before it.
	defer func() { e.last[way] = p.clone() }()
	if p.has(flagSYN) {
		e.last[way] = p.clone()
	}
	for _, r := range b.Resets {
		if e.spared {
			break
		}
		if r.due(e, now) || r.At != "" && moments[r.At](way, p) {
			e.ended = true
			return b.Tap, b.resets(f, e, r.To)
		}
	}
	return true, nil
}

// stray answers a packet of a connection that the box does not know.
func (b *box) stray(way Way, p packet) []made {
	if b.After != ResetSender || p.has(flagRST) {
		return nil
	}
	return []made{{way.other(), makeReset(p.dst, p.src, p.ack, b.Forge.ttl(packet{}))}}
}

// resets tells the ends of a connection that it is over, each in the name of
// the other.
func (b *box) resets(f flow, e *entry, to After) (out []made) {
	if to == ResetClient || to == ResetBoth {
		out = append(out, b.forge(f.server, f.client, e, ToClient)...)
	}
	if to == ResetServer || to == ResetBoth {
		out = append(out, b.forge(f.client, f.server, e, ToServer)...)
	}
	return out
}

// ahead is how far beyond the expected sequence number the further resets of a
// tap lie: by the time they arrive, more may have come.
var ahead = []uint32{0, 1460, 4380}

// forge makes the reset, or the resets of a tap, that one end gets in the name
// of the other.
func (b *box) forge(from, to netip.AddrPort, e *entry, way Way) (out []made) {
	named, back := e.last[way], e.last[way.other()]
	ttl := b.Forge.ttl(named)
	switch {
	case named.raw == nil && back.has(flagSYN): // only so does who opens a connection believe it
		return []made{{way, makeAckReset(from, to, 0, back.next(), ttl, packet{})}}
	case b.Tap:
		for _, n := range ahead {
			out = append(out, made{way, makeReset(from, to, e.expects(way)+n, ttl)})
		}
		return out
	case b.Forge.Shape == Acks:
		return []made{{way, makeAckReset(from, to, e.expects(way), e.expects(way.other()), ttl, packet{})}}
	case b.Forge.Shape == Copied:
		return []made{{way, makeAckReset(from, to, e.expects(way), e.expects(way.other()), ttl, named)}}
	}
	return []made{{way, makeReset(from, to, e.expects(way), ttl)}}
}

// ttl is with which TTL a reset leaves the box, in whose name it is sent.
func (f Forge) ttl(named packet) int {
	switch {
	case f.Mimic && named.raw != nil:
		return named.ttl()
	case f.TTL > 0:
		return f.TTL
	}
	return boxTTL
}

// expire forgets what was silent for too long and returns what the box sends
// because of it, and when the next connection may be due; 0 is never.
func (b *box) expire(now time.Duration) (out []made, next time.Duration) {
	due := b.Idle
	for _, r := range b.Resets {
		if r.Time > 0 && (due == 0 || r.Time < due) {
			due = r.Time
		}
	}
	if due == 0 {
		return nil, 0
	}
	for _, f := range b.order() {
		e := b.flows[f]
		if b.idleTime() && now-e.seen >= b.Idle {
			if !e.ended {
				out = append(out, b.resets(f, e, b.After)...)
			}
			delete(b.flows, f)
			continue
		}
		for _, r := range b.Resets {
			if r.Time > 0 && !e.ended && !e.spared && now-e.born >= r.Time {
				e.ended = true
				out = append(out, b.resets(f, e, r.To)...)
			}
		}
	}
	return out, now + min(due/8, 50*time.Millisecond)
}

// order lists the connections, the oldest first: a map has none of its own.
func (b *box) order() []flow {
	var all []flow
	for f := range b.flows {
		all = append(all, f)
	}
	slices.SortFunc(all, func(x, y flow) int {
		return cmp.Or(cmp.Compare(b.flows[x].born, b.flows[y].born), x.client.Compare(y.client), x.server.Compare(y.server))
	})
	return all
}
