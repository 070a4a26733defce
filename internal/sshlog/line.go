package sshlog

import (
	"strconv"
	"strings"
	"time"

	"sshtay/internal/pattern"
)

// A Line is one line of a system log, taken apart.
type Line struct {
	Time   time.Time     // zero when the line has none
	Uptime time.Duration // in its place in the kernel's ring buffer: the time since the start
	Ident  string        // the program: sshd, sshd-session, kernel, systemd ...
	PID    int           // 0 when the line has none
	Text   string        // the program's own message
}

// head is what loggers put before a message: priority, time, host, and with
// busybox facility and level. None of it is chosen by a client.
var head = pattern.New(`^(?:<\d{1,3}>)?` +
	`(?:(?P<time>[A-Z][a-z]{2} [ 0-3]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?) )?` +
	`(?:[^\s:\[]+ )?(?:[a-z0-9]+\.[a-z]+ )?` +
	`(?P<ident>[A-Za-z0-9_./@-]+)(?:\[(?P<pid>\d+)\])?: (?P<text>.*)$`)

// uptime is how the kernel's ring buffer begins a line.
var uptime = pattern.New(`^\[ *(\d{1,9}\.\d+)\] ?`)

// ParseLine takes a line of a log apart: journald's short formats, the files
// of syslog daemons, busybox's log, the kernel's ring buffer. A time without a
// year is the last such time before now, in now's location.
func ParseLine(line string, now time.Time) (Line, bool) {
	line = strings.TrimRight(line, "\r\n")
	if text, up, ok := cutUptime(line); ok {
		return Line{Ident: "kernel", Text: text, Uptime: up}, true
	}
	m := head.FindStringSubmatch(line)
	if m == nil {
		return Line{}, false
	}
	l := Line{Ident: m[2], Text: m[4], Time: parseTime(m[1], now)}
	l.PID, _ = strconv.Atoi(m[3])
	if i := strings.LastIndexByte(l.Ident, '/'); i >= 0 {
		l.Ident = l.Ident[i+1:]
	}
	if l.Ident == "kernel" {
		l.Text, _, _ = cutUptime(l.Text)
	}
	return l, true
}

func cutUptime(s string) (text string, up time.Duration, ok bool) {
	m := uptime.FindStringSubmatch(s)
	if m == nil {
		return s, 0, false
	}
	seconds, _ := strconv.ParseFloat(m[1], 64)
	return s[len(m[0]):], time.Duration(seconds * float64(time.Second)), true
}

var layouts = []string{
	"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05-0700", "2006-01-02 15:04:05Z07:00",
	"2006-01-02T15:04:05", "2006-01-02 15:04:05",
}

func parseTime(s string, now time.Time) time.Time {
	s = strings.Replace(s, ",", ".", 1)
	for _, layout := range layouts {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return t
		}
	}
	t, err := time.ParseInLocation("Jan _2 15:04:05 2006", s+" "+strconv.Itoa(now.Year()), now.Location())
	if err != nil {
		return time.Time{}
	}
	if t.After(now.Add(24 * time.Hour)) {
		t = t.AddDate(-1, 0, 0)
	}
	return t
}
