package probe

import (
	"context"
	"slices"
	"testing"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/sock"
	"sshtay/internal/target"
)

// TestHung: what was stuck and moved again hung for so long, in that direction;
// what moves the other way, or what was never stuck, says nothing.
func TestHung(t *testing.T) {
	const rtt = 20 * time.Millisecond
	sent := sock.Info{RTT: rtt, BytesSent: 1601, BytesAcked: 42, BytesReceived: 1153, Unacked: 2}
	hole := sent
	hole.Sacked, hole.Backoff = 1, 2
	mended := sent
	mended.BytesAcked, mended.Unacked = 1602, 0
	heard := hole
	heard.BytesReceived = 1200
	before := sock.Info{RTT: rtt, BytesAcked: 1602, BytesReceived: 41}
	tail := sock.Info{RTT: rtt, BytesAcked: 2810, BytesReceived: 1153, OutOfOrder: 1}
	came := tail
	came.BytesReceived = 2717
	type look struct {
		at   time.Duration
		info sock.Info
	}
	for name, c := range map[string]struct {
		looks    []look
		to, from time.Duration
	}{
		"to the server":             {looks: []look{{0, sent}, {time.Second, hole}, {3 * time.Second, mended}}, to: 3 * time.Second},
		"only the other way moved":  {looks: []look{{0, sent}, {time.Second, hole}, {3 * time.Second, heard}}},
		"it was not yet stuck":      {looks: []look{{0, sent}, {time.Second, sent}, {3 * time.Second, mended}}},
		"it still is":               {looks: []look{{0, sent}, {time.Second, hole}, {3 * time.Second, hole}}},
		"from the server":           {looks: []look{{0, before}, {0, tail}, {time.Second, tail}, {4 * time.Second, came}}, from: 4 * time.Second},
		"from the server, it still": {looks: []look{{0, before}, {0, tail}, {time.Second, tail}, {4 * time.Second, tail}}},
	} {
		var s stall
		now := time.Now()
		for _, l := range c.looks {
			s.look(now.Add(l.at), l.info)
		}
		if s.hung != (hangs{c.to, c.from}) {
			t.Errorf("%s: %+v, want %v and %v", name, s.hung, c.to, c.from)
		}
	}
}

// TestMayHeal: a connection is given time where each kernel that sends in a bad
// direction looks for the limit, and no more than it takes.
func TestMayHeal(t *testing.T) {
	hole := bracket{1400, 1401}
	near, far := sock.Info{RTT: time.Millisecond}, sock.Info{RTT: 300 * time.Millisecond}
	for _, c := range []struct {
		name           string
		server, client bracket
		ours, its      string
		info           sock.Info
		after          time.Duration
		want           bool
	}{
		{"ours does", hole, bracket{}, "1", "0", near, 6500 * time.Millisecond, true},
		{"ours did not", hole, bracket{}, "1", "0", near, 7 * time.Second, false},
		{"far away", hole, bracket{}, "1", "", far, 8500 * time.Millisecond, true},
		{"far away, in vain", hole, bracket{}, "1", "", far, 9 * time.Second, false},
		{"ours does not", hole, bracket{}, "0", "1", near, time.Second, false},
		{"the server's does", bracket{}, hole, "0", "2", near, time.Second, true},
		{"nobody knows of the server's", bracket{}, hole, "1", "", near, time.Second, false},
		{"both ways, and only ours does", hole, hole, "1", "0", near, time.Second, false},
		{"both ways, and both do", hole, hole, "1", "1", near, time.Second, true},
	} {
		m := mtuRun{server: c.server, client: c.client, ourProbing: c.ours, itsProbing: c.its}
		now := time.Now()
		if got := m.mayHeal(now.Add(c.after), &stall{since: now}, c.info); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestPutHangs: a hang is told of where the kernel that sends got over a hole,
// and none had to be ended there.
func TestPutHangs(t *testing.T) {
	hole := bracket{1400, 1401}
	for _, c := range []struct {
		name string
		run  mtuRun
		want []time.Duration // to, from
	}{
		{"both ways", mtuRun{server: hole, client: hole, ourProbing: "1", itsProbing: "1"}, []time.Duration{3, 4}},
		{"no hole from the server", mtuRun{server: hole, ourProbing: "1", itsProbing: "1"}, []time.Duration{3, 0}},
		{"what the server's kernel does is not known", mtuRun{client: hole, ourProbing: "0"}, []time.Duration{0, 4}},
		{"by chance", mtuRun{server: hole, client: hole, ourProbing: "0", itsProbing: "0"}, []time.Duration{0, 0}},
		{"one was ended", mtuRun{server: hole, client: hole, ourProbing: "1", itsProbing: "1", cut: map[string]bool{fromServer: true}}, []time.Duration{3, 0}},
	} {
		m := c.run
		m.facts, m.env = &fact.Set{}, &Env{Shaking: &Shaking{}}
		m.shaking.hung.to = 3
		m.logins = map[uint64]*loginFlow{1: {stall: stall{hung: hangs{2, 4}}}}
		m.putHangs("test")
		to, _ := fact.PathHungToServer.Get(m.facts)
		from, _ := fact.PathHungFromServer.Get(m.facts)
		if got := []time.Duration{to, from}; !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestLearnedByItself: what a kernel sent again until it tried shorter packets is
// not lost by chance: nothing more is spent on counting losses.
func TestLearnedByItself(t *testing.T) {
	flow := func() []fact.Flow {
		return []fact.Flow{
			{Whose: flowOfCheck, Connected: true, Sent: 15, Again: 6, Other: &fact.Count{Sent: 20, Again: 5}},
			{Whose: flowOfUser, Connected: true, Sent: 15, Again: 1},
		}
	}
	facts := &fact.Set{}
	fact.PathMTUToServer.Put(facts, 1400, "test")
	fact.PathMTUFromServer.Put(facts, 1380, "test")
	before := flow()
	learnedByItself(before, facts)
	if !suspicious(before) {
		t.Error("nothing hung, and six of fifteen segments sent again are no loss")
	}
	fact.PathHungToServer.Put(facts, 3*time.Second, "test")
	fact.PathHungFromServer.Put(facts, 3*time.Second, "test")
	after := flow()
	learnedByItself(after, facts)
	if after[0].Learned != 1400 || after[0].Other.Learned != 1380 || after[1].Learned != 0 {
		t.Errorf("%+v, %+v", after, after[0].Other)
	}
	if to, from := fact.LossOf(after, flowOfCheck); to.Lost+from.Lost > 0 {
		t.Errorf("lost %v and %v", to, from)
	}
}

// TestOwnProbing: the kernel that we run on says one of three things.
func TestOwnProbing(t *testing.T) {
	if said := ownProbing(context.Background(), newEnv(target.Target{})); said != "0" && said != "1" && said != "2" {
		t.Errorf("%q", said)
	}
}
