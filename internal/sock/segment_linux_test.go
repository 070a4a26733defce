package sock

import (
	"bytes"
	"io"
	"testing"
	"time"
)

// TestWriteSegments: each size is a segment of its own, and all of it arrives
// in order.
func TestWriteSegments(t *testing.T) {
	for _, c := range []struct{ network, address string }{{"tcp4", "127.0.0.1:0"}, {"tcp6", "[::1]:0"}} {
		near, far := pairOn(t, c.network, c.address)
		var sizes []int
		total := 0
		for n := 500; n < 1500; n += 7 {
			sizes, total = append(sizes, n), total+n
		}
		data := bytes.Repeat([]byte("0123456789"), total/10+1)
		go WriteSegments(t.Context(), near, data, sizes)
		got := make([]byte, total)
		if _, err := io.ReadFull(far, got); err != nil || !bytes.Equal(got, data[:total]) {
			t.Fatalf("%s: other bytes arrived, %v", c.network, err)
		}
		info, err := InfoOf(near)
		if err != nil || info.DataSegmentsOut-info.TotalRetrans != len(sizes) {
			t.Errorf("%s: %d segments for %d sizes, %v", c.network, info.DataSegmentsOut, len(sizes), err)
		}
	}
}

// TestAbort: the other side hears of the end at once, also of one with data
// that it has not read.
func TestAbort(t *testing.T) {
	near, far := pairOn(t, "tcp4", "127.0.0.1:0")
	Abort(near)
	far.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := far.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("the other side read %v, want a reset", err)
	}
}
