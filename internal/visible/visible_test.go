package visible

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestLine(t *testing.T) {
	for _, c := range []struct {
		in    string
		limit int
		want  string
	}{
		{"plain", 10, "plain"},
		{"\x1b[31mred\x07", 99, `\x1b[31mred\x07`},
		{"a\r\nb\tc", 99, `a\r\nb\tc`},
		{"\xff\x00", 99, `\xff\x00`},
		{"right\u202eleft", 99, `right\u202eleft`},
		{"grüß", 99, "grüß"},
		{"grüß", 3, "gr..."},
		{"\x9b31m", 99, `\x9b31m`},
		{"\u009b31m", 99, `\u009b31m`},
		{"abcdef", 3, "abc..."},
		{"", 0, ""},
		{"x", 0, "..."},
	} {
		if got := Line(c.in, c.limit); got != c.want {
			t.Errorf("Line(%q, %d) = %q, want %q", c.in, c.limit, got, c.want)
		}
	}
	if got, want := Text("one\r\ntwo\t\x1b[2J", 99), "one\ntwo\t"+`\x1b[2J`; got != want {
		t.Errorf("Text = %q, want %q", got, want)
	}
}

func FuzzLine(f *testing.F) {
	f.Add("\x1b]0;title\x07", 5)
	f.Add("\xe2\x80", 1)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = max(0, limit%1000)
		out := Line(s, limit)
		if !utf8.ValidString(out) || strings.ContainsFunc(out, func(r rune) bool { return !unicode.IsPrint(r) && r != ' ' }) {
			t.Fatalf("Line(%q, %d) = %q is not printable", s, limit, out)
		}
	})
}
