package report

import (
	"strings"
	"testing"
)

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		in        string
		width, by int
		want      string
	}{
		{"", 10, 0, ""},
		{"one two three", 7, 0, "one two|three"},
		{"one two three", 13, 0, "one two three"},
		{"one two three", 12, 0, "one two|three"},
		{"aaaa bbbb cc", 9, 4, "aaaa bbbb|cc"},
		{"aaaa bbbbb cc", 9, 2, "aaaa|bbbbb|cc"},
		{"a bcdefghij k", 4, 0, "a|bcde|fghi|j k"},
		{"長い長い", 4, 0, "長い|長い"},
		{"長い長い", 5, 0, "長い|長い"},
		{"e\u0301e\u0301 e\u0301", 4, 0, "e\u0301e\u0301 e\u0301"},
	} {
		var lines []string
		for _, l := range wrap(words(normal, c.in), c.width, c.by) {
			var ws []string
			for _, w := range l {
				ws = append(ws, w.text)
			}
			lines = append(lines, strings.Join(ws, " "))
		}
		if got := strings.Join(lines, "|"); got != c.want {
			t.Errorf("wrap(%q, %d, %d) = %s, want %s", c.in, c.width, c.by, got, c.want)
		}
	}
}

// FuzzWrap: nothing is lost, and no line is too long.
func FuzzWrap(f *testing.F) {
	f.Add("plain words and averyverylongone", 12, 2)
	f.Add("長い e\u0301 \U0001f600 x", 3, 1)
	f.Fuzz(func(t *testing.T, s string, width, in int) {
		width = 4 + max(0, width%100)
		in = max(0, in%(width-2))
		var all strings.Builder
		for i, l := range wrap(words(normal, s), width, in) {
			room := width
			if i > 0 {
				room -= in
			}
			if length(l) > room {
				t.Fatalf("%d cells in %d: %v", length(l), room, l)
			}
			for _, w := range l {
				all.WriteString(w.text)
			}
		}
		if got, want := all.String(), strings.Join(strings.Fields(s), ""); got != want {
			t.Fatalf("wrap made %q of %q", got, want)
		}
	})
}

func TestSpan(t *testing.T) {
	for s, want := range map[float64]string{
		0: "0.0 ms", 0.00042: "0.4 ms", 0.0203: "20 ms", 0.9994: "999 ms", 0.9996: "1.0 s", 1.9: "1.9 s",
		59.94: "59.9 s", 60: "1 min 0 s", 3599.6: "1 h 0 min", 7875: "2 h 11 min", 1e300: "277777 h 46 min",
	} {
		if got := span(s); got != want {
			t.Errorf("span(%g) = %s, want %s", s, got, want)
		}
	}
}

func TestFirstSentence(t *testing.T) {
	for in, want := range map[string]string{
		"One. Two.":                     "One.",
		"One":                           "One",
		"OpenSSH 9.6 is fine. It is.":   "OpenSSH 9.6 is fine.",
		"Set a.b to 1, e.g. here. Now.": "Set a.b to 1, e.g. here.",
		"Why? 3 reasons.":               "Why?",
		"":                              "",
		"a. ":                           "a. ",
		"Ende. Übrigens.":               "Ende.",
	} {
		got, rest := firstSentence(in)
		if got != want || strings.TrimSpace(got+" "+rest) != strings.TrimSpace(in) {
			t.Errorf("firstSentence(%q) = %q, %q", in, got, rest)
		}
	}
}
