package probe

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// pf reckons a rate as pf_add_threshold of OpenBSD does, in thousandths, and says
// how high it came.
func pf(at []time.Time, within time.Duration) (most int64) {
	count, last := int64(0), time.Time{}
	for _, t := range at {
		if diff := t.Sub(last); diff >= within {
			count = 0
		} else {
			count -= count * int64(diff) / int64(within)
		}
		count, last = count+1000, t
		most = max(most, count)
	}
	return most
}

// TestEager: an eager pace stays below 15 logins in five seconds as pf reckons,
// also after those of the check, and still makes two dozen in seven.
func TestEager(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(5)
		for range 3 {
			b.Take()
			time.Sleep(500 * time.Millisecond)
		}
		g, begin := newGate(b, Pace{Logins: 4, Within: 30 * time.Second, Eager: true}), time.Now()
		for range idleSlots {
			if wait, err := g.pass(t.Context()); wait != eagerWait || err != nil {
				t.Fatal(wait, err)
			}
		}
		if most := pf(b.taken, 5*time.Second); most >= 15_000 {
			t.Errorf("pf counts %d thousandths", most)
		}
		if took := time.Since(begin); took > 7*time.Second {
			t.Errorf("%d logins took %s", idleSlots, took)
		}
	})
}

// TestGate: who waits at an eager gate when a login is not let in waits for the
// end of the limit, and from then on logins are as polite as can be.
func TestGate(t *testing.T) {
	for _, shut := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b, polite := NewBudget(5), Pace{Logins: 4, Within: 30 * time.Second}
			hasty := polite
			hasty.Eager = true
			g := newGate(b, hasty)
			for range eager.Logins {
				g.pass(t.Context())
			}
			passed := make(chan time.Time)
			go func() {
				g.pass(t.Context())
				passed <- time.Now()
			}()
			synctest.Wait()
			begin := time.Now()
			g.slow(shut)
			g.slow(shut) // of several at a time each may be the first
			if g.every() != polite.every() {
				t.Errorf("logins are %s apart", g.every())
			}
			at := <-passed
			if after := at.Sub(begin); after < polite.Within || after > polite.Within+3*time.Second {
				t.Errorf("shut %v: the next one passed after %s", shut, after)
			}
			for range 2 * polite.Logins {
				if wait, err := g.pass(t.Context()); wait != 0 || err != nil {
					t.Fatal(wait, err)
				}
			}
			for i := eager.Logins + polite.Logins; i < len(b.taken); i++ {
				if d := b.taken[i].Sub(b.taken[i-polite.Logins]); d < polite.Within {
					t.Errorf("%d logins within %s", polite.Logins+1, d)
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := g.pass(ctx); err == nil {
				t.Error("passes though nobody waits any more")
			}
		})
	}
}
