package probe

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sshtay/internal/fact"
)

const snmp = `Ip: Forwarding DefaultTTL
Ip: 1 64
Tcp: RtoAlgorithm RtoMin InSegs InCsumErrors
Tcp: 1 200 5150 7
Udp: InDatagrams InCsumErrors
Udp: 5 9
`

// TestKernelCount: a counter of TCP, and nobody else's of the same name.
func TestKernelCount(t *testing.T) {
	for _, c := range []struct {
		text, name string
		want       int
		found      bool
	}{
		{snmp, "InCsumErrors", 7, true},
		{snmp, "InSegs", 5150, true},
		{snmp, "InDatagrams", 0, false},
		{"TcpExt: A ListenOverflows\nTcpExt: 1 22\n" + snmp, "ListenOverflows", 22, true},
		{"Tcp: A B\nTcp: 1\n", "B", 0, false},
		{"Tcp: A B\nTcp: 1 -2\n", "B", 0, false},
		{"TcpExt: A B\nTcp: 1 2\n", "B", 0, false},
		{"", "InSegs", 0, false},
	} {
		if n, found := kernelCount(c.text, c.name); n != c.want || found != c.found {
			t.Errorf("%s in %q: %d, %v", c.name, c.text, n, found)
		}
	}
}

func FuzzKernelCount(f *testing.F) {
	f.Add(snmp, "InCsumErrors")
	f.Add("TcpExt: \nTcpExt:", "TcpExt:")
	f.Fuzz(func(t *testing.T, text, name string) {
		if n, found := kernelCount(text, name); n < 0 || !found && n != 0 {
			t.Errorf("%d, %v", n, found)
		}
	})
}

// TestGrown: the first and the last of the tables that came count.
func TestGrown(t *testing.T) {
	later := "Ip: Forwarding\nIp: 1\nTcp: RtoAlgorithm RtoMin InSegs InCsumErrors\nTcp: 1 200 6000 20\n"
	for text, want := range map[string]int{
		snmp + later:        13,
		snmp + snmp + later: 13,
		"motd\n" + snmp:     0,
		later + snmp:        -1, // another server answered
		"":                  -1,
		"cat: /proc/net/snmp: No such file or directory\n": -1,
	} {
		if got := grown(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

// TestSuitesFor: one suite of each family that the server has, and the user's own
// choice second.
func TestSuitesFor(t *testing.T) {
	facts := &fact.Set{}
	all := []suite{{"aes128-ctr", "hmac-sha2-256"}, {}, {"aes256-gcm@openssh.com", ""}}
	if diff := cmp.Diff(all, suitesFor(facts, complaint), cmp.AllowUnexported(suite{})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]suite{{}}, suitesFor(facts, checksums), cmp.AllowUnexported(suite{})); diff != "" {
		t.Error(diff)
	}
	fact.ServerCiphers.Put(facts, []string{"chacha20-poly1305@openssh.com", "aes256-ctr"}, "")
	fact.ServerMACs.Put(facts, []string{"hmac-sha2-256-etm@openssh.com"}, "")
	few := []suite{{"aes256-ctr", "hmac-sha2-256-etm@openssh.com"}, {}, {"chacha20-poly1305@openssh.com", ""}}
	if diff := cmp.Diff(few, suitesFor(facts, complaint), cmp.AllowUnexported(suite{})); diff != "" {
		t.Error(diff)
	}
	fact.ServerCiphers.Put(facts, []string{"3des-cbc"}, "")
	if diff := cmp.Diff([]suite{{}}, suitesFor(facts, complaint), cmp.AllowUnexported(suite{})); diff != "" {
		t.Error(diff)
	}
}

// TestHint: what is worth sessions that move data, and what is not.
func TestHint(t *testing.T) {
	text := func(k fact.Key[string], v string) func(*fact.Set) { return func(s *fact.Set) { k.Put(s, v, "") } }
	number := func(k fact.Key[int], v int) func(*fact.Set) { return func(s *fact.Set) { k.Put(s, v, "") } }
	for _, c := range []struct {
		name string
		put  []func(*fact.Set)
		want hint
	}{
		{"healthy", []func(*fact.Set){text(fact.LoginStage, "session"), number(fact.ClientChecksumErrors, 0), number(fact.ServerChecksumErrors, 40), number(fact.ServerSegments, 9000000)}, noHint},
		{"a few odd segments of many", []func(*fact.Set){text(fact.LoginStage, "session"), number(fact.ServerChecksumErrors, 3), number(fact.ServerSegments, 4000)}, noHint},
		{"ssh complains", []func(*fact.Set){text(fact.LoginReason, "bad-packet")}, complaint},
		{"the server complains", []func(*fact.Set){text(fact.LoginReason, "disconnected"), text(fact.LoginError, "Received disconnect from 192.0.2.7 port 22:2: Packet corrupt")}, complaint},
		{"TCP catches it here", []func(*fact.Set){text(fact.LoginStage, "session"), number(fact.ClientChecksumErrors, 9)}, checksums},
		{"TCP catches it there", []func(*fact.Set){text(fact.LoginStage, "session"), number(fact.ServerChecksumErrors, 9), number(fact.ServerSegments, 80)}, checksums},
		{"closed after the key exchange", []func(*fact.Set){text(fact.LoginStage, "kex"), text(fact.LoginReason, "closed")}, hungUp},
		{"a box resets", []func(*fact.Set){text(fact.LoginStage, "session"), text(fact.LoginReason, "reset"), text(fact.ResetSender, "middlebox")}, noHint},
		{"turned away", []func(*fact.Set){text(fact.LoginStage, "kex"), text(fact.LoginReason, "permission-denied")}, noHint},
		{"closed at the banner", []func(*fact.Set){text(fact.LoginStage, "connect"), text(fact.LoginReason, "closed")}, noHint},
	} {
		facts := &fact.Set{}
		for _, put := range c.put {
			put(facts)
		}
		if got := hintOf(facts); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// TestDataTrial: a real session moves all of it both ways, under each suite.
func TestDataTrial(t *testing.T) {
	s := newServer(t, "")
	env, to := sessionEnv(t, s, "root")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, with := range []suite{{"aes128-ctr", "hmac-sha2-256"}, {}} {
		r := dataTrial(ctx, env, to, with, dataBytes)
		if !r.Whole || r.Stage != "session" || r.Reason != "" || r.Received == 0 || r.Sent == 0 {
			t.Errorf("%+v: %+v", with, r)
		}
	}
}
