package sshconf

import (
	"bytes"
	"fmt"
	"strings"
)

// What is read of one file. OpenSSH has no such bounds; files beyond them are
// not written by people, and the reason names the file.
const (
	MaxFileSize = 4 << 20
	MaxLines    = 100_000 // directives
)

// File is one configuration file, every byte of it.
type File struct {
	Name     string
	Lines    []Line    // those with a directive, in order
	Problems []Problem // what is wrong with the text, by line; 0 is the whole file
	src      []byte
}

// Line is one directive.
type Line struct {
	Number     int      // from 1
	Start, End int      // its bytes in the file, the line end included
	Keyword    string   // as written
	Args       []string // unquoted, without a trailing comment
	Rest       string   // everything after the keyword, as written
	Problem    string   // why OpenSSH refuses the line whatever the keyword is, or ""
}

// Problem is something wrong with the text itself, whatever it configures.
type Problem struct {
	Line int
	Text string
}

// The problems a line can have.
const (
	openQuote   = "invalid quotes"
	noArgument  = "no argument after keyword"
	openKeyword = "a quote in the keyword is not closed: OpenSSH ignores the line"
	nulByte     = "a NUL byte: OpenSSH does not see what follows it on the line"
)

// Parse reads a file. It never fails: what it cannot make sense of becomes a
// problem. The file keeps src, which must not be changed afterwards.
func Parse(name string, src []byte) *File {
	f := &File{Name: name, src: src}
	if len(src) > MaxFileSize {
		f.problem(0, fmt.Sprintf("the file has %d bytes; configuration is read up to %d", len(src), MaxFileSize))
		return f
	}
	for start, number := 0, 1; start < len(src); number++ {
		end := len(src)
		if i := bytes.IndexByte(src[start:], '\n'); i >= 0 {
			end = start + i + 1
		}
		if !f.line(number, start, end) {
			f.Lines = nil
			f.problem(0, fmt.Sprintf("the file has more than %d directives", MaxLines))
			return f
		}
		start = end
	}
	return f
}

// Bytes is what was parsed, to the byte.
func (f *File) Bytes() []byte { return f.src }

// maxProblems keeps a file that is no text from becoming a list of complaints
// many times its size.
const maxProblems = 100

func (f *File) problem(line int, text string) {
	if len(f.Problems) < maxProblems {
		f.Problems = append(f.Problems, Problem{line, text})
	}
}

// line reads one line; it is false when there are too many.
func (f *File) line(number, start, end int) bool {
	raw := bytes.TrimSuffix(f.src[start:end], []byte("\n"))
	if i := bytes.IndexByte(raw, 0); i >= 0 {
		f.problem(number, nulByte)
		raw = raw[:i]
	}
	d := delimiter{rest: string(trimEnd(raw))}
	keyword, ok := d.next()
	if ok && keyword == "" { // leading blanks
		keyword, ok = d.next()
	}
	if !ok || keyword == "" || keyword[0] == '#' {
		if text := bytes.TrimLeft(raw, blanks+"="); !ok && len(text) > 0 && text[0] != '#' {
			f.problem(number, openKeyword)
		}
		return true
	}
	if len(f.Lines) == MaxLines {
		return false
	}
	l := Line{Number: number, Start: start, End: end, Keyword: keyword, Rest: d.rest}
	if d.rest == "" {
		l.Problem = noArgument
	} else if l.Args, ok = argv(d.rest); !ok {
		l.Problem = openQuote
	}
	f.Lines = append(f.Lines, l)
	return true
}

// trimEnd removes blanks and form feeds at the end, but never the first byte.
func trimEnd(s []byte) []byte {
	for len(s) > 1 && strings.IndexByte(blanks+"\f", s[len(s)-1]) >= 0 {
		s = s[:len(s)-1]
	}
	return s
}
