package sshconf

import "strings"

// blanks separate keywords; a form feed counts at the end of a line only.
const blanks = " \t\r\n"

// delimiter takes words from a line the way OpenSSH takes keywords and Match
// criteria: blanks or one "=" end a word, double quotes protect it, nothing
// escapes. A word of criteria may thus differ from an argument (see argv).
type delimiter struct {
	rest string
	done bool // nothing is left, as opposed to an empty rest
}

// next returns the next word. It is false at the end, and also when a quote is
// left open: OpenSSH cannot tell the two apart.
func (d *delimiter) next() (word string, ok bool) {
	if d.done {
		return "", false
	}
	s := d.rest
	i := strings.IndexAny(s, blanks+`"=`)
	if i < 0 {
		d.rest, d.done = "", true
		return s, true
	}
	if s[i] == '"' {
		end := strings.IndexByte(s[i+1:], '"')
		if end < 0 {
			d.rest, d.done = "", true
			return "", false
		}
		d.rest = strings.TrimLeft(s[i+1+end+1:], blanks)
		return s[:i] + s[i+1:i+1+end], true
	}
	rest := strings.TrimLeft(s[i+1:], blanks)
	if s[i] != '=' && strings.HasPrefix(rest, "=") {
		rest = strings.TrimLeft(rest[1:], blanks)
	}
	d.rest = rest
	return s[:i], true
}

// argv splits the arguments of a directive: double and single quotes, a
// backslash before a quote, a backslash or (outside quotes) a space, and a
// comment that starts a word ends the line. It is false if a quote is open.
func argv(s string) (args []string, ok bool) {
	for {
		s = strings.TrimLeft(s, " \t")
		if s == "" || s[0] == '#' {
			return args, true
		}
		var word string
		if word, s, ok = argument(s); !ok {
			return nil, false
		}
		args = append(args, word)
	}
}

func argument(s string) (word, rest string, ok bool) {
	end := strings.IndexAny(s, " \t\"'\\")
	if end < 0 {
		return s, "", true
	}
	if s[end] == ' ' || s[end] == '\t' {
		return s[:end], s[end:], true
	}
	var b strings.Builder
	var quote byte
	i := 0
	for ; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && i+1 < len(s) && (strings.IndexByte(`'"\`, s[i+1]) >= 0 || quote == 0 && s[i+1] == ' '):
			i++
			b.WriteByte(s[i])
		case quote == 0 && (c == ' ' || c == '\t'):
			return b.String(), s[i:], true
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote != 0 && c == quote:
			quote = 0
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), "", quote == 0
}
