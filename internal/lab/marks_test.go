package lab

import (
	"slices"
	"testing"
)

// marked makes a segment of a connection with that class.
func marked(v6 bool, flags byte, dscp int) []byte {
	from, to := clientPort, serverPort
	if v6 {
		from, to = clientPort6, serverPort6
	}
	raw := segment(from, to, flags, 1, 1, 100)
	if v6 {
		raw[0], raw[1] = 6<<4|byte(dscp>>2), byte(dscp<<6)|0x2f // and a flow label
		return raw
	}
	raw[1] = byte(dscp<<2) | 3
	p, _ := parse(raw)
	p.mendIP()
	return raw
}

// TestKeepDSCP: what is marked otherwise than a connection's first packet
// vanishes, and a new connection begins anew.
func TestKeepDSCP(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		l := NewLink(Lane{KeepDSCP: true}, Lane{}, Box{}, 1)
		for i, c := range []struct {
			flags  byte
			dscp   int
			passes bool
		}{{flagSYN, 0, true}, {flagACK, 0, true}, {flagACK, 18, false}, {flagACK, 0, true}, {flagSYN, 18, true}, {flagACK, 18, true}, {flagACK, 0, false}} {
			if passes := len(l.Pass(0, ToServer, marked(v6, c.flags, c.dscp))) == 1; passes != c.passes {
				t.Errorf("IPv6 %v, packet %d: passes %v", v6, i, passes)
			}
		}
	}
}

// TestBleach: marks are taken off, and nothing else.
func TestBleach(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		l := NewLink(Lane{Bleach: true}, Lane{}, Box{}, 1)
		fates := l.Pass(0, ToServer, marked(v6, flagACK, 46))
		if len(fates) != 1 || !slices.Equal(fates[0].Raw, marked(v6, flagACK, 0)) {
			t.Errorf("IPv6 %v: %x", v6, fates)
		}
	}
}

// TestSpoil: one bit of the payload is another, and the checksum tells.
func TestSpoil(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		l := NewLink(Lane{Spoil: 1}, Lane{}, Box{}, 1)
		fates := l.Pass(0, ToServer, marked(v6, flagACK, 0))
		if len(fates) != 1 || whole(t, fates[0].Raw) {
			t.Errorf("IPv6 %v: the checksum fits", v6)
		}
		if spoilt := fates[0].Raw; slices.Equal(spoilt, marked(v6, flagACK, 0)) || len(spoilt) != len(marked(v6, flagACK, 0)) {
			t.Errorf("IPv6 %v: %x", v6, spoilt)
		}
	}
}

// TestClean: a connection is whole up to that many bytes, and altered from then on.
func TestClean(t *testing.T) {
	l := NewLink(Lane{Corrupt: 1, Clean: 250}, Lane{}, Box{}, 1)
	for i, whole := range []bool{true, true, false, false} {
		fates := l.Pass(0, ToServer, marked(false, flagACK, 0))
		if got := slices.Equal(fates[0].Raw, marked(false, flagACK, 0)); got != whole {
			t.Errorf("packet %d: whole %v", i, got)
		}
	}
}
