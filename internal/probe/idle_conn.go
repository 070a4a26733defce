package probe

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sshtay/internal/idle"
	"sshtay/internal/sock"
	"sshtay/internal/sshlog"
	"sshtay/internal/sshwire"
	"sshtay/internal/visible"
)

// An idleLine is a connection whose end others see to.
type idleLine interface {
	Info() (sock.Info, error)
	Ended() <-chan struct{} // closed when it has ended by itself
	Reason() string         // for which it has, a word of login.reason, or ""
	Words() string          // what ssh printed about that, or ""
	Close()
}

// An idleConn is one connection that can fall silent and be woken.
type idleConn struct {
	id   int
	line idleLine
	tcp  *net.TCPConn // never to be read from or written to; nil behind a jump host
	ssh  *session     // that speaks on it, nil before a login
	peer string       // the client's address and port as the server sees them; "" when no shell answers there

	turn   sync.Mutex // of who speaks on it, guards what follows down to over
	silent bool
	since  time.Duration // when its silence began, in the time of the run
	seen   sock.Info     // what the kernel had counted then
	ttl    int           // of the keepalives that the kernel sends meanwhile
	talked time.Time     // when it last answered
	over   bool          // its end was told, or it was closed

	asked  atomic.Int64
	mu     sync.Mutex
	echoed int64
	spoken time.Time     // when the shell there last answered
	said   []string      // what else the shell there answered
	news   chan struct{} // closed, and made anew, when something was read
}

// idleSSH are the settings that make a connection silent: nothing is sent but
// what we write. Key strokes are obscured on terminals only, and there is none.
// Two dozen key exchanges keep both machines busy, so the cheapest that the
// user's ssh offers comes first: what is said on these connections is no secret.
func idleSSH(env *Env) []string {
	options := append([]string{"ServerAliveInterval=0", "TCPKeepAlive=no", "RekeyLimit=default none"}, cheapKexFirst(env)...)
	if env.value("channeltimeout") != "" {
		options = append(options, "ChannelTimeout=none")
	}
	return options
}

// cheapKex are the key exchanges that take the least time, the cheapest first:
// curve25519 takes ssh 10 ms where sntrup761 takes 110.
var cheapKex = []string{"curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256"}

// cheapKexFirst is the option that has ssh offer all that it would, in another
// order: for connections on which nothing secret is said.
func cheapKexFirst(env *Env) []string {
	all := strings.Split(env.value("kexalgorithms"), ",")
	first := slices.DeleteFunc(slices.Clone(cheapKex), func(name string) bool { return !slices.Contains(all, name) })
	rest := slices.DeleteFunc(all, func(name string) bool { return slices.Contains(cheapKex, name) })
	if len(first) == 0 {
		return nil
	}
	return []string{"KexAlgorithms=" + strings.Join(append(first, rest...), ",")}
}

// idleMark begins the line with which the shell on the server says that it is
// there, and as whom it sees us.
const idleMark = "sshtay-idle"

// idleCommand has the server answer whatever shell the user has.
const idleCommand = "echo " + idleMark + " $SSH_CONNECTION; exec sh"

// start reads what comes from the server, from now on.
func (c *idleConn) start() {
	c.news = make(chan struct{})
	go func() {
		lines := bufio.NewScanner(c.ssh.IO)
		lines.Buffer(make([]byte, 0, 4096), 64<<10)
		for lines.Scan() {
			c.take(lines.Text())
		}
	}()
}

// mostSaid bounds the lines that are kept of what the server's shell says.
const mostSaid = 100

func (c *idleConn) take(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spoken = time.Now()
	words := strings.Fields(line)
	switch {
	case len(words) >= 3 && words[0] == idleMark:
		c.peer = net.JoinHostPort(words[1], words[2])
	case len(words) == 2 && words[0] == idleMark:
		if n, err := strconv.ParseInt(words[1], 10, 64); err == nil {
			c.echoed = max(c.echoed, n)
		}
	case len(c.said) < mostSaid:
		c.said = append(c.said, visible.Line(line, 200))
	}
	close(c.news)
	c.news = make(chan struct{})
}

