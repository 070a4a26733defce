package lab

import (
	"encoding/binary"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"
)

var (
	clientPort  = netip.MustParseAddrPort("198.51.100.7:50000")
	serverPort  = netip.MustParseAddrPort("203.0.113.10:22")
	clientPort6 = netip.MustParseAddrPort("[2001:db8:7::23]:50000")
	serverPort6 = netip.MustParseAddrPort("[2001:db8:113::10]:22")
)

// segment makes a TCP segment with a right checksum.
func segment(from, to netip.AddrPort, flags byte, seq, ack uint32, payload int) []byte {
	p := makeIP(from.Addr(), to.Addr(), protoTCP, 64, 20+payload)
	t := p.raw[p.head:]
	binary.BigEndian.PutUint16(t, from.Port())
	binary.BigEndian.PutUint16(t[2:], to.Port())
	binary.BigEndian.PutUint32(t[4:], seq)
	binary.BigEndian.PutUint32(t[8:], ack)
	t[12], t[13] = 5<<4, flags
	for i := range payload {
		t[20+i] = byte(i)
	}
	p.mend()
	return p.raw
}

// whole says whether the packet's checksums are right.
func whole(t *testing.T, raw []byte) bool {
	t.Helper()
	p, ok := parse(raw)
	if !ok {
		t.Fatalf("not a packet: %x", raw)
	}
	before := slices.Clone(raw)
	p.mendIP()
	p.mend()
	return slices.Equal(before, raw)
}

// stream passes n segments of 1000 bytes, 1 ms apart, and returns their fates.
func stream(l *Link, way Way, n int) (all []Fate) {
	for i := range n {
		from, to := clientPort, serverPort
		if way == ToClient {
			from, to = to, from
		}
		all = append(all, l.Pass(time.Duration(i)*time.Millisecond, way, segment(from, to, flagACK, uint32(i*1000), 1, 1000))...)
	}
	return all
}

func seqOf(t *testing.T, f Fate) int {
	t.Helper()
	p, ok := parse(f.Raw)
	if !ok {
		t.Fatalf("not a packet: %x", f.Raw)
	}
	return int(p.seq) / 1000
}

// TestLinkIsAFunction: the same packets at the same times meet the same fate
// under the same seed, and another one under another seed.
func TestLinkIsAFunction(t *testing.T) {
	bad := Lane{Delay: 20 * time.Millisecond, Jitter: 5 * time.Millisecond, Loss: 0.02, Burst: Burst{0.01, 0.3}, Reorder: 0.02, Duplicate: 0.02, Corrupt: 0.02, Rate: 20e6}
	run := func(seed uint64) []Fate {
		l := NewLink(bad, bad, Box{}, seed)
		return append(stream(l, ToServer, 2000), stream(l, ToClient, 2000)...)
	}
	first := run(1)
	if !reflect.DeepEqual(first, run(1)) {
		t.Error("two links with the same seed disagree")
	}
	if reflect.DeepEqual(first, run(2)) {
		t.Error("the seed makes no difference")
	}
}

