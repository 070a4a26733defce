package report

import (
	"fmt"
	"io"
	"strings"
)

// TextOptions says for what the text is meant.
type TextOptions struct {
	Width int  // columns of the terminal; 0 is 80. Lines stay between 40 and 100.
	Color bool // never the only carrier of a meaning
}

// Text writes the report for a person at a terminal: the verdict first, then
// each finding with what to do, then, shorter, all that was fine or could not
// be seen. Only lines that are there to be copied may be longer than Width.
func Text(w io.Writer, r Report, o TextOptions) error {
	if o.Width <= 0 {
		o.Width = 80
	}
	t := &terminal{width: min(max(o.Width, 40), 100), color: o.Color}
	p := newPage(r)
	t.head(p)
	for i, s := range p.findings {
		t.finding(i, s)
	}
	if len(p.history) > 0 {
		t.blank()
		t.history(p.history)
	}
	t.foot(p)
	_, err := io.WriteString(w, t.b.String())
	return err
}

// Headline writes the verdict, and the findings' titles.
func Headline(w io.Writer, r Report, o TextOptions) error {
	if o.Width <= 0 {
		o.Width = 80
	}
	t := &terminal{width: min(max(o.Width, 40), 100), color: o.Color}
	p := newPage(r)
	ws := append(words(bold, p.who+":"), words(verdictStyles[p.verdict], p.verdict+".")...)
	t.hang("", append(ws, words(normal, p.says)...))
	for _, s := range p.findings {
		t.hang("  - ", append(words(normal, s.title), words(dim, "["+s.cause+"] "+s.status)...))
	}
	_, err := io.WriteString(w, t.b.String())
	return err
}

var verdictStyles = map[string]style{"healthy": green, "at risk": yellow, "broken": red, "broken, cause unknown": red, "unknown": bold}

func (t *terminal) head(p page) {
	ws := words(bold, p.who+":")
	ws = append(ws, words(verdictStyles[p.verdict], p.verdict+".")...)
	t.hang("", append(ws, words(normal, p.says)...))
	var track []word
	for i, s := range p.stages {
		if i > 0 {
			track = append(track, word{"→", dim})
		}
		if s.failed != "" {
			track = append(track, word{s.name + ": " + s.failed, red})
			continue
		}
		track = append(track, word{strings.TrimSpace(s.name + " " + s.took), normal})
	}
	if len(track)+len(p.beside) > 0 {
		t.blank()
	}
	t.beside(0, "reached", track)
	t.beside(0, once(len(track), "reached"), words(dim, strings.Join(p.beside, " · ")))
	for k, e := range p.heard {
		t.evidence(0, once(k, "seen"), e)
	}
	for _, f := range p.next {
		t.fix(0, f)
	}
}

func (t *terminal) finding(i int, s section) {
	t.blank()
	t.hang(fmt.Sprintf("%d. ", i+1), append(words(bold, s.title), words(dim, "["+s.cause+"]")...))
	t.hang("   ", words(normal, s.status+": "+s.impact))
	summary := s.summary
	if i == 0 && len(summary) > 0 { // its first sentence is the verdict's
		_, rest := firstSentence(strings.Join(summary, " "))
		summary = []string{rest}
	}
	for _, p := range summary {
		t.hang("   ", words(normal, p))
	}
	for k, e := range s.evidence {
		t.evidence(3, once(k, "seen"), e)
	}
	for k, p := range s.why {
		t.beside(3, once(k, "why"), words(normal, p))
	}
	for _, f := range s.fixes {
		t.fix(3, f)
	}
}

// evidence keeps the source in one piece where a line can hold it.
func (t *terminal) evidence(indent int, label string, e evidence) {
	source := words(dim, "("+e.source+")")
	if length(source) <= t.width-gutter-hanging {
		source = []word{{"(" + e.source + ")", dim}}
	}
	t.item(indent, label, append(words(normal, e.says), source...))
}

func (t *terminal) fix(indent int, f fix) {
	t.item(indent, "do", append(words(bold, f.summary), words(dim, "("+f.where+")")...))
	for i, step := range f.steps {
		lead := strings.Repeat(" ", gutter+hanging)
		if len(f.steps) > 1 {
			lead += fmt.Sprintf("%d. ", i+1)
		}
		for _, l := range step {
			if l.exact {
				t.line(lead, []word{{l.text, cyan}})
			} else {
				t.hang(lead, words(normal, l.text))
			}
			lead = strings.Repeat(" ", len(lead))
		}
	}
}

func (t *terminal) foot(p page) {
	t.blank()
	t.beside(0, "fine", words(normal, strings.Join(p.fine, ", ")))
	for i, n := range p.possible {
		t.item(0, once(i, "possible"), append(words(bold, n.name+":"), words(normal, n.says)...))
	}
	t.beside(0, "unclear", words(normal, strings.Join(p.unclear, ", ")))
	for i, n := range p.unseen {
		t.item(0, once(i, "not seen"), append(words(normal, n.name+":"), words(dim, n.says)...))
	}
	t.beside(0, "", words(normal, p.hint))
	if p.mend != "" {
		t.beside(0, "mend", append([]word{{p.mend, cyan}}, words(normal, "shows what can be changed from here, and asks")...))
	}
	t.beside(0, "spent", words(dim, p.spent))
}

// once gives a label to the first of several lines.
func once(i int, label string) string {
	if i > 0 {
		return ""
	}
	return label
}
