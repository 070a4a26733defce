package report

import "strings"

// A style is how a word looks on a terminal that can: the parameters of SGR.
type style string

const (
	normal style = ""
	bold   style = "1"
	dim    style = "2"
	red    style = "1;31"
	green  style = "1;32"
	yellow style = "1;33"
	cyan   style = "36"
)

const (
	gutter  = 10 // the column in which text beside a label begins
	hanging = 2  // how much farther in the second line of an item begins
)

// A terminal is where lines of at most width columns are written.
type terminal struct {
	b     strings.Builder
	width int
	color bool
}

// beside writes a paragraph beside a label, or nothing without words.
func (t *terminal) beside(indent int, label string, ws []word) {
	t.labelled(indent, label, 0, ws)
}

// item is beside for one of several: its further lines are set in.
func (t *terminal) item(indent int, label string, ws []word) {
	t.labelled(indent, label, hanging, ws)
}

func (t *terminal) labelled(indent int, label string, in int, ws []word) {
	for i, l := range wrap(ws, t.width-gutter, in) {
		pad := strings.Repeat(" ", gutter-indent-len(label))
		if i > 0 {
			pad += strings.Repeat(" ", in)
		}
		t.line(strings.Repeat(" ", indent)+t.paint(dim, label)+pad, l)
		label = strings.Repeat(" ", len(label))
	}
}

// hang writes words after a lead, under whose end the further lines begin.
func (t *terminal) hang(lead string, ws []word) {
	for _, l := range wrap(ws, t.width-len(lead), 0) {
		t.line(t.paint(bold, lead), l)
		lead = strings.Repeat(" ", len(lead))
	}
}

// line writes one line; neighbours of one style are painted together.
func (t *terminal) line(lead string, ws []word) {
	var b strings.Builder
	b.WriteString(lead)
	for i := 0; i < len(ws); {
		run, k := ws[i].text, i+1
		for ; k < len(ws) && ws[k].style == ws[i].style; k++ {
			run += " " + ws[k].text
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		if k == len(ws) {
			run = strings.TrimRight(run, " ")
		}
		b.WriteString(t.paint(ws[i].style, run))
		i = k
	}
	t.b.WriteString(strings.TrimRight(b.String(), " ") + "\n")
}

func (t *terminal) blank() { t.b.WriteByte('\n') }

func (t *terminal) paint(s style, text string) string {
	if !t.color || s == normal || strings.TrimSpace(text) == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}
