package probe

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"sshtay/internal/fact"
)

func TestParseConntrack(t *testing.T) {
	const stat = "entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop icmp_error  expect_new expect_create expect_delete search_restart\n" +
		"00000040  00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000003 0000000a 00000000 00000000  00000000 00000000 00000000 00000000\n" +
		"00000040  00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000010 00000000 00000000  00000000 00000000 00000000 00000000\n"
	got, ok := parseConntrack("64\n", "262144\n", stat)
	if want := (fact.Conntrack{Count: 64, Max: 262144, Dropped: 26}); !ok || got != want {
		t.Errorf("%+v, %v; want %+v", got, ok, want)
	}
	if _, ok := parseConntrack("64\n", "", stat); ok {
		t.Error("a table without a limit was read")
	}
}

func TestParseInet6(t *testing.T) {
	const table = "00000000000000000000000000000001 01 80 10 80       lo\n" +
		"20010db8000700000000000000000023 02 40 00 80     eth0\n" +
		"20010db80007000000000000000000a1 02 40 00 a0     eth0\nfe80000000000000505400fffe123456 02 40 20 c8     eth0\nnonsense\n"
	got := parseInet6(table)
	want := []inet6{
		{netip.IPv6Loopback(), "lo", 0x80}, {netip.MustParseAddr("2001:db8:7::23"), "eth0", 0x80},
		{netip.MustParseAddr("2001:db8:7::a1"), "eth0", 0x80 | inet6Deprecated}, {netip.MustParseAddr("fe80::5054:ff:fe12:3456"), "eth0", 0xc0 | inet6DADFailed},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}

func FuzzNetworkTables(f *testing.F) {
	f.Add("20010db8000700000000000000000023 02 40 00 80     eth0\n", "entries drop\n00 0a\n")
	f.Add("xyz", "drop\n\n")
	f.Fuzz(func(t *testing.T, inet6, stat string) {
		for _, a := range parseInet6(inet6) {
			if !a.addr.Is6() || a.name == "" {
				t.Errorf("%+v", a)
			}
		}
		if n := sumColumn(stat, "drop"); n < 0 {
			t.Error(n)
		}
	})
}

// TestDuplicates: the tables and the kernel's line are those of a Linux 6.18
// whose address another machine had.
func TestDuplicates(t *testing.T) {
	const line = "[ 5745.272035] IPv6: va: IPv6 duplicate address %s used by 2a:f5:a0:e7:16:4b detected!\n"
	facts := &fact.Set{}
	putServer(facts, sections{
		"env": "uname Linux 6.18.0 x86_64\n", "end": "", "deep": "0\n",
		"inet6":        "fe80000000000000d8c89ffffe4d219a 03 40 20 80       va\n20010db8009900000000000000000001 03 40 00 c8       va\n",
		"kernel dmesg": fmt.Sprintf(line, "2001:db8:99::1") + fmt.Sprintf(line, "2001:db8:aa::1"), // the second is a container's
	}, "local")
	want(t, facts, fact.DuplicateFound, []string{"2001:db8:99::1 on va"})
	want(t, facts, fact.LogDuplicates, []string{strings.TrimSpace(fmt.Sprintf(line, "2001:db8:99::1"))})
}
