package explain

import (
	"os"
	"testing"

	"sshtay/internal/pcap"
	"sshtay/internal/sshlog"
)

// TestPackets: what real captures show is given its cause, wherever on the way
// they were made.
func TestPackets(t *testing.T) {
	for name, cause := range map[string]string{
		"hole-to.pcap": "path-mtu", "hole-to-server.pcapng": "path-mtu", "hole-from.pcap": "path-mtu", "hole-from-server.pcapng": "path-mtu",
		"reset.pcap": "idle-timeout", "tap.pcap": "reset-injected", "loss-to.pcap": "path-loss",
	} {
		f, err := os.Open("../pcap/testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		stories, tally, err := pcap.Stories(f, 22)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		var log sshlog.Story
		flows, problems := AddPackets(&log, stories, tally)
		e := Of(&log)
		if len(flows) != 1 || len(problems) != 0 {
			t.Errorf("%s: %d flows, problems %q", name, len(flows), problems)
		}
		if len(e.Ranking) == 0 || e.Ranking[0].Cause != cause || e.Ranking[0].Weight < 0.7 {
			t.Errorf("%s: %+v; want %s", name, e.Ranking, cause)
		}
	}
}
