package report

import (
	"strings"
	"unicode"
)

// A word is what is never broken while it fits on a line, and how it looks.
type word struct {
	text  string
	style style
}

// words splits prose at its spaces.
func words(st style, s string) []word {
	var out []word
	for w := range strings.FieldsSeq(s) {
		out = append(out, word{w, st})
	}
	return out
}

// wrap fills lines of at most width cells, and all but the first of in cells
// less. A word longer than a line is broken where the line ends.
func wrap(ws []word, width, in int) [][]word {
	var lines [][]word
	var line []word
	room := width
	next := func() {
		if len(line) > 0 {
			lines = append(lines, line)
		}
		line, room = nil, width-in
	}
	for _, w := range ws {
		if len(line) > 0 {
			if cells(w.text)+1 > room {
				next()
			} else {
				room--
			}
		}
		for cells(w.text) > room {
			head, tail := split(w.text, room)
			line = append(line, word{head, w.style})
			w.text = tail
			next()
		}
		line, room = append(line, w), room-cells(w.text)
	}
	next()
	return lines
}

// split cuts s after as many characters as fit into width cells, one at least.
func split(s string, width int) (head, tail string) {
	used := 0
	for i, r := range s {
		if used += cell(r); used > width && i > 0 {
			return s[:i], s[i:]
		}
	}
	return s, ""
}

// length is how many cells a line takes.
func length(line []word) int {
	n := max(0, len(line)-1)
	for _, w := range line {
		n += cells(w.text)
	}
	return n
}

// cells counts the columns that s takes on a terminal.
func cells(s string) int {
	n := 0
	for _, r := range s {
		n += cell(r)
	}
	return n
}

// wide are the scripts and signs that take two columns.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x1100, 0x115f, 1}, {0x2e80, 0x303e, 1}, {0x3041, 0xa4cf, 1}, {0xa960, 0xa97f, 1}, {0xac00, 0xd7a3, 1},
		{0xf900, 0xfaff, 1}, {0xfe30, 0xfe6f, 1}, {0xff00, 0xff60, 1}, {0xffe0, 0xffe6, 1},
	},
	R32: []unicode.Range32{{0x1f300, 0x1f64f, 1}, {0x1f680, 0x1f6ff, 1}, {0x1f900, 0x1faff, 1}, {0x20000, 0x3fffd, 1}},
}

func cell(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case unicode.Is(wide, r):
		return 2
	}
	return 1
}
