//go:build linux

package lab

import (
	"os"
	"testing"
	"time"

	"sshtay/internal/testenv"
)

// BenchmarkHole is how long it takes to be told that long packets vanish on
// the way to the server, beside what one types today, which never says so.
func BenchmarkHole(b *testing.B) {
	testenv.Need(b, "tracepath")
	w := ordinary(b)
	w.Lanes[ToServer].DropOver = 1400
	live, err := (&Lab{Program: os.Getenv("SSHTAY"), Seed: 1}).Up(b.Context(), w)
	if err != nil {
		b.Fatalf("%v (SSHTAY must name the program to measure: use `make bench`)", err)
	}
	defer live.Down()
	for _, c := range []struct {
		name, line string
		exit       int
	}{{"check", "sshtay check web1", 1}, {"tracepath", "tracepath -n 203.0.113.10", 0}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				r, err := live.shell(c.line, 2*time.Minute)
				if err != nil || r.Exit != c.exit {
					b.Fatalf("%v: ended with %d: %s %s", err, r.Exit, r.Stdout, r.Stderr)
				}
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/"+c.name)
		})
	}
}

// BenchmarkThroughHole is how fast ssh carries data through the same hole with
// sshtay dial, and without either.
func BenchmarkThroughHole(b *testing.B) {
	const megabytes = 20
	ssh := map[string]string{
		"dial":  "ssh -o ProxyUseFdpass=yes -o 'ProxyCommand sshtay dial --mss 1360 %h %p'",
		"plain": "ssh",
	}
	for _, name := range []string{"dial", "plain"} {
		b.Run(name, func(b *testing.B) {
			w := ordinary(b)
			if name == "dial" {
				w.Lanes[ToServer].DropOver, w.Lanes[ToClient].DropOver = 1400, 1400
			}
			live, err := (&Lab{Program: os.Getenv("SSHTAY"), Seed: 1}).Up(b.Context(), w)
			if err != nil {
				b.Fatal(err)
			}
			defer live.Down()
			for b.Loop() {
				r, err := live.shell(ssh[name]+" web1 'head -c 20000000 /dev/zero' </dev/null | wc -c", time.Minute)
				if err != nil || string(r.Stdout) != "20000000\n" {
					b.Fatalf("%v: %s %s", err, r.Stdout, r.Stderr)
				}
			}
			b.ReportMetric(megabytes*float64(b.N)/b.Elapsed().Seconds(), "MB/s")
		})
	}
}
