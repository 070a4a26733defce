package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"sshtay/internal/idle"
)

// An idleScreen shows a run on a terminal, a line for each connection, and
// draws over itself. Elsewhere it shows nothing.
type idleScreen struct {
	out   io.Writer
	on    bool
	host  string
	rows  int // drawn last
	drawn time.Time
	size  func() (columns, rows int)
}

func newIdleScreen(out io.Writer, name string) *idleScreen {
	s := &idleScreen{out: out, on: isTerminal(out), host: name}
	s.size = func() (int, int) {
		if f, ok := out.(*os.File); ok {
			if columns, rows, err := term.GetSize(int(f.Fd())); err == nil {
				return columns, rows
			}
		}
		return 80, 24
	}
	return s
}

// idleRedraw is how often the screen changes at most.
const idleRedraw = 250 * time.Millisecond

func (s *idleScreen) show(v idle.View) {
	if !s.on || time.Since(s.drawn) < idleRedraw {
		return
	}
	s.drawn = time.Now()
	columns, rows := s.size()
	lines := drawIdle(s.host, v, min(columns, 100), max(rows-2, 4))
	s.clear()
	s.rows = len(lines)
	fmt.Fprint(s.out, strings.Join(lines, "\n")+"\n")
}

func (s *idleScreen) clear() {
	if s.rows > 0 {
		fmt.Fprintf(s.out, "\x1b[%dA\x1b[J", s.rows)
	}
}

// end takes the picture away: the result follows.
func (s *idleScreen) end() {
	s.clear()
	s.rows = 0
}

// drawIdle draws a run in so many columns and lines at most.
func drawIdle(name string, v idle.View, columns, lines int) []string {
	left := ""
	if v.Left > 0 {
		left = "; at most " + clock(v.Left) + " until the last of these is woken"
	}
	out := []string{headline(name, v), fmt.Sprintf("running for %s%s", clock(v.Now), left), ""}
	longest := v.UpTo
	if v.Result.High > 0 {
		longest = v.Result.High
	}
	for _, b := range v.Bars {
		longest = max(longest, b.Target)
	}
	for i, b := range v.Bars {
		if rest := len(v.Bars) - i; len(out) == lines-1 && rest > 1 {
			out = append(out, fmt.Sprintf("      and %d more", rest))
			break
		}
		out = append(out, bar(b, longest, columns))
	}
	for i, line := range out { // a line that is broken in two cannot be drawn over
		out[i] = string([]rune(line)[:min(len([]rune(line)), max(columns-1, 0))])
	}
	return out
}

// headline is what is known.
func headline(name string, v idle.View) string {
	r := v.Result
	switch {
	case r.Known:
		return fmt.Sprintf("%s: the timeout is %s (%s survived, %s did not)", name, clock(r.Timeout), clock(r.Low), clock(r.High))
	case r.High > 0:
		return fmt.Sprintf("%s: the timeout is between %s and %s", name, clock(r.Low), clock(r.High))
	case r.Low > 0:
		return fmt.Sprintf("%s: the timeout is longer than %s; trying up to %s", name, clock(r.Low), clock(v.UpTo))
	}
	return fmt.Sprintf("%s: connections fall silent, for up to %s", name, clock(v.UpTo))
}

// bar draws one connection: how long it has been silent, of how long it is to
// be, on a scale on which both can be told for seconds and for hours.
func bar(b idle.Bar, longest time.Duration, columns int) string {
	label := map[string]string{"talks": "talks", "opening": "logs in", "woken": "is woken"}[b.State]
	room, silent := columns-44, "silent for "
	if room < 20 { // a narrow one has no room for words
		room, silent = max(columns-34, 4), ""
	}
	if b.State != "silent" {
		return fmt.Sprintf("%4d  %-*s  %s", b.ID, room, "", label)
	}
	at := func(d time.Duration) int {
		return min(room, int(float64(room)*float64(d)/float64(max(longest, 1))))
	}
	full, to := at(b.Silence), at(b.Target)
	drawn := strings.Repeat("█", full) + strings.Repeat("░", max(0, to-full))
	label = silent + clock(b.Silence)
	if b.Target > 0 {
		label += " of " + clock(b.Target)
	}
	if b.TTL == idle.Full {
		label += ", keepalives"
	} else if b.TTL > 0 {
		label += fmt.Sprintf(", to hop %d", b.TTL)
	}
	return fmt.Sprintf("%4d  %s%s  %s", b.ID, drawn, strings.Repeat(" ", max(0, room-max(full, to))), label)
}

// clock writes a time: 8.1s, 59s, 4m05s, 2h00m.
func clock(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0fs", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}
