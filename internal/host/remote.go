package host

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"sync"
	"time"
)

// A Remote is a machine behind the user's own ssh: one login, in which a plain
// sh runs what it is told, one thing after the other. Nothing is installed there.
// It may be asked several things at once: they are sent at once, and answered in
// their order, so that they take one round trip.
type Remote struct {
	dialog *Dialog
	root   bool
	opened func()        // closes what the first request waits for, once
	mu     sync.Mutex    // of what follows, and while a request is sent
	last   chan struct{} // closed when the last request that was sent is answered
	gone   error         // why nothing can be asked any more
	ahead  []byte        // what came and is not read yet; of who reads
}

// A RemoteCommand says how a machine is reached.
type RemoteCommand struct {
	SSH      []string      // the program and its arguments up to the host; what runs there is put behind
	Sudo     bool          // become root there by sudo, where that asks nothing
	Terminal bool          // ssh may ask the user on the terminal
	Wait     time.Duration // for the login; 0 is [DefaultLogin]
}

// DefaultLogin is how long a login may take when nothing else is said.
const DefaultLogin = 20 * time.Second

// Bounds of what a remote shell may say around the output of programs.
const (
	maxGreeting = 64 << 10 // bytes that an account prints before our command runs
	remoteGrace = 300 * time.Millisecond
)

// ErrLost is the error for a machine that was reached and is heard no more.
var ErrLost = errors.New("the connection to the machine was lost")

// Remote logs in to a machine. The caller closes what it gets.
func (l Local) Remote(ctx context.Context, c RemoteCommand) (*Remote, error) {
	wait := c.Wait
	if wait == 0 {
		wait = DefaultLogin
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	mark := rand.Text()
	d, err := l.Dialog(Command{Argv: append(append([]string{}, c.SSH...), AnyShell(Reception(mark, c.Sudo))), Limit: maxGreeting, Terminal: c.Terminal})
	if err != nil {
		return nil, err
	}
	r := Early(d)
	if err := r.Enter(ctx, nil, mark); err != nil {
		return nil, fmt.Errorf("cannot log in: %w", err)
	}
	return r, nil
}

// Reception is a script of sh that ends as the shell of a [Remote]. It first says
// by the mark that it is ours, for what an account runs in its place must get
// nothing to read; and as whom it runs, which with sudo is root where sudo asks
// nothing.
func Reception(mark string, sudo bool) string {
	const begin = `printf '\n=%s begin %s\n' `
	hello := begin + mark + ` "$(id -u)"` + "\nexec sh\n"
	if sudo {
		hello = `[ "$(id -u)" = 0 ] || { sudo -n sh -c ` + Quote(begin+mark+" 0; exec sh") + " 2>/dev/null && exit; }\n" + hello
	}
	return hello
}

// Early is a Remote of a login that runs something of ours, which reads nothing, and
// will run [Reception] after it. What it is asked before that is sent at once and
// answered then. The caller calls Enter or Close.
func Early(d *Dialog) *Remote {
	open := make(chan struct{})
	return &Remote{dialog: d, last: open, opened: sync.OnceFunc(func() { close(open) })}
}

// Enter waits for [Reception] with that mark. Ahead is what came from the login
// and was read already. Without success the login is ended.
func (r *Remote) Enter(ctx context.Context, ahead []byte, mark string) error {
	defer r.opened()
	r.ahead = ahead
	return r.greet(ctx, mark)
}

// Alive says whether nothing has been heard of an end of the login, without
// asking there. Nobody else may use it meanwhile.
func (r *Remote) Alive() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gone != nil {
		return false
	}
	select {
	case <-r.dialog.Ended():
		return false
	default:
		return true
	}
}

// Root says whether we are root there.
func (r *Remote) Root() bool { return r.root }

// greet waits for the line that says that our own command runs, and as whom.
func (r *Remote) greet(ctx context.Context, mark string) error {
	defer within(ctx, r.dialog.Conn.SetReadDeadline)()
	noise := 0
	err := r.until([]byte("\n="+mark+" begin "), func(p []byte) error {
		if noise += len(p); noise > maxGreeting {
			return errors.New("the account prints without end and does not run our command")
		}
		return nil
	})
	var uid []byte
	if err == nil {
		err = r.until([]byte("\n"), func(p []byte) error { uid = append(uid, p...); return nil })
	}
	if err != nil {
		return r.lost(ctx, err)
	}
	r.root = string(uid) == "0"
	return nil
}

// Close ends the login, in which nothing is done any more, without waiting for
// the other side to agree.
func (r *Remote) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gone == nil {
		r.gone = errors.New("the login was ended")
		r.dialog.End(0)
	}
	r.opened()
	return nil
}

