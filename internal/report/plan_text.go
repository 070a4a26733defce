package report

import (
	"fmt"
	"io"
	"strings"

	"sshtay/internal/visible"
)

// PlanText writes a plan for a person at a terminal: each change with its
// diff, the commands that would run and how it is verified, and then what is
// left to people.
func PlanText(w io.Writer, p Plan, o TextOptions) error {
	if o.Width <= 0 {
		o.Width = 80
	}
	t := &terminal{width: min(max(o.Width, 40), 100), color: o.Color}
	n := 0
	for _, m := range p.Machines {
		for _, c := range m.Changes {
			n++
			t.change(n, m, c)
		}
	}
	for i, h := range p.Held {
		t.heading(i, "held back")
		t.byHand(h)
	}
	for i, h := range p.ByHand {
		t.heading(i, "by hand")
		t.byHand(h)
	}
	_, err := io.WriteString(w, strings.TrimPrefix(t.b.String(), "\n"))
	return err
}

// heading stands above the first of several.
func (t *terminal) heading(i int, text string) {
	if i == 0 {
		t.blank()
		t.line("", []word{{text, bold}})
	}
}

func (t *terminal) change(n int, m PlanMachine, c PlanChange) {
	t.blank()
	ws := append(words(bold, cleanLine(m.Name)+": "+cleanLine(c.Title)), word{"[" + cleanLine(strings.Join(c.Causes, ", ")) + "]", dim})
	t.hang(fmt.Sprintf("%d. ", n), ws)
	t.hang("   ", words(normal, riskNamed(c.Risk)))
	for _, f := range c.Files {
		t.diff(f.Diff)
	}
	for i, r := range c.Commands {
		for line := range strings.SplitSeq(strings.TrimRight(r, "\n"), "\n") {
			t.line("   "+t.paint(dim, pad(once(i, "run"), gutter-3)), []word{{visible.Line(line, lineLimit), cyan}})
		}
	}
	for i, s := range c.Services {
		t.beside(3, once(i, "then"), words(normal, cleanLine(s)))
	}
	for i, v := range c.Verified {
		t.beside(3, once(i, "proof"), words(normal, cleanLine(v)))
	}
	for i, note := range c.Notes {
		t.item(3, once(i, "note"), words(normal, cleanLine(note)))
	}
}

// riskNamed is a risk by the name that --accept-risk takes, and in words.
func riskNamed(risk string) string {
	if w, ok := plain[risk]; ok {
		return cleanName(risk) + ": " + w
	}
	return cleanName(risk)
}

func pad(s string, width int) string { return s + strings.Repeat(" ", max(0, width-len(s))) }

// diffLines are shown of one file; the rest is counted.
const diffLines = 60

var diffStyles = map[byte]style{'+': green, '-': red, '@': dim}

func (t *terminal) diff(text string) {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, line := range all {
		if i == diffLines {
			t.line("     ", words(dim, fmt.Sprintf("... and %d more lines of this change", len(all)-i)))
			return
		}
		st := normal
		if line != "" {
			st = diffStyles[line[0]]
		}
		t.line("     ", []word{{visible.Line(line, lineLimit), st}})
	}
}

func (t *terminal) byHand(h ByHand) {
	t.fix(0, newFix(h.Summary, h.Side, h.Risk, h.Steps))
	if h.Why != "" {
		t.item(0, "", words(dim, cleanLine(h.Why)))
	}
}
