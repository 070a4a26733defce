package probe

import (
	"net/netip"
	"slices"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/sock"
)

const (
	// longer is how much farther a way is followed that may be longer than the
	// way back. A server tells of few packets at a time that came to nothing:
	// Linux of six, and then of one a second.
	longer = 1
	// wholeWay is a hop limit that leads to the server in any case.
	wholeWay = 64
	// mostAhead is how often a hop is asked by TCP that may be the server.
	mostAhead = 2
	// patientRounds is how often the server is waited for that answers nothing:
	// it may be late.
	patientRounds = 3
	// mostEqual bounds the addresses of one hop, mostTimes the times of which
	// the median is taken.
	mostEqual = 16
	mostTimes = 1000
)

// A trail is what is known of the way to a server. It says which packets to
// send next, and takes what is answered. It knows no socket and no clock.
//
// Datagrams and echo requests go first: they harm nobody who gets them. Only
// as far as these are seen to die on the way do connection attempts follow.
// They are guarded besides, so that no server can take one for a connection.
type trail struct {
	back    int // hops from the server to us; 0 is unknown
	top     int // how far packets are sent
	reached int // the lowest hop limit with which one arrived; 0 is unknown
	rounds  int
	open    bool       // a round is going on
	hops    []hopTrail // [0] is that of hop 1
	host    hopTrail
	forbids []forbids
}

// forbids is a refusal to pass packets on. Who refuses may stand nearer than
// the hop limit says.
type forbids struct {
	ttl  int
	from netip.Addr
	says string
}

// hopTrail is what is known of one hop.
type hopTrail struct {
	by        sock.Method // what it answers; "" is unknown
	addresses []netip.Addr
	answers   int
	rtts      []time.Duration // of the answers, the latest ones
	answered  bool            // in this round
	attempted bool            // by TCP
	ahead     int             // times that was done although it may be the server
}

func newTrail(back int) *trail {
	t := &trail{back: back, top: mostHops, hops: make([]hopTrail, mostHops)}
	if back > 0 {
		t.top = min(mostHops, back+longer)
	}
	return t
}

// hop is what is known of the hop at which a packet of this kind ends.
func (t *trail) hop(ttl int) *hopTrail {
	if ttl == wholeWay {
		return &t.host
	}
	return &t.hops[ttl-1]
}

// begin starts a round and returns what to send: at first everything that is
// harmless, later to each hop what it answers.
func (t *trail) begin() (probes []sock.TTLProbe) {
	if t.rounds > 0 && t.host.by != "" && t.reached == 0 {
		t.top = min(mostHops, t.top+longer)
	}
	t.rounds++
	t.open = true
	last := t.top
	if t.rounds > 1 && (t.reached > 0 || t.host.by == "") {
		last = t.length()
		if t.reached == 0 {
			last = max(last, min(t.back-1, mostHops)) // who knows
		}
	}
	var ttls []int
	for ttl := 1; ttl <= last; ttl++ {
		ttls = append(ttls, ttl)
	}
	for _, ttl := range append(ttls, wholeWay) {
		h := t.hop(ttl)
		h.answered = false
		switch {
		case h.by != "":
			probes = append(probes, t.probe(h.by, ttl))
		case t.rounds == 1:
			probes = append(probes, t.probe(sock.UDP, ttl), t.probe(sock.ICMP, ttl))
		default:
			probes = append(probes, t.probe(sock.UDP, ttl))
		}
	}
	return probes
}

func (t *trail) probe(m sock.Method, ttl int) sock.TTLProbe {
	return sock.TTLProbe{Method: m, TTL: ttl, Guarded: m == sock.TCP}
}

// follow returns the connection attempts that may follow in this round: those
// that end at hops known to lie before the server. When quick, only to hops
// that have not answered otherwise; else all of them once, and now and then
// one hop further.
func (t *trail) follow(quick bool) (probes []sock.TTLProbe) {
	known := t.known()
	for ttl := 1; ttl <= known; ttl++ {
		if ttl == t.reached-1 && t.reached > t.back && t.rounds == 1 && t.hop(ttl).by == "" {
			continue // the server, perhaps, of which nothing arrived or came back
		}
		if h := t.hop(ttl); !h.attempted && (!quick || h.by == "") {
			h.attempted = true
			probes = append(probes, t.probe(sock.TCP, ttl))
		}
	}
	if quick || t.reached > 0 {
		return probes
	}
	// Where nothing else is answered: half the way back is surely before the
	// server, and then one hop at a time.
	first, last := known+1, known+1
	if known == 0 && t.rounds == 1 {
		last = max(last, t.back/2)
	}
	for ttl := first; ttl <= min(last, t.back-1, mostHops); ttl++ {
		if h := t.hop(ttl); h.ahead < mostAhead {
			h.ahead++
			probes = append(probes, t.probe(sock.TCP, ttl))
		}
	}
	return probes
}

// known is the farthest hop that packets were seen to come to, and not to the
// server.
func (t *trail) known() int {
	if t.reached > 0 {
		return t.reached - 1
	}
	for ttl := len(t.hops); ttl > 0; ttl-- {
		if t.hops[ttl-1].by != "" {
			return ttl
		}
	}
	return 0
}

