package sshlog

import (
	"strconv"
	"strings"
	"time"
)

// A Line is one line of a log, taken apart.
type Line struct {
	Time   time.Time     // zero when the line has none
	Uptime time.Duration // in its place in the kernel's ring buffer: the time since the start
	Ident  string        // the program: sshd, sshd-session, kernel, systemd ...
	PID    int           // 0 when the line has none
	Text   string        // the program's own message
}

// ParseLine takes a line of a system log apart: journald's short formats, the
// files of syslog daemons, busybox's log, the kernel's ring buffer. It returns
// false for a line without a program. A time without a year is the last such
// time before now, in now's location.
func ParseLine(line string, now time.Time) (Line, bool) {
	f := framer{clock: clock{now: now}}
	l, kind := f.parse(line)
	return l, kind == framed && l.Ident != ""
}

// A framing is what stood around the text of a line.
type framing uint8

const (
	bare   framing = iota // nothing: a program's standard error
	timed                 // a time, or what containers put there, and no program
	framed                // a program, as loggers name it
)

// A framer takes lines apart. It remembers times and programs: the next line
// has mostly the same ones.
type framer struct {
	clock clock
	head  string // the last that stood between a time and a process, "web1 sshd[",
	ident string // and its program
	whole string // the same with the time before it, as the last line began,
	then  time.Time
	deep  int    // how many frames are open
	part  string // the begin of a line that a container's log has cut
}

// maxDeep bounds frames within frames: a container's around a logger's.
const maxDeep = 3

// parse takes a line apart. What has no frame is its own text.
func (f *framer) parse(line string) (Line, framing) {
	for line != "" && (line[len(line)-1] == '\n' || line[len(line)-1] == '\r') {
		line = line[:len(line)-1]
	}
	if line == "" {
		return Line{}, bare
	}
	if pid, text, ok := afterHead(line, f.whole); ok { // most lines of a busy second
		return Line{Time: f.then, Ident: f.ident, PID: pid, Text: text}, framed
	}
	switch line[0] {
	case '{':
		if l, kind, ok := f.json(line); ok {
			return l, kind
		}
	case '[':
		if text, up, ok := cutUptime(line); ok {
			if theCatalogue().kernelOnly.find(text, &Captured{}) == nil { // "sshd[99]: segfault at" is the kernel's
				if l, kind := f.after(Line{Uptime: up}, text, true); kind == framed && l.PID != 0 {
					return l, kind // journalctl -o short-monotonic, or what journald says on a console
				}
			}
			return Line{Ident: "kernel", Text: text, Uptime: up}, framed
		}
	}
	rest, version5424 := cutPriority(line)
	if version5424 {
		if l, ok := f.rfc5424(rest); ok {
			return l, framed
		}
	}
	if rest != "" && rest[0]-'0' <= 9 {
		if l, ok := f.windows(rest); ok {
			return l, framed
		}
	}
	if t, after, ok := f.clock.cut(rest); ok {
		if pid, text, ok := afterHead(after, f.head); ok {
			f.whole, f.then = line[:len(line)-len(after)+len(f.head)], t
			return Line{Time: t, Ident: f.ident, PID: pid, Text: text}, framed
		}
		return f.after(Line{Time: t}, after, true)
	}
	return f.after(Line{}, rest, false)
}

// after reads what follows the time: host, facility and level as busybox has
// them, program, process. Without a time only programs that matter count: the
// text may hold colons itself.
func (f *framer) after(l Line, rest string, hasTime bool) (Line, framing) {
	kind := bare
	if hasTime {
		kind = timed
		if stream, text, ok := cutCRI(rest); ok {
			return f.container(l, stream, text)
		}
	}
	skipped, most := rest, 0
	if hasTime {
		most = 2
	}
	for i := 0; i <= most; i++ {
		word, after, more := strings.Cut(skipped, " ")
		if ident, pid, ok := cutIdent(word); ok && more {
			if pid == 0 && !matters(ident) && (i == 0 || theCatalogue().any.find(rest, &Captured{}) != nil) {
				break
			}
			l.Ident, l.PID, l.Text = ident, pid, after
			switch {
			case ident == "kernel":
				l.Text, _, _ = cutUptime(after)
			case hasTime && pid != 0:
				f.whole = ""
				f.head, f.ident = rest[:len(rest)-len(skipped)+strings.IndexByte(word, '[')+1], ident
			}
			return l, framed
		}
		if !more || !isHost(word) {
			break
		}
		skipped = after
	}
	if hasTime && f.deep < maxDeep {
		f.deep++
		inner, k := f.parse(rest)
		f.deep--
		if k != bare {
			if inner.Time.IsZero() {
				inner.Time = l.Time
			}
			return inner, max(k, timed)
		}
	}
	l.Text = rest
	return l, kind
}