// Run implements [Host]. Of the command, Argv, Env, Dir, Stdin, Limit, Stdout
// and Stderr count; standard error is told when the program has ended, and loses
// line ends at its end. When ctx is done first the whole login is at an end.
func (r *Remote) Run(ctx context.Context, c Command) (Result, error) {
	mark := rand.Text()
	text, err := c.request(mark)
	if err != nil {
		return Result{}, err
	}
	limit := c.Limit
	if limit == 0 {
		limit = DefaultLimit
	}
	start := time.Now()
	answered, err := r.send(ctx, text)
	if err != nil {
		return Result{}, err
	}
	defer answered()
	defer within(ctx, r.dialog.Conn.SetReadDeadline)()
	out, errOut, code := &capped{limit: limit, tee: c.Stdout}, &capped{limit: limit, tee: c.Stderr}, &capped{limit: 20}
	for _, part := range []struct {
		end string
		to  *capped
	}{{"\n=" + mark + " out\n", out}, {"\n=" + mark + " status\n", code}, {"\n=" + mark + " end\n", errOut}} {
		if err == nil {
			err = r.until([]byte(part.end), func(p []byte) error { part.to.Write(p); return nil })
		}
	}
	res := Result{Stdout: out.kept, Stderr: errOut.kept, Truncated: out.over || errOut.over, Took: time.Since(start)}
	if err != nil {
		return res, fmt.Errorf("%s: %w", c.Argv[0], r.lost(ctx, err))
	}
	if string(code.kept) == "none" {
		return res, fmt.Errorf("%s: %w", c.Argv[0], ErrNotFound)
	}
	if res.Exit, err = strconv.Atoi(string(code.kept)); err != nil {
		return res, fmt.Errorf("%s: no exit status came back", c.Argv[0])
	}
	return res, nil
}

// ReadFile implements [Host].
func (r *Remote) ReadFile(ctx context.Context, name string, limit int) ([]byte, error) {
	const read = `[ -e "$1" ] || exit 3; [ -f "$1" ] || exit 4; head -c "$2" <"$1"`
	res, err := r.Run(ctx, Command{Argv: []string{"sh", "-c", read, "sh", name, strconv.Itoa(limit + 1)}, Limit: limit + 1})
	switch {
	case err != nil:
		return nil, err
	case res.Exit == 3:
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
	case res.Exit == 4:
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("not a regular file")}
	case res.Exit != 0 && bytes.Contains(res.Stderr, []byte("ermission denied")):
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrPermission}
	case res.Exit != 0:
		return nil, &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("status %d: %s", res.Exit, res.Stderr)}
	case len(res.Stdout) > limit:
		return res.Stdout[:limit], ErrTooLarge
	}
	return res.Stdout, nil
}

// send sends a request, and waits until those before it are answered. The
// caller says when its own is.
func (r *Remote) send(ctx context.Context, text string) (answered func(), err error) {
	r.mu.Lock()
	if r.gone != nil {
		defer r.mu.Unlock()
		return nil, r.gone
	}
	before, mine := r.last, make(chan struct{})
	r.last = mine
	stop := within(ctx, r.dialog.Conn.SetWriteDeadline)
	_, err = io.WriteString(r.dialog.Conn, text)
	stop()
	r.mu.Unlock()
	answered = func() { close(mine) }
	if err != nil {
		defer answered()
		return nil, r.lost(ctx, err)
	}
	<-before
	return answered, nil
}

// within has the end of the context end the waiting.
func within(ctx context.Context, setDeadline func(time.Time) error) (stop func()) {
	setDeadline(time.Time{})
	done := make(chan struct{})
	forget := context.AfterFunc(ctx, func() {
		setDeadline(time.Unix(1, 0))
		close(done)
	})
	return func() {
		if !forget() {
			<-done // else it would reach the next request
		}
	}
}

// until reads up to the mark, and gives what comes before it in pieces.
func (r *Remote) until(mark []byte, got func([]byte) error) error {
	buf := make([]byte, 32<<10)
	for {
		if i := bytes.Index(r.ahead, mark); i >= 0 {
			err := got(r.ahead[:i])
			r.ahead = append([]byte(nil), r.ahead[i+len(mark):]...)
			return err
		}
		if n := len(r.ahead) - len(mark) + 1; n > 0 {
			if err := got(r.ahead[:n]); err != nil {
				return err
			}
			r.ahead = append([]byte(nil), r.ahead[n:]...)
		}
		n, err := r.dialog.Conn.Read(buf)
		r.ahead = append(r.ahead, buf[:n]...)
		if err != nil && n == 0 {
			return err
		}
	}
}

// lost ends the login after an error, and says what ssh said of it.
func (r *Remote) lost(ctx context.Context, err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gone != nil {
		return r.gone
	}
	grace := remoteGrace
	if ctx.Err() != nil {
		grace = 0 // nobody waits for it any more
	}
	res, _ := r.dialog.End(grace)
	said := lastWords(res.Stderr)
	switch {
	case ctx.Err() != nil:
		r.gone = context.Cause(ctx)
	case said != "":
		r.gone = fmt.Errorf("%w: %s", ErrLost, strconv.QuoteToGraphic(said))
	case errors.Is(err, io.EOF) || errors.Is(err, os.ErrClosed):
		r.gone = ErrLost
	default:
		r.gone = fmt.Errorf("%w: %w", ErrLost, err)
	}
	return r.gone
}

// lastWords is the last line of what ssh said that is not there for who debugs it.
func lastWords(said []byte) (last string) {
	for line := range bytes.Lines(said) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && !bytes.HasPrefix(line, []byte("debug")) && !bytes.HasPrefix(line, []byte("Transferred: ")) && !bytes.HasPrefix(line, []byte("Bytes per second: ")) {
			last = string(line)
		}
	}
	return last
}
