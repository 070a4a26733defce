package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sshtay/internal/fact"
)

// What of a history is shown; the JSON has all of it.
const (
	shownTroubles = 8
	shownHours    = 3
	shownChanges  = 8
	graphCells    = 56
)

// historyNotes are the lines of a history: of what they tell, and the text.
// The same name is there for each of several lines.
func historyNotes(h *fact.History) []note {
	if h == nil {
		return nil
	}
	notes := []note{{"history", historyTotals(h)}}
	add := func(name string, lines []string, more string) {
		for _, l := range lines {
			notes = append(notes, note{name, cleanLine(l)})
		}
		if more != "" {
			notes = append(notes, note{name, more})
		}
	}
	add("why", troubleLines(h), andMore(len(h.Troubles)-shownTroubles, "other kind", "other kinds"))
	add("who", networkLines(h), "")
	add("when", hourLines(h), "")
	add("changed", changeLines(h), andMore(len(h.Changes)-shownChanges, "change before", "changes before"))
	var names []string
	for _, s := range h.Sources {
		names = append(names, s.Name+" ("+count(s.Lines, "line", "lines")+")")
	}
	if len(names) > 0 {
		add("read", []string{strings.Join(names, ", ")}, "")
	}
	for _, u := range h.Unread {
		text := u.Name + ": " + u.Why
		if u.Do != "" {
			text += "; try it " + u.Do
		}
		add("not read", []string{text}, "")
	}
	return notes
}

func andMore(n int, one, many string) string {
	if n <= 0 {
		return ""
	}
	return "and " + count(n, one, many) + ", listed in the JSON"
}

func historyTotals(h *fact.History) string {
	from := h.Since
	if from.IsZero() || h.From.After(from) {
		from = h.From
	}
	text := ""
	if !from.IsZero() {
		text = "from " + day(from) + " to " + day(h.To) + ": "
	}
	if h.From.IsZero() && len(h.Sources) == 0 && h.Connections == 0 {
		text = ""
		if !h.Since.IsZero() {
			text = "since " + day(h.Since) + ": "
		}
	}
	text += count(h.Connections, "connection", "connections") + ", " + count(h.Logins, "login", "logins") + "; "
	text += map[bool]string{true: "none ended badly", false: count(h.Failures, "connection", "connections") + " ended badly"}[h.Failures == 0]
	if h.FailedLogins > 0 {
		text += "; " + count(h.FailedLogins, "password or key was", "passwords or keys were") + " refused"
	}
	if h.Visits > 0 {
		text += "; " + count(h.Visits, "visit", "visits") + " by scanners or health checks"
	}
	return text
}

func troubleLines(h *fact.History) []string {
	var lines []string
	for _, t := range h.Troubles[:min(len(h.Troubles), shownTroubles)] {
		text := fmt.Sprintf("%d × %s", t.Count, t.Says)
		if t.Kind == "throttle" { // it does not log each
			text = "at least " + text
		}
		if t.Cause != "" {
			text += " [" + t.Cause + "]"
		}
		if !t.Last.IsZero() {
			text += ", last on " + day(t.Last)
		}
		lines = append(lines, text)
	}
	return lines
}

func networkLines(h *fact.History) []string {
	var lines []string
	for _, n := range h.Networks {
		logins := count(n.Logins, "login", "logins")
		if n.Logins == 0 {
			logins = "never logged in"
		}
		lines = append(lines, fmt.Sprintf("%s: %d of %s failed, %s: %s", n.Network, n.Failures, count(n.Connections, "connection", "connections"), logins, kindWords(n.Kinds)))
	}
	if h.Forgotten > 0 {
		lines = append(lines, count(h.Forgotten, "failure", "failures")+" more, of networks that showed too seldom to be kept apart")
	}
	return lines
}

// kindWords are the kinds with their numbers, the most frequent first.
func kindWords(kinds map[string]int) string {
	var parts []string
	for _, k := range slices.SortedFunc(maps.Keys(kinds), func(a, b string) int { return cmp.Or(cmp.Compare(kinds[b], kinds[a]), cmp.Compare(a, b)) }) {
		parts = append(parts, fmt.Sprintf("%s %d", k, kinds[k]))
	}
	return strings.Join(parts, ", ")
}

// hourLines are a graph of the failures, and the worst hours.
func hourLines(h *fact.History) []string {
	worst := slices.SortedStableFunc(slices.Values(h.Hours), func(a, b fact.HourHistory) int { return cmp.Compare(b.Failures, a.Failures) })
	if len(worst) == 0 || worst[0].Failures == 0 {
		return nil
	}
	first, last := h.Hours[0].At, h.Hours[len(h.Hours)-1].At
	step := int(last.Sub(first)/time.Hour)/graphCells + 1
	sums := make([]int, int(last.Sub(first)/time.Hour)/step+1)
	most := 0
	for _, at := range h.Hours {
		i := min(max(int(at.At.Sub(first)/time.Hour)/step, 0), len(sums)-1)
		sums[i] += at.Failures
		most = max(most, sums[i])
	}
	var graph strings.Builder
	for _, n := range sums {
		graph.WriteRune([]rune("·▁▂▃▄▅▆▇█")[(n*8+most-1)/most])
	}
	var lines []string
	if len(sums) > 2 {
		lines = append(lines, fmt.Sprintf("%s (from %s on, a sign for %s, %s at most)", graph.String(), day(first), count(step, "hour", "hours"), count(most, "failure", "failures")))
	}
	for _, at := range worst[:min(len(worst), shownHours)] {
		if at.Failures > 0 {
			lines = append(lines, fmt.Sprintf("%s: %d of %s failed: %s", day(at.At), at.Failures, count(at.Connections, "connection", "connections"), kindWords(at.Kinds)))
		}
	}
	return lines
}

func changeLines(h *fact.History) []string {
	var lines []string
	for _, c := range h.Changes[max(0, len(h.Changes)-shownChanges):] {
		text := day(c.At) + ": " + c.What
		if c.Before+c.After > 0 {
			text += fmt.Sprintf("; failures in the day before: %d, after: %d", c.Before, c.After)
		}
		lines = append(lines, text+" ("+c.Source+")")
	}
	return lines
}

// day is a time to the minute.
func day(t time.Time) string { return t.Format("2006-01-02 15:04") }

// history writes the notes of a history.
func (t *terminal) history(notes []note) {
	last := ""
	for _, n := range notes {
		label := n.name
		if label == last {
			label = ""
		}
		last = n.name
		t.item(0, label, words(normal, n.says))
	}
}