// await waits until a condition on what was read holds.
func (c *idleConn) await(ctx context.Context, holds func() bool) error {
	for {
		c.mu.Lock()
		ok, news := holds(), c.news
		c.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-news:
		case <-c.line.Ended():
			return fmt.Errorf("%s", c.ssh.Why())
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// ready waits for the login, and for the shell there where there is one.
func (c *idleConn) ready(ctx context.Context, shell bool) error {
	if !shell {
		return c.ssh.Await(ctx, sshlog.Auth)
	}
	if err := c.ssh.Await(ctx, sshlog.Session); err != nil {
		return err
	}
	return c.await(ctx, func() bool { return c.peer != "" })
}

// send has the server answer once: its shell, or where there is none its
// kernel, which acknowledges what sshd is to ignore or, where keys were
// exchanged, a keepalive. It returns whether the answer is there.
func (c *idleConn) send(before sock.Info) (answered func(sock.Info) bool) {
	switch {
	case c.ssh == nil:
		message, rest := sshwire.Filler(1)
		c.tcp.SetWriteDeadline(time.Now().Add(time.Second))
		c.tcp.Write(append(message, rest...))
		return func(i sock.Info) bool { return i.BytesAcked > before.BytesAcked }
	case c.peer == "":
		c.tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 127})
		return func(i sock.Info) bool { return i.SegmentsIn > before.SegmentsIn }
	}
	n := c.asked.Add(1)
	c.ssh.IO.SetWriteDeadline(time.Now().Add(time.Second))
	fmt.Fprintf(c.ssh.IO, "echo %s %d\n", idleMark, n)
	return func(sock.Info) bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.echoed >= n
	}
}

// Bounds of the wait for an answer.
const (
	leastPatience = 600 * time.Millisecond // before a connection is called dead, beside four round trips
	mostPatience  = 8 * time.Second
	leastResent   = 2
)

// ask has the server answer and says what that came to. Told that the kernel
// has sent the question again and again, it does not wait for ssh to give up.
// Patience is for lines that lose packets.
func (c *idleConn) ask(ctx context.Context, resent int) string {
	before, err := c.line.Info()
	if err == nil && before.State != established {
		return c.ending(c.silent)
	}
	answered := c.send(before)
	begin := time.Now()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	defer c.quiet()
	for {
		info, err := c.line.Info()
		waited := time.Since(begin)
		switch {
		case answered(info):
			return idle.Alive
		case err == nil && info.State != established:
			return c.ending(false)
		case err == nil && info.Backoff+info.Retransmits > 0 && info.Unacked > 0 && info.TotalRetrans-before.TotalRetrans >= resent && waited > leastPatience+4*info.RTT,
			c.byKernel() && waited > 3*time.Second+4*info.RTT:
			return idle.Silent
		case waited > mostPatience && err == nil && info.BytesAcked > before.BytesAcked && info.Unacked == 0:
			return idle.Alive // the path is; who should answer there is busy
		case waited > mostPatience:
			return idle.Silent
		}
		select {
		case <-tick.C:
		case <-c.line.Ended():
			return c.ending(false)
		case <-ctx.Done():
			return ""
		}
	}
}

// ending says how a connection ended that is not established any more, or
// whose ssh has ended; early is before anybody woke it.
func (c *idleConn) ending(early bool) string {
	select {
	case <-c.line.Ended():
	case <-time.After(time.Second): // its words are worth a moment
	}
	info, err := c.line.Info()
	reset := err == nil && info.State == tcpClosed || c.line.Reason() == "reset"
	switch {
	case c.tcp == nil: // who ended it, and how, is not passed on
		return idle.Ended
	case reset && early:
		return idle.ResetEarly
	case reset:
		return idle.Reset
	case early && c.ssh != nil && err == nil && info.BytesReceived > c.seen.BytesReceived+1: // the kernel counts the FIN
		return idle.ClosedSaid
	}
	return idle.Closed
}

// byKernel says that nothing on the server answers but its kernel, and that to
// keepalives only.
func (c *idleConn) byKernel() bool { return c.ssh != nil && c.peer == "" }

// notice is how long before the end of a silence one has to begin to wake the
// connection: the kernel sends its first keepalive after a second.
func notice(shell bool) time.Duration {
	if shell {
		return 0
	}
	return time.Second
}

// quiet ends what send or fallSilent set on the socket.
func (c *idleConn) quiet() {
	if c.byKernel() {
		c.tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: false})
	}
}

// settle is how long an acknowledgement may be held back, which must not be
// sent with a small TTL.
const settle = 200 * time.Millisecond

