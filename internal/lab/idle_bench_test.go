//go:build linux

package lab

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"
)

// An idleWorld is a world that forgets, drawn from a seed.
type idleWorld struct {
	World
	timeout float64 // seconds
	hop     int
	what    string
}

// drawIdleWorld: 8 to 90 s, one of five 60 s; at hop 1 to 4, by a box or by a
// real kernel, which drops or resets in each of the ways there are.
func drawIdleWorld(b *testing.B, seed uint64) idleWorld {
	r := rand.New(rand.NewPCG(seed, 90))
	w := idleWorld{World: ordinary(b), timeout: math.Round(10*8*math.Pow(90.0/8, r.Float64())) / 10}
	if seed%5 == 0 {
		w.timeout = 60
	}
	w.IPv4, w.IPv6 = r.IntN(2) == 0, true
	w.IPv6 = !w.IPv4
	w.Files = append(w.Files,
		File{Side: "server", Name: "sshd_config", Data: []byte("ClientAliveInterval 0\n")},
		File{Side: "client", Name: "ssh_config", Data: []byte("Host web1\n    ServerAliveInterval 0\n")})
	hops := r.IntN(3)
	w.Lanes[ToServer].Hops, w.Lanes[ToClient].Hops = hops, hops
	if r.IntN(3) == 0 {
		w.timeout = math.Round(w.timeout)
		f := Forget{Where: []string{"home", "provider", "server"}[r.IntN(3)], After: time.Duration(w.timeout) * time.Second, How: []string{"drop", "reset"}[r.IntN(2)]}
		w.Forgets = []Forget{f}
		w.hop = map[string]int{"home": 1, "provider": 2 + hops, "server": 3 + hops}[f.Where]
		w.what = fmt.Sprintf("%s %s", f.Where, f.How)
		return w
	}
	w.Box.Idle = time.Duration(w.timeout * float64(time.Second))
	w.Box.After = []After{Silent, ResetSender, ResetClient, ResetServer, ResetBoth}[r.IntN(5)]
	w.Box.Behind = r.IntN(hops + 1)
	w.hop = 2 + w.Box.Behind
	w.what = "box " + string(w.Box.After)
	return w
}

// oneAtATime is how long it takes to find a timeout to 2 % by one connection at
// a time: waits of 5 s, 10 s, 20 s ... until one is too long, then halves. It is
// reckoned, and not run: for 90 s it would take ten minutes a world. Logins and
// the time in which a death is noticed are left out, in its favour.
func oneAtATime(timeout float64) (total float64) {
	low, high := 0.0, 0.0
	for wait := 5.0; high == 0; wait *= 2 {
		total += wait
		if wait < timeout {
			low = wait
		} else {
			high = wait
		}
	}
	for high-low > 0.02*low {
		wait := (low + high) / 2
		total += wait
		if wait < timeout {
			low = wait
		} else {
			high = wait
		}
	}
	return total
}

// How the worlds of BenchmarkIdle share a machine: so many in a part, which can
// be run alone, so many at a time, and one begins so long after the other. Each
// logs in two dozen times when it begins, which is no time to measure another.
const (
	idleWorlds = 30
	idlePart   = 10
	idleAtOnce = 6
	idleApart  = 8 * time.Second
)

// BenchmarkIdle measures 30 seeded worlds with sshtay idle, and reckons what
// one connection at a time would take.
func BenchmarkIdle(b *testing.B) {
	program := os.Getenv("SSHTAY")
	if program == "" {
		b.Fatal("SSHTAY must name the program to measure: use `make bench`")
	}
	for from := uint64(0); from < idleWorlds; from += idlePart {
		b.Run(fmt.Sprintf("worlds-%d-to-%d", from, from+idlePart-1), func(b *testing.B) {
			for b.Loop() {
				idlePartOf(b, program, from)
			}
		})
	}
}

