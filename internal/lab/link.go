package lab

import (
	"math/rand/v2"
	"net/netip"
	"time"
)

// A Way is a direction on the wide-area link.
type Way int

// The two directions.
const (
	ToServer Way = iota
	ToClient
)

func (w Way) other() Way { return 1 - w }

// A Lane says what the link does to packets that go one way. The zero Lane
// passes everything at once.
type Lane struct {
	Delay     time.Duration
	Jitter    time.Duration // each packet is this much earlier or later at most, in order
	Loss      float64       // ratio of packets lost at random
	Burst     Burst         // and in bursts
	Reorder   float64       // ratio of packets that others overtake
	Duplicate float64       // ratio that arrives twice
	Corrupt   float64       // ratio of TCP segments in which a bit flips, with a checksum that fits
	Clean     int           // bytes of a connection that pass before Corrupt begins
	Spoil     float64       // and with a checksum that does not fit
	DropOver  int           // IP packets longer than this many bytes vanish; 0 is none
	DropDSCP  []int         // packets marked so vanish
	KeepDSCP  bool          // packets of a connection that are marked otherwise than its first one vanish
	Bleach    bool          // marks are taken off
	Rate      float64       // bits a second; 0 is without limit
	Queue     int           // bytes that wait for their turn at Rate before more are dropped
	Outage    Outage        // when nothing passes
	Hops      int           // routers on the way that the lab does not build
	Equal     int           // so many of them stand side by side at each place, and each flow takes one
	Mute      bool          // these send no ICMP
}

// A Burst loses packets in a row: it begins at a packet with probability
// Begin and ends with probability End.
type Burst struct{ Begin, End float64 }

// An Outage begins so long after the link came up, and lasts.
type Outage struct{ Begin, Length time.Duration }

// A Fate is what becomes of a packet: it leaves the link at a time, one way.
type Fate struct {
	At  time.Duration
	Way Way
	Raw []byte
}

// A Link decides what becomes of packets. It is a function of its lanes, its
// box, its seed and the packets that went before: the same packets at the same
// times have the same fate. It reads no clock; times count from any moment,
// the same for all calls. A Link is not for use by many goroutines at once.
type Link struct {
	lanes [2]lane
	box   *box
	syns  map[flow]bool
}

// lane is a Lane at work.
type lane struct {
	Lane
	rand    *rand.Rand
	burst   bool
	free    time.Duration // when the last packet will have been sent
	last    time.Duration // when the last packet will arrive
	bytes   map[flow]int  // of each connection, where that counts
	marks   map[flow]int  // DSCP of each connection's first packet, where that counts
	network [2]netip.Addr // where made-up routers have their addresses, IPv4 and IPv6
}

// queueDefault is how many bytes wait when a Rate is given without a Queue.
const queueDefault = 64 << 10

// overtaken is how much later a packet arrives that others overtake.
const overtaken = 3 * time.Millisecond

// NewLink returns a link with what it does to packets of each way, and the box
// in its middle.
func NewLink(toServer, toClient Lane, b Box, seed uint64) *Link {
	l := &Link{box: newBox(b), syns: map[flow]bool{}}
	for way, c := range []Lane{toServer, toClient} {
		l.lanes[way] = lane{
			Lane: c, rand: rand.New(rand.NewPCG(seed, uint64(way))), marks: map[flow]int{}, bytes: map[flow]int{},
			network: [2]netip.Addr{netip.AddrFrom4([4]byte{198, 18, byte(way), 0}), netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0, 0x18, 0, byte(way)})},
		}
	}
	return l
}

// Pass returns what becomes of a packet that enters the link now. The packet
// belongs to the link from then on.
func (l *Link) Pass(now time.Duration, way Way, raw []byte) []Fate {
	p, ok := parse(raw)
	if !ok {
		return l.lanes[way].deliver(nil, now, way, raw)
	}
	// A SYN that ends before the server, at the provider's router at the latest,
	// is a connection to nobody.
	if p.tcp && way == ToServer && p.has(flagSYN) && !p.has(flagACK) && p.ttl() > l.lanes[way].Hops+1 {
		l.syns[flow{p.src, p.dst}] = true
	}
	lane := &l.lanes[way]
	if answer, expired := lane.travel(p, 0, l.toBox(way)); expired {
		return l.answered(nil, now, way, answer)
	}
	passes, made := l.box.look(now, way, p)
	fates := l.leaveBox(nil, now, made)
	if !passes {
		return fates
	}
	if answer, expired := lane.travel(p, l.toBox(way), lane.Hops); expired {
		return l.answered(fates, now, way, answer)
	}
	if lane.drops(p) || lane.Outage.covers(now) {
		return fates
	}
	if lane.Bleach {
		p.bleach()
	}
	if p.tcp && len(p.payload) > 0 {
		if lane.Clean > 0 {
			lane.bytes[flow{p.src, p.dst}] += len(p.payload)
		}
		if lane.chance(lane.Corrupt) && lane.dirty(p) {
			lane.flip(p.payload)
			p.mend()
		}
		if lane.chance(lane.Spoil) {
			lane.flip(p.payload)
		}
	}
	return lane.deliver(fates, now, way, p.raw)
}

