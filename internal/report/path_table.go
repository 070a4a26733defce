package report

import (
	"fmt"
	"strings"

	"sshtay/internal/fact"
)

// PathLines is the table of hops, each line of at most so many columns.
func PathLines(hops []fact.Hop, width int) []string {
	names := []string{"address"}
	for _, h := range hops {
		names = append(names, hopName(h))
	}
	room := 0
	for _, n := range names {
		room = max(room, cells(n))
	}
	room = min(room, max(15, width-50))
	row := func(hop, name, answers, rtt, jitter, note string) string {
		name, _ = split(name, room)
		line := fmt.Sprintf("%3s  %s%s  %9s  %8s  %8s  %s", hop, name, strings.Repeat(" ", room-cells(name)), answers, rtt, jitter, note)
		line, _ = split(strings.TrimRight(line, " "), width)
		return line
	}
	lines := []string{row("hop", "address", "answers", "RTT", "jitter", "")}
	for i, h := range hops {
		number := fmt.Sprint(i + 1)
		if h.Host && h.TTL == 0 {
			number = ""
		}
		rtt, jitter := "", ""
		if h.Answers > 0 {
			rtt = span(h.RTT)
		}
		if h.Answers > 1 {
			jitter = span(h.Jitter)
		}
		lines = append(lines, row(number, names[i+1], fmt.Sprintf("%d of %d", h.Answers, h.Of), rtt, jitter, hopNote(h)))
	}
	return lines
}

func hopName(h fact.Hop) string {
	all := h.Names
	if len(all) < len(h.Addresses) {
		all = h.Addresses
	}
	if len(all) == 0 {
		if h.Host {
			return "the server"
		}
		return "?"
	}
	return strings.Join(all, " ")
}

// hopNote says what is remarkable about a hop.
func hopNote(h fact.Hop) string {
	var notes []string
	if h.Host {
		notes = append(notes, "the server")
	}
	if h.Says != "" {
		notes = append(notes, h.Says)
	}
	switch h.Verdict {
	case "shy":
		notes = append(notes, "shy")
	case "loss-begins":
		notes = append(notes, "LOSS BEGINS")
	case "loses":
		notes = append(notes, "loses")
	case "unclear":
		notes = append(notes, "unclear")
	case "silent":
		if h.Says == "" && h.Of > 0 {
			notes = append(notes, "silent")
		}
	}
	return strings.Join(notes, ", ")
}