// idlePartOf measures ten worlds, and reports how many are right, and the worst.
func idlePartOf(b *testing.B, program string, from uint64) {
	var mu sync.Mutex
	var all sync.WaitGroup
	places := make(chan struct{}, idleAtOnce)
	begin := time.NewTicker(idleApart)
	defer begin.Stop()
	sum, worst := map[string]float64{}, map[string]float64{}
	for seed := from; seed < from+idlePart; seed++ {
		w := drawIdleWorld(b, seed)
		all.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			m := measureIdle(b, program, seed, w, begin.C)
			mu.Lock()
			defer mu.Unlock()
			for k, v := range m {
				sum[k] += v
				worst[k] = max(worst[k], v)
			}
		})
	}
	all.Wait()
	for _, k := range []string{"T-right", "device-right", "device-untold", "device-wrong", "known-in-time", "known", "in-1.35T", "in-2.4T"} {
		b.ReportMetric(sum[k], k)
	}
	for _, k := range []string{"bracket-35%/T", "bracket-2%/T", "all/T", "open", "named-after"} {
		b.ReportMetric(worst[k], "worst-"+k)
	}
	b.ReportMetric(sum["one-at-a-time"]/sum["bracket-2% s"], "times-sooner")
	b.ReportMetric(sum["bracket-2%/T"]/idlePart, "mean-bracket-2%/T")
}

// measureIdle runs the program in one world and holds what it says against the
// truth. It begins when its turn comes.
func measureIdle(b *testing.B, program string, seed uint64, w idleWorld, turn <-chan time.Time) map[string]float64 {
	live, err := (&Lab{Program: program, Seed: seed}).Up(b.Context(), w.World)
	if err != nil {
		b.Error(err)
		return nil
	}
	defer live.Down()
	<-turn
	r, err := live.shell("sshtay idle --json --up-to 2m web1", 8*time.Minute)
	if err != nil {
		b.Error(err)
		return nil
	}
	var found struct {
		Timeout float64
		Known   bool
		Hop     int
		Most    int `json:"most_open"`
		Samples []struct {
			At, Silence float64
			TTL         int `json:"keepalive_ttl"`
			Came        string
			Void        bool
		}
		Spent struct{ Seconds float64 }
	}
	if err := json.Unmarshal(r.Stdout, &found); err != nil {
		b.Errorf("seed %d: %v: %s %s", seed, err, excerpt(string(r.Stdout)), excerpt(string(r.Stderr)))
		return nil
	}
	m := map[string]float64{"open": float64(found.Most), "all/T": found.Spent.Seconds / w.timeout, "one-at-a-time": oneAtATime(w.timeout)}
	yes := func(k string, is bool) {
		if is {
			m[k] = 1
		}
	}
	low, high, coarse, fine, named := 0.0, math.Inf(1), 0.0, 0.0, 0.0
	for _, s := range found.Samples {
		if s.Void || s.TTL != 0 {
			continue
		}
		if s.Came == "alive" {
			low = max(low, s.Silence)
		} else {
			high = min(high, s.Silence)
		}
		if coarse == 0 && high <= 1.35*low {
			coarse = s.At
		}
		if fine == 0 && high <= 1.02*low {
			fine = s.At
		}
		if named == 0 && low < 60 && high >= 60 && high < 62 && low > 57 {
			named = s.At
		}
	}
	yes("T-right", math.Abs(found.Timeout-w.timeout) <= 0.02*w.timeout)
	yes("device-right", found.Hop == w.hop)
	yes("device-untold", found.Hop == 0)
	yes("device-wrong", found.Hop != 0 && found.Hop != w.hop)
	yes("known", w.timeout == 60)
	yes("known-in-time", w.timeout == 60 && found.Known && named > 0 && named <= w.timeout+5)
	yes("in-1.35T", coarse > 0 && coarse <= 1.35*w.timeout)
	yes("in-2.4T", fine > 0 && fine <= 2.4*w.timeout)
	if w.timeout == 60 {
		m["named-after"] = named - w.timeout
	}
	m["bracket-35%/T"], m["bracket-2%/T"], m["bracket-2% s"] = coarse/w.timeout, fine/w.timeout, fine
	b.Logf("seed %2d: %5.1f s at hop %d (%s): found %.2f s at hop %d; within 35 %% at %.2f T, within 2 %% at %.2f T, named at %.1f s, all at %.2f T; %d open",
		seed, w.timeout, w.hop, w.what, found.Timeout, found.Hop, coarse/w.timeout, fine/w.timeout, named, found.Spent.Seconds/w.timeout, found.Most)
	return m
}
