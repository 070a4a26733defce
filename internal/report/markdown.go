package report

import (
	"fmt"
	"io"
	"regexp"
	"strings"
)

// Markdown writes the report to be pasted into an issue or a ticket. Text from
// elsewhere can form no link, heading, list, picture or markup in it.
func Markdown(w io.Writer, r Report) error {
	var m markdown
	p := newPage(r)
	m.block("# " + mdText(p.who+": "+p.verdict))
	m.block(mdText(p.says))
	m.reached(p)
	for i, s := range p.findings {
		m.finding(i, s)
	}
	m.history(p.history)
	m.rest(p)
	_, err := io.WriteString(w, m.b.String())
	return err
}

type markdown struct{ b strings.Builder }

// block writes a block, apart from the one before.
func (m *markdown) block(lines ...string) {
	if len(lines) == 0 {
		return
	}
	if m.b.Len() > 0 {
		m.b.WriteByte('\n')
	}
	for _, l := range lines {
		m.b.WriteString(strings.TrimRight(l, " ") + "\n")
	}
}

func (m *markdown) reached(p page) {
	var track []string
	for _, s := range p.stages {
		if s.failed != "" {
			track = append(track, "**"+s.name+":** "+mdCode(s.failed))
			continue
		}
		track = append(track, strings.TrimSpace(s.name+" "+s.took))
	}
	if len(track) > 0 {
		m.block("Reached: " + strings.Join(track, " → "))
	}
	var beside []string
	for _, s := range p.beside {
		beside = append(beside, mdText(s))
	}
	if len(beside) > 0 {
		m.block(strings.Join(beside, " · "))
	}
	m.seen(p.heard)
	m.fixes(p.next)
}

func (m *markdown) finding(i int, s section) {
	m.block(fmt.Sprintf("## %d. %s (%s)", i+1, mdText(s.title), mdCode(s.cause)))
	m.block("**" + mdText(s.status+": "+s.impact) + ".**")
	for _, p := range s.summary {
		m.block(mdText(p))
	}
	m.seen(s.evidence)
	for k, p := range s.why {
		if k == 0 {
			m.block("**Why**")
		}
		m.block(mdText(p))
	}
	m.fixes(s.fixes)
}

func (m *markdown) seen(list []evidence) {
	var seen []string
	for _, e := range list {
		seen = append(seen, "- "+mdText(e.says)+" ("+mdCode(e.source)+")")
	}
	if len(seen) > 0 {
		m.block("**Seen**")
		m.block(seen...)
	}
}

func (m *markdown) fixes(list []fix) {
	for _, f := range list {
		m.block("**Do:** " + mdText(f.summary) + " (" + mdText(f.where) + ")")
		for k, step := range f.steps {
			m.block(mdStep(fmt.Sprintf("%d. ", k+1), step)...)
		}
	}
}

// mdStep writes a step as an item of a list, its lines to copy as code.
func mdStep(mark string, step []stepLine) []string {
	pad := strings.Repeat(" ", len(mark))
	var out []string
	for i := 0; i < len(step); i++ {
		if !step[i].exact {
			out = append(out, pad+mdText(step[i].text))
			continue
		}
		code := copied(step[i:])
		i += len(code) - 1
		fence := strings.Repeat("`", max(3, 1+longestRun(strings.Join(code, "\n"), '`')))
		if len(out) > 0 {
			out = append(out, "")
		}
		out = append(out, pad+fence)
		for _, l := range code {
			out = append(out, pad+l)
		}
		out = append(out, pad+fence)
	}
	out[0] = mark + strings.TrimPrefix(out[0], pad)
	return out
}

func (m *markdown) history(notes []note) {
	var lines []string
	for i, n := range notes {
		switch {
		case i == 0:
			m.block("**What the logs tell** " + mdText(n.says))
		default:
			lines = append(lines, "- "+mdText(n.name)+": "+mdText(n.says))
		}
	}
	m.block(lines...)
}

func (m *markdown) rest(p page) {
	var possible []string
	for _, n := range p.possible {
		possible = append(possible, "- "+mdCode(n.name)+": "+mdText(n.says))
	}
	if len(possible) > 0 {
		m.block("**Possible**")
		m.block(possible...)
	}
	if len(p.fine) > 0 {
		m.block("**Fine:** " + mdCodes(p.fine))
	}
	if len(p.unclear) > 0 {
		m.block("**Unclear:** " + mdCodes(p.unclear))
	}
	var unseen []string
	for _, n := range p.unseen {
		unseen = append(unseen, "- "+mdText(n.name)+": "+mdText(n.says))
	}
	if len(unseen) > 0 {
		m.block("**Not seen**")
		m.block(unseen...)
	}
	if p.hint != "" {
		m.block(mdText(p.hint))
	}
	m.block(mdText("Spent " + p.spent + ". Checked " + p.made + "."))
}

func mdCodes(names []string) string {
	var out []string
	for _, n := range names {
		out = append(out, mdCode(n))
	}
	return strings.Join(out, ", ")
}

// mdCode makes a code span: nothing in it is markup.
func mdCode(s string) string {
	if strings.TrimSpace(s) == "" {
		return ""
	}
	fence := strings.Repeat("`", 1+longestRun(s, '`'))
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") || s[0] == ' ' || s[len(s)-1] == ' ' {
		s = " " + s + " "
	}
	return fence + s + fence
}

var (
	// mdFirst can be markup at the beginning of a line.
	mdFirst = regexp.MustCompile(`^(\d*)([-+=.)])`)
	// mdLink finds what Markdown, or a site that shows it, turns into links.
	mdLink = regexp.MustCompile(`(?i)@|://|www\.|#`)
	// mdWord tells a word from the punctuation around it.
	mdWord = regexp.MustCompile(`^([("]*)(.*?)([)",.:;]*)$`)
)

// mdText makes prose that reads as it stands. Words that would become links,
// which no backslash prevents everywhere, are shown as code.
func mdText(s string) string {
	ws := strings.Fields(s)
	for i, w := range ws {
		if mdLink.MatchString(w) {
			part := mdWord.FindStringSubmatch(w)
			ws[i] = part[1] + mdCode(part[2]) + part[3]
			continue
		}
		ws[i] = mdEscape(w)
		if i == 0 {
			ws[i] = mdFirst.ReplaceAllString(ws[i], `$1\$2`)
		}
	}
	return strings.Join(ws, " ")
}

// mdEscape puts a backslash before what can be markup anywhere in a line. An
// underscore is none between letters.
func mdEscape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		inside := i > 0 && i+1 < len(s) && alphanumeric(s[i-1]) && alphanumeric(s[i+1])
		if strings.IndexByte("\\`*[]<>&|~$^", s[i]) >= 0 || s[i] == '_' && !inside {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// longestRun is the length of the longest run of c in s.
func longestRun(s string, c byte) int {
	longest, run := 0, 0
	for i := range len(s) {
		if s[i] != c {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}
