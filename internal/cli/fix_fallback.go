package cli

import (
	"slices"
	"sync"

	"sshtay/internal/cause"
	"sshtay/internal/change"
	"sshtay/internal/remedy"
)

// lookAll has each machine that something is to be done to looked at, all at the same
// time. A remedy that turns out to be impossible there makes no other one needless: what
// is then to be done in its place is looked at as well.
func (w *fixWork) lookAll(o fixOptions, found []cause.Judgement, look func(*looked)) []*looked {
	var all []*looked
	var impossible []string
	for {
		next := assign(o, w.choose(o, found, impossible), &all)
		var looking sync.WaitGroup
		for _, l := range next {
			looking.Go(func() { look(l) })
		}
		looking.Wait()
		more := false
		for _, l := range next {
			for _, name := range l.impossible() {
				if !slices.Contains(impossible, name) {
					impossible, more = append(impossible, name), true
				}
			}
		}
		if !more || slices.ContainsFunc(all, func(l *looked) bool { return l.err != nil }) {
			return all
		}
	}
}

// assign gives each machine what is wanted of it, and returns those that have to be
// looked at for that.
func assign(o fixOptions, wanted []change.Wanted, all *[]*looked) (next []*looked) {
	sides := []remedy.Side{remedy.Client, remedy.Server}
	if o.target.Local() { // both are this machine
		sides = sides[:1]
	}
	for _, side := range sides {
		var mine []change.Wanted
		for _, x := range wanted {
			if x.Side == side || o.target.Local() {
				mine = append(mine, x)
			}
		}
		i := slices.IndexFunc(*all, func(l *looked) bool { return l.side == side })
		switch {
		case i < 0 && len(mine) > 0:
			l := &looked{side: side, wanted: mine}
			*all, next = append(*all, l), append(next, l)
		case i < 0:
		case (*all)[i].closed != nil: // nothing is possible there, and each is left for that
			l := (*all)[i]
			if len(mine) > 0 {
				l.wanted, next = append(l.wanted, mine...), append(next, l)
			}
		case slices.EqualFunc((*all)[i].wanted, mine, same):
		default:
			l := (*all)[i]
			l.wanted, next = mine, append(next, l)
		}
	}
	return next
}

func same(a, b change.Wanted) bool { return a.Cause == b.Cause && a.ID == b.ID }

// impossible names what is wanted on a machine and cannot be done there.
func (l *looked) impossible() (names []string) {
	add := func(x change.Wanted) { names = append(names, x.Cause+"/"+x.ID) }
	if l.closed != nil {
		for _, x := range l.wanted {
			add(x)
		}
	}
	for _, x := range l.left {
		add(x.Wanted)
	}
	return names
}
