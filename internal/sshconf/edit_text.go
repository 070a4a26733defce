package sshconf

import (
	"bytes"
	"slices"
	"strings"
)

// Edits of text. Each puts bytes in one place and leaves all others alone.

// section is a stretch of directives: those before the first Host or Match
// line of a file, or such a line and what it governs.
type section struct {
	header     int // index of the Host or Match line; -1 for what stands before the first
	start, end int // indices of the directives after the header
}

// sections cuts a file; the first has no header, and may be empty.
func (f *File) sections() []section {
	all := []section{{header: -1}}
	for i := range f.Lines {
		if f.Lines[i].opens() {
			all[len(all)-1].end = i
			all = append(all, section{header: i, start: i + 1})
		}
	}
	all[len(all)-1].end = len(f.Lines)
	return all
}

// opens tells whether a line begins a block.
func (l *Line) opens() bool {
	return strings.EqualFold(l.Keyword, "host") || strings.EqualFold(l.Keyword, "match")
}

// index finds a directive by its line number, -1 if there is none.
func (f *File) index(number int) int {
	i, ok := slices.BinarySearchFunc(f.Lines, number, func(l Line, n int) int { return l.Number - n })
	if !ok {
		return -1
	}
	return i
}

// sectionOf is the section that a directive stands in, or that it opens.
func (f *File) sectionOf(i int) section {
	all := f.sections()
	for _, s := range slices.Backward(all) {
		if s.header <= i {
			return s
		}
	}
	return all[0]
}

// wholeLine are keywords whose value is the rest of the line, comments and all.
var wholeLine = strings.Fields(`proxycommand localcommand remotecommand knownhostscommand versionaddendum
	forcecommand authorizedkeyscommand authorizedprincipalscommand`)

// replaceValue gives a directive another value. Its keyword, what stands before
// and after, and the line end stay.
func (f *File) replaceValue(i int, value string) []byte {
	l := f.Lines[i]
	end := l.Start + len(trimEnd(bytes.TrimSuffix(f.src[l.Start:l.End], []byte("\n"))))
	start := end - len(l.Rest)
	if !slices.Contains(wholeLine, asciiLower(l.Keyword)) {
		end = start + argsLength(l.Rest)
	}
	return slices.Concat(f.src[:start], []byte(value), f.src[end:])
}

// argsLength is how much of a rest of a line is arguments, before a comment.
func argsLength(rest string) int {
	s, length := rest, 0
	for {
		s = strings.TrimLeft(s, " \t")
		if s == "" || s[0] == '#' {
			return length
		}
		_, after, ok := argument(s)
		if !ok {
			return len(rest)
		}
		s, length = after, len(rest)-len(after)
	}
}

// style is how a directive is written.
type style struct{ indent, separator string }

// styleOf is that of a directive.
func (f *File) styleOf(i int) style {
	l := f.Lines[i]
	text := string(trimEnd(bytes.TrimSuffix(f.src[l.Start:l.End], []byte("\n"))))
	s := style{indent: text[:len(text)-len(strings.TrimLeft(text, " \t"))], separator: " "}
	before := text[len(s.indent) : len(text)-len(l.Rest)]
	switch between := before[len(strings.TrimRight(before, blanks+"=")):]; {
	case strings.Contains(between, "="):
		s.separator = between
	case strings.HasPrefix(between, "\t"):
		s.separator = "\t"
	}
	return s
}

func (s style) line(a Assignment) string { return s.indent + a.Keyword + s.separator + a.Value }

// usualIndent is that of a file without a block to look at.
const usualIndent = "    "

// blockStyle is how directives in the blocks of a file are written; s is asked
// first, its last line first.
func (f *File) blockStyle(s section) style {
	if s.header >= 0 && s.end > s.start {
		return f.styleOf(s.end - 1)
	}
	for _, other := range f.sections()[1:] {
		if other.end > other.start {
			return f.styleOf(other.start)
		}
	}
	return style{usualIndent, " "}
}

// lineEnd is how lines end around a place.
func (f *File) lineEnd(at int) string {
	before := f.src[:at]
	if !bytes.HasSuffix(before, []byte("\n")) {
		i := bytes.IndexByte(f.src, '\n')
		before = f.src[:i+1]
	}
	if bytes.HasSuffix(before, []byte("\r\n")) {
		return "\r\n"
	}
	return "\n"
}

// insert puts lines before the one that begins at a place, or at the end of the
// file. A file that ends without a line end goes on doing so.
func (f *File) insert(at int, lines ...string) []byte {
	end := f.lineEnd(at)
	text := strings.Join(lines, end) + end
	if at == len(f.src) && at > 0 && f.src[at-1] != '\n' {
		text = end + strings.Join(lines, end)
	}
	return slices.Concat(f.src[:at], []byte(text), f.src[at:])
}

// insertApart does so with an empty line between them and what is around.
func (f *File) insertApart(at int, lines ...string) []byte {
	if before := lastLine(f.src[:at]); at > 0 && !blank(before) {
		lines = append([]string{""}, lines...)
	}
	if after, _, _ := bytes.Cut(f.src[at:], []byte("\n")); at < len(f.src) && !blank(after) {
		lines = append(lines, "")
	}
	return f.insert(at, lines...)
}

func blank(line []byte) bool { return len(bytes.TrimSpace(line)) == 0 }

// lastLine is the last line of a text, without its line end.
func lastLine(src []byte) []byte {
	src = bytes.TrimSuffix(src, []byte("\n"))
	return src[bytes.LastIndexByte(src, '\n')+1:]
}

// above is where something goes that shall stand before a directive: above the
// comment that belongs to it, but below the one that heads the file.
func (f *File) above(i int) int {
	start := f.Lines[i].Start
	indent := f.styleOf(i).indent
	at := start
	for at > 0 {
		line := lastLine(f.src[:at])
		if rest, ok := bytes.CutPrefix(line, []byte(indent)); !ok || len(rest) == 0 || rest[0] != '#' {
			return at
		}
		at = bytes.LastIndexByte(f.src[:at-1], '\n') + 1
	}
	return start
}

// top is where something goes that shall stand before every directive.
func (f *File) top() int {
	if len(f.Lines) == 0 {
		return len(f.src)
	}
	return f.above(0)
}