// fallSilent begins a silence. With a TTL the kernel sends keepalives
// meanwhile, which go that far.
func (c *idleConn) fallSilent(now func() time.Duration, ttl int, every time.Duration) (err error) {
	if ttl > 0 {
		time.Sleep(settle)
		if ttl < idle.Full {
			err = sock.SetTTL(c.tcp, ttl)
		}
		c.tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: every, Interval: every, Count: 127})
	}
	c.seen, _ = c.line.Info()
	c.since, c.ttl, c.silent = now()-c.quietFor(c.seen), ttl, true
	return err
}

// quietFor is how long ago something was last said on it: a connection that is
// told to sleep may have been asked a while ago.
func (c *idleConn) quietFor(i sock.Info) time.Duration {
	if c.tcp != nil {
		return min(i.SinceSent, i.SinceReceived, i.SinceAck)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(c.spoken)
}

// rouse undoes fallSilent, before the connection is spoken on again.
func (c *idleConn) rouse() {
	if c.ttl > 0 {
		c.tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: false})
		sock.SetTTL(c.tcp, -1) // the system's own
	}
}

// lastWords is how long after something came a connection must live for that to
// have been no goodbye.
const lastWords = time.Second

// heard says that the server spoke on a silent connection, which lives on, and
// when. What comes at once still belongs to what was said before.
func (c *idleConn) heard(now time.Duration) (at time.Duration, is bool) {
	info, err := c.line.Info()
	if err != nil || !c.silent || c.ttl > 0 || info.State != established || info.SegmentsIn <= c.seen.SegmentsIn {
		return 0, false
	}
	at = max(now-min(info.SinceReceived, info.SinceAck), c.since)
	if at-c.since > time.Second+4*info.RTT {
		return at, now-at > lastWords
	}
	c.since, c.seen = at, info
	return 0, false
}

// atServer says what the server's kernel knows of another connection: that it
// is there, closing by its own wish, or gone; "" when it cannot be seen. The connection that is
// asked looks.
func (c *idleConn) atServer(ctx context.Context, other *idleConn) string {
	if c.peer == "" || other.peer == "" {
		return ""
	}
	own, others := portOf(c.peer), portOf(other.peer)
	return stateAtServer(c.command(ctx, fmt.Sprintf("grep -h -i -e ':%04x ' -e ':%04x ' /proc/net/tcp /proc/net/tcp6 2>/dev/null", own, others)), own, others)
}

// rateLimit says, in words, that the server's firewall counts new connections
// by their address (the match recent of iptables, which ufw limit uses), or "".
// Everybody can see that there.
func (c *idleConn) rateLimit(ctx context.Context) string {
	if c.peer == "" {
		return ""
	}
	if lists := c.command(ctx, "ls /proc/net/xt_recent 2>/dev/null"); len(lists) > 0 {
		return "the server's firewall counts new connections by their address (" + lists[0] + ")"
	}
	return ""
}

// command has the shell there run something, and returns the lines that it says.
func (c *idleConn) command(ctx context.Context, line string) []string {
	c.mu.Lock()
	c.said = nil
	c.mu.Unlock()
	n := c.asked.Add(1)
	c.ssh.IO.SetWriteDeadline(time.Now().Add(time.Second))
	fmt.Fprintf(c.ssh.IO, "%s; echo %s %d\n", line, idleMark, n)
	ctx, cancel := context.WithTimeout(ctx, mostPatience)
	defer cancel()
	if c.await(ctx, func() bool { return c.echoed >= n }) != nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.said
}

func portOf(peer string) int {
	_, port, _ := net.SplitHostPort(peer)
	n, _ := strconv.Atoi(port)
	return n
}

// stateAtServer reads lines of /proc/net/tcp about the port of the connection
// that looks, and that of another one.
func stateAtServer(lines []string, own, other int) string {
	states := map[int]string{}
	for _, line := range lines {
		f := strings.Fields(line)
		if len(f) < 4 {
			continue
		}
		_, hex, _ := strings.Cut(f[2], ":")
		if port, err := strconv.ParseUint(hex, 16, 16); err == nil {
			states[int(port)] = f[3]
		}
	}
	switch {
	case states[own] != "01": // it does not even see the one that asks
		return ""
	case states[other] == "01":
		return "there"
	case slices.Contains([]string{"04", "05", "06", "0B"}, states[other]): // it began to close
		return "closing"
	}
	return "gone" // or it was closed by the other end: 08, 09
}
