package probe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/rst"
	"sshtay/internal/sock"
)

// Watch begins to watch the packets of all connections to the server's port,
// where the kernel lets us, so that the first reset can be judged and not only
// one that an experiment brings about. It goes on until the run is over.
var Watch = Probe{Name: "watch", Yields: []fact.Any{fact.ResetCapture}, Run: runWatch}

func runWatch(ctx context.Context, env *Env, facts *fact.Set) {
	if newAttempt(env).via != viaDirect {
		fact.Miss(facts, "the connection goes through a proxy or a jump host: a reset behind it ends another connection than ours", fact.ResetCapture)
		return
	}
	w := &packets{start: time.Now(), flows: map[netip.AddrPort]*watched{}}
	// Its end is of no interest: the socket is the kernel's to close.
	err := sock.Capture(ctx, env.Resolved.Port, func(f sock.Frame) { w.take(f, uint16(env.Resolved.Port)) }, func() {})
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		env.unwatched = "packets can be watched on Linux only"
	case err != nil:
		env.unwatched = fmt.Sprintf("%v; root, or CAP_NET_RAW, may do it", err)
	default:
		env.packets = w
		fact.ResetCapture.Put(facts, true, "AF_PACKET")
	}
}

// Bounds for what is kept of packets.
const (
	mostFlows   = 256
	mostPackets = 2048 // of one connection, the last ones beside its first
	firstKept   = 64
)

// packets are what was watched, by our end of each connection.
type packets struct {
	mu    sync.Mutex
	start time.Time
	flows map[netip.AddrPort]*watched
	order []netip.AddrPort
}

// watched is one connection, from its SYN on, on one interface: what passes a
// bridge, a bond or a VLAN shows up on each of them.
type watched struct {
	server  netip.AddrPort
	out, in int // interfaces; 0 until a packet came
	first   []rst.Packet
	last    []rst.Packet
}

func (w *packets) take(f sock.Frame, port uint16) {
	p, ok := rst.Parse(f.Raw)
	if !ok {
		return
	}
	p.At = f.At.Sub(w.start)
	w.mu.Lock()
	defer w.mu.Unlock()
	mine, outward := p.Dst, false
	if p.Dst.Port() == port && (p.Src.Port() != port || w.flows[p.Src] != nil || p.Has(rst.SYN) && !p.Has(rst.ACK)) {
		mine, outward = p.Src, true
	}
	flow := w.flows[mine]
	if outward && p.Has(rst.SYN) && !p.Has(rst.ACK) && flow == nil && len(w.order) < mostFlows {
		flow = &watched{server: p.Dst}
		w.flows[mine] = flow
		w.order = append(w.order, mine)
	}
	if flow == nil || !outward && p.Src != flow.server || outward && p.Dst != flow.server {
		return // it was there before us, or is none of ours
	}
	by := &flow.in
	if outward {
		by = &flow.out
	}
	if *by == 0 {
		*by = f.Interface
	}
	if *by == f.Interface {
		flow.add(p)
	}
}

func (f *watched) add(p rst.Packet) {
	if len(f.first) < firstKept {
		f.first = append(f.first, p)
		return
	}
	if len(f.last) == mostPackets {
		f.last = slices.Delete(f.last, 0, mostPackets/2)
	}
	f.last = append(f.last, p)
}

// answers judges every connection to one of the addresses that was reset, the
// first one first. Those that the server had closed in order come last: a reset
// is how its kernel answers what still arrives then.
func (w *packets) answers(is func(netip.Addr) bool) []rst.Answer {
	w.mu.Lock()
	defer w.mu.Unlock()
	var ttls []int
	for _, mine := range w.order {
		f := w.flows[mine]
		for _, p := range f.first {
			if is(f.server.Addr()) && p.Src == f.server && !p.Has(rst.RST) {
				ttls = append(ttls, p.TTL)
			}
		}
	}
	var all []rst.Answer
	for _, mine := range w.order {
		f := w.flows[mine]
		if !is(f.server.Addr()) {
			continue
		}
		if a, reset := rst.Judge(slices.Concat(f.first, f.last), f.server, ttls); reset {
			all = append(all, a)
		}
	}
	slices.SortStableFunc(all, func(a, b rst.Answer) int {
		if a.Closed != b.Closed {
			return map[bool]int{false: -1, true: 1}[a.Closed]
		}
		return cmp.Compare(a.Reset.At, b.Reset.At)
	})
	return all
}
