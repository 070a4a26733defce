package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"sshtay/internal/sock"
	"sshtay/internal/sshlog"
)

// A tap is a session in which the server sends as many bytes as it is asked
// for, at once and in one message.
type tap struct {
	*session
	m     *mtuRun
	v4    bool
	stall stall
	stuck bool // something is

	mu      sync.Mutex
	came    int // bytes of what was asked for
	ready   bool
	probing string        // what the server's kernel says, see [probing]
	changed chan struct{} // closed, and made anew, when some came
}

// tapReady comes before what is asked for, whatever a profile prints; behind it
// on its line stands what [probingFile] says there.
const tapReady = "sshtay-tap-is-open"

// tapCommand reads lines "N anything" and answers each with N bytes. dd writes
// a block at once, and every system has it.
const tapCommand = `exec sh -c 'echo ` + tapReady + ` $(cat ` + probingFile + ` 2>/dev/null); while read n x; do dd if=/dev/zero bs=$n count=1 2>/dev/null; done'`

// A stuckError is a session on which data is stuck.
type stuckError struct{ direction string }

func (e stuckError) Error() string { return "data got stuck " + e.direction }

var errNoTap = errors.New("the session did not run our command")

// answerTime is how long a session may take to run our command.
const answerTime = 4 * time.Second

// openTap logs in and waits until the server answers.
func (m *mtuRun) openTap(ctx context.Context, t trial) (*tap, error) {
	t.Command = tapCommand
	t.SSH = append(t.SSH, "Compression=no")
	s, err := openSession(ctx, m.env, m.to, t)
	if err != nil {
		return nil, err
	}
	p := &tap{session: s, m: m, v4: m.to.Addr().Is4(), changed: make(chan struct{})}
	go p.read()
	if err := p.login(ctx); err != nil {
		p.close()
		return nil, err
	}
	p.mu.Lock()
	m.itsProbing = p.probing
	p.mu.Unlock()
	return p, nil
}

// login waits for the session and our command in it, and no longer than data
// moves.
func (p *tap) login(ctx context.Context) error {
	ctx, cut, stop := p.watched(ctx, func(time.Time, sock.Info) {})
	defer stop()
	if err := p.Await(ctx, sshlog.Session); err != nil {
		return err
	}
	late := time.AfterFunc(answerTime, func() { cut(errNoTap) })
	defer late.Stop()
	return p.await(ctx, func() bool { return p.ready })
}

// watched ends a context when the connection is stuck; also is told what the
// kernel says at every look. The caller calls stop, after which nobody looks any
// more.
func (p *tap) watched(ctx context.Context, also func(time.Time, sock.Info)) (_ context.Context, cut context.CancelCauseFunc, stop func()) {
	ctx, cut = context.WithCancelCause(ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		err := poll(ctx, p.Conn, func(now time.Time, i sock.Info) (bool, error) {
			if at := p.stall.look(now, i); at != "" {
				return true, stuckError{at}
			}
			also(now, i)
			return false, nil
		})
		if err != nil {
			cut(err)
		}
	}()
	return ctx, cut, func() { cut(nil); <-over }
}

