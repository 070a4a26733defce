package lab

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"
)

// stamped gives a segment without payload the timestamps option.
func stamped(raw []byte, value, echo uint32) []byte {
	p, _ := parse(raw)
	options := []byte{1, 1, optTimestamps, 10}
	options = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(options, value), echo)
	n := makeIP(p.src.Addr(), p.dst.Addr(), protoTCP, 64, 20+len(options))
	t := n.raw[n.head:]
	copy(t, raw[p.head:p.head+20])
	t[12] = 8 << 4
	copy(t[20:], options)
	n.mend()
	return n.raw
}

// TestForgedShapes: what the client gets in the server's name, from a box two
// routers away from it.
func TestForgedShapes(t *testing.T) {
	reset := []Reset{{Bytes: 1, To: ResetClient}}
	for name, c := range map[string]struct {
		box    Box
		ttl    int
		acks   bool
		stamps bool
		seqs   []uint32
		passes bool
	}{
		"bare":   {box: Box{Resets: reset}, ttl: 62, seqs: []uint32{5001}},
		"acks":   {box: Box{Resets: reset, Forge: Forge{Shape: Acks, TTL: 255}}, ttl: 253, acks: true, seqs: []uint32{5001}},
		"copied": {box: Box{Resets: reset, Forge: Forge{Shape: Copied}}, ttl: 62, acks: true, stamps: true, seqs: []uint32{5001}},
		"mimic":  {box: Box{Resets: reset, Forge: Forge{Mimic: true}}, ttl: 61, seqs: []uint32{5001}},
		"tap":    {box: Box{Resets: reset, Tap: true}, ttl: 62, seqs: []uint32{5001, 6461, 9381}, passes: true},
	} {
		t.Run(name, func(t *testing.T) {
			c.box.Behind = 2
			call := newCall(t, NewLink(Lane{Hops: 3}, Lane{Hops: 3}, c.box, 1), clientPort)
			call.send(0, ToClient, stamped(segment(serverPort, call.from, flagACK, 5001, 1001, 0), 77, 66))
			before := call.got[ToServer]
			call.send(time.Second, ToServer, segment(call.from, serverPort, flagACK, 1001, 5001, 100))
			if passed := call.got[ToServer] > before; passed != c.passes {
				t.Errorf("the packet that provoked the reset passed: %t", passed)
			}
			if len(call.resets[ToClient]) != len(c.seqs) {
				t.Fatalf("%d resets, want %d", len(call.resets[ToClient]), len(c.seqs))
			}
			for i, p := range call.resets[ToClient] {
				if p.seq != c.seqs[i] || p.ttl() != c.ttl || p.has(flagACK) != c.acks || (p.timestamps() != nil) != c.stamps {
					t.Errorf("reset %d: seq %d ttl %d flags %d options %x", i, p.seq, p.ttl(), p.flags, p.options)
				}
			}
			if got := call.resets[ToClient][0]; c.stamps && !bytes.Equal(got.timestamps()[2:], []byte{0, 0, 0, 77, 0, 0, 0, 66}) {
				t.Errorf("timestamps %x", got.timestamps())
			}
		})
	}
}

// TestRefusedAtSYN: only a reset that acknowledges the SYN is believed.
func TestRefusedAtSYN(t *testing.T) {
	l := NewLink(Lane{}, Lane{}, Box{Resets: []Reset{{At: "syn", To: ResetClient}}}, 1)
	fates := l.Pass(0, ToServer, segment(clientPort, serverPort, flagSYN, 1000, 0, 0))
	if len(fates) != 1 {
		t.Fatalf("%d packets", len(fates))
	}
	p, _ := parse(fates[0].Raw)
	if fates[0].Way != ToClient || p.flags != flagRST|flagACK || p.ack != 1001 || p.src != serverPort {
		t.Errorf("%v %v flags %d ack %d", fates[0].Way, p.src, p.flags, p.ack)
	}
}

// TestResetInPlaceOfData: a reset that comes in place of data has the number
// that the data had.
func TestResetInPlaceOfData(t *testing.T) {
	l := NewLink(Lane{}, Lane{}, Box{Resets: []Reset{{Bytes: 150, To: ResetClient}}}, 1)
	call := newCall(t, l, clientPort)
	call.send(time.Second, ToClient, segment(serverPort, call.from, flagACK, 5001, 1001, 100))
	call.send(time.Second, ToClient, segment(serverPort, call.from, flagACK, 5101, 1001, 100))
	if len(call.resets[ToClient]) != 1 || call.resets[ToClient][0].seq != 5101 {
		t.Errorf("resets: %+v", call.resets[ToClient])
	}
}
