package lab

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"text/tabwriter"
	"unicode"
)

// RunAll runs scenarios, some at a time, and calls each with every result as
// it comes. Results are returned in the order of the scenarios.
func (l *Lab) RunAll(ctx context.Context, all []Scenario, atATime int, each func(Result)) []Result {
	results := make([]Result, len(all))
	next := make(chan int)
	var mu sync.Mutex
	var workers sync.WaitGroup
	for range min(max(atATime, 1), len(all)) {
		workers.Go(func() {
			for i := range next {
				results[i] = l.Run(ctx, all[i])
				mu.Lock()
				each(results[i])
				mu.Unlock()
			}
		})
	}
	for i := range all {
		next <- i
	}
	close(next)
	workers.Wait()
	return results
}

// Table writes results and their tally for people.
func Table(w io.Writer, all []Result, t Tally) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "SCENARIO\tWANTED\tFOUND\tVERDICT\tSECONDS\tCONNECTIONS")
	for _, r := range all {
		found := r.Found
		if found == "" {
			found = "-"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%.1f\t%d\n", r.Name, r.Wanted, found, r.Verdict, r.Spent.Seconds, r.Spent.Connections)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, r := range all {
		for _, p := range r.Problems {
			fmt.Fprintf(w, "\n%s: %s", r.Name, printable(p))
		}
	}
	if t.Right < t.Scenarios {
		fmt.Fprintln(w)
	}
	_, err := fmt.Fprintf(w, "\n%d of %d right; first place %.0f %%, false alarms %d, harm done %d; %.0f s\n",
		t.Right, t.Scenarios, 100*t.FirstPlace, t.FalseAlarms, t.Harm, t.Seconds)
	return err
}

// printable makes what programs said safe for a terminal, on one line.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}
