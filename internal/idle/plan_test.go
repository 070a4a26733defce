package idle

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// quick is a world whose server lets in whoever comes.
func quick(devices ...device_) world {
	return world{devices: devices, login: 200 * time.Millisecond, rand: rand.New(rand.NewPCG(1, 2))}
}

func seconds(s float64) time.Duration { return time.Duration(s * 1e9) }

// TestInTime: a known timeout is named five seconds after its time at the
// latest, any other is bracketed to 35 % by 1.35 times and to 2 % by 2.4 times
// its length, from the beginning of the run, with at most 24 connections; also
// when logins are as polite as they are by default, after those of the check.
func TestInTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		upTo := rapid.SampledFrom([]time.Duration{2 * time.Minute, 15 * time.Minute, 2 * time.Hour}).Draw(t, "up to")
		timeout := time.Duration(rapid.IntRange(int(max(8*time.Second, upTo/15)), int(upTo*9/10)).Draw(t, "timeout"))
		known := rapid.Bool().Draw(t, "known")
		if known {
			timeout = rapid.SampledFrom(Known).Filter(func(k time.Duration) bool { return k < upTo*9/10 && k > upTo/15 }).Draw(t, "which")
		}
		hops := rapid.IntRange(2, 12).Draw(t, "hops")
		d := device_{hop: rapid.IntRange(1, hops).Draw(t, "hop"), timeout: timeout, early: rapid.Bool().Draw(t, "early")}
		w := quick(d)
		o := Options{UpTo: upTo, Slots: 24, Hops: hops, AtOnce: rapid.SampledFrom([]int{1, 5}).Draw(t, "at once")}
		w.login = time.Duration(o.AtOnce) * 80 * time.Millisecond
		if rapid.Bool().Draw(t, "polite") {
			w.mean, w.window, o.Every = 14, 5*time.Second, 5*time.Second/14
			w.before = []time.Duration{-2 * time.Second, -1500 * time.Millisecond, -800 * time.Millisecond}
		}
		run := simulate(t, w, o)
		r := run.plan.Result()
		if known && (!r.Known || r.Timeout != timeout || run.named > timeout+inTime) {
			t.Errorf("%s was named %s (known: %v) after %s", timeout, r.Timeout, r.Known, run.named)
		}
		if run.coarse > timeout*135/100 || run.fine > timeout*24/10 {
			t.Errorf("%s was within 35 %% after %s (%.2f) and within 2 %% after %s (%.2f)", timeout, run.coarse, run.coarse.Seconds()/timeout.Seconds(), run.fine, run.fine.Seconds()/timeout.Seconds())
		}
		if r.Low > timeout || r.High <= timeout && !d.early || !r.Sure {
			t.Errorf("%s: %+v", timeout, r)
		}
		if r.Hop != d.hop {
			t.Errorf("the device is at %d of %d, and was seen at %d (%s)", d.hop, hops, r.Hop, r.Why)
		}
		if run.most > 24 {
			t.Errorf("%d connections at once", run.most)
		}
	})
}

// TestLadder: rungs rise, by a third at most, and each known timeout has one
// just below and one just above.
func TestLadder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		upTo := seconds(rapid.Float64Range(2, 3*3600).Draw(t, "up to"))
		rungs := ladder(upTo, false)
		for i := 1; i < len(rungs); i++ {
			a, b := rungs[i-1].silence, rungs[i].silence
			if b <= a || float64(b) > float64(a)*4/3 {
				t.Fatalf("%s follows %s", b, a)
			}
		}
		if rungs[len(rungs)-1].silence != upTo {
			t.Fatal("the longest silence is missing")
		}
		for _, k := range Known {
			if above(k) < upTo && k > 16*time.Second {
				i := slices.IndexFunc(rungs, func(r rung) bool { return r.silence >= k })
				if rungs[i].silence != above(k) || rungs[i-1].silence != below(k) {
					t.Errorf("%s is between %s and %s", k, rungs[i-1].silence, rungs[i].silence)
				}
			}
		}
	})
}

