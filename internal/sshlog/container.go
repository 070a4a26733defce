package sshlog

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// maxPart bounds a line that a container's log hands over in pieces.
const maxPart = 16 << 10

// cutCRI takes the stream and the mark from a line of Kubernetes: after the
// time "stderr F TEXT", or "stderr P TEXT" for a piece.
func cutCRI(s string) (piece bool, text string, ok bool) {
	rest, isErr := strings.CutPrefix(s, "stderr ")
	if !isErr {
		if rest, ok = strings.CutPrefix(s, "stdout "); !ok {
			return false, "", false
		}
	}
	if len(rest) < 2 || rest[1] != ' ' && rest[1] != ':' {
		return false, "", false
	}
	_, text, _ = strings.Cut(rest, " ")
	return rest[0] == 'P', text, rest[0] == 'P' || rest[0] == 'F'
}

// container reads what a container printed, which may have a frame of its own.
// A piece waits for the rest of its line.
func (f *framer) container(l Line, piece bool, text string) (Line, framing) {
	if f.part != "" {
		text = f.part + text
		f.part = ""
	}
	if piece && len(text) < maxPart {
		f.part = strings.Clone(text)
		return l, timed
	}
	if f.deep >= maxDeep {
		l.Text = text
		return l, timed
	}
	f.deep++
	inner, kind := f.parse(text)
	f.deep--
	if inner.Time.IsZero() {
		inner.Time = l.Time
	}
	return inner, max(kind, timed)
}

// A record is what is read of a line that is JSON: journald's fields, and
// those of Docker.
type record struct {
	Message    json.RawMessage `json:"MESSAGE"`
	Identifier string          `json:"SYSLOG_IDENTIFIER"`
	Comm       string          `json:"_COMM"`
	PID        string          `json:"_PID"`
	Realtime   string          `json:"__REALTIME_TIMESTAMP"`

	Log  string `json:"log"`
	Time string `json:"time"`
}

// json reads a line of journalctl -o json, or of Docker's json-file.
func (f *framer) json(line string) (Line, framing, bool) {
	var r record
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		return Line{}, bare, false
	}
	switch {
	case r.Log != "":
		l := Line{}
		l.Time, _ = time.Parse(time.RFC3339Nano, r.Time)
		l, kind := f.container(l, !strings.HasSuffix(r.Log, "\n") && len(r.Log) > 8<<10, strings.TrimRight(r.Log, "\r\n"))
		return l, kind, true
	case r.Message != nil:
		l := Line{Ident: r.Identifier, Text: journalText(r.Message)}
		if l.Ident == "" {
			l.Ident = r.Comm
		}
		l.PID, _ = strconv.Atoi(r.PID)
		if micro, err := strconv.ParseInt(r.Realtime, 10, 64); err == nil {
			l.Time = time.UnixMicro(micro).In(f.clock.now.Location())
		}
		if l.Ident == "" {
			return l, timed, true
		}
		return l, framed, true
	}
	return Line{}, bare, false
}

// journalText reads a MESSAGE: a string, or the numbers of its bytes when it
// is no UTF-8.
func journalText(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var numbers []int
	if json.Unmarshal(raw, &numbers) != nil {
		return ""
	}
	b := make([]byte, len(numbers))
	for i, n := range numbers {
		b[i] = byte(n)
	}
	return string(b)
}
