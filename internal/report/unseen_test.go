package report

import (
	"fmt"
	"slices"
	"testing"
)

func TestUnseen(t *testing.T) {
	missing := []Missing{{"z.one", "alone"}, {"server.load1", "few"}, {"a.two", "few"}}
	for i := range 5 {
		missing = append(missing, Missing{fmt.Sprintf("a.fact%d", i), "many"})
	}
	missing = append(missing, Missing{"log.source", "many"}, Missing{"path.rtt", "also alone"})
	want := []note{
		{"many", "log.source, a.fact0, a.fact1 and 3 more"},
		{"few", "server.load1, a.two"},
		{"also alone", "path.rtt"},
		{"alone", "z.one"},
	}
	if got := unseen(missing); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	for i := range 9 {
		missing = append(missing, Missing{"b.x", fmt.Sprintf("reason %d", i)})
	}
	got := unseen(missing)
	if last := got[len(got)-1]; len(got) != reasonsShown+1 || last != (note{"7 other reasons", "7 facts, listed by --json"}) {
		t.Errorf("%d notes, the last %v", len(got), last)
	}
	if got := some([]string{"a", "b", "c", "d"}); got != "a, b, c, d" {
		t.Errorf("four facts: %s", got)
	}
}
