package fact

import "math"

// A Tally is how many of so many packets were lost.
type Tally struct{ Lost, Of int }

// Ratio is the part that was lost; 0 of none.
func (t Tally) Ratio() float64 {
	if t.Of == 0 {
		return 0
	}
	return float64(t.Lost) / float64(t.Of)
}

// sure is the 99th percentile of the normal distribution.
const sure = 2.326

// Bounds are between which ratios the true loss lies: below the lower one, or
// above the upper one, it is in one of a hundred cases (Wilson's score
// interval).
func (t Tally) Bounds() (low, high float64) {
	if t.Of == 0 {
		return 0, 1
	}
	n, p, z2 := float64(t.Of), t.Ratio(), sure*sure
	middle := (p + z2/(2*n)) / (1 + z2/n)
	half := sure / (1 + z2/n) * math.Sqrt(p*(1-p)/n+z2/(4*n*n))
	return max(0, middle-half), min(1, middle+half)
}

// Chance is how probable it is that t loses as little as it does, or less,
// when it loses as much as o in truth (Fisher's exact test, one-sided): 1 where
// it loses no less. Nothing tried says nothing, which is 1 too.
func (t Tally) Chance(o Tally) float64 {
	if t.Of == 0 || o.Of == 0 || t.Ratio() >= o.Ratio() {
		return 1
	}
	// Of all ways to spread what was lost over both, those where t has as little
	// of it, or less. They get rarer and rarer, the less it is.
	lost, p := t.Lost+o.Lost, 0.0
	for k := t.Lost; k >= max(0, lost-o.Of); k-- {
		one := math.Exp(choose(t.Of, k) + choose(o.Of, lost-k) - choose(t.Of+o.Of, lost))
		if p += one; one <= p*1e-6 {
			break
		}
	}
	return min(p, 1)
}

// choose is the logarithm of the number of ways to choose k of n.
func choose(n, k int) float64 {
	lg := func(n int) float64 { v, _ := math.Lgamma(float64(n) + 1); return v }
	return lg(n) - lg(k) - lg(n-k)
}

// Add adds another tally.
func (t *Tally) Add(o Tally) { t.Lost, t.Of = t.Lost+o.Lost, t.Of+o.Of }

// mostTooLong is how many segments a kernel sends again when a router tells it
// that they were too long: the ten that may be on the way at first, of each of
// which two are made.
const mostTooLong = 20

// TooLong is how many of the segments that were sent again may have been too
// long for the path, not lost: a router said so, as it must.
func (f Flow) TooLong() int { return tooLong(f.Again, f.Learned) }

// TooLong is the same of the other side.
func (c Count) TooLong() int { return tooLong(c.Again, c.Learned) }

func tooLong(again, learned int) int {
	if learned == 0 {
		return 0
	}
	return min(again, mostTooLong)
}

// Gapped says whether something came while what was before it was missing, and
// not only in its place in the first flight of a server that learns of a
// shorter path MTU.
func (f Flow) Gapped(learned bool) bool {
	return f.OutOfOrder > mostTooLong || f.OutOfOrder > 0 && !learned
}

// ToServer is what was lost of what we sent. What had to be sent again, and
// had not arrived already, was lost; where the acknowledgements that say so
// were lost themselves, what the server received tells better.
func (f Flow) ToServer() Tally {
	again := f.Again - f.TooLong()
	switch {
	case !f.Connected:
		return Tally{} // a SYN without an answer: which of the two was lost?
	case f.Unanswered && f.Unacked == 0:
		return Tally{} // it ended in silence, and how often it asked again then is no longer known
	case f.Unanswered && f.Backoff > 0:
		// What it asks again for now may never get through, by its size or its
		// mark: that is no loss. Two more are sent before the first wait is over.
		again = max(0, again-f.Backoff-2)
	}
	received := 0
	if f.Other != nil {
		received = f.Other.Received
	}
	return lost(f.Sent, again, f.Had, received)
}

// FromServer is what was lost of what the server sent, as its kernel counted
// it; seen is false where that was not read. Gaps that were watched from here
// are fewer than losses: one gap may be of several packets.
func (f Flow) FromServer() (t Tally, seen bool) {
	switch {
	case f.Other != nil && f.Other.Received > 0:
		return lost(f.Other.Sent, f.Other.Again-f.Other.TooLong(), f.Other.Had, f.Received), true
	case f.Other != nil:
		return lost(f.Other.Sent, f.Other.Again-f.Other.TooLong(), f.Other.Had, 0), true
	case f.Watched:
		return Tally{min(f.Gaps, f.Received), f.Received}, true
	}
	return Tally{}, false
}

func lost(sent, again, had, received int) Tally {
	n := max(0, again-had)
	if received > 0 {
		n = min(n, max(0, sent-received))
	}
	return Tally{min(n, sent), sent}
}

// LossOf adds up the connections of one kind: "check" or "user".
func LossOf(flows []Flow, whose string) (toServer, fromServer Tally) {
	for _, f := range flows {
		if f.Whose != whose {
			continue
		}
		toServer.Add(f.ToServer())
		from, _ := f.FromServer()
		fromServer.Add(from)
	}
	return toServer, fromServer
}