// length is how many routers there are before the server, as far as was seen.
func (t *trail) length() int {
	last := t.known()
	if t.reached > 0 {
		return last
	}
	for _, f := range t.forbids { // of those that are not known otherwise only one can be the next
		if t.at(f.from) < 0 {
			last = max(last, min(f.ttl, last+1))
		}
	}
	return last
}

// at is the place in hops of who has an address, or -1.
func (t *trail) at(from netip.Addr) int {
	return slices.IndexFunc(t.hops, func(h hopTrail) bool { return slices.Contains(h.addresses, from) })
}

// heard takes a reply.
func (t *trail) heard(r sock.TTLReply) {
	whole := r.Probe.TTL == wholeWay
	h := t.hop(r.Probe.TTL)
	switch {
	case r.Answer == sock.Forbidden && !portUnreachable(r):
		t.forbidden(forbids{r.Probe.TTL, r.From, forbidding(r)})
		return
	case r.Answer != sock.Expired && !whole:
		if t.reached == 0 || r.Probe.TTL < t.reached {
			t.reached = r.Probe.TTL
		}
		h = &t.host
	case r.Answer == sock.Expired && whole: // a loop, or a very long way
		return
	}
	if !slices.Contains(h.addresses, r.From) && len(h.addresses) < mostEqual {
		h.addresses = append(h.addresses, r.From)
	}
	if !h.answered {
		h.answered = true
		h.answers++
		h.rtts = append(h.rtts, r.Took)
		h.rtts = h.rtts[max(0, len(h.rtts)-mostTimes):]
	}
	// A connection attempt is what ssh sends. Of a host's answers only those
	// to an echo are usually without limit.
	if h.by == "" || r.Probe.Method == sock.TCP || h == &t.host && r.Probe.Method == sock.ICMP {
		h.by = r.Probe.Method
	}
}

func (t *trail) forbidden(f forbids) {
	for i, known := range t.forbids {
		if known.from == f.from {
			t.forbids[i].ttl = min(known.ttl, f.ttl)
			return
		}
	}
	if len(t.forbids) < mostEqual {
		t.forbids = append(t.forbids, f)
	}
}

// portUnreachable is what a host says of a port without a program, though it
// may say it from another of its addresses.
func portUnreachable(r sock.TTLReply) bool {
	return r.Code == [2]int{3, 3} && r.From.Is4() || r.Code == [2]int{1, 4} && !r.From.Is4()
}

// forbidding puts a refusal into words (RFC 792, RFC 1812, RFC 4443).
func forbidding(r sock.TTLReply) string {
	network, host := [2]int{3, 0}, [2]int{3, 1}
	if !r.From.Is4() {
		network, host = [2]int{1, 0}, [2]int{1, 3}
	}
	switch r.Code {
	case network:
		return "knows no way"
	case host:
		return "does not find the host"
	}
	return "prohibits " + string(r.Probe.Method)
}

// satisfied says that nothing more is to be expected in this round.
func (t *trail) satisfied() bool {
	if t.rounds == 1 && t.reached == 0 {
		return false
	}
	for ttl := 1; ttl <= t.length(); ttl++ {
		if h := t.hop(ttl); !h.answered && (t.rounds == 1 || h.by != "") {
			return false
		}
	}
	return t.host.answered || t.rounds > patientRounds && t.host.by == ""
}

// close ends a round: what was not answered by now never will be.
func (t *trail) close() { t.open = false }

// asked is how often a hop was asked and had its time to answer.
func (t *trail) asked(h *hopTrail) int {
	if t.open && !h.answered {
		return t.rounds - 1
	}
	return t.rounds
}

// list is the way as it is known now, with its verdicts. The last is the
// server.
func (t *trail) list() []fact.Hop {
	var all []fact.Hop
	for ttl := 1; ttl <= t.length(); ttl++ {
		all = append(all, t.hop(ttl).fact(ttl, t.asked(t.hop(ttl))))
	}
	host := t.host.fact(t.reached, t.asked(&t.host))
	host.Host = true
	all = append(all, host)
	for _, f := range t.forbids {
		i := t.at(f.from)
		if i < 0 && f.ttl < len(all) && all[f.ttl-1].Addresses == nil {
			i = f.ttl - 1
			all[i].Addresses = []string{f.from.String()}
		}
		if i >= 0 && i < len(all) {
			all[i].Says = f.says
		}
	}
	judgeHops(all, t.host.by == sock.ICMP)
	return all
}

func (h *hopTrail) fact(ttl, asked int) fact.Hop {
	f := fact.Hop{TTL: ttl, By: string(h.by), Answers: h.answers, Of: asked}
	for _, a := range h.addresses {
		f.Addresses = append(f.Addresses, a.String())
	}
	if len(h.rtts) > 0 {
		sorted := slices.Sorted(slices.Values(h.rtts))
		f.RTT = sorted[len(sorted)/2].Seconds()
	}
	if n := len(h.rtts) - 1; n > 0 {
		var sum time.Duration
		for i := range n {
			sum += (h.rtts[i+1] - h.rtts[i]).Abs()
		}
		f.Jitter = (sum / time.Duration(n)).Seconds()
	}
	return f
}
