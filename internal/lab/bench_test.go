//go:build linux

package lab

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sshtay/internal/testenv"
)

// rtts are the round trip times of the figures.
var rtts = []time.Duration{0, 50 * time.Millisecond, 200 * time.Millisecond}

// atEach runs f in a healthy world, changed as is wanted, at each round trip
// time. The program is
// the one that SSHTAY names: as it is built for users.
func atEach(b *testing.B, change func(*World), f func(b *testing.B, live *Live, rtt time.Duration)) {
	w := ordinary(b)
	program := os.Getenv("SSHTAY")
	if program == "" {
		b.Fatal("SSHTAY must name the program to measure: use `make bench`")
	}
	for _, rtt := range rtts {
		b.Run(fmt.Sprintf("rtt=%dms", rtt.Milliseconds()), func(b *testing.B) {
			w := w
			w.Lanes[ToServer].Delay, w.Lanes[ToClient].Delay = rtt/2, rtt-rtt/2
			if change != nil {
				change(&w)
			}
			live, err := (&Lab{Program: program, Seed: 1}).Up(b.Context(), w)
			if err != nil {
				b.Fatal(err)
			}
			defer live.Down()
			f(b, live, rtt)
		})
	}
}

// BenchmarkCheck is a whole check of a healthy host, login included. Beside
// the time it gives the bound that the design sets (1.5 s + 14 round trips)
// and the most memory that was in use.
func BenchmarkCheck(b *testing.B) {
	atEach(b, nil, func(b *testing.B, live *Live, rtt time.Duration) {
		var most float64
		for b.Loop() {
			r, err := live.shell("/usr/bin/time -f %M sshtay check web1", time.Minute)
			if err != nil || r.Exit > 1 {
				b.Fatalf("%v: %s %s", err, r.Stdout, r.Stderr)
			}
			lines := strings.Fields(string(r.Stderr))
			kib, err := strconv.ParseFloat(lines[len(lines)-1], 64)
			if err != nil {
				b.Fatal(err)
			}
			most = max(most, kib/1024)
		}
		b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/check")
		b.ReportMetric((1500*time.Millisecond + 14*rtt).Seconds(), "s/bound")
		b.ReportMetric(most, "MiB")
	})
}

// byHand is what one types today to learn less.
var byHand = []struct{ name, line string }{
	{"ssh-G", "ssh -G web1"},
	{"mtr", "mtr -n -r -c 10 203.0.113.10"},
	{"fping", "fping -c 10 203.0.113.10"},
	{"tracepath", "tracepath -n 203.0.113.10"},
	{"ssh-audit", "ssh-audit 203.0.113.10"},
	{"login", "ssh web1 true"},
}

// BenchmarkByHand runs these one after the other.
func BenchmarkByHand(b *testing.B) {
	testenv.Need(b, "mtr", "fping", "tracepath", "ssh-audit")
	atEach(b, nil, func(b *testing.B, live *Live, _ time.Duration) {
		took := map[string]time.Duration{}
		for b.Loop() {
			for _, c := range byHand {
				r, err := live.shell(c.line, 2*time.Minute)
				if err != nil {
					b.Fatalf("%s: %v: %s %s", c.line, err, r.Stdout, r.Stderr)
				}
				took[c.name] += r.Took
			}
		}
		for _, c := range byHand {
			b.ReportMetric(took[c.name].Seconds()/float64(b.N), "s/"+c.name)
		}
		b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/all")
	})
}

// BenchmarkStart is the time from starting the program to its end when there
// is nothing to do, and the size of its file.
func BenchmarkStart(b *testing.B) {
	program := os.Getenv("SSHTAY")
	file, err := os.Stat(program)
	if err != nil {
		b.Fatalf("SSHTAY must name the program to measure: %v", err)
	}
	for b.Loop() {
		if err := exec.Command(program, "--version").Run(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(file.Size())/(1<<20), "MiB/file")
}

// BenchmarkLoss is what it takes to find that one packet in twenty is lost on
// the way from the server, beside what is typed today, in the same world. A
// ping cannot tell on which way its answer was lost.
func BenchmarkLoss(b *testing.B) {
	testenv.Need(b, "mtr", "fping")
	w := ordinary(b)
	w.Lanes[ToServer].Delay, w.Lanes[ToClient].Delay = 20*time.Millisecond, 20*time.Millisecond
	w.Lanes[ToClient].Loss = 0.05
	live, err := (&Lab{Program: os.Getenv("SSHTAY"), Seed: 1}).Up(b.Context(), w)
	if err != nil {
		b.Fatal(err)
	}
	defer live.Down()
	for _, c := range []struct{ name, line, says string }{
		{"check", "sshtay check --json web1", `"path.loss_from_server":`},
		{"mtr", "mtr -n -r -c 10 203.0.113.10", "Loss%"},
		{"fping", "fping -c 10 203.0.113.10", "%loss"},
	} {
		b.Run(c.name, func(b *testing.B) {
			found := 0
			for b.Loop() {
				r, err := live.shell(c.line, time.Minute)
				if err != nil {
					b.Fatalf("%s: %v: %s %s", c.line, err, r.Stdout, r.Stderr)
				}
				out := string(r.Stdout) + string(r.Stderr)
				if !strings.Contains(out, c.says) {
					b.Fatalf("%s: says nothing of loss: %s", c.line, out)
				}
				if lossWasSeen(c.name, out) {
					found++
				}
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/run")
			b.ReportMetric(float64(found)/float64(b.N), "found/run")
		})
	}
}

// lossWasSeen says whether a program showed any loss up to the server.
func lossWasSeen(program, out string) bool {
	switch program {
	case "check":
		var r Report
		return json.Unmarshal([]byte(out), &r) == nil && slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Cause == "path-loss" })
	case "mtr":
		lines := strings.Split(strings.TrimSpace(out), "\n")
		fields := strings.Fields(lines[len(lines)-1])
		return len(fields) > 2 && fields[2] != "0.0%"
	}
	return !strings.Contains(out, "/0%,") && !strings.HasSuffix(strings.TrimSpace(out), "/0%")
}
