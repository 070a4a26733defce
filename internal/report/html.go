package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"maps"
	"slices"
	"strings"
)

// HTML writes the report as one self-contained page: no script, nothing loaded
// from anywhere, readable on light and on dark. It also holds every fact.
func HTML(w io.Writer, r Report) error {
	var d document
	p := newPage(r)
	d.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n" +
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n" +
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n" +
		"<meta name=\"color-scheme\" content=\"light dark\">\n")
	d.el("title", "", p.who+": "+p.verdict)
	d.raw("<style>\n" + stylesheet + "</style>\n</head>\n<body>\n<header>\n<h1>")
	d.text(p.who + ": ")
	d.span(verdictClasses[r.Verdict], p.verdict)
	d.raw("</h1>\n")
	d.el("p", "says", p.says)
	d.reached(p)
	d.raw("</header>\n")
	for i, s := range p.findings {
		d.finding(i, s)
	}
	d.rest(p)
	d.facts(r)
	d.el("footer", "", "Spent "+p.spent+". Checked "+p.made+".")
	d.raw("</body>\n</html>\n")
	_, err := io.WriteString(w, d.b.String())
	return err
}

var verdictClasses = map[Verdict]string{Healthy: "healthy", AtRisk: "at-risk", Broken: "broken", Unknown: "unknown"}

// A document is the page so far. Only raw writes markup; whatever is in a
// report goes through text.
type document struct{ b strings.Builder }

func (d *document) raw(markup string) { d.b.WriteString(markup) }
func (d *document) text(s string)     { d.b.WriteString(html.EscapeString(s)) }

// span writes text in a span of that class.
func (d *document) span(class, text string) {
	d.raw(`<span class="` + class + `">`)
	d.text(text)
	d.raw("</span>")
}

// el writes an element that holds text only.
func (d *document) el(tag, class, text string) {
	if class != "" {
		d.raw("<" + tag + ` class="` + class + `">`)
	} else {
		d.raw("<" + tag + ">")
	}
	d.text(text)
	d.raw("</" + tag + ">\n")
}

func (d *document) reached(p page) {
	if len(p.stages) > 0 {
		d.raw("<ol class=\"track\">\n")
		for _, s := range p.stages {
			if s.failed != "" {
				d.el("li", "failed", s.name+": "+s.failed)
				continue
			}
			d.el("li", "", strings.TrimSpace(s.name+" "+s.took))
		}
		d.raw("</ol>\n")
	}
	if len(p.beside) > 0 {
		d.el("p", "quiet", strings.Join(p.beside, " · "))
	}
	d.seen(p.heard)
	d.fixes(p.next)
}

func (d *document) finding(i int, s section) {
	d.raw("<section>\n<h2>")
	d.text(fmt.Sprintf("%d. %s ", i+1, s.title))
	d.span("quiet", "["+s.cause+"]")
	d.raw("</h2>\n")
	d.el("p", "status", s.status+": "+s.impact)
	d.paragraphs(s.summary)
	d.seen(s.evidence)
	if len(s.why) > 0 {
		d.raw("<h3>Why</h3>\n")
		d.paragraphs(s.why)
	}
	d.fixes(s.fixes)
	d.raw("</section>\n")
}

func (d *document) seen(list []evidence) {
	if len(list) == 0 {
		return
	}
	d.raw("<h3>Seen</h3>\n<ul>\n")
	for _, e := range list {
		d.raw("<li>")
		d.text(e.says + " ")
		d.span("quiet", "("+e.source+")")
		d.raw("</li>\n")
	}
	d.raw("</ul>\n")
}

func (d *document) paragraphs(ps []string) {
	for _, p := range ps {
		d.el("p", "", p)
	}
}

func (d *document) fixes(list []fix) {
	if len(list) > 0 {
		d.raw("<h3>Do</h3>\n")
	}
	for _, f := range list {
		d.fix(f)
	}
}

func (d *document) fix(f fix) {
	d.raw("<p><strong>")
	d.text(f.summary)
	d.raw("</strong> ")
	d.span("quiet", "("+f.where+")")
	d.raw("</p>\n<ol>\n")
	for _, step := range f.steps {
		d.raw("<li>")
		for i := 0; i < len(step); i++ {
			if !step[i].exact {
				d.el("p", "", step[i].text)
				continue
			}
			code := copied(step[i:])
			i += len(code) - 1
			d.el("pre", "", strings.Join(code, "\n"))
		}
		d.raw("</li>\n")
	}
	d.raw("</ol>\n")
}

func (d *document) rest(p page) {
	d.raw("<dl>\n")
	last := ""
	for _, n := range p.history {
		label := n.name
		if label == last {
			label = ""
		}
		last = n.name
		d.entry(label, n.says)
	}
	d.entry("fine", strings.Join(p.fine, ", "))
	for i, n := range p.possible {
		d.entry(once(i, "possible"), n.name+": "+n.says)
	}
	d.entry("unclear", strings.Join(p.unclear, ", "))
	for i, n := range p.unseen {
		d.entry(once(i, "not seen"), n.name+": "+n.says)
	}
	d.entry("", p.hint)
	d.raw("</dl>\n")
}

// entry writes what belongs to a label; without a label, to the one before.
func (d *document) entry(label, text string) {
	if text == "" {
		return
	}
	if label != "" {
		d.el("dt", "", label)
	}
	d.el("dd", "", text)
}

func (d *document) facts(r Report) {
	d.raw("<details>\n")
	d.el("summary", "", "All that was seen: "+count(len(r.Facts), "fact", "facts"))
	d.raw("<div class=\"scroll\"><table>\n<tr><th>fact</th><th>value</th><th>source</th></tr>\n")
	for _, name := range slices.Sorted(maps.Keys(r.Facts)) {
		f := r.Facts[name]
		var value bytes.Buffer
		if json.Compact(&value, f.Value) != nil {
			value.Reset()
		}
		d.raw("<tr><td>")
		d.text(cleanName(name))
		d.raw("</td><td>")
		d.text(strings.TrimSpace(cleanLine(value.String()) + " " + cleanName(f.Unit)))
		d.raw("</td><td>")
		d.text(cleanName(f.Source))
		d.raw("</td></tr>\n")
	}
	d.raw("</table></div>\n</details>\n<details>\n")
	d.el("summary", "", "All that was not: "+count(len(r.Missing), "fact", "facts"))
	d.raw("<div class=\"scroll\"><table>\n<tr><th>fact</th><th>reason</th></tr>\n")
	for _, m := range r.Missing {
		d.raw("<tr><td>")
		d.text(cleanName(m.Fact))
		d.raw("</td><td>")
		d.text(cleanLine(m.Reason))
		d.raw("</td></tr>\n")
	}
	d.raw("</table></div>\n</details>\n")
}