// read counts what comes.
func (p *tap) read() {
	var head []byte
	buffer := make([]byte, 4096)
	for {
		n, err := p.IO.Read(buffer)
		p.mu.Lock()
		if p.ready {
			p.came += n
		} else if head = append(head, buffer[:n]...); len(head) <= 64<<10 {
			_, rest, _ := bytes.Cut(head, []byte(tapReady))
			if said, rest, found := bytes.Cut(rest, []byte("\n")); found {
				p.ready, p.probing, p.came, head = true, strings.TrimSpace(string(said)), len(rest), nil
			}
		}
		close(p.changed)
		p.changed = make(chan struct{})
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (p *tap) await(ctx context.Context, enough func() bool) error {
	for {
		p.mu.Lock()
		done, changed := enough(), p.changed
		p.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-p.Ended():
			return errors.New(p.Why())
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// ask has the server send n bytes, with a line of ours that is extra bytes
// longer than needed. When these do not come, a few more are asked for: what
// is short and arrives shows that what is long vanished. A nil error means that
// all came.
func (p *tap) ask(ctx context.Context, n, extra int) error {
	p.mu.Lock()
	p.came = 0
	p.mu.Unlock()
	if info, err := p.Info(); err == nil {
		p.m.lossy = p.m.lossy || info.OutOfOrder > 0 || info.TotalRetrans > info.Duplicates // those were not lost
		p.stall = stall{last: info.OutOfOrder, lossy: p.m.lossy}
	}
	fmt.Fprintf(p.IO, "%d %s\n", n, strings.Repeat("x", extra))
	begun, nudged := time.Now(), false
	ctx, _, stop := p.watched(ctx, func(now time.Time, i sock.Info) {
		if !nudged && now.Sub(begun) > 150*time.Millisecond+2*i.RTT {
			nudged = true
			io.WriteString(p.IO, "8 x\n")
		}
	})
	defer stop()
	err := p.await(ctx, func() bool { return p.came >= n })
	p.stuck = err != nil
	return err
}

// close ends the session; with a reset, so that nothing that is stuck holds
// the server.
func (p *tap) close() {
	if info, err := p.Info(); err == nil && (info.Unacked > 0 || p.stuck) {
		p.Conn.SetLinger(0)
	}
	p.Close()
}

const (
	blockSize  = 16  // messages of every cipher grow by this much, or divide it
	firstAsked = 208 // a multiple of that
	longAsked  = 3000
	leastSize  = 1280 // of a packet; the ladder begins there
	coarseRTT  = 100 * time.Millisecond
)

// climb finds the longest packet that comes from the server: it is asked for
// messages of ascending sizes, each of which is one segment and waits for the
// one before. What vanishes ends the session, and is the limit. A full
// segment or two come last.
func (p *tap) climb(ctx context.Context) (b bracket, full bool, err error) {
	info, err := p.Info()
	if err != nil {
		return b, false, err
	}
	head := headers(p.v4, info.Timestamps)
	around := 0 // a message is so much longer than what was asked for
	for range 2 {
		before := info.BytesReceived
		if err := p.ask(ctx, firstAsked, 0); err != nil {
			return b, false, err
		}
		if info, err = p.Info(); err != nil {
			return b, false, err
		}
		if n := int(info.BytesReceived-before) - firstAsked; around == 0 || n < around {
			around = n
		}
	}
	b.arrives = head + max(info.ReceiveMSS, firstAsked+around)
	step := blockSize
	if info.MinRTT > coarseRTT {
		step = 2 * blockSize
	}
	top := info.AdvertisedMSS + head
	for size := max(b.arrives, leastSize); size < top; size += step {
		asked := (size - head - around) / blockSize * blockSize
		sent := asked + around + head
		switch err := p.ask(ctx, asked, 0); {
		case errors.Is(err, stuckError{fromServer}):
			b.vanishes = sent
			return b, false, nil
		case err != nil:
			return b, false, err
		}
		b.arrives = max(b.arrives, sent)
	}
	err = p.ask(ctx, longAsked, 0)
	if errors.Is(err, stuckError{fromServer}) {
		b.vanishes = top
		return b, false, nil
	}
	if err != nil {
		return b, false, err
	}
	if info, err = p.Info(); err == nil {
		b.arrives = max(b.arrives, info.ReceiveMSS+head)
	}
	return b, true, err
}

// carries says whether long data passes both ways.
func (p *tap) carries(ctx context.Context) error { return p.ask(ctx, longAsked, longAsked) }

// short are algorithms with which no message of a key exchange is long, most
// wanted first. They are a few each, so that most servers have one of them.
var short = []struct {
	option string
	names  []string
}{
	{"KexAlgorithms", []string{"curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256", "diffie-hellman-group14-sha256"}},
	{"Ciphers", []string{"chacha20-poly1305@openssh.com", "aes128-gcm@openssh.com", "aes128-ctr", "aes256-ctr"}},
	{"MACs", []string{"hmac-sha2-256-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512"}},
}

// shortKex are the options for these, of what the user's ssh offers.
func shortKex(env *Env) (options []string) {
	for _, o := range short {
		ours := strings.Split(env.value(strings.ToLower(o.option)), ",")
		names := slices.DeleteFunc(slices.Clone(o.names), func(n string) bool { return !slices.Contains(ours, n) })
		if len(names) > 0 {
			options = append(options, o.option+"="+strings.Join(names, ","))
		}
	}
	return options
}