func TestLane(t *testing.T) {
	const n = 4000
	within := func(t *testing.T, what string, got int, low, high float64) {
		t.Helper()
		if float64(got) < low*n || float64(got) > high*n {
			t.Errorf("%s: %d of %d packets, want %g to %g of them", what, got, n, low, high)
		}
	}
	fatesOf := func(c Lane) []Fate { return stream(NewLink(c, Lane{}, Box{}, 7), ToServer, n) }

	t.Run("clean", func(t *testing.T) {
		for i, f := range fatesOf(Lane{Delay: 5 * time.Millisecond}) {
			if f.At != time.Duration(i+5)*time.Millisecond || seqOf(t, f) != i || f.Way != ToServer {
				t.Fatalf("packet %d: %+v", i, f)
			}
		}
	})
	t.Run("loss", func(t *testing.T) { within(t, "lost", n-len(fatesOf(Lane{Loss: 0.1})), 0.08, 0.12) })
	t.Run("burst", func(t *testing.T) {
		fs := fatesOf(Lane{Burst: Burst{0.01, 0.2}})
		gaps, longest := 0, 0
		for i := 1; i < len(fs); i++ {
			if g := seqOf(t, fs[i]) - seqOf(t, fs[i-1]) - 1; g > 0 {
				gaps, longest = gaps+1, max(longest, g)
			}
		}
		if lost := n - len(fs); gaps == 0 || lost < 3*gaps || longest < 8 {
			t.Errorf("%d packets lost in %d bursts, the longest of %d", lost, gaps, longest)
		}
	})
	t.Run("jitter", func(t *testing.T) {
		var least, most time.Duration = time.Hour, 0
		var last time.Duration
		for i, f := range fatesOf(Lane{Delay: 20 * time.Millisecond, Jitter: 10 * time.Millisecond}) {
			if f.At < last || seqOf(t, f) != i {
				t.Fatalf("packet %d overtook another", i)
			}
			last = f.At
			delay := f.At - time.Duration(i)*time.Millisecond
			least, most = min(least, delay), max(most, delay)
		}
		if least < 10*time.Millisecond || most > 30*time.Millisecond || most-least < 10*time.Millisecond {
			t.Errorf("delays from %s to %s", least, most)
		}
	})
	t.Run("reorder", func(t *testing.T) {
		fs := fatesOf(Lane{Reorder: 0.1})
		slices.SortStableFunc(fs, func(a, b Fate) int { return int(a.At - b.At) })
		late := 0
		for i := 1; i < len(fs); i++ {
			if seqOf(t, fs[i]) < seqOf(t, fs[i-1]) {
				late++
			}
		}
		within(t, "overtaken", late, 0.05, 0.12)
	})
	t.Run("duplicate", func(t *testing.T) { within(t, "doubled", len(fatesOf(Lane{Duplicate: 0.1}))-n, 0.08, 0.12) })
	t.Run("corrupt", func(t *testing.T) {
		bad := 0
		for i, f := range fatesOf(Lane{Corrupt: 0.1}) {
			if !whole(t, f.Raw) {
				t.Fatalf("packet %d has a wrong checksum", i)
			}
			if !slices.Equal(f.Raw, segment(clientPort, serverPort, flagACK, uint32(i*1000), 1, 1000)) {
				bad++
			}
		}
		within(t, "damaged", bad, 0.08, 0.12)
	})
	t.Run("outage", func(t *testing.T) {
		fs := fatesOf(Lane{Outage: Outage{time.Second, 500 * time.Millisecond}})
		if len(fs) != n-500 || seqOf(t, fs[999]) != 999 || seqOf(t, fs[1000]) != 1500 {
			t.Errorf("%d packets passed, number 1000 was %d", len(fs), seqOf(t, fs[1000]))
		}
	})
	t.Run("rate", func(t *testing.T) {
		// 1040 bytes at 4 Mbit/s take 2.08 ms, and one comes every ms.
		fs := fatesOf(Lane{Rate: 4e6, Queue: 10000})
		within(t, "passed", len(fs), 0.48, 0.50)
		for i, f := range fs[100:] {
			if wait := f.At - time.Duration(seqOf(t, f))*time.Millisecond; wait < 18*time.Millisecond || wait > 24*time.Millisecond {
				t.Fatalf("packet %d waited %s; the queue holds 20 ms", i, wait)
			}
		}
	})
}

