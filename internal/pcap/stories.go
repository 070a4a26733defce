package pcap

import (
	"cmp"
	"io"
	"slices"

	"sshtay/internal/rst"
)

// mostFlows connections are followed at once; the one that was silent longest
// gives way to a new one.
const mostFlows = 4096

// Stories reads a capture and returns the story of each SSH connection in it,
// in the order in which they began. Connections to port are taken for SSH even
// where the capture does not have their begin; others must identify themselves.
func Stories(r io.Reader, port uint16) ([]Story, Tally, error) {
	t := tracker{port: port, flows: map[key]*flow{}}
	tally, err := Read(r, t.add)
	for _, w := range t.flows {
		t.tell(w)
	}
	slices.SortFunc(t.stories, func(a, b Story) int { return cmp.Or(a.Began.Compare(b.Began), a.Client.Compare(b.Client)) })
	return t.stories, tally, err
}

// mostStories bounds what a hostile capture can have us keep.
const mostStories = 100000

// A tracker follows all connections of a capture.
type tracker struct {
	port    uint16
	flows   map[key]*flow
	stories []Story
}

func (t *tracker) add(f Frame) {
	p, ok := rst.Parse(f.Data)
	if !ok {
		return
	}
	k := keyOf(p)
	w := t.flows[k]
	if w != nil && w.over(f, p) {
		t.tell(w)
		delete(t.flows, k)
		w = nil
	}
	if w == nil {
		if w = t.begin(f, p); w == nil {
			return
		}
		t.flows[k] = w
	}
	if !w.other {
		w.add(f, p)
		w.seen = f.At
	}
}

// begin starts to follow a connection: from its SYN on or, in the middle, when
// one of its ports says that it is SSH.
func (t *tracker) begin(f Frame, p rst.Packet) *flow {
	if len(t.flows) >= mostFlows {
		t.giveWay()
	}
	switch {
	case p.Has(rst.SYN) && !p.Has(rst.ACK):
		return newFlow(f, p, true)
	case p.Has(rst.SYN):
		return newFlow(f, p, false)
	case p.Dst.Port() == t.port:
		return newFlow(f, p, true)
	case p.Src.Port() == t.port:
		return newFlow(f, p, false)
	}
	return nil
}

// over says whether a packet is the begin of another connection between the
// same ports.
func (w *flow) over(f Frame, p rst.Packet) bool {
	begins := p.Has(rst.SYN) && !p.Has(rst.ACK) && !(w.client.begun && p.Seq+1 == w.client.base)
	return begins && (w.ended.Kind != Open || w.client.begun)
}

// giveWay ends the connection that was silent longest.
func (t *tracker) giveWay() {
	var oldest key
	var found *flow
	for k, w := range t.flows {
		if found == nil || w.seen.Before(found.seen) {
			oldest, found = k, w
		}
	}
	t.tell(found)
	delete(t.flows, oldest)
}

func (t *tracker) tell(w *flow) {
	ssh := w.client.stream.ident != "" || w.server.stream.ident != "" || w.client.addr.Port() == t.port || w.server.addr.Port() == t.port
	if ssh && (!w.other || w.server.addr.Port() == t.port) && len(t.stories) < mostStories {
		t.stories = append(t.stories, w.tell())
	}
}