// Tick returns what the link sends by itself up to now, and when it wants to
// be asked again; 0 is never.
func (l *Link) Tick(now time.Duration) (fates []Fate, next time.Duration) {
	made, next := l.box.expire(now)
	return l.leaveBox(nil, now, made), next
}

// toBox is how many routers that the lab does not build a packet passes before
// it meets the box.
func (l *Link) toBox(way Way) int {
	hops := l.lanes[way].Hops
	if way == ToServer {
		return min(l.box.Behind, hops)
	}
	return max(0, hops-l.box.Behind)
}

// leaveBox sends what the box made the rest of the way.
func (l *Link) leaveBox(fates []Fate, now time.Duration, all []made) []Fate {
	for _, m := range all {
		p, _ := parse(m.raw)
		lane := &l.lanes[m.way]
		if _, expired := lane.travel(p, l.toBox(m.way), lane.Hops); !expired {
			fates = lane.deliver(fates, now, m.way, m.raw)
		}
	}
	return fates
}

// answered sends back what a router says of a packet whose TTL was used up.
func (l *Link) answered(fates []Fate, now time.Duration, way Way, answer []byte) []Fate {
	if answer == nil {
		return fates
	}
	return l.lanes[way.other()].deliver(fates, now, way.other(), answer)
}

// Connections returns how many TCP connections were tried towards the server:
// a SYN sent again is no new one.
func (l *Link) Connections() int { return len(l.syns) }

// travel takes the packet past some of the routers that the lab does not
// build. When its TTL is used up, answer is what the router there sends back,
// if it does.
func (l *lane) travel(p packet, from, to int) (answer []byte, expired bool) {
	for n := from; n < to; n++ {
		if p.hop() > 0 {
			continue
		}
		if l.Mute || p.answers() {
			return nil, true
		}
		return makeTimeExceeded(l.router(p.v6, n, p.beside(l.Equal)), p), true
	}
	return nil, false
}

// router returns the address of the n-th router that the lab does not build,
// and of the one at a place beside the others.
func (l *lane) router(v6 bool, n, beside int) netip.Addr {
	if v6 {
		a := l.network[1].As16()
		a[13], a[15] = byte(beside), byte(n+1)
		return netip.AddrFrom16(a)
	}
	a := l.network[0].As4()
	a[2] += byte(2 * beside)
	a[3] = byte(n + 1)
	return netip.AddrFrom4(a)
}

// drops says whether the packet is lost, for what it is or by chance. Chance is
// asked for every packet, so that one setting does not shift another's luck.
func (l *lane) drops(p packet) bool {
	lost := l.chance(l.Loss)
	if l.burst {
		l.burst = !l.chance(l.Burst.End)
	} else {
		l.burst = l.chance(l.Burst.Begin)
	}
	lost = lost || l.burst || l.DropOver > 0 && len(p.raw) > l.DropOver
	for _, d := range l.DropDSCP {
		lost = lost || p.dscp() == d
	}
	if !l.KeepDSCP || !p.tcp {
		return lost
	}
	f := flow{p.src, p.dst}
	first, known := l.marks[f]
	if !known || p.has(flagSYN) {
		l.marks[f] = p.dscp()
		return lost
	}
	return lost || p.dscp() != first
}

// deliver sends a packet on its way through the queue and over the distance.
func (l *lane) deliver(fates []Fate, now time.Duration, way Way, raw []byte) []Fate {
	sent := now
	if l.Rate > 0 {
		queue := l.Queue
		if queue == 0 {
			queue = queueDefault
		}
		wait := max(0, l.free-now)
		if wait.Seconds()*l.Rate/8 > float64(queue) {
			return fates
		}
		l.free = now + wait + time.Duration(float64(len(raw))*8/l.Rate*float64(time.Second))
		sent = l.free
	}
	at := sent + l.Delay
	if l.Jitter > 0 {
		at += time.Duration((2*l.rand.Float64() - 1) * float64(l.Jitter))
	}
	at = max(at, sent)
	if l.chance(l.Reorder) {
		return append(fates, Fate{at + overtaken, way, raw})
	}
	at = max(at, l.last)
	l.last = at
	fates = append(fates, Fate{at, way, raw})
	if l.chance(l.Duplicate) {
		fates = append(fates, Fate{at, way, append([]byte(nil), raw...)})
	}
	return fates
}

// dirty says whether Corrupt has begun for the packet's connection.
func (l *lane) dirty(p packet) bool {
	return l.Clean == 0 || l.bytes[flow{p.src, p.dst}] > l.Clean
}

// flip turns one bit over.
func (l *lane) flip(b []byte) { b[l.rand.IntN(len(b))] ^= 1 << l.rand.IntN(8) }

func (o Outage) covers(now time.Duration) bool {
	return now >= o.Begin && now < o.Begin+o.Length
}

// chance is true with the given probability; one that is 0 uses up no luck.
func (l *lane) chance(p float64) bool { return p > 0 && l.rand.Float64() < p }