// afterHead reads the process and the text of a line that begins as one before
// it did: it is what [framer.parse] would find, sooner.
func afterHead(line, head string) (pid int, text string, ok bool) {
	number, ok := strings.CutPrefix(line, head)
	if !ok || head == "" {
		return 0, "", false
	}
	end := 0
	for end < len(number) && number[end]-'0' <= 9 && end < 9 {
		pid = pid*10 + int(number[end]-'0')
		end++
	}
	text, ok = strings.CutPrefix(number[end:], "]: ")
	return pid, text, ok && pid != 0
}

// matters says whether a program's messages are in the catalogue.
func matters(ident string) bool {
	switch ident {
	case "sshd", "sshd-session", "sshd-auth", "kernel", "systemd", "systemd-oomd", "dropbear", "rsyslogd":
		return true
	}
	return false
}

// cutIdent takes "/usr/sbin/sshd[21597]:" apart.
func cutIdent(word string) (ident string, pid int, ok bool) {
	word, ok = strings.CutSuffix(word, ":")
	if !ok || word == "" {
		return "", 0, false
	}
	if before, inside, has := strings.Cut(word, "["); has {
		number, closed := strings.CutSuffix(inside, "]")
		n, isNumber := digits(number)
		if !closed || !isNumber {
			return "", 0, false
		}
		word, pid = before, n
	}
	if word == "" {
		return "", 0, false
	}
	for i := range len(word) {
		c := word[i]
		if c|0x20-'a' > 'z'-'a' && c-'0' > 9 && c != '_' && c != '.' && c != '/' && c != '@' && c != '-' && c != '(' && c != ')' {
			return "", 0, false
		}
	}
	return word[strings.LastIndexByte(word, '/')+1:], pid, true
}

// isHost says whether a word may be a host's name, or busybox's "auth.info".
func isHost(word string) bool {
	return word != "" && strings.IndexByte(word, ':') < 0 && strings.IndexByte(word, '[') < 0
}

// cutPriority takes "<38>" from the begin, and says whether RFC 5424's version
// follows it.
func cutPriority(line string) (rest string, version5424 bool) {
	if line == "" || line[0] != '<' {
		return line, false
	}
	end := strings.IndexByte(line, '>')
	if end < 2 || end > 4 {
		return line, false
	}
	if _, ok := digits(line[1:end]); !ok {
		return line, false
	}
	rest = line[end+1:]
	if after, ok := strings.CutPrefix(rest, "1 "); ok {
		return after, true
	}
	return rest, false
}

// rfc5424 reads TIME HOST PROGRAM PROCESS MESSAGE-ID DATA TEXT.
func (f *framer) rfc5424(s string) (Line, bool) {
	fields := strings.SplitN(s, " ", 6)
	if len(fields) < 6 {
		return Line{}, false
	}
	t, _, _ := f.clock.cut(fields[0] + " ")
	text, ok := strings.CutPrefix(fields[5], "-")
	if !ok {
		end := strings.LastIndexByte(fields[5], ']')
		if end < 0 {
			return Line{}, false
		}
		text = fields[5][end+1:]
	}
	pid, _ := digits(fields[3])
	text = strings.TrimPrefix(strings.TrimPrefix(text, " "), "\ufeff")
	return Line{Time: t, Ident: fields[2], PID: pid, Text: text}, true
}

// windows reads a line of sshd.log on Windows: PROCESS DATE TIME TEXT, and in
// the first versions PROCESS TIME MILLISECONDS TEXT.
func (f *framer) windows(s string) (Line, bool) {
	pid, rest, ok := strings.Cut(s, " ")
	n, isNumber := digits(pid)
	if !ok || !isNumber || len(rest) < 13 {
		return Line{}, false
	}
	if rest[2] == ':' && rest[5] == ':' && rest[8] == ' ' && rest[12] == ' ' {
		if _, ok := digits(rest[9:12]); ok {
			return Line{Ident: "sshd", PID: n, Text: rest[13:]}, true
		}
	}
	if rest[4] != '-' {
		return Line{}, false
	}
	t, text, ok := f.clock.cut(rest)
	if !ok {
		return Line{}, false
	}
	return Line{Time: t, Ident: "sshd", PID: n, Text: text}, true
}

// cutUptime takes the ring buffer's "[ 3600.123456] " from the begin.
func cutUptime(s string) (text string, up time.Duration, ok bool) {
	if s == "" || s[0] != '[' {
		return s, 0, false
	}
	end := strings.IndexByte(s, ']')
	if end < 0 || end > 20 {
		return s, 0, false
	}
	number := strings.TrimLeft(s[1:end], " ")
	whole, part, dot := strings.Cut(number, ".")
	if _, ok := digits(whole); !ok || !dot || len(whole) > 9 {
		return s, 0, false
	}
	if _, ok := digits(part); !ok {
		return s, 0, false
	}
	seconds, _ := strconv.ParseFloat(number, 64)
	return strings.TrimPrefix(s[end+1:], " "), time.Duration(seconds * float64(time.Second)), true
}

// digits reads a number of at most nine digits.
func digits(s string) (n int, ok bool) {
	if s == "" || len(s) > 9 {
		return 0, false
	}
	for i := range len(s) {
		if s[i]-'0' > 9 {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}
