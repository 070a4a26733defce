package probe

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/host"
	"sshtay/internal/sock"
	"sshtay/internal/sshlog"
)

// A session is a login of the user's own ssh over a socket that we made and
// still hold: ssh speaks on it, and we may ask the kernel about it and change
// its settings while it lives. It is how experiments differ in one setting.
type session struct {
	Conn *net.TCPConn // ssh's connection; never to be read from or written to; nil where it is not ours
	IO   net.Conn     // standard input and output of the command on the server
	Addr netip.AddrPort

	dialog *host.Dialog
	clean  func()

	mu      sync.Mutex
	trace   sshlog.Trace
	at      map[string]time.Time
	line    []byte
	lines   int           // of standard error
	last    time.Time     // when the last of them came
	changed chan struct{} // closed, and made anew, when a line came
}

// A trial says how a session differs from one that the user would start.
type trial struct {
	Socket  sock.Options
	Silent  bool     // no keepalives of the kernel, whatever the user's configuration says
	SSH     []string // options that come before the user's own: "Ciphers=aes128-ctr"
	Command string   // what runs on the server; "" is nothing, as ssh -N
	TTY     bool     // with a terminal there
	Allowed bool     // the budget has allowed it already
}

// mostLines of ssh's standard error are followed; a session that holds prints
// far fewer.
const mostTraceLines = 2000

var (
	errNoSession = errors.New("no session of our own can be made here")
	errNoBudget  = errors.New(noBudget)
)

// openSession connects to the address and starts the user's own ssh on the
// connection. It spends one connection of the budget and does not wait for the
// login: see [session.Await]. The caller calls Close in any case but that of
// an error.
func openSession(ctx context.Context, env *Env, to netip.AddrPort, t trial) (*session, error) {
	machine, ok := env.Local.(interface {
		proxyHost
		TempDir() (host.Dir, error)
	})
	if !ok || env.Self == "" {
		return nil, errNoSession
	}
	if !t.Allowed && !env.Budget.Take() {
		return nil, errNoBudget
	}
	t.Socket.KeepAlive = t.Socket.KeepAlive || env.value("tcpkeepalive") != "no" && !t.Silent
	conn, err := dialAsUser(ctx, env, to, t.Socket)
	if err != nil {
		return nil, err
	}
	dir, err := machine.TempDir()
	if err != nil {
		conn.Close()
		return nil, err
	}
	path, stop, err := dir.Lend(conn)
	if err != nil {
		conn.Close()
		dir.Remove()
		return nil, err
	}
	own := []string{"ProxyCommand=" + quote(env.Self) + " dial --from " + quote(path), "ProxyUseFdpass=yes"}
	s, err := newSession(machine, sessionArgs(env, own, t), conn, func() { stop(); dir.Remove() })
	if err != nil {
		return nil, err
	}
	s.Addr = to
	return s, nil
}

// dialAsUser connects from where the user's ssh would, unless the options say
// otherwise.
func dialAsUser(ctx context.Context, env *Env, to netip.AddrPort, o sock.Options) (*net.TCPConn, error) {
	if o.Local == nil {
		local, err := source(ctx, env, to.Addr())
		if err != nil {
			return nil, err
		}
		o.Local, _ = local.(*net.TCPAddr)
	}
	o.Timeout = cmp.Or(o.Timeout, connectTime)
	start := time.Now()
	conn, err := sock.Dial(ctx, to, o)
	if err != nil {
		return nil, plainly(err, time.Since(start))
	}
	return conn, nil
}

// newSession starts ssh, on a connection of ours or without one. Clean gives
// back what it needs, and is called in any case.
func newSession(machine proxyHost, argv []string, conn *net.TCPConn, clean func()) (*session, error) {
	s := &session{Conn: conn, at: map[string]time.Time{}, changed: make(chan struct{}), clean: clean}
	var err error
	s.dialog, err = machine.Dialog(host.Command{Argv: argv, Stderr: (*sessionErr)(s), Limit: 64 << 10, Grace: 200 * time.Millisecond})
	if err != nil {
		if conn != nil {
			conn.Close()
		}
		clean()
		return nil, err
	}
	s.IO = s.dialog.Conn
	return s, nil
}

