package probe

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sshtay/internal/fact"
)

// What iproute2 6.1 prints, one connection with losses and one without; older
// ones put the counters on the same line or know fewer of them.
const ssPrints = `State Recv-Q Send-Q  Local Address:Port Peer Address:PortProcess
ESTAB 0      36      203.0.113.10:22   198.51.100.7:34794
	 cubic wscale:10,10 rto:244 rtt:41.6/0.7 mss:1448 bytes_sent:3034501 bytes_retrans:118912 segs_out:2121 segs_in:368 data_segs_out:2116 data_segs_in:29 send 386550775bps unacked:698 retrans:19/83 dsack_dups:4 lost:19 minrtt:40
ESTAB 0      0      [::ffff:203.0.113.10]:22   [::ffff:198.51.100.7]:34800 cubic rto:204 segs_out:9 data_segs_out:8 data_segs_in:7 send 1bps
ESTAB 0      36      203.0.113.10:22   198.51.100.7:34802
	 cubic wscale:7,7 rto:204 rtt:1.2/0.6 mss:1448
ESTAB 0      0      203.0.113.10:22   198.51.100.7:34804
	 ts sack cubic wscale:10,10 rto:224 mss:1228 pmtu:1280 rcvmss:1228 advmss:1448 cwnd:10 segs_out:24 data_segs_out:24 retrans:0/2
ESTAB 0      0      [2001:db8::1]:22   [2001:db8::7]:34806
	 ts sack cubic wscale:10,10 rto:224 mss:1208 pmtu:1280 rcvmss:1208 advmss:1208 cwnd:10 segs_out:24 data_segs_out:24
`

func TestParseSS(t *testing.T) {
	want := []fact.ServerFlow{
		{Peer: "198.51.100.7:34794", Count: fact.Count{Sent: 2116, Again: 83, Had: 4}},
		{Peer: "[::ffff:198.51.100.7]:34800", Count: fact.Count{Sent: 8, Received: 7}},
		{Peer: "198.51.100.7:34804", Count: fact.Count{Sent: 24, Again: 2, Learned: 1280}}, // while it lasted
		{Peer: "[2001:db8::7]:34806", Count: fact.Count{Sent: 24}},                         // before
	}
	if diff := cmp.Diff(want, parseSS(ssPrints)); diff != "" {
		t.Error(diff)
	}
}

// FuzzParseSS: whatever a server prints, what is kept is bounded and can be
// printed.
func FuzzParseSS(f *testing.F) {
	f.Add(ssPrints)
	f.Add("ESTAB 0 0 a \x1b[2J data_segs_out:99999999999999999999 retrans:/-1")
	f.Add(strings.Repeat("ESTAB 0 0 a b data_segs_out:1\n", 300))
	f.Fuzz(func(t *testing.T, text string) {
		all := parseSS(text)
		if len(all) > mostServerFlows {
			t.Errorf("%d are kept", len(all))
		}
		for _, s := range all {
			if s.Sent < 0 || s.Again < 0 || s.Had < 0 || s.Received < 0 || strings.ContainsRune(s.Peer, '\x1b') {
				t.Errorf("%+v", s)
			}
		}
	})
}