// TestNeverWrong: whatever disturbs a run, it does not name a wrong timeout or
// a wrong device for sure; and it ends.
func TestNeverWrong(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		upTo := rapid.SampledFrom([]time.Duration{15 * time.Second, 2 * time.Minute, time.Hour}).Draw(t, "up to")
		hops := rapid.IntRange(2, 12).Draw(t, "hops")
		timeout := seconds(upTo.Seconds() * rapid.Float64Range(0.2, 1.5).Draw(t, "timeout"))
		d := device_{hop: rapid.IntRange(1, hops).Draw(t, "hop"), timeout: timeout, early: rapid.Bool().Draw(t, "early")}
		if rapid.Bool().Draw(t, "inexact") {
			d.jitter = timeout / 200
		}
		w := quick(d)
		w.rand = rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 7))
		w.login = rapid.SampledFrom([]time.Duration{100 * time.Millisecond, 300 * time.Millisecond, 2 * time.Second}).Draw(t, "login")
		w.wrong = rapid.SampledFrom([]float64{0, 0, 0.02}).Draw(t, "chance")
		w.data = rapid.Bool().Draw(t, "counts data only")
		other := device_{hop: rapid.IntRange(1, hops).Draw(t, "other hop"), timeout: timeout + timeout/3}
		if rapid.Bool().Draw(t, "two") {
			w.devices = append(w.devices, other)
		}
		o := Options{UpTo: upTo, Slots: 24, Hops: rapid.SampledFrom([]int{0, hops}).Draw(t, "known distance"), AtOnce: rapid.SampledFrom([]int{1, 5}).Draw(t, "at once")}
		o.Notice = rapid.SampledFrom([]time.Duration{0, time.Second}).Draw(t, "notice")
		if rapid.Bool().Draw(t, "slow") {
			w.burst, w.window, o.Every = 5, 30*time.Second, 6*time.Second
		}
		if rapid.Bool().Draw(t, "speaks") {
			w.speaks = seconds(upTo.Seconds() * rapid.Float64Range(0.1, 1.2).Draw(t, "speaks after"))
		}
		w.refuseAt = rapid.SampledFrom([]int{0, 0, 1, 3, 20}).Draw(t, "refused")
		run := simulate(t, w, o)
		r := run.plan.Result()
		if run.most > o.Slots {
			t.Errorf("%d connections at once", run.most)
		}
		lowest, highest := timeout-d.jitter, timeout+d.jitter
		switch {
		case r.Sure && w.wrong == 0 && (r.Timeout < lowest*97/100 || r.Timeout > highest*103/100):
			t.Errorf("%s (give or take %s) was named %s", timeout, d.jitter, r.Timeout)
		case w.wrong == 0 && r.Low > highest:
			t.Errorf("survived %s of %s", r.Low, highest)
		case r.Hop != 0 && r.Hop != d.hop && w.wrong == 0 && r.Sure:
			t.Errorf("the device is at %d of %d, and was seen at %d", d.hop, hops, r.Hop)
		case r.Hop != 0 && w.data && w.wrong == 0:
			t.Errorf("a device that counts data only was seen at %d", r.Hop)
		case r.Known && !slices.Contains(Known, r.Timeout):
			t.Errorf("%s is not known", r.Timeout)
		}
		if w.speaks > 0 && w.speaks < lowest*9/10 && r.High > 0 && w.wrong == 0 {
			t.Errorf("died after %s, though the server speaks after %s", r.High, w.speaks)
		}
	})
}

// TestAgeIsNoSilence: connections that end at some age, silent or not, are not
// said to end of silence.
func TestAgeIsNoSilence(t *testing.T) {
	for _, life := range []time.Duration{5 * time.Second, 20 * time.Second, time.Minute} {
		w := quick()
		w.life = life
		r := simulateTalking(t, w, Options{UpTo: 2 * time.Minute, Slots: 24, Hops: 5}).plan.Result()
		if r.Lost != mostLost || r.Sure {
			t.Errorf("an age of %s: %+v", life, r)
		}
	}
}

// TestNothingForgets: the longest silence is survived, and that ends the run
// soon after it.
func TestNothingForgets(t *testing.T) {
	for _, o := range []Options{{UpTo: 15 * time.Second, Slots: 24}, {UpTo: 2 * time.Hour, Slots: 24}, {UpTo: 30 * time.Minute, Slots: 24, Every: 6 * time.Second}} {
		w := quick()
		if o.Every > 0 {
			w.burst, w.window = 5, 30*time.Second
		}
		run := simulate(t, w, o)
		r := run.plan.Result()
		if r.Low < o.UpTo*99/100 || r.High != 0 || r.Deaths != 0 {
			t.Errorf("%+v", r)
		}
		if run.done > o.UpTo*105/100+40*time.Second {
			t.Errorf("up to %s took %s", o.UpTo, run.done)
		}
	}
}

// TestOneByChance: one connection that dies by chance is outlived by the next,
// and does not end the search.
func TestOneByChance(t *testing.T) {
	p := New(Options{UpTo: time.Minute, Slots: 24})
	now := time.Duration(0)
	open := func() int {
		todo, _ := p.Next(now)
		for _, a := range todo {
			if a.Verb == Open {
				p.Opened(a.ID)
				return a.ID
			}
		}
		t.Fatal("nothing is opened")
		return 0
	}
	open() // talks
	a, b := open(), open()
	p.Next(now)
	p.Woke(10*time.Second, a, 10*time.Second, Silent)
	if r := p.Result(); r.High != 10*time.Second || r.Sure {
		t.Errorf("after one death: %+v", r)
	}
	p.Woke(11*time.Second, b, 11*time.Second, Alive)
	if r := p.Result(); r.High != 0 || r.Early != 1 || r.Low != 11*time.Second {
		t.Errorf("outlived: %+v", r)
	}
}

