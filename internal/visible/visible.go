// Package visible makes text from elsewhere safe to print: whatever could move
// a cursor, change a colour, reorder a line or hide is shown as an escape.
package visible

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line returns s as one printable line of at most limit bytes of s: control
// and format characters, line ends and bytes that are not UTF-8 become escapes
// as Go and C write them, and "..." tells that something was cut.
func Line(s string, limit int) string {
	cut := len(s) > limit
	if cut {
		s = whole(s[:limit])
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		write(&b, r, s[:size])
		s = s[size:]
	}
	if cut {
		b.WriteString("...")
	}
	return b.String()
}

// Text is [Line] for text of several lines: line ends and tabs stay, carriage
// returns before a line end go.
func Text(s string, limit int) string {
	lines := strings.Split(Cut(s, limit), "\n")
	for i, l := range lines {
		parts := strings.Split(strings.TrimSuffix(l, "\r"), "\t")
		for k, p := range parts {
			parts[k] = Line(p, len(p))
		}
		lines[i] = strings.Join(parts, "\t")
	}
	return strings.Join(lines, "\n")
}

// Cut returns the first limit bytes of s.
func Cut(s string, limit int) string {
	if len(s) > limit {
		return s[:limit]
	}
	return s
}

// whole drops a character that was cut in two at the end of s.
func whole(s string) string {
	for i := len(s) - 1; i >= max(0, len(s)-utf8.UTFMax); i-- {
		if utf8.RuneStart(s[i]) {
			if !utf8.FullRuneInString(s[i:]) {
				return s[:i]
			}
			break
		}
	}
	return s
}

func write(b *strings.Builder, r rune, raw string) {
	switch {
	case r == utf8.RuneError && len(raw) == 1:
		fmt.Fprintf(b, `\x%02x`, raw[0])
	case r == '\n':
		b.WriteString(`\n`)
	case r == '\r':
		b.WriteString(`\r`)
	case r == '\t':
		b.WriteString(`\t`)
	case unicode.IsPrint(r) || r == ' ':
		b.WriteRune(r)
	case r < 0x80:
		fmt.Fprintf(b, `\x%02x`, r)
	case r < 0x10000:
		fmt.Fprintf(b, `\u%04x`, r)
	default:
		fmt.Fprintf(b, `\U%08x`, r)
	}
}
