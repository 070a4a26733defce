package probe

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"sshtay/internal/fact"
)

// TestStateAtServer reads lines as a server's kernel writes them.
func TestStateAtServer(t *testing.T) {
	const own = "   3: 0A0071CB:0016 076433C6:9C40 01 00000000:00000000 02:000A7214 00000000     0        0 123 2"
	line := func(state string) string {
		return "   4: 0A0071CB:0016 076433C6:A3E2 " + state + " 00000000:00000000 02:000A7214 00000000     0        0 124 2"
	}
	for _, c := range []struct {
		lines []string
		want  string
	}{
		{nil, ""},
		{[]string{line("01")}, ""}, // it cannot even see the one that asks
		{[]string{own}, "gone"},
		{[]string{own, line("01")}, "there"},
		{[]string{line("05"), own}, "closing"},
		{[]string{line("08"), own}, "gone"}, // closed by the other end
		{[]string{own, "x", "", "1: 2: 3: 4:"}, "gone"},
		{[]string{strings.Replace(own, "01 0", "06 0", 1), line("01")}, ""},
	} {
		if got := stateAtServer(c.lines, 40000, 41954); got != c.want {
			t.Errorf("%q gives %q, want %q", c.lines, got, c.want)
		}
	}
}

// TestIdleLines: what the server's shell prints is read whatever else comes.
func TestIdleLines(t *testing.T) {
	c := &idleConn{news: make(chan struct{})}
	for _, line := range []string{"Welcome!", idleMark + " 198.51.100.7 40000 203.0.113.10 22", "", idleMark + " 3", idleMark + " 2", idleMark + " x", "said"} {
		c.take(line)
	}
	if c.peer != "198.51.100.7:40000" || c.echoed != 3 {
		t.Errorf("peer %q, echoed %d", c.peer, c.echoed)
	}
	if want := []string{"Welcome!", "", idleMark + " x", "said"}; !slices.Equal(c.said, want) && len(c.said) > len(want) {
		t.Errorf("said %q", c.said)
	}
	for range 3 * mostSaid {
		c.take("noise")
	}
	if len(c.said) > mostSaid {
		t.Errorf("keeps %d lines", len(c.said))
	}
}

