package sshlog

import (
	"hash/maphash"
	"strings"
	"time"
	"unicode/utf8"
)

// A Role is whose side a line was written on.
type Role uint8

// The roles. Of a program's bare output the words themselves often do not
// tell: a connection is "reset by" both sides' peers.
const (
	OfNobody Role = iota
	OfClient
	OfServer
)

// An Event is a line whose meaning is known.
type Event struct {
	Message *Message
	Role    Role
	Framed  bool // a logger named the program
	Preauth bool // sshd said it before the login
	Time    time.Time
	PID     int
	Captured
	Conn uint64  // the same for all lines of a connection; 0 when the line names none
	Net  Network // of the client; 0 when the line names no address
	Line string  // the line as it stands in the log
}

// Tells is what the event's message tells on its side.
func (e *Event) Tells() Symptom {
	if e.Role == OfServer {
		return e.Message.toldBy(sshd)
	}
	return e.Message.tells
}

// A Batch is some consecutive lines of a log, read. It is valid until the
// function that it was handed to returns; its strings may be kept, and hold on
// to the text around them.
type Batch struct {
	Source  string // the file
	Events  []Event
	Lines   int      // how many there were
	Chatter int      // of these: debug output and remarks that tell nothing of a failure
	Others  int      // of these: lines of other programs
	Before  int      // of these: lines from before the time that is asked for
	Unread  int      // of these: lines of ssh programs, or bare ones, that no message is like
	Samples []string // some of the unread ones
	Cut     int      // lines too long to be read to their end
}

// maxSamples bounds the unread lines that are shown.
const maxSamples = 5

// maxText bounds what is read of a line: sshd's own are at most 1 KiB.
const maxText = 4 << 10

// lastTime is the begin of the year 9000, in seconds since 1970: later years
// cannot be written as RFC 3339 in every zone.
const lastTime = 221_845_392_000

// maxGuesses bounds the lines of a batch that are looked at for a fragment of
// a message: these are what people quote, not what logs hold.
const maxGuesses = 40

// A lineReader makes events of lines.
type lineReader struct {
	frames  framer
	all     *catalogue
	seed    maphash.Seed
	guesses int
	options Options
	batch   *Batch

	addr, port string // the last ones: the next line has mostly the same,
	net        Network
	hash, conn uint64 // of the address, and of both
}

// read takes one line, without its end.
func (r *lineReader) read(line string) {
	r.batch.Lines++
	if len(line) > maxText {
		line = line[:maxText]
	}
	l, kind := r.frames.parse(line)
	if at := l.Time.Unix(); at < 0 || at > lastTime { // no clock of a computer that runs sshd says so
		l.Time = time.Time{}
	}
	if !l.Time.IsZero() && l.Time.Before(r.options.Since) {
		r.batch.Before++
		return
	}
	if kind == framed {
		r.program(line, &l)
		return
	}
	r.bare(line, &l)
}

// program reads a line that a logger has given a program's name.
func (r *lineReader) program(line string, l *Line) {
	var known *index
	role := OfServer
	switch l.Ident {
	case "sshd", "sshd-session", "sshd-auth", "dropbear":
		if r.options.System {
			r.batch.Others++
			return
		}
		known = &r.all.sshdOnly
		if l.Ident == "dropbear" {
			known = &r.all.dropbearOnly
		}
	case "kernel":
		known = &r.all.kernelOnly
	case "systemd", "systemd-oomd":
		known = &r.all.unitOnly
	case "systemd-journald", "rsyslogd":
		known = &r.all.loggerOnly
	case "fail2ban", "fail2ban.actions", "sshguard", "tallow":
		known = &r.all.guardOnly
	case "ssh", "git", "rsync", "scp", "sftp", "ansible", "autossh", "plink":
		known, role = &r.all.any, OfClient
	default:
		r.batch.Others++
		return
	}
	text := cutTail(l.Text)
	e := r.next()
	if e.Message = known.find(cutLevel(text), &e.Captured); e.Message != nil && e.Message.maySay(text) {
		e.Framed, e.Role, e.Time, e.PID, e.Line = true, role, l.Time, l.PID, line
		e.Preauth = len(text) < len(l.Text) && strings.HasSuffix(l.Text, "[preauth]")
		r.keep(e)
		return
	}
	switch {
	case known == &r.all.kernelOnly || known == &r.all.unitOnly || known == &r.all.guardOnly || known == &r.all.loggerOnly:
		r.batch.Others++
	case strings.HasPrefix(l.Text, "debug"):
		r.batch.Chatter++
	default:
		r.unread(line)
	}
}

// bare reads a line without a program: what one printed, or what somebody
// quotes.
func (r *lineReader) bare(line string, l *Line) {
	text := strings.TrimSpace(l.Text)
	if text == "" {
		r.batch.Chatter++
		return
	}
	e := Event{Time: l.Time, Line: line}
	if r.say(&e, text, (*index).find) {
		return
	}
	if !utf8.ValidString(text) { // no log, and nobody quotes it
		r.unread(line)
		return
	}
	if !strings.HasPrefix(text, "debug") && r.inside(&e, text) {
		return
	}
	if isChatter(text) || isTrace(l.Text) {
		r.batch.Chatter++
		return
	}
	if r.guesses++; r.guesses <= maxGuesses {
		if e.Message = r.all.fragment(text); e.Message != nil {
			r.add(e)
			return
		}
	}
	r.unread(line)
}

