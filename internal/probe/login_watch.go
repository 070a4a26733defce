package probe

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"sshtay/internal/sshlog"
)

// Why a login is cut by us.
var (
	errNotSSH   = errors.New("ssh was ended while it waited for a banner: our handshake had met something else than SSH")
	errNoLogin  = errors.New("no session within the time given")
	errNoAnswer = errors.New("the session did not run our command within the time given")
	errEndless  = errors.New("the session printed too much before our command ran")
	errCollect  = errors.New("our command did not end within the time given")
	errDone     = errors.New("our command has ended and the session has not")
)

// A watch follows a login by what ssh prints on both outputs, notes when each
// stage was reached, and cuts what takes too long.
type watch struct {
	lim        limits
	begin, end []byte
	terminal   bool
	stay       bool // the session is to go on once our script has ended
	cut        context.CancelCauseFunc
	onBegin    func()     // called when our script's first line comes; may be nil
	asking     func(bool) // told when ssh may begin to ask the user, and when that is over; may be nil
	clock      sync.Mutex // guards timer
	timer      *time.Timer
	start      time.Time

	mu     sync.Mutex
	trace  sshlog.Trace
	at     map[string]time.Time // when each stage was completed
	begun  time.Time            // when our script's first line came
	ended  bool                 // its last line came
	over   bool                 // what comes now is none of ours
	alien  bool                 // the handshake met something else than SSH
	out    []byte               // standard output, from the first line on once that came
	noise  []byte               // standard output before that
	errs   []byte               // the session's own words on standard error
	line   []byte               // the line of standard error that is being read
	last   string               // the last line of it that was not a debug line
	words  string               // the last line before the session that is not ssh's own: the server's
	errLen int                  // bytes of standard error
}

func newWatch(lim limits, nonce string, terminal bool, cut context.CancelCauseFunc) *watch {
	w := &watch{lim: lim, begin: []byte(beginMark(nonce)), end: []byte(endMark(nonce)), terminal: terminal, cut: cut,
		start: time.Now(), at: map[string]time.Time{}}
	w.within(lim.login, errNoLogin)
	return w
}

// within cuts the login for that reason unless something else is awaited
// before the time is up.
func (w *watch) within(d time.Duration, reason error) {
	w.clock.Lock()
	defer w.clock.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
	w.timer = time.AfterFunc(d, func() { w.cut(reason) })
}

func (w *watch) stop() {
	w.clock.Lock()
	defer w.clock.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
}

// watchOut and watchErr are the ends of a watch that ssh writes to. They never
// fail: ssh must not be blocked.
type (
	watchOut watch
	watchErr watch
)

func (o *watchOut) Write(p []byte) (int, error) {
	w := (*watch)(o)
	w.mu.Lock()
	defer w.mu.Unlock()
	from := max(0, len(w.out)-len(w.begin)) // a mark may come in two pieces
	if room := w.lim.noise + w.lim.output - len(w.out); room > 0 {
		w.out = append(w.out, p[:min(room, len(p))]...)
	}
	if w.begun.IsZero() {
		w.lookForBegin(from)
		return len(p), nil
	}
	w.lookForEnd(from)
	return len(p), nil
}

func (w *watch) lookForBegin(from int) {
	i := bytes.Index(w.out[from:], w.begin)
	switch {
	case i >= 0:
		w.begun = time.Now()
		w.noise = w.out[:from+i]
		w.out = w.out[from+i:]
		w.within(w.lim.collect, errCollect)
		if w.onBegin != nil {
			w.onBegin()
		}
		w.lookForEnd(0)
	case len(w.out) > w.lim.noise:
		w.cut(errEndless)
	}
}

func (w *watch) lookForEnd(from int) {
	switch {
	case w.ended:
	case bytes.Contains(w.out[from:], w.end):
		if w.ended = true; !w.stay {
			w.within(w.lim.linger, errDone)
		}
	case len(w.out) >= w.lim.output:
		w.cut(errCollect)
	}
}

// maxLine bounds a line of standard error; ssh's own are shorter.
const maxLine = 4 << 10

func (e *watchErr) Write(p []byte) (int, error) {
	w := (*watch)(e)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return len(p), nil
	}
	w.errLen += len(p)
	if w.begun.IsZero() && w.errLen > w.lim.output {
		w.cut(errEndless)
	}
	for rest := p; len(rest) > 0; {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			w.line = append(w.line, rest[:min(len(rest), max(0, maxLine-len(w.line)))]...)
			break
		}
		w.line = append(w.line, rest[:min(i, max(0, maxLine-len(w.line)))]...)
		w.addLine(string(w.line))
		w.line, rest = w.line[:0], rest[i+1:]
	}
	return len(p), nil
}

// addLine takes one whole line of standard error. Once there is a session,
// what is not ssh's own is the session's.
func (w *watch) addLine(line string) {
	before, asked := w.trace.Stage(), w.trace.MayAsk
	inSession := before == sshlog.Session
	if i := strings.Index(line, "debug1: "); i > 0 && inSession { // after text that had no line end
		w.addLine(line[:i])
		line = line[i:]
	}
	own := w.trace.Add(line)
	if !strings.HasPrefix(line, "debug") && strings.TrimSpace(line) != "" {
		w.last = line
		if !inSession && !own {
			w.words = line
		}
	}
	if inSession && !own && w.begun.IsZero() && len(w.errs) < w.lim.noise {
		w.errs = append(append(w.errs, line...), '\n')
	}
	if w.terminal && !asked && w.trace.MayAsk {
		w.within(w.lim.asking, errNoLogin)
		w.mayAsk(true)
	}
	if now := w.trace.Stage(); now != before {
		w.at[now] = time.Now()
		if w.alien && now == sshlog.Banner {
			w.alien = false // a balancer has led ssh elsewhere
			w.within(w.lim.login, errNoLogin)
		}
		if now == sshlog.Auth {
			w.mayAsk(false)
		}
		if now == sshlog.Session && w.begun.IsZero() {
			w.within(w.lim.answer, errNoAnswer)
		}
	}
}

// expectNoBanner gives ssh little more time to see a banner, unless the user
// is just being asked for something.
func (w *watch) expectNoBanner() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.trace.MayAsk && !sshlog.Reached(w.trace.Stage(), sshlog.Banner) {
		w.alien = true
		w.within(w.lim.foreign, errNotSSH)
	}
}

func (w *watch) mayAsk(yes bool) {
	if w.asking != nil {
		w.asking(yes)
	}
}

// finish takes a last line that has no end; ssh has ended.
func (w *watch) finish() {
	w.stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.line) > 0 {
		w.addLine(string(w.line))
		w.line = nil
	}
	w.stop()
}

// collected is what our script printed, and whether it ran.
func (w *watch) collected() (string, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.out), !w.begun.IsZero()
}
