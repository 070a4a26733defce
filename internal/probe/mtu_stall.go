package probe

import (
	"time"

	"sshtay/internal/sock"
)

// fromServer is the other direction than [toServer], as the facts call it.
const fromServer = "from-server"

// A stall follows one connection by what the kernel counts of it, and tells
// when it is stuck as packets that are too long for the path leave it.
type stall struct {
	since           time.Time // of the last progress
	acked, received uint64    // then
	outOfOrder      int       // before it: what came early may have come with it
	last            int       // the same at the last look
	lossy           bool      // the path was seen to lose packets of any length: more patience
	at              string    // the direction in which it is stuck, until it moves again
	hung            hangs     // what it got over
}

const (
	// stuckBackoff is how often the kernel has doubled its wait when we take
	// data for stuck: it was sent four times by then, the last three of them
	// alone. Of a path that loses one packet in ten, that is one case in 10,000.
	stuckBackoff = 2
	// smallSegment is what every path carries (RFC 791).
	smallSegment = 536
)

// look takes what the kernel says now. It returns the direction in which data
// is stuck, or "" while it moves or may still.
func (s *stall) look(now time.Time, i sock.Info) string {
	before := s.last
	s.last = i.OutOfOrder
	if s.since.IsZero() || i.BytesAcked != s.acked || i.BytesReceived != s.received {
		s.getOver(now, i)
		s.since, s.acked, s.received, s.outOfOrder = now, i.BytesAcked, i.BytesReceived, before
		return ""
	}
	if at := s.stuckIn(now, i); at != "" {
		s.at = at
		return at
	}
	return ""
}

// stuckIn is look for a connection that has not moved since the last one.
func (s *stall) stuckIn(now time.Time, i sock.Info) string {
	switch {
	case i.Unacked > 0:
		// The other side answered something before, so it is there; and what is
		// stuck is long, or something behind it arrived.
		if i.Backoff >= s.backoff() && i.BytesAcked > 1 && (i.Sacked > 0 || outstanding(i) > smallSegment) {
			return toServer
		}
	case i.OutOfOrder > s.outOfOrder:
		if now.Sub(s.since) >= s.resendTime(i) {
			return fromServer
		}
	}
	return ""
}

// quiet says for how long nothing has moved, and nothing of ours is on the way.
func (s *stall) quiet(now time.Time, i sock.Info) time.Duration {
	if s.since.IsZero() || i.Unacked > 0 {
		return 0
	}
	return now.Sub(s.since)
}

// outstanding is how many bytes of ours nobody has acknowledged.
func outstanding(i sock.Info) int {
	return int(int64(i.BytesSent) - int64(i.BytesRetrans) - int64(i.BytesAcked))
}

// backoff is how often the kernel must have doubled its wait.
func (s *stall) backoff() int {
	if s.lossy {
		return 2 * stuckBackoff
	}
	return stuckBackoff
}

// resendTime is enough for the other side to send something lost again three
// times: after two round trips, and by its timer, which begins at 200 ms and a
// round trip and doubles. On a path that loses packets it is enough for five.
func (s *stall) resendTime(i sock.Info) time.Duration {
	if s.lossy {
		return 3000*time.Millisecond + 17*i.RTT
	}
	return 700*time.Millisecond + 5*i.RTT
}

// headers is how many bytes of a packet are not data.
func headers(v4, timestamps bool) int {
	n := 20 + 40
	if v4 {
		n = 20 + 20
	}
	if timestamps {
		n += 12
	}
	return n
}

// A bracket is where the limit of one direction lies, in bytes of an IP packet:
// the longest that is known to arrive, and the shortest that is known to
// vanish. 0 is none.
type bracket struct{ arrives, vanishes int }

// exact says that nothing lies between.
func (b bracket) exact() bool { return b.vanishes == b.arrives+1 }

func (b bracket) hole() bool { return b.vanishes > 0 }

// usualMTUs are what tunnels and lines leave of a packet: PPPoE, GRE, IPIP,
// 6in4, L2TP, WireGuard, OpenVPN, IPsec, VXLAN, mobile networks and IPv6's
// least.
var usualMTUs = []int{
	1492, 1480, 1476, 1472, 1462, 1460, 1458, 1454, 1450, 1446, 1442, 1440, 1436, 1430, 1428, 1424, 1420, 1412, 1406, 1400,
	1392, 1390, 1380, 1378, 1376, 1372, 1370, 1360, 1358, 1350, 1340, 1300, 1280, 576,
}

const (
	fineFrom   = 1240 // from here up the rungs are close
	fineStep   = 8
	coarseStep = 64
	everyByte  = 64 // a range so short is tried byte by byte
)

// rungs are the packet sizes to try above lo and up to hi, ascending: so that
// a usual limit is found to the byte at once, and any other within a few.
func rungs(lo, hi int) (sizes []int) {
	usual := map[int]bool{}
	for _, n := range usualMTUs {
		usual[n], usual[n+1] = true, true
	}
	for n := lo + 1; n <= hi; n++ {
		step := coarseStep
		if n >= fineFrom {
			step = fineStep
		}
		if n == hi || hi-lo <= everyByte || usual[n] || n%step == 0 {
			sizes = append(sizes, n)
		}
	}
	return sizes
}

// climbed is how many of the rungs were acknowledged when so many bytes of
// them were.
func climbed(segments []int, acked int) (n int) {
	for _, s := range segments {
		if acked -= s; acked < 0 {
			break
		}
		n++
	}
	return n
}
