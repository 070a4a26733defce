package report

import (
	"slices"
	"strings"

	"sshtay/internal/remedy"
)

// setOut gives a step the form of the report: what is to be copied stands on
// lines of its own, which begin with white space. Nothing is lost or added but
// the ", " and "and" between settings.
func setOut(s remedy.Step) string {
	if run := s.With["run"]; run != "" {
		if note, found := strings.CutPrefix(s.Text, run); found {
			return lines(copiedIndent+strings.ReplaceAll(run, "\n", "\n"+copiedIndent), strings.TrimSpace(note))
		}
	}
	for i := range s.Text {
		if !strings.HasPrefix(s.Text[i:], ": ") {
			continue
		}
		if settings, then, ok := takeSettings(s.Text[i+2:], s.With); ok {
			return lines(s.Text[:i+1], copiedIndent+strings.Join(settings, "\n"+copiedIndent), then)
		}
	}
	return s.Text
}

const copiedIndent = "    "

// takeSettings takes every setting of with from the beginning of text, and
// returns them as they stand there, and what comes after them.
func takeSettings(text string, with map[string]string) (settings []string, then string, ok bool) {
	left := len(with)
	taken := map[string]bool{}
	for {
		option, setting := nextSetting(text, with)
		if setting == "" || taken[option] {
			break
		}
		taken[option] = true
		settings = append(settings, setting)
		text = strings.TrimPrefix(strings.TrimPrefix(text[len(setting):], ","), " and")
		text = strings.TrimLeft(text, " ")
		left--
	}
	return settings, strings.TrimLeft(text, ";,. "), left == 0 && len(settings) > 0
}

// nextSetting finds the option, of with, that text sets at its beginning. Its
// end is the end of a word.
func nextSetting(text string, with map[string]string) (option, setting string) {
	for o, value := range with {
		for _, between := range []string{" ", "=", " = "} {
			s := o + between + value
			rest, found := strings.CutPrefix(text, s)
			if found && (rest == "" || strings.IndexByte(" ,;.", rest[0]) >= 0) && len(s) > len(setting) {
				option, setting = o, s
			}
		}
	}
	return option, setting
}

// lines joins those that are not empty.
func lines(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return strings.TrimSpace(s) == "" }), "\n")
}

// A stepLine that is exact is there to be copied, and is never broken.
type stepLine struct {
	text  string
	exact bool
}

// stepLines reads the form of the report back. Empty lines stay between lines
// to copy only, and lines to copy are set in only below a sentence.
func stepLines(step string) []stepLine {
	var out []stepLine
	gap := false
	for text := range strings.SplitSeq(cleanText(step), "\n") {
		text = strings.TrimRight(text, " ")
		if text == "" {
			gap = len(out) > 0 && out[len(out)-1].exact
			continue
		}
		exact := text[0] == ' '
		if gap && exact {
			out = append(out, stepLine{"", true})
		}
		out = append(out, stepLine{text, exact})
		gap = false
	}
	first := copied(out)
	for i, text := range first {
		out[i].text = text
	}
	return out
}

// copied returns the lines to copy with which the lines begin, without the
// spaces that all of them begin with.
func copied(lines []stepLine) []string {
	if end := slices.IndexFunc(lines, func(l stepLine) bool { return !l.exact }); end >= 0 {
		lines = lines[:end]
	}
	common := -1
	for _, l := range lines {
		if n := len(l.text) - len(strings.TrimLeft(l.text, " ")); l.text != "" && (common < 0 || n < common) {
			common = n
		}
	}
	var out []string
	for _, l := range lines {
		out = append(out, l.text[min(max(common, 0), len(l.text)):])
	}
	return out
}
