package lab

import (
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
}

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
// direction, or after so much time: whichever is set.
type Reset struct {
	Bytes int
	Time  time.Duration
	To    After // [ResetClient], [ResetServer] or [ResetBoth]
}

// A flow names a TCP connection, the client first.
type flow struct{ client, server netip.AddrPort }

// entry is what a box remembers of a connection.
type entry struct {
	born, seen time.Duration
	bytes      int
	expects    [2]uint32 // the sequence number that the receiver of each way expects next
	ended      bool      // the box ended it
}

// made is a packet that the box made.
type made struct {
	way Way
	raw []byte
}

type box struct {
	Box
	flows map[flow]*entry
}

func newBox(b Box) *box { return &box{Box: b, flows: map[flow]*entry{}} }

// boxTTL is the TTL with which resets leave the box.
const boxTTL = 64

func (b *box) idleTime() bool { return b.Idle > 0 }

func (b *box) remembers() bool { return b.Idle > 0 || b.Table > 0 || len(b.Resets) > 0 }

// look says whether a packet passes, and what the box sends because of it.
func (b *box) look(now time.Duration, way Way, p packet) (passes bool, out []made) {
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
		e = &entry{born: now}
		b.flows[f] = e
	case e == nil:
		return false, b.stray(way, p)
	case e.ended:
		return false, nil
	}
	e.seen = now
	e.bytes += len(p.payload)
	e.expects[way] = p.next()
	if p.has(flagRST) {
		delete(b.flows, f)
		return true, nil
	}
	for _, r := range b.Resets {
		if r.Bytes > 0 && e.bytes >= r.Bytes || r.Time > 0 && now-e.born >= r.Time {
			e.ended = true
			return false, b.resets(f, e, r.To)
		}
	}
	return true, nil
}

// stray answers a packet of a connection that the box does not know.
func (b *box) stray(way Way, p packet) []made {
	if b.After != ResetSender || p.has(flagRST) {
		return nil
	}
	return []made{{way.other(), makeReset(p.dst, p.src, p.ack, boxTTL)}}
}

// resets tells the ends of a connection that it is over, each in the name of
// the other.
func (b *box) resets(f flow, e *entry, to After) (out []made) {
	if to == ResetClient || to == ResetBoth {
		out = append(out, made{ToClient, makeReset(f.server, f.client, e.expects[ToClient], boxTTL)})
	}
	if to == ResetServer || to == ResetBoth {
		out = append(out, made{ToServer, makeReset(f.client, f.server, e.expects[ToServer], boxTTL)})
	}
	return out
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
			if r.Time > 0 && !e.ended && now-e.born >= r.Time {
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