const (
	routes4 = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
wlan0	00000000	0107A8C0	0003	0	0	600	00000000	0	0	0
eth0	00000000	FE01000A	0003	0	0	100	00000000	0	0	0
tun0	0000000A	00000000	0001	0	0	0	000000FF	0	0	0
down0	0000000A	00000000	0000	0	0	0	0000FFFF	0	0	0
`
	routes6 = `20010db8000700000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 20010db8000700000000000000000001 00000400 00000001 00000000 00000003     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
`
)

// TestRouteTo: the most special route is taken, and of equal ones the cheapest.
func TestRouteTo(t *testing.T) {
	for to, want := range map[string]string{
		"203.0.113.10":    "eth0 10.0.1.254",
		"10.9.9.9":        "tun0 0.0.0.0",
		"2001:db8:113::1": "eth0 2001:db8:7::1",
		"2001:db8:7::5":   "eth0 ::",
	} {
		r, found := routeTo(netip.MustParseAddr(to), routes4, routes6)
		if got := r.device + " " + r.gateway.String(); !found || got != want {
			t.Errorf("%s goes by %q, want %q", to, got, want)
		}
	}
	if _, found := routeTo(netip.MustParseAddr("192.0.2.1"), "", ""); found {
		t.Error("found a route in nothing")
	}
}

func TestNeighbour(t *testing.T) {
	const arp = "IP address       HW type     Flags       HW address            Mask     Device\n192.168.7.1      0x1         0x2         ae:34:3a:12:93:34     *        eth0\n192.168.7.9      0x1         0x0         00:00:00:00:00:00     *        eth0\n"
	if got := neighbour(netip.MustParseAddr("192.168.7.1"), arp); got != "ae:34:3a:12:93:34" {
		t.Errorf("got %q", got)
	}
	if got := neighbour(netip.MustParseAddr("192.168.7.9"), arp); got != "" {
		t.Errorf("got %q for one that does not answer", got)
	}
}

func FuzzRoutes(f *testing.F) {
	f.Add(routes4, routes6, "203.0.113.10")
	f.Add("a b c d e f g h", "", "::1")
	f.Fuzz(func(t *testing.T, v4, v6, to string) {
		addr, err := netip.ParseAddr(to)
		if err != nil {
			return
		}
		if r, found := routeTo(addr, v4, v6); found && !r.to.Contains(addr.Unmap()) {
			t.Errorf("%s does not contain %s", r.to, addr)
		}
	})
}

// TestRecord: what is kept comes back with its age, and what cannot be trusted
// does not.
func TestRecord(t *testing.T) {
	const record = `{"schema":"sshtay.idle-record/1","at":"2026-11-20T10:00:00Z","network":"via 192.168.7.1 dev eth0","host":"web1","port":22,
"facts":{"path.idle_timeout":350,"idle.survived":346.5,"idle.fatal":352,"idle.sure":true,"idle.came":"reset","idle.deaths":4,"server.os":"evil"}}`
	at := time.Date(2026, 11, 20, 13, 0, 0, 0, time.UTC)
	facts := &fact.Set{}
	if err := putRecord(facts, []byte(record), at); err != nil {
		t.Fatal(err)
	}
	timeout, _ := fact.IdleTimeout.Get(facts)
	age, _ := fact.IdleAge.Get(facts)
	if timeout != 350*time.Second || age != 3*time.Hour {
		t.Errorf("a timeout of %s, of %s ago", timeout, age)
	}
	if _, taken := fact.ServerOS.Get(facts); taken {
		t.Error("took a fact that no measurement of silence gives")
	}
	if e, _ := facts.Entry(fact.IdleTimeout.Name()); !strings.Contains(e.Source, "2026-11-20 10:00") {
		t.Errorf("the source is %q", e.Source)
	}
	for what, c := range map[string]struct {
		text string
		at   time.Time
	}{
		"no JSON":       {"{", at},
		"another kind":  {strings.Replace(record, "record/1", "record/2", 1), at},
		"too old":       {record, at.Add(recordAge)},
		"of the future": {record, at.Add(-24 * time.Hour)},
		"a wrong type":  {strings.Replace(record, "350", `"long"`, 1), at},
	} {
		if err := putRecord(&fact.Set{}, []byte(c.text), c.at); err == nil {
			t.Errorf("%s: taken", what)
		}
	}
}

// TestSaysMore: a run that was cut short does not take the place of a better
// one.
func TestSaysMore(t *testing.T) {
	old := func(facts string) []byte {
		return []byte(`{"schema":"sshtay.idle-record/1","at":"` + time.Now().UTC().Format(time.RFC3339) + `","facts":{` + facts + `}}`)
	}
	for _, c := range []struct {
		old  []byte
		now  string
		want bool
	}{
		{old(`"idle.survived":600`), "idle.survived = 20s", true},
		{old(`"idle.survived":600`), "idle.survived = 900s", false},
		{old(`"idle.survived":346,"idle.fatal":352,"path.idle_timeout":350`), "idle.survived = 20s", true},
		{old(`"idle.survived":346,"idle.fatal":352,"path.idle_timeout":350`), "idle.survived = 900s", false}, // the device is gone
		{old(`"idle.survived":600`), "path.idle_timeout = 60s\nidle.survived = 59s", false},
		{old(`"idle.survived":59,"path.idle_timeout":60,"idle.sure":true`), "path.idle_timeout = 55s\nidle.survived = 50s\nidle.before_login = Permission denied", true},
		{old(`"idle.survived":59,"path.idle_timeout":60,"idle.sure":false`), "path.idle_timeout = 55s\nidle.survived = 50s\nidle.before_login = Permission denied", false},
		{[]byte("nothing"), "idle.survived = 1s", false},
	} {
		now, err := fact.Parse(c.now)
		if err != nil {
			t.Fatal(err)
		}
		if got := saysMore(c.old, now); got != c.want {
			t.Errorf("%s against %s: %v", c.old, c.now, got)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"schema":"sshtay.idle-record/1","at":"2026-11-20T10:00:00Z","facts":{"idle.survived":346.5}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		facts := &fact.Set{}
		if putRecord(facts, data, time.Now()) == nil {
			if age, _ := fact.IdleAge.Get(facts); age < 0 || age > recordAge {
				t.Errorf("of %s ago", age)
			}
		}
	})
}

// TestCheapKexFirst: nothing is left out of what the user's ssh offers, and nothing
// added.
func TestCheapKexFirst(t *testing.T) {
	for offers, want := range map[string][]string{
		"sntrup761x25519-sha512,ecdh-sha2-nistp256,curve25519-sha256,diffie-hellman-group14-sha256": {
			"KexAlgorithms=curve25519-sha256,ecdh-sha2-nistp256,sntrup761x25519-sha512,diffie-hellman-group14-sha256",
		},
		"mlkem768x25519-sha256": nil,
		"":                      nil,
	} {
		if got := cheapKexFirst(&Env{Config: map[string][]string{"kexalgorithms": {offers}}}); !slices.Equal(got, want) {
			t.Errorf("%s: got %q", offers, got)
		}
	}
}

// TestAllow: no more connections than that are made within the time, and what is
// allowed is spent, beyond the limit.
func TestAllow(t *testing.T) {
	b := NewBudget(2)
	for i, want := range []bool{true, true, false} {
		if b.Take() != want {
			t.Fatalf("a budget of two: connection %d", i+1)
		}
	}
	const within = 300 * time.Millisecond
	var at []time.Time
	for range 5 {
		if err := b.Allow(t.Context(), 3, within); err != nil {
			t.Fatal(err)
		}
		if b.Take() {
			t.Fatal("want one more, and no more than that")
		}
		at = append(at, time.Now())
	}
	for i := range at[3:] {
		if d := at[i+3].Sub(at[i]); d < within-time.Millisecond {
			t.Errorf("four connections in %s", d)
		}
	}
	if b.Spent() != 7 {
		t.Errorf("spent %d", b.Spent())
	}
}

// TestHopsTo: the distance follows from the TTL with which packets arrive.
func TestHopsTo(t *testing.T) {
	for ttl, want := range map[int]int{64: 1, 62: 3, 120: 9, 250: 6} {
		facts := &fact.Set{}
		fact.HandshakeTTL.Put(facts, ttl, "test")
		if got := hopsTo(facts); got != want {
			t.Errorf("a TTL of %d: hop %d, want %d", ttl, got, want)
		}
	}
	if hopsTo(&fact.Set{}) != 0 {
		t.Error("knows a distance without a TTL")
	}
}