// TestSleepingMachine: what died while the machine slept says nothing, what
// lived does.
func TestSleepingMachine(t *testing.T) {
	p := New(Options{UpTo: time.Minute, Slots: 24})
	for range 3 {
		todo, _ := p.Next(0)
		for _, a := range todo {
			if a.Verb == Open {
				p.Opened(a.ID)
			}
		}
	}
	p.Next(0)
	p.Slept()
	p.Woke(40*time.Second, 1, 40*time.Second, Silent)
	p.Woke(40*time.Second, 2, 40*time.Second, Alive)
	r := p.Result()
	if r.High != 0 || r.Deaths != 0 || r.Low != 40*time.Second || r.Slept != 1 {
		t.Errorf("%+v", r)
	}
	p.Lost(41 * time.Second)
	if p.Result().Lost != 0 {
		t.Error("the talking connection died of the sleep, and was counted")
	}
}

// TestDevice reads what keepalives of each TTL came to.
func TestDevice(t *testing.T) {
	lives, dies := tally{alive: 1}, tally{dead: 1}
	for _, c := range []struct {
		what string
		all  map[int]tally
		hops int
		hop  int
		why  string
		try  []int
	}{
		{"nothing tried", nil, 2, 0, "", []int{Full, 1, 2}},
		{"at the second", map[int]tally{Full: lives, 1: dies, 2: lives, 3: lives}, 3, 2, "", nil},
		{"the first", map[int]tally{Full: lives, 1: lives}, 3, 1, "", nil},
		{"at the server, which is farther than it seems", map[int]tally{Full: lives, 1: dies, 2: dies}, 2, 0, "", []int{3, 4, 5, 6}},
		{"between two that were tried", map[int]tally{Full: lives, 2: dies, 5: lives}, 9, 0, "", []int{3, 4}},
		{"data only", map[int]tally{Full: {dead: 2}, 1: dies}, 3, 0, CountsData, nil},
		{"once more", map[int]tally{Full: lives, 1: lives, 3: dies}, 4, 0, "", []int{3}},
		{"it was chance", map[int]tally{Full: lives, 1: lives, 3: {alive: 1, dead: 1}}, 4, 1, "", nil},
		{"and again", map[int]tally{Full: lives, 1: lives, 3: {dead: 2}}, 4, 0, Unsteady, nil},
	} {
		hop, why, try := device(c.all, c.hops)
		if hop != c.hop || why != c.why || !slices.Equal(try, c.try) {
			t.Errorf("%s: hop %d, %q, try %v", c.what, hop, why, try)
		}
	}
}

// TestFew: before a login, with four sleepers and two minutes, a timeout is at
// least bracketed, and no more connections are opened than is fair.
func TestFew(t *testing.T) {
	for _, timeout := range []float64{8, 12, 20, 31, 45, 60, 75, 90, 100} {
		for _, hop := range []int{1, 3} {
			w := quick(device_{hop: hop, timeout: seconds(timeout)})
			w.burst, w.window, w.cut = 5, 30*time.Second, 115*time.Second
			run := simulate(t, w, Options{UpTo: 110 * time.Second, Slots: 5, AtOnce: 2, Total: 8, Every: 6 * time.Second, Hops: 4})
			r := run.plan.Result()
			if d := seconds(timeout); r.Low > d || r.High < d || r.Opened > 8 || run.most > 5 {
				t.Errorf("%s: between %s and %s, by %d connections", d, r.Low, r.High, r.Opened)
			}
			switch {
			case timeout == 60 && !r.Known:
				t.Errorf("a known one is between %s and %s", r.Low, r.High)
			case timeout <= 60 && float64(r.High) > 1.4*float64(r.Low):
				t.Errorf("%v s is between %s and %s", timeout, r.Low, r.High)
			case r.Hop != 0 && r.Hop != hop:
				t.Errorf("the device is at %d, and was seen at %d", hop, r.Hop)
			}
		}
	}
}

// TestRefusedTogether: when some of several logins at a time are refused, the
// next is made alone; when that is refused, too, it is the last.
func TestRefusedTogether(t *testing.T) {
	p := New(Options{UpTo: time.Minute, Slots: 24, AtOnce: 5})
	opens := func() (ids []int) {
		todo, _ := p.Next(0)
		for _, a := range todo {
			if a.Verb == Open {
				ids = append(ids, a.ID)
			}
		}
		return ids
	}
	first := opens()
	if len(first) != 1 {
		t.Fatalf("%d logins at once, and it is not known whether any works", len(first))
	}
	p.Opened(first[0])
	five := opens()
	if len(five) != 5 {
		t.Fatalf("%d logins at once", len(five))
	}
	p.Refused(five[0], "too many")
	p.Refused(five[1], "too many")
	for _, id := range five[2:] {
		p.Opened(id)
	}
	again := opens()
	if len(again) != 1 || p.Result().Refused != "" {
		t.Fatalf("then %d at once, %q", len(again), p.Result().Refused)
	}
	p.Refused(again[0], "no more")
	if more := opens(); len(more) > 0 || p.Result().Refused != "no more" {
		t.Errorf("then %d more, %q", len(more), p.Result().Refused)
	}
}
