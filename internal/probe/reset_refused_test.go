package probe

import (
	"net/netip"
	"testing"

	"sshtay/internal/fact"
)

// TestReachOf: what is known of the way to another address says nothing.
func TestReachOf(t *testing.T) {
	host := netip.MustParseAddr("203.0.113.10")
	facts := &fact.Set{}
	fact.PathHops.Put(facts, []fact.Hop{{TTL: 1, Answers: 1}, {TTL: 2, Answers: 1}, {TTL: 3}, {TTL: 4, Host: true, Answers: 1, Addresses: []string{"203.0.113.10"}}}, "")
	if _, _, followed := reachOf(facts, host); followed {
		t.Error("how far the host is was not seen")
	}
	fact.PathDistance.Put(facts, 4, "")
	if below, far, followed := reachOf(facts, host); below != 2 || far != 4 || !followed {
		t.Errorf("got %d, %d, %t", below, far, followed)
	}
	if _, _, followed := reachOf(facts, netip.MustParseAddr("203.0.113.11")); followed {
		t.Error("took the way to another address")
	}
}
