package sshwire

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// OpenSSH's limits for what may come before and in the identification line;
// a server that needs more is one that ssh itself gives up on.
const (
	maxIdentLines = 1024
	maxIdentLine  = 8192
	// Lines before the identification that are kept, and how much of each.
	keptLines = 32
	keptLine  = 512
)

// Ident is a peer's identification line (RFC 4253, 4.2).
type Ident struct {
	Raw      string // the line without its line ending, as it goes into the exchange hash
	Protocol string // "2.0", "1.99", "1.5"
	Software string // "OpenSSH_9.2p1"
	Comments string // "Debian-2+deb12u10"; may be empty
}

// Preamble is what came before an identification line.
type Preamble struct {
	Lines []string // the first lines, at most 32 of at most 512 bytes, without line endings
	Count int      // how many lines there were
}

// OurIdent is the identification line that sshtay sends, without its line
// ending. RFC 4253 allows no blank and no minus sign in the software version,
// and sshd drops peers whose name starts with Probe- on sight.
func OurIdent(version string) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r == '-' || r == ' ':
			return '.'
		case r < 0x21 || r > 0x7e:
			return -1
		}
		return r
	}, version)
	return "SSH-2.0-sshtay_" + clean[:min(len(clean), 64)]
}

// BadIdent is an identification line that ssh would not accept.
type BadIdent struct {
	Line string // at most 8192 bytes
	Why  string
}

func (e *BadIdent) Error() string { return fmt.Sprintf("%s: %.256q", e.Why, e.Line) }

// Reason tells a peer of another protocol version from one that is no SSH.
func (e *BadIdent) Reason() Reason {
	switch {
	case e.Why == otherVersion:
		return ReasonVersionMismatch
	case strings.HasPrefix(e.Line, "SSH-"):
		return ReasonProtocolError
	}
	return ReasonNotSSH
}

const otherVersion = "the peer speaks another major version of SSH"

// ParseIdent takes an identification line apart, without its line ending.
// The error is a [*BadIdent].
func ParseIdent(line string) (Ident, error) {
	rest, ok := strings.CutPrefix(line, "SSH-")
	if !ok {
		return Ident{}, &BadIdent{line, "not an SSH identification"}
	}
	protocol, software, ok := strings.Cut(rest, "-")
	major, minor, dotted := strings.Cut(protocol, ".")
	if !ok || !dotted || !digits(major) || !digits(minor) || software == "" {
		return Ident{}, &BadIdent{line, "malformed SSH identification"}
	}
	software, comments, _ := strings.Cut(software, " ")
	id := Ident{Raw: line, Protocol: protocol, Software: software, Comments: comments}
	if major != "2" && protocol != "1.99" {
		return id, &BadIdent{line, otherVersion}
	}
	return id, nil
}

func digits(s string) bool {
	return s != "" && len(s) <= 4 && strings.Trim(s, "0123456789") == ""
}

// ReadIdent reads up to and including the identification line, within the
// limits of OpenSSH. What came before it is returned whatever happens. Errors
// are a [*BadIdent], or the reader's own; an unfinished line is then in the
// preamble, unless it is the beginning of an identification.
//
// foreign, when not nil, is called once, as soon as what came so far is
// recognised as something else than SSH: the caller may then wait for less
// long. An SSH server that begins with such a line is still heard.
func ReadIdent(r *bufio.Reader, foreign func(Protocol)) (Ident, Preamble, error) {
	var before Preamble
	watch := &watcher{foreign: foreign}
	for total := 0; total < maxIdentLines; total++ {
		line, err := readLine(r, watch)
		if err == nil && strings.HasPrefix(line, "SSH-") {
			id, err := ParseIdent(line)
			return id, before, err
		}
		if err == nil || Sniff([]byte(line)) != ProtocolSSH && line != "" {
			before.add(line)
		}
		if err != nil {
			return Ident{}, before, err
		}
	}
	return Ident{}, before, &BadIdent{"", fmt.Sprintf("no SSH identification in the first %d lines", maxIdentLines)}
}

func (p *Preamble) add(line string) {
	p.Count++
	if len(p.Lines) < keptLines {
		p.Lines = append(p.Lines, strings.Clone(line[:min(len(line), keptLine)]))
	}
}

// readLine reads a line and strips LF or CR LF. NUL, and CR that no LF
// follows, are what OpenSSH takes as proof of something else.
func readLine(r *bufio.Reader, watch *watcher) (string, error) {
	var line []byte
	bare := false // a CR waits for its LF
	for len(line) <= maxIdentLine {
		c, err := r.ReadByte()
		if err == io.EOF && len(line) > 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return string(line), err
		}
		watch.saw(c, r)
		switch {
		case c == '\n':
			return string(line), nil
		case c == 0, bare:
			line = append(line, c)
			return string(line), &BadIdent{string(line), "bytes that no identification line has"}
		case c == '\r':
			bare = true
		default:
			line = append(line, c)
		}
	}
	return string(line), &BadIdent{string(line), fmt.Sprintf("a line of more than %d bytes", maxIdentLine)}
}

// watcher keeps the first bytes and names them as soon as they can be.
type watcher struct {
	first   []byte
	foreign func(Protocol)
}

// saw looks when a line ends or nothing more is at hand: in between there
// is no need to.
func (w *watcher) saw(c byte, r *bufio.Reader) {
	if len(w.first) < keptBytes {
		w.first = append(w.first, c)
	}
	if w.foreign == nil || (c != '\n' && r.Buffered() > 0) {
		return
	}
	p := Sniff(w.first)
	told := p != ProtocolEmpty && p != ProtocolSSH && p != ProtocolText
	if told {
		w.foreign(p)
	}
	if told || len(w.first) == keptBytes { // more bytes would change nothing
		w.foreign = nil
	}
}
