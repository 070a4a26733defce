package probe

import (
	"testing"

	"sshtay/internal/fact"
)

const snmpTCP = "Tcp: RtoAlgorithm EstabResets OutRsts\nTcp: 1 7 42\n"

func TestParseTally(t *testing.T) {
	for text, want := range map[string]tally{
		"1000.50 2000.00\n" + snmpTCP:  {42, 1000.5},
		"":                             {},
		"1000.50 2000.00\n":            {},
		"NaN 1\n" + snmpTCP:            {},
		"-1 1\n" + snmpTCP:             {},
		"1e300 1\n" + snmpTCP:          {},
		"5 5\nTcp: OutRsts\nTcp: -3\n": {},
	} {
		if got, ok := parseTally(text); got != want || ok != (want != tally{}) {
			t.Errorf("%q: got %v, %t", text, got, ok)
		}
	}
}

// TestPutTallies: numbers of a machine that was started anew, or between which
// nothing happened, say nothing.
func TestPutTallies(t *testing.T) {
	for name, c := range map[string]struct {
		before, after tally
		again         int
		put           bool
	}{
		"none sent":       {tally{40, 1000}, tally{40, 1010}, 2, true},
		"two sent":        {tally{40, 1000}, tally{42, 1010}, 2, true},
		"nothing reset":   {tally{40, 1000}, tally{40, 1010}, 0, false},
		"started anew":    {tally{40, 1000}, tally{1, 10}, 2, false},
		"clock went back": {tally{40, 1000}, tally{41, 990}, 2, false},
	} {
		facts := &fact.Set{}
		putTallies(facts, c.before, c.after, c.again)
		sent, put := fact.ServerResetsSent.Get(facts)
		if put != c.put || put && sent != c.after.sent-c.before.sent {
			t.Errorf("%s: %d, %t", name, sent, put)
		}
		if usual, _ := fact.ServerResetsUsual.Get(facts); put && (usual < 0.39 || usual > 0.41) {
			t.Errorf("%s: usual %g", name, usual)
		}
	}
}
