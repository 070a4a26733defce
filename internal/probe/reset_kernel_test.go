package probe

import (
	"net/netip"
	"slices"
	"testing"

	"sshtay/internal/fact"
	"sshtay/internal/rst"
)

func TestGather(t *testing.T) {
	from, a, b := netip.MustParseAddrPort("203.0.113.10:22"), netip.MustParseAddrPort("192.0.2.1:5"), netip.MustParseAddrPort("192.0.2.1:6")
	got := gather([]rst.Sent{{From: from, To: a, State: "UNKNOWN", Reason: "NO_SOCKET"}, {From: from, To: a, State: "TCP_CLOSE_WAIT", Reason: "TCP_STATE"}, {From: from, To: b, State: "UNKNOWN", Reason: "NO_SOCKET"}})
	want := []fact.KernelReset{{Client: "192.0.2.1", State: "UNKNOWN", Reason: "NO_SOCKET", N: 2}, {Client: "192.0.2.1", State: "TCP_CLOSE_WAIT", Reason: "TCP_STATE", N: 1}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := gather(nil); got == nil || len(got) != 0 {
		t.Errorf("none is an answer, too: %v", got)
	}
}

func TestRecorded(t *testing.T) {
	facts := &fact.Set{}
	if fact.LogStartupDrops.Put(facts, 0, ""); recorded(facts) {
		t.Error("a quiet log")
	}
	if fact.LogCrashes.Put(facts, []string{"killed"}, ""); !recorded(facts) {
		t.Error("a crash")
	}
}
