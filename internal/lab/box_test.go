package lab

import (
	"net/netip"
	"testing"
	"time"
)

// call plays a connection through a box: a handshake at time 0, then 100 bytes
// each way at every given time. It returns what arrived at each end after the
// handshake: the number of segments, and the resets.
type call struct {
	t      *testing.T
	link   *Link
	from   netip.AddrPort
	got    [2]int
	resets [2][]packet
}

func newCall(t *testing.T, l *Link, from netip.AddrPort) *call {
	c := &call{t: t, link: l, from: from}
	c.send(0, ToServer, segment(from, serverPort, flagSYN, 1000, 0, 0))
	c.send(0, ToClient, segment(serverPort, from, flagSYN|flagACK, 5000, 1001, 0))
	c.send(0, ToServer, segment(from, serverPort, flagACK, 1001, 5001, 0))
	return c
}

func (c *call) send(at time.Duration, way Way, raw []byte) {
	c.t.Helper()
	made, _ := c.link.Tick(at)
	for _, f := range append(made, c.link.Pass(at, way, raw)...) {
		p, ok := parse(f.Raw)
		if !ok || !whole(c.t, f.Raw) {
			c.t.Fatalf("a broken packet: %x", f.Raw)
		}
		if p.has(flagRST) {
			c.resets[f.Way] = append(c.resets[f.Way], p)
		} else {
			c.got[f.Way]++
		}
	}
}

func (c *call) talk(at time.Duration) {
	c.t.Helper()
	c.send(at, ToServer, segment(c.from, serverPort, flagACK, 1001, 5001, 100))
	c.send(at, ToClient, segment(serverPort, c.from, flagACK, 5001, 1101, 100))
}

func TestBoxForgets(t *testing.T) {
	for _, c := range []struct {
		after          After
		toClient       int // resets that the client gets when both ends speak after the silence
		toServer       int
		beforeSpeaking bool // they come at the end of the silence
	}{
		{Silent, 0, 0, false},
		{ResetSender, 1, 1, false},
		{ResetClient, 1, 0, true},
		{ResetServer, 0, 1, true},
		{ResetBoth, 1, 1, true},
	} {
		t.Run(string(c.after), func(t *testing.T) {
			call := newCall(t, NewLink(Lane{}, Lane{}, Box{Idle: 3 * time.Second, After: c.after}, 1), clientPort)
			call.talk(2 * time.Second)
			call.talk(4 * time.Second)
			if call.got != [2]int{4, 3} {
				t.Fatalf("before the silence %v segments passed", call.got)
			}
			made, next := call.link.Tick(6900 * time.Millisecond)
			if len(made) != 0 || next <= 6900*time.Millisecond || next > 7*time.Second {
				t.Errorf("before its time the box made %d packets and will look again at %s", len(made), next)
			}
			made, _ = call.link.Tick(7 * time.Second)
			if (len(made) > 0) != c.beforeSpeaking {
				t.Errorf("at the end of the silence the box made %d packets", len(made))
			}
			for _, f := range made {
				p, _ := parse(f.Raw)
				call.resets[f.Way] = append(call.resets[f.Way], p)
			}
			call.talk(8 * time.Second)
			if call.got != [2]int{4, 3} {
				t.Errorf("after the silence segments passed: %v", call.got)
			}
			if len(call.resets[ToClient]) != c.toClient || len(call.resets[ToServer]) != c.toServer {
				t.Fatalf("%d resets to the client and %d to the server, want %d and %d", len(call.resets[ToClient]), len(call.resets[ToServer]), c.toClient, c.toServer)
			}
			// A reset counts only at the sequence number that its receiver expects.
			for _, p := range call.resets[ToClient] {
				if p.src != serverPort || p.dst != clientPort || p.seq != map[bool]uint32{true: 5101, false: 5001}[c.beforeSpeaking] {
					t.Errorf("reset to the client: %v %v seq %d", p.src, p.dst, p.seq)
				}
			}
			for _, p := range call.resets[ToServer] {
				if p.src != clientPort || p.dst != serverPort || p.seq != 1101 {
					t.Errorf("reset to the server: %v %v seq %d", p.src, p.dst, p.seq)
				}
			}
		})
	}
}

func TestBoxResets(t *testing.T) {
	byBytes := newCall(t, NewLink(Lane{}, Lane{}, Box{Resets: []Reset{{Bytes: 250, To: ResetBoth}}}, 1), clientPort)
	byBytes.talk(time.Second)
	if len(byBytes.resets[ToClient])+len(byBytes.resets[ToServer]) != 0 {
		t.Error("reset before its time")
	}
	byBytes.talk(2 * time.Second)
	if len(byBytes.resets[ToClient]) != 1 || len(byBytes.resets[ToServer]) != 1 {
		t.Errorf("after 250 bytes: %v", byBytes.resets)
	}
	byTime := newCall(t, NewLink(Lane{}, Lane{}, Box{Resets: []Reset{{Time: 2 * time.Second, To: ResetClient}}}, 1), clientPort)
	byTime.talk(time.Second)
	byTime.talk(2 * time.Second)
	if len(byTime.resets[ToClient]) != 1 || len(byTime.resets[ToServer]) != 0 || byTime.got != [2]int{3, 2} {
		t.Errorf("after 2 s: %v, %v", byTime.resets, byTime.got)
	}
}

// TestBoxTable: a full table drops new connections and keeps the old ones.
func TestBoxTable(t *testing.T) {
	l := NewLink(Lane{}, Lane{}, Box{Table: 1, Idle: time.Minute}, 1)
	first := newCall(t, l, clientPort)
	second := newCall(t, l, netip.MustParseAddrPort("198.51.100.7:50001"))
	first.talk(time.Second)
	second.talk(time.Second)
	if first.got != [2]int{3, 2} || second.got != [2]int{0, 0} {
		t.Errorf("passed: %v of the first, %v of the second", first.got, second.got)
	}
	if n := l.Connections(); n != 2 {
		t.Errorf("counted %d connections, want both tries", n)
	}
	l.Tick(2 * time.Minute)
	third := newCall(t, l, netip.MustParseAddrPort("198.51.100.7:50002"))
	if third.got != [2]int{2, 1} {
		t.Errorf("when the first is forgotten, a third passes %v", third.got)
	}
}
