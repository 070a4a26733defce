//go:build linux

package lab

import (
	"os"
	"testing"
	"time"
)

// BenchmarkFix is what it takes to mend missing keepalives, from the check
// before to the check that proves it and the confirmation: at the server's own
// console, and of both sides over the network. Beside it stands what the plan
// alone takes beyond the check. What is put back between the runs does not count.
func BenchmarkFix(b *testing.B) {
	w := ordinary(b)
	w.Files = append(w.Files,
		File{Side: "client", Name: "~/.ssh/config", Data: []byte("Host web1\n    User root\n"), Mode: 0o600},
		File{Side: "server", Name: "sshd_config", Data: []byte("ClientAliveInterval 0\n"), Mode: 0o644},
		File{Side: "server", Name: "~/.ssh/config", Data: []byte("ServerAliveInterval 60\n"), Mode: 0o600})
	for _, c := range []struct {
		name, on, host string
		rtt, bound     time.Duration
	}{
		{"local", "server", "", 0, time.Second},
		{"remote", "client", "web1", 50 * time.Millisecond, 4 * time.Second},
	} {
		b.Run(c.name, func(b *testing.B) {
			w := w
			w.Lanes[ToServer].Delay, w.Lanes[ToClient].Delay = c.rtt/2, c.rtt/2
			live, err := (&Lab{Program: os.Getenv("SSHTAY"), Seed: 1}).Up(b.Context(), w)
			if err != nil {
				b.Fatal(err)
			}
			defer live.Down()
			run := func(want int, verb, args string) float64 {
				start := time.Now()
				out, exit, err := live.sshtay(c.on, verb, args+c.host)
				if err != nil || exit != want {
					b.Fatalf("sshtay %s %s%s ended with %d: %v: %s", verb, args, c.host, exit, err, out)
				}
				return time.Since(start).Seconds()
			}
			var check, plan, fix float64
			for b.Loop() {
				check += run(1, "check", "")
				plan += run(1, "fix", "--dry-run ")
				fix += run(0, "fix", "--yes ")
				run(0, "rollback", "")
			}
			n := float64(b.N)
			b.ReportMetric(fix/n, "s/fix")
			b.ReportMetric(c.bound.Seconds(), "s/bound")
			b.ReportMetric(check/n, "s/check")
			b.ReportMetric((plan-check)/n*1000, "ms/plan")
		})
	}
}
