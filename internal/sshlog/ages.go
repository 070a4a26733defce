package sshlog

import (
	"cmp"
	"slices"
	"time"
)

// Sessions that an hour's limit ends end on the hour, whoever they are of:
// the renewal of keys is the usual one. Ages are the sessions of a server's log
// that ended without a goodbye, with the time that they lasted.
type ages struct {
	last []aged // the latest mostAges of them
	next int
}

// An aged session is one with the line that tells its end.
type aged struct {
	lasted time.Duration
	end    Event
}

const (
	mostAges = 256
	leastAge = time.Minute     // what is shorter ended in the login, or in one command
	sameAge  = 3 * time.Second // between the ages of sessions that ended alike
	fewAges  = 3               // that make a rule
)

func (a *ages) add(lasted time.Duration, e *Event) {
	if lasted < leastAge {
		return
	}
	end := Event{Role: e.Role, Time: e.Time, Message: e.Message, Line: keep(e.Line)}
	if len(a.last) < mostAges {
		a.last = append(a.last, aged{lasted, end})
		return
	}
	a.last[a.next] = aged{lasted, end}
	a.next = (a.next + 1) % mostAges
}

// alike are the sessions that ended at the same age, in the order of their
// ends, when they are enough and most of all.
func (a *ages) alike() []aged {
	all := slices.SortedFunc(slices.Values(a.last), func(x, y aged) int { return cmp.Compare(x.lasted, y.lasted) })
	var most []aged
	for i, j := 0, 0; j < len(all); j++ {
		for all[j].lasted-all[i].lasted > sameAge {
			i++
		}
		if j+1-i > len(most) {
			most = all[i : j+1]
		}
	}
	if len(most) < fewAges || 2*len(most) <= len(all) {
		return nil
	}
	slices.SortStableFunc(most, func(x, y aged) int { return x.end.Time.Compare(y.end.Time) })
	return most
}
