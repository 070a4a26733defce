package report

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// TestSafe: no story, the hostile one least of all, gets through a renderer
// what a terminal, a browser or a Markdown reader would act on.
func TestSafe(t *testing.T) {
	for story, tell := range stories {
		t.Run(story, func(t *testing.T) { checkSafe(t, New(tell(t))) })
	}
}

// FuzzSafe: the same with any text in the place of every text.
func FuzzSafe(f *testing.F) {
	f.Add(nasty)
	for _, s := range []string{"", "plain words", "a_b _c_ d__", "1. x\n    y\n\nz", "```\n", "`", "\\", "a` b", "[x]: y", "x:", "@", "&#64;", "\u00a0 - \u3000", "長い"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r := New(healthy(t))
		r.Version, r.Reached, r.Verdict = s, "banner", Broken
		r.Target = Target{Given: s, User: s, Host: s, Port: 22, Jumps: []string{s, s}}
		r.Facts["handshake.banner"] = Fact{Value: mustJSON(t, s), Unit: s, Source: s}
		r.Facts["login.reason"] = Fact{Value: mustJSON(t, []string{s}), Unit: s, Source: s}
		r.Facts["handshake.reason"] = r.Facts["handshake.banner"]
		r.Facts[s] = r.Facts["login.reason"]
		r.Missing = []Missing{{s, s}, {s + "x", "y" + s}}
		r.Causes = []Judged{{s, "possible", "breaks", s}, {s, "ruled-out", "", s}, {s, "unknown", "", s}, {s, s, s, s}}
		fix := Remedy{ID: s, Side: s, Risk: s, Summary: s, Steps: []string{s, "Do this:\n    " + s, s + ".", s + "\n" + s}}
		r.Findings = []Finding{
			{Cause: s, Status: s, Impact: s, Title: s, Summary: s, Why: s, Evidence: []Evidence{{s, s, s}}, Remedies: []Remedy{fix}},
			{Cause: s, Summary: s + ". " + s, Evidence: []Evidence{{Fact: s, Says: s}}, Remedies: []Remedy{fix, fix}},
		}
		checkSafe(t, r)
	})
}

func mustJSON(t *testing.T, v any) json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func checkSafe(t *testing.T, r Report) {
	t.Helper()
	checkPrintable(t, "JSON", write(t, JSON, r))
	markdown := write(t, Markdown, r)
	checkPrintable(t, "Markdown", markdown)
	checkMarkdown(t, string(markdown))
	page := write(t, HTML, r)
	checkPrintable(t, "HTML", page)
	checkHTML(t, string(page))
	for _, width := range []int{40, 77} {
		plain := write(t, text(width, false), r)
		checkPrintable(t, "text", plain)
		checkWidth(t, string(plain), r, width)
		painted := write(t, text(width, true), r)
		if got := sgr.ReplaceAllString(string(painted), ""); got != string(plain) {
			t.Errorf("colour changes the text:\n%s\n%s", plain, got)
		}
	}
}

var (
	sgr      = regexp.MustCompile(`\x1b\[[0-9;]*m`)
	numbered = regexp.MustCompile(`^\d+\. `)
	tags     = regexp.MustCompile(`<[^>]*>?`)
	fences   = regexp.MustCompile("^(?:\\d+\\. | *)(`{3,})$")
)

// checkPrintable: nothing moves a cursor, changes a colour, reorders or hides.
func checkPrintable(t *testing.T, form string, text []byte) {
	t.Helper()
	if !utf8.Valid(text) {
		t.Errorf("%s is not UTF-8", form)
	}
	for _, r := range string(text) {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Fatalf("%s holds %U, which is not printable", form, r)
		}
	}
}

