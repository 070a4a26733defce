package rst

import (
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var (
	me     = netip.MustParseAddrPort("192.0.2.1:50000")
	server = netip.MustParseAddrPort("203.0.113.10:22")
)

// talk is a connection with the server three routers away up to its banner and
// our answer. Its packets carry timestamps.
func talk() []Packet {
	in := func(flags byte, seq, ack uint32, payload int) Packet {
		return Packet{Src: server, Dst: me, TTL: 61, ID: 10000, Flags: flags, Seq: seq, Ack: ack, Payload: payload, Window: 64, Options: 12, Stamped: true, Value: 500}
	}
	out := func(flags byte, seq, ack uint32, payload int) Packet {
		return Packet{Src: me, Dst: server, TTL: 64, Flags: flags, Seq: seq, Ack: ack, Payload: payload, Window: 64, Options: 12, Stamped: true, Value: 900}
	}
	return []Packet{
		out(SYN, 100, 0, 0), in(SYN|ACK, 9000, 101, 0), out(ACK, 101, 9001, 0),
		in(ACK, 9001, 101, 21), out(ACK, 101, 9022, 21),
	}
}

// bare is a reset of somebody without the connection.
func bare(ttl int, seq uint32) Packet {
	return Packet{Src: server, Dst: me, TTL: ttl, Flags: RST, Seq: seq}
}

// own is a reset of the server's own socket.
func own(ttl int) Packet {
	return Packet{Src: server, Dst: me, TTL: ttl, ID: 10064, Flags: RST | ACK, Seq: 9022, Ack: 122, Window: 64, Options: 12, Stamped: true, Value: 520}
}

func TestJudge(t *testing.T) {
	data := Packet{Src: server, Dst: me, TTL: 61, Flags: ACK, Seq: 9022, Ack: 122, Payload: 1000, Stamped: true, Value: 530}
	late := data
	late.Seq, late.Payload = 9001, 21 // overtaken by the reset
	fin := data
	fin.Flags, fin.Payload = ACK|FIN, 0
	syn := talk()[:1:1]
	refusal := Packet{Src: server, Dst: me, TTL: 61, Flags: RST | ACK, Ack: 101}
	nearRefusal := refusal
	nearRefusal.TTL = 64
	stampless := own(61)
	stampless.Stamped, stampless.Options = false, 0
	stale := own(61)
	stale.Value = 400
	for name, c := range map[string]struct {
		flow   []Packet
		others []int
		sender string
		sure   bool
		hops   int
		says   string
	}{
		"sshd closes with unread data":          {flow: append(talk(), own(61)), sender: Server, says: "as its socket would send it"},
		"the server's kernel has no socket":     {flow: append(talk(), bare(61, 9022)), sender: Server, says: "knows nothing of the connection"},
		"the server had closed before":          {flow: append(talk(), fin, bare(61, 9023)), sender: Server, says: "closed the connection before"},
		"reject at the first router":            {flow: append(talk(), bare(64, 9022)), sender: Middlebox, sure: true, hops: 1, says: "about 1 hop away"},
		"reject at the second router":           {flow: append(talk(), bare(63, 9022)), sender: Middlebox, sure: true, hops: 2},
		"reject at the third router":            {flow: append(talk(), bare(62, 9022)), sender: Middlebox, sure: true, hops: 3},
		"a box that starts at 255":              {flow: append(talk(), bare(254, 9022)), sender: Middlebox, sure: true, hops: 2},
		"a good forgery from the second hop":    {flow: append(talk(), own(63)), sender: Middlebox, hops: 2},
		"a forgery from nowhere near":           {flow: append(talk(), bare(48, 9022)), sender: Middlebox, sure: true, says: "does not show from where"},
		"another first TTL, the same distance":  {flow: append(talk(), bare(125, 9022)), sender: Unknown, says: "may be the server itself"},
		"data after the reset":                  {flow: append(talk(), bare(63, 9022), data), sender: Middlebox, sure: true, hops: 2, says: "1000 bytes of new data"},
		"data after it, from the same distance": {flow: append(talk(), bare(61, 9022), data), sender: Unknown, says: "a firewall on the server"},
		"data that the reset overtook":          {flow: append(talk(), own(61), late), sender: Server},
		"sequence numbers tried out":            {flow: append(talk(), bare(63, 9022), bare(63, 9022+1460), bare(63, 9022+4380)), sender: Middlebox, sure: true, hops: 2, says: "+0, +1460, +4380"},
		"the server answers two of our packets": {flow: append(talk(), bare(61, 9022), bare(61, 9001)), sender: Server},
		"without the server's timestamps":       {flow: append(talk(), stampless), sender: Unknown},
		"with timestamps of the past":           {flow: append(talk(), stale), sender: Unknown},
		"a number that fits nothing":            {flow: append(talk(), bare(61, 77)), sender: Unknown},
		"closed port, nothing to compare":       {flow: append(syn, refusal), sender: Unknown, says: "no other packet"},
		"closed port, seen before":              {flow: append(syn, refusal), others: []int{61, 61}, sender: Server, says: "in answer to the SYN"},
		"refused by the first router":           {flow: append(syn, nearRefusal), others: []int{61}, sender: Middlebox, sure: true, hops: 1},
		"refused, and accepted after that":      {flow: append(syn, nearRefusal, talk()[1]), sender: Middlebox, sure: true, says: "had not refused it"},
	} {
		t.Run(name, func(t *testing.T) {
			a, ok := Judge(c.flow, server, c.others)
			if !ok {
				t.Fatal("no reset found")
			}
			all := strings.Join(a.Reasons, "; ")
			if a.Sender != c.sender || a.Sure != c.sure || a.Hops != c.hops || !strings.Contains(all, c.says) {
				t.Errorf("got %s sure %t hops %d: %s", a.Sender, a.Sure, a.Hops, all)
			}
		})
	}
}

// TestNoReset: what ends otherwise, or was ended by us, has no sender to name.
func TestNoReset(t *testing.T) {
	bye := Packet{Src: me, Dst: server, Flags: FIN | ACK, Seq: 122, Ack: 9022}
	for name, flow := range map[string][]Packet{
		"nothing":       nil,
		"a good end":    append(talk(), bye),
		"after our end": append(talk(), bye, bare(61, 9022)),
		"only ours":     append(talk(), Packet{Src: me, Dst: server, Flags: RST}),
	} {
		if a, ok := Judge(flow, server, nil); ok {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

// TestTruth: whatever the distances, a reset of the server's socket is never
// called injected, and one from nearer never the server's.
func TestTruth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := rapid.SampledFrom([]int{64, 128, 255}).Draw(t, "first")
		far := rapid.IntRange(2, 31).Draw(t, "hops to the server")
		near := rapid.IntRange(1, far-1).Draw(t, "hops to the box")
		begin := rapid.SampledFrom([]int{64, 128, 255}).Draw(t, "first of the box")
		flow := talk()
		for i := range flow {
			if flow[i].Src == server {
				flow[i].TTL = first - far + 1
			}
		}
		a, _ := Judge(append(flow, own(first-far+1)), server, nil)
		if a.Sender != Server {
			t.Fatalf("the server's own: %+v", a)
		}
		a, _ = Judge(append(flow, bare(begin-near+1, 9022)), server, nil)
		if a.Sender != Middlebox || a.Hops != near {
			t.Fatalf("a box at hop %d: %+v", near, a)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("E\x00\x00\x28\x00\x00\x40\x00\x3f\x06\x00\x00\xcb\x00\x71\x0a\xc0\x00\x02\x01\x00\x16\xc3\x50\x00\x00\x23\x28\x00\x00\x00\x00\x50\x04\x00\x00\x00\x00\x00\x00"))
	f.Add(append([]byte("`\x00\x00\x00\x00\x20\x06\x3f"), make([]byte, 64)...))
	f.Add([]byte("E\x00\x00\x34\x00\x00\x40\x00\x3f\x06\x00\x00\xcb\x00\x71\x0a\xc0\x00\x02\x01\x00\x16\xc3\x50\x00\x00\x23\x28\x00\x00\x00\x00\x80\x14\x00\x00\x00\x00\x00\x00\x01\x01\x08\x0a\x00\x00\x00\x01\x00\x00\x00\x02"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, ok := Parse(b)
		if !ok {
			return
		}
		if p.Payload < 0 || p.Payload > 1<<16 || p.Options < 0 || p.Options > 40 || p.TTL > 255 || !p.Src.IsValid() {
			t.Fatalf("%+v", p)
		}
		for _, flow := range [][]Packet{{p}, {p, p, p}, append(talk(), p), append(talk(), p, p, own(60))} {
			if a, ok := Judge(flow, p.Src, nil); ok && len(a.Reasons) == 0 {
				t.Fatalf("an answer without a reason: %+v", a)
			}
		}
	})
}

func TestParse(t *testing.T) {
	raw := []byte("E\x00\x00\x34\x12\x34\x40\x00\x3f\x06\x00\x00\xcb\x00\x71\x0a\xc0\x00\x02\x01\x00\x16\xc3\x50\x00\x00\x23\x28\x00\x00\x00\x65\x80\x14\x00\x40\x00\x00\x00\x00\x01\x01\x08\x0a\x00\x00\x00\x01\x00\x00\x00\x02")
	p, ok := Parse(raw)
	want := Packet{Src: server, Dst: me, TTL: 63, ID: 0x1234, Flags: RST | ACK, Seq: 9000, Ack: 101, Window: 64, Options: 12, Stamped: true, Value: 1, Echo: 2}
	if !ok || p != want {
		t.Errorf("got %+v, %t\nwant %+v", p, ok, want)
	}
	for cut := range raw {
		if _, ok := Parse(raw[:cut]); ok {
			t.Errorf("took %d bytes for a whole header", cut)
		}
	}
}