func TestLaneDrops(t *testing.T) {
	marked := segment(clientPort, serverPort, flagACK, 1, 1, 10)
	marked[1] = 18 << 2
	marked6 := segment(clientPort6, serverPort6, flagACK, 1, 1, 10)
	binary.BigEndian.PutUint16(marked6, 6<<12|18<<6)
	for _, c := range []struct {
		name   string
		raw    []byte
		passes bool
	}{
		{"as long as may be", segment(clientPort, serverPort, flagACK, 1, 1, 1360), true},
		{"a byte longer", segment(clientPort, serverPort, flagACK, 1, 1, 1361), false},
		{"IPv6, as long as may be", segment(clientPort6, serverPort6, flagACK, 1, 1, 1340), true},
		{"IPv6, a byte longer", segment(clientPort6, serverPort6, flagACK, 1, 1, 1341), false},
		{"marked AF21", marked, false},
		{"IPv6, marked AF21", marked6, false},
		{"no IP at all", []byte("hello"), true},
	} {
		l := NewLink(Lane{DropOver: 1400, DropDSCP: []int{10, 18}}, Lane{}, Box{}, 1)
		if passes := len(l.Pass(0, ToServer, slices.Clone(c.raw))) == 1; passes != c.passes {
			t.Errorf("%s: passes %v, want %v", c.name, passes, c.passes)
		}
		if len(l.Pass(0, ToClient, slices.Clone(c.raw))) != 1 {
			t.Errorf("%s: the other way it does not pass", c.name)
		}
	}
}

// TestHops: made-up routers take from the TTL, and the one where it is used up
// says so in either family, unless it is mute.
func TestHops(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		from, to, proto, kind := clientPort, serverPort, byte(protoICMP), byte(11)
		if v6 {
			from, to, proto, kind = clientPort6, serverPort6, protoICMPv6, 3
		}
		ttl := func(n byte) []byte {
			raw := segment(from, to, flagSYN, 1, 0, 0)
			p, _ := parse(raw)
			if v6 {
				raw[7] = n
			} else {
				raw[8] = n
				p.mendIP()
			}
			return raw
		}
		l := NewLink(Lane{Hops: 5}, Lane{Hops: 2}, Box{}, 1)
		fs := l.Pass(0, ToServer, ttl(64))
		if len(fs) != 1 || fs[0].Way != ToServer || !whole(t, fs[0].Raw) || fs[0].Raw[map[bool]int{false: 8, true: 7}[v6]] != 59 {
			t.Errorf("IPv6 %v: TTL 64 becomes %+v", v6, fs)
		}
		routers := map[netip.Addr]bool{}
		for n := byte(1); n <= 5; n++ {
			fs := l.Pass(0, ToServer, ttl(n))
			if len(fs) != 1 || fs[0].Way != ToClient || !whole(t, fs[0].Raw) {
				t.Fatalf("IPv6 %v: TTL %d becomes %+v", v6, n, fs)
			}
			p, _ := parse(fs[0].Raw)
			if p.proto != proto || p.raw[p.head] != kind || p.dst.Addr() != from.Addr() {
				t.Errorf("IPv6 %v: TTL %d is answered by %x", v6, n, p.raw)
			}
			routers[p.src.Addr()] = true
		}
		if len(routers) != 5 {
			t.Errorf("IPv6 %v: the routers are %v", v6, routers)
		}
		if fs := NewLink(Lane{Hops: 5, Mute: true}, Lane{}, Box{}, 1).Pass(0, ToServer, ttl(3)); len(fs) != 0 {
			t.Errorf("IPv6 %v: a mute router says %+v", v6, fs)
		}
	}
}

// TestEqualRouters: the packets of a flow meet the same one of the routers that
// stand side by side, and other flows meet the others.
func TestEqualRouters(t *testing.T) {
	met := map[netip.Addr]bool{}
	for port := range uint16(20) {
		var from [2]netip.Addr
		for i := range from {
			l := NewLink(Lane{Hops: 1, Equal: 2}, Lane{}, Box{}, 1)
			p := makeIP(netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.9"), protoUDP, 1, 8)
			binary.BigEndian.PutUint16(p.raw[p.head:], 40000+port)
			fates := l.Pass(0, ToServer, p.raw)
			if len(fates) != 1 || fates[0].Way != ToClient {
				t.Fatalf("%d fates", len(fates))
			}
			answer, _ := parse(fates[0].Raw)
			from[i] = answer.src.Addr()
		}
		if from[0] != from[1] {
			t.Errorf("port %d: %v, then %v", port, from[0], from[1])
		}
		met[from[0]] = true
	}
	if len(met) != 2 {
		t.Errorf("met %v", met)
	}
}