// sessionArgs is ssh on the connection that the options say how to get.
func sessionArgs(env *Env, way []string, t trial) []string {
	args := []string{"ssh"}
	for _, o := range slices.Concat(t.SSH, way, []string{"ProxyJump=none", "BatchMode=yes"}) {
		args = append(args, "-o", o)
	}
	if t.Command == "" {
		args = append(args, "-N")
	}
	quiet := *env
	quiet.Terminal = false
	login := loginArgs(&quiet, defaultLimits)[1:]
	if t.TTY {
		login[slices.Index(login, "-T")] = "-tt"
	}
	args = append(args, login...)
	if t.Command != "" {
		args = append(args, t.Command)
	}
	return args
}

// quote makes one word of a path for the shell that ssh runs a ProxyCommand
// with, after ssh has replaced its tokens.
func quote(path string) string {
	var b bytes.Buffer
	b.WriteByte('\'')
	for _, r := range path {
		switch r {
		case '\'':
			b.WriteString(`'\''`)
		case '%':
			b.WriteString("%%")
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('\'')
	return b.String()
}

// sessionErr is the end of a session that ssh's standard error goes to.
type sessionErr session

func (e *sessionErr) Write(p []byte) (int, error) {
	s := (*session)(e)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range p {
		switch {
		case b == '\n':
			s.take()
		case len(s.line) < maxLine:
			s.line = append(s.line, b)
		}
	}
	close(s.changed)
	s.changed = make(chan struct{})
	return len(p), nil
}

// take gives the trace a line of ssh.
func (s *session) take() {
	s.last = time.Now()
	if s.lines++; s.lines <= mostTraceLines {
		s.trace.Add(string(s.line))
		if stage := s.trace.Stage(); s.at[stage].IsZero() {
			s.at[stage] = time.Now()
		}
	}
	s.line = s.line[:0]
}

// Await returns nil when the stage of package sshlog is reached, or why it
// will not be: ssh has ended, or ctx is done.
func (s *session) Await(ctx context.Context, stage string) error {
	for {
		s.mu.Lock()
		reached, changed := sshlog.Reached(s.trace.Stage(), stage), s.changed
		s.mu.Unlock()
		if reached {
			return nil
		}
		select {
		case <-changed:
		case <-s.dialog.Ended():
			return errors.New(s.Why())
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Stage is the last stage that was completed.
func (s *session) Stage() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trace.Stage()
}

// At is when a stage was completed, or zero.
func (s *session) At(stage string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at[stage]
}

// Why is what ssh printed about its end, as a reason and its words.
func (s *session) Why() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if said := s.trace.Error(); said != "" {
		return said
	}
	return fmt.Sprintf("ssh ended at the stage %s and said nothing", s.trace.Stage())
}

// Words are what ssh printed about its end, or "".
func (s *session) Words() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trace.Error()
}

// Reason is the word of login.reason for the end, or "".
func (s *session) Reason() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trace.Reason()
}

// Ended is closed when ssh has ended.
func (s *session) Ended() <-chan struct{} { return s.dialog.Ended() }

// Info asks the kernel about the connection.
func (s *session) Info() (sock.Info, error) { return sock.InfoOf(s.Conn) }

// Close ends ssh, which sends a DISCONNECT when it is asked to end, and gives
// everything back.
func (s *session) Close() {
	s.dialog.End(sessionPatience)
	if s.Conn != nil {
		s.Conn.Close()
	}
	s.clean()
}

// sessionPatience is how long ssh may take to end by itself once its standard
// input is closed.
const sessionPatience = 100 * time.Millisecond

// serverAddr is the address that the handshake reached, for sessions of our own; or
// why there can be none.
func serverAddr(env *Env, facts *fact.Set) (netip.AddrPort, string) {
	if via, _ := fact.HandshakeVia.Get(facts); via != viaDirect {
		return netip.AddrPort{}, "the connection goes through a proxy or a jump host, whose path is another one"
	}
	addresses, _ := fact.HandshakeAddresses.Get(facts)
	for _, a := range addresses {
		if addr, err := netip.ParseAddr(a.Address); err == nil && a.Stage != "" && a.Stage != stageResolve && a.Stage != stageNone {
			return netip.AddrPortFrom(addr, uint16(env.Resolved.Port)), ""
		}
	}
	return netip.AddrPort{}, "no address of the host accepted a connection"
}