// say makes an event of a text that some program says, if find finds it.
func (r *lineReader) say(e *Event, text string, find func(*index, string, *Captured) *Message) bool {
	before := cutTail(text)
	e.Preauth = len(before) < len(text) && strings.HasSuffix(text, "[preauth]")
	if e.Message = find(&r.all.any, before, &e.Captured); e.Message == nil {
		without := cutLevel(before)
		if without == before {
			return false
		}
		if e.Message = find(&r.all.any, without, &e.Captured); e.Message == nil || !e.Message.maySay(before) {
			return false
		}
	}
	switch m := e.Message; {
	case m.by&clients == 0:
		e.Role = OfServer
	case e.Preauth || len(before) < len(text):
		e.Role = OfServer
	case m.by&(sshd|dropbear|pam) == 0:
		e.Role = OfClient
	}
	r.add(*e)
	return true
}

// inside looks for messages behind what programs put before them: a logger's
// level, a stack trace, a prompt, the text of a value in JSON.
func (r *lineReader) inside(e *Event, text string) (found bool) {
	for part := range strings.SplitSeq(strings.ReplaceAll(strings.ReplaceAll(text, `\r\n`, "\n"), `\n`, "\n"), "\n") {
		part = strings.TrimSpace(strings.ReplaceAll(part, " : ", ": "))
		if part != text && r.say(e, part, (*index).find) {
			found = true
			continue
		}
		for tries, at := 0, 0; tries < maxInside; tries++ {
			i := strings.IndexAny(part[at:], ":]>|\"'-\t ")
			if i < 0 {
				break
			}
			at += i + 1
			rest, _, _ := strings.Cut(strings.TrimLeft(part[at:], " \t>\"'"), "</") // the value of an element of XML
			if rest == "" || !startsWord(part, strings.Index(part[at:], rest)+at) {
				continue
			}
			if r.named(e, rest) || !strings.HasPrefix(part[at-1:], " ") && r.say(e, strings.TrimRight(rest, "\"', "), (*index).findLed) {
				found = true
				break
			}
		}
	}
	return found
}

// maxInside bounds the places in a line where a message may begin.
const maxInside = 48

// startsWord says whether a word begins at i.
func startsWord(s string, i int) bool { return i == 0 || strings.IndexByte(" \t>\"'", s[i-1]) >= 0 }

// named reads "sshd: TEXT" and "sshd[1]: TEXT" in the middle of a line, as
// Windows' event log and quoted lines have it.
func (r *lineReader) named(e *Event, rest string) bool {
	if !strings.HasPrefix(rest, "sshd") {
		return false
	}
	l, kind := r.frames.parse(rest)
	if kind != framed {
		return false
	}
	if e.Message = r.all.sshdOnly.find(cutLevel(cutTail(l.Text)), &e.Captured); e.Message == nil {
		return false
	}
	e.Framed, e.Role, e.PID, e.Preauth = true, OfServer, l.PID, strings.HasSuffix(l.Text, "[preauth]")
	r.add(*e)
	return true
}

// next is the place of the next event; [lineReader.keep] makes it one.
func (r *lineReader) next() *Event {
	n := len(r.batch.Events)
	if n == cap(r.batch.Events) {
		r.batch.Events = append(r.batch.Events, Event{})[:n]
	}
	e := &r.batch.Events[:n+1][n]
	*e = Event{}
	return e
}

func (r *lineReader) keep(e *Event) {
	if e.Message.tells == SawListen { // its address is the server's own
		e.Addr, e.Port = "", ""
	}
	if e.Addr != "" {
		if e.Addr != r.addr {
			r.addr, r.net, r.hash, r.port = e.Addr, networkOf(e.Addr), maphash.String(r.seed, e.Addr), ""
		}
		if e.Role != OfClient {
			e.Net = r.net
		}
		if e.Port != "" {
			if e.Port != r.port {
				r.port, r.conn = e.Port, r.hash*31+maphash.String(r.seed, e.Port)
			}
			e.Conn = r.conn
		}
	}
	r.batch.Events = r.batch.Events[:len(r.batch.Events)+1]
}

func (r *lineReader) add(e Event) {
	at := r.next()
	*at = e
	r.keep(at)
}

func (r *lineReader) unread(line string) {
	r.batch.Unread++
	if len(r.batch.Samples) < maxSamples {
		r.batch.Samples = append(r.batch.Samples, line)
	}
}

// isChatter says whether a bare line is output that tells nothing here.
func isChatter(text string) bool {
	for _, p := range chatter {
		if strings.HasPrefix(text, p) {
			return true
		}
	}
	return strings.HasPrefix(text, "debug1: ") || strings.HasPrefix(text, "-- ") || strings.HasPrefix(text, "Warning: Permanently added ")
}

// isTrace says whether a line is of a stack trace of Java or Python: what it
// is about stands before or after it.
func isTrace(text string) bool {
	indented := strings.TrimLeft(text, " \t")
	return len(indented) < len(text) && (strings.HasPrefix(indented, "at ") || strings.HasPrefix(indented, "File \"")) || strings.HasPrefix(text, "Traceback (most recent call last)")
}

// fragment returns the message of which a text is a part: people quote, and
// loggers cut. It must have three words that are the form's own, and fit
// messages of one meaning only. "..." stands for anything.
func (c *catalogue) fragment(text string) *Message {
	text = strings.TrimRight(text, ".… ")
	head, tail, elided := strings.Cut(text, "...")
	head, tail = strings.TrimSpace(head), strings.TrimSpace(tail)
	if strings.Count(head, " ")+strings.Count(tail, " ") < 2 || len(head)+len(tail) < 14 {
		return nil
	}
	var found *Message
	for _, m := range c.all {
		at := strings.Index(m.form, head)
		if at < 0 || elided && !strings.Contains(m.form[at+len(head):], tail) {
			continue
		}
		if found != nil && found.tells != m.tells {
			return nil
		}
		found = m
	}
	return found
}
