package sshconf

import (
	"fmt"
	"strconv"
	"strings"
)

// Origin is where a value comes from: a line of a file, the command line
// (File is commandLine, Line 0), or nowhere: a default.
type Origin struct {
	File string
	Line int
}

// commandLine is the name OpenSSH itself uses in its messages.
const commandLine = "command-line"

// unknownOrigin is that of a value of which OpenSSH knows and we do not.
var unknownOrigin = Origin{Line: -1}

// Default tells whether nobody set the value.
func (o Origin) Default() bool { return o == Origin{} }

// Unknown tells whether it is not known where the value comes from.
func (o Origin) Unknown() bool { return o == unknownOrigin }

// CommandLine tells whether the value was given on the command line.
func (o Origin) CommandLine() bool { return o.File == commandLine }

// String is FILE:LINE, or what stands for it.
func (o Origin) String() string {
	switch {
	case o.Default():
		return "the default"
	case o.Unknown():
		return "a place not found"
	case o.CommandLine():
		return "the command line"
	}
	return fmt.Sprintf("%s:%d", printable(o.File), o.Line)
}

// under writes a path below home with ~, as people do.
func (o Origin) under(home string) Origin {
	if rest, ok := strings.CutPrefix(o.File, home+"/"); ok && home != "" && home != "/" {
		o.File = "~/" + rest
	}
	return o
}

// Value is one value and where it comes from.
type Value struct {
	Text string
	From Origin
}

// Setting is what became of one keyword.
type Setting struct {
	Keyword string  // as the manual spells it
	Values  []Value // as the dump of OpenSSH prints them, one a line; none if unset
	Hides   []Value // what other lines say in vain, in the order read
}

// Text is the first value, "" if there is none.
func (s Setting) Text() string {
	if len(s.Values) == 0 {
		return ""
	}
	return s.Values[0].Text
}

// From is the origin of the first value.
func (s Setting) From() Origin {
	if len(s.Values) == 0 {
		return Origin{}
	}
	return s.Values[0].From
}

// Describe says the setting in a sentence's worth of words:
//
//	ServerAliveInterval 0 from ~/.ssh/config:14, which hides 60 in /etc/ssh/ssh_config:52
//
// Paths below home are written with ~; an empty home leaves them as they are.
func (s Setting) Describe(home string) string {
	if len(s.Values) == 0 {
		return s.Keyword + " is not set"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s from %s", s.Keyword, printable(s.Text()), s.From().under(home))
	link := ", which hides "
	for _, h := range s.Hides {
		if h.Text != s.Text() {
			fmt.Fprintf(&b, "%s%s in %s", link, printable(h.Text), h.From.under(home))
			link = ", "
		}
	}
	return b.String()
}

// maxShown is how much of a value goes into a message.
const maxShown = 200

// printable makes text of a file harmless to print on a terminal.
func printable(s string) string {
	cut := ""
	if len(s) > maxShown {
		s, cut = s[:maxShown], "..."
	}
	s = strconv.Quote(s)
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(s[1:len(s)-1]) + cut
}