// checkWidth: only lines that are there to be copied are longer.
func checkWidth(t *testing.T, text string, r Report, width int) {
	t.Helper()
	exact := map[string]bool{}
	p := newPage(r)
	fixes := p.next
	for _, s := range p.findings {
		fixes = append(fixes, s.fixes...)
	}
	for _, f := range fixes {
		for _, step := range f.steps {
			for _, l := range step {
				exact[strings.TrimSpace(l.text)] = l.exact || exact[strings.TrimSpace(l.text)]
			}
		}
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		copied := strings.TrimSpace(line)
		if cells(line) > width && !exact[copied] && !exact[strings.TrimSpace(numbered.ReplaceAllString(copied, ""))] {
			t.Errorf("%d columns where %d are allowed: %s", cells(line), width, line)
		}
		if strings.TrimRight(line, " ") != line {
			t.Errorf("spaces at the end of %q", line)
		}
	}
}

// ownTags are all the tags that the page is made of.
var ownTags = regexp.MustCompile(`^</?(html|head|meta|title|style|body|header|section|h1|h2|h3|p|span|strong|ol|ul|li|dl|dt|dd|pre|details|summary|div|table|tr|th|td|footer)( (class|lang|charset|name|content|http-equiv)="[a-zA-Z0-9 ,;:='.-]*")*>$`)

func checkHTML(t *testing.T, page string) {
	t.Helper()
	body, found := strings.CutPrefix(page, "<!DOCTYPE html>\n")
	if !found || !strings.HasSuffix(page, "</html>\n") {
		t.Error("no whole HTML document")
	}
	open := 0
	for _, tag := range tags.FindAllString(body, -1) {
		if !ownTags.MatchString(tag) {
			t.Errorf("the page holds %s", tag)
		}
		switch {
		case strings.HasPrefix(tag, "</"):
			open--
		case !strings.HasPrefix(tag, "<meta"):
			open++
		}
	}
	if open != 0 {
		t.Errorf("%d elements are not closed", open)
	}
}

// checkMarkdown takes away what is code and what is escaped, and looks for
// markup that is not ours.
func checkMarkdown(t *testing.T, text string) {
	t.Helper()
	fence := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		mark := fences.FindStringSubmatch(line)
		switch {
		case fence == "" && mark != nil:
			fence = mark[1]
		case fence != "" && mark != nil && mark[1] == fence:
			fence = ""
		case fence == "":
			checkMarkdownLine(t, line)
		}
	}
	if fence != "" {
		t.Error("a block of code is not closed")
	}
}

var (
	ownMarks = regexp.MustCompile(`^(# |## \d+\. |- |\d+\. )`)
	ownBold  = regexp.MustCompile(`\*\*[^*]*\*\*`)
	escaped  = regexp.MustCompile("\\\\[\\\\`*_\\[\\]<>&|~$^+=.)-]")
	markup   = regexp.MustCompile("(?i)[\\\\`*\\[\\]<>&|~$^#@]|://|www\\.|^\\s*([-+=]|\\d+[.)])|[^a-z0-9]_|_[^a-z0-9]|^_|_$")
)

func checkMarkdownLine(t *testing.T, line string) {
	t.Helper()
	bare := escaped.ReplaceAllString(withoutCode(line), "·")
	bare = ownBold.ReplaceAllString(ownMarks.ReplaceAllString(bare, ""), "")
	if m := markup.FindString(bare); m != "" {
		t.Errorf("%q is markup in %q", m, line)
	}
}

// withoutCode takes the code spans out of a line, as CommonMark finds them: a
// run of backticks that no backslash escapes, up to the next run of its length.
func withoutCode(line string) string {
	var out strings.Builder
	for i := 0; i < len(line); {
		if line[i] == '\\' && i+1 < len(line) {
			out.WriteString(line[i : i+2])
			i += 2
			continue
		}
		if line[i] != '`' {
			out.WriteByte(line[i])
			i++
			continue
		}
		run := len(line[i:]) - len(strings.TrimLeft(line[i:], "`"))
		end := i + run
		for end < len(line) {
			n := len(line[end:]) - len(strings.TrimLeft(line[end:], "`"))
			if n == run {
				break
			}
			end += max(n, 1)
		}
		if end >= len(line) {
			return out.String() + line[i:] // not closed: for the caller to see
		}
		out.WriteString("code")
		i = end + run
	}
	return out.String()
}
