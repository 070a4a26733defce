//go:build linux

package lab

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"sshtay/internal/testenv"
)

// traces are ways to see the routers before a server, 8 hops away. nmap follows
// a way as root only.
var traces = []struct {
	name, line string
	as         user
}{
	{"sshtay", "sshtay path --json --count 1 web1", alice},
	{"mtr", "mtr -n -r -c 2 203.0.113.10", alice},
	{"traceroute", "traceroute -n 203.0.113.10", alice},
	{"nmap", "nmap -n -Pn -p 22 --traceroute 203.0.113.10", root},
}

// BenchmarkTrace runs these in the same worlds. For ours it also gives the time
// from when the distance was known, and the bound for that; and the bound for
// all that it does, which is the whole work on a healthy path: the hops, how
// long packets may be each way, marks and loss.
func BenchmarkTrace(b *testing.B) {
	testenv.Need(b, "mtr", "traceroute", "nmap")
	atEach(b, func(w *World) { w.Lanes[ToServer].Hops, w.Lanes[ToClient].Hops = 5, 5 }, func(b *testing.B, live *Live, rtt time.Duration) {
		took := map[string]time.Duration{}
		var following float64
		for b.Loop() {
			for _, c := range traces {
				r, err := live.shellOf(c.as, c.line, time.Minute)
				if err != nil || r.Exit != 0 || !strings.Contains(string(r.Stdout), "198.18.0.5") {
					b.Fatalf("%s: %v: %s %s", c.line, err, r.Stdout, r.Stderr)
				}
				took[c.name] += r.Took
				if c.name != "sshtay" {
					continue
				}
				var path struct {
					TraceSeconds float64 `json:"trace_seconds"`
				}
				if err := json.Unmarshal(r.Stdout, &path); err != nil {
					b.Fatal(err)
				}
				following += path.TraceSeconds
			}
		}
		for _, c := range traces {
			b.ReportMetric(took[c.name].Seconds()/float64(b.N), "s/"+c.name)
		}
		b.ReportMetric(following/float64(b.N), "s/following")
		b.ReportMetric((rtt*13/10 + 50*time.Millisecond).Seconds(), "s/bound-following")
		b.ReportMetric((time.Second + 8*rtt).Seconds(), "s/bound")
	})
}
