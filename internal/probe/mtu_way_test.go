package probe

import (
	"slices"
	"testing"

	"sshtay/internal/fact"
)

// TestWayThrough: through a hole ssh's own connection has the smallest segments
// that worked, and goes to the address that was checked; where there is no hole,
// or nothing worked, ssh makes its connection itself.
func TestWayThrough(t *testing.T) {
	passed := []fact.Trial{{MSS: 1360, Only: toServer, Kind: "login", Passed: true}, {MSS: 1240, Kind: "handshake", Passed: true}, {MSS: 900, Kind: "handshake"}}
	for _, c := range []struct {
		name   string
		lost   int
		trials []fact.Trial
		self   string
		want   []string
	}{
		{"a hole", 1401, passed, "/opt/s h/sshtay", []string{"-o", "ProxyCommand='/opt/s h/sshtay' dial --mss 1240 203.0.113.10 %p", "-o", "ProxyUseFdpass=yes"}},
		{"no hole", 0, passed, "/sshtay", nil},
		{"nothing worked", 1401, passed[2:], "/sshtay", nil},
		{"our program is not known", 1401, passed, "", nil},
	} {
		facts := &fact.Set{}
		fact.HandshakeAddresses.Put(facts, []fact.Address{{Address: "2001:db8::1", Stage: stageResolve}, {Address: "203.0.113.10", Stage: stageBanner}}, "test")
		fact.PathMTUTrials.Put(facts, c.trials, "test")
		if c.lost > 0 {
			fact.PathLostFromServer.Put(facts, c.lost, "test")
		}
		if got := WayThrough(facts, c.self); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
