package sshwire

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// queue is one direction of a connection in memory.
type queue struct {
	mu     sync.Mutex
	more   *sync.Cond
	buf    bytes.Buffer
	closed bool
}

func newQueue() *queue {
	q := &queue{}
	q.more = sync.NewCond(&q.mu)
	return q
}

func (q *queue) Read(p []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.buf.Len() == 0 && !q.closed {
		q.more.Wait()
	}
	return q.buf.Read(p)
}

func (q *queue) Write(p []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return 0, syscall.EPIPE
	}
	q.more.Broadcast()
	return q.buf.Write(p)
}

func (q *queue) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.more.Broadcast()
	return nil
}

// memConn is one end of a connection in memory. It takes no notice of
// deadlines: the faulty one below answers in their place, at once.
type memConn struct {
	in, out *queue
}

func memPair() (client, server *memConn) {
	a, b := newQueue(), newQueue()
	return &memConn{a, b}, &memConn{b, a}
}

func (c *memConn) Read(p []byte) (int, error)       { return c.in.Read(p) }
func (c *memConn) Write(p []byte) (int, error)      { return c.out.Write(p) }
func (c *memConn) CloseWrite() error                { return c.out.Close() }
func (c *memConn) Close() error                     { c.in.Close(); return c.out.Close() }
func (c *memConn) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
func (c *memConn) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
func (c *memConn) SetDeadline(time.Time) error      { return nil }
func (c *memConn) SetReadDeadline(time.Time) error  { return nil }
func (c *memConn) SetWriteDeadline(time.Time) error { return nil }

// The ways in which a connection ends, as the kernel tells them.
var ends = map[Reason]error{
	ReasonClosed:   io.EOF,
	ReasonReset:    &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)},
	ReasonTimedOut: &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded},
}

// cutConn ends in one of those ways after a number of bytes from the server.
type cutConn struct {
	*memConn
	left int
	end  error
}

func (c *cutConn) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, c.end
	}
	n, err := c.memConn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

// cutWriter lets our own writing fail after a number of bytes, and reading
// meet the end that the kernel then shows.
type cutWriter struct {
	*memConn
	left int
	err  error
}

func (c *cutWriter) Write(p []byte) (int, error) {
	n, _ := c.memConn.Write(p[:min(len(p), c.left)])
	if c.left -= n; n < len(p) {
		c.memConn.in.Close()
		return n, c.err
	}
	return n, nil
}

// goServer serves one connection with golang.org/x/crypto/ssh: a second,
// independent implementation of everything that Handshake does.
func goServer(t testing.TB, conn net.Conn, change func(*ssh.ServerConfig)) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	config := &ssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(signer)
	if change != nil {
		change(config)
	}
	go func() {
		ssh.NewServerConn(conn, config)
		conn.Close()
	}()
}

// through shakes hands with goServer in memory, through a client's end made
// by wrap.
func through(t testing.TB, opt Options, change func(*ssh.ServerConfig), wrap func(*memConn) net.Conn) Result {
	t.Helper()
	client, server := memPair()
	goServer(t, server, change)
	conn := net.Conn(client)
	if wrap != nil {
		conn = wrap(client)
	}
	defer client.Close()
	return Handshake(context.Background(), conn, opt)
}

func TestGoServer(t *testing.T) {
	for _, kex := range []string{"mlkem768x25519-sha256", "curve25519-sha256", "ecdh-sha2-nistp384", "diffie-hellman-group14-sha256"} {
		t.Run(kex, func(t *testing.T) {
			set := func(c *ssh.ServerConfig) { c.KeyExchanges = []string{kex} }
			wantDone(t, through(t, Options{Offer: Offer{Kex: []string{kex}}}, set, nil))
		})
	}
}

// A connection that ends after the n-th byte from the server, for every n and
// every way to end, is told by its right stage, word and byte.
func TestEndAfterEveryByte(t *testing.T) {
	opt := Options{Offer: Offer{Kex: []string{"curve25519-sha256"}}}
	whole := through(t, opt, nil, nil)
	wantDone(t, whole)
	total := int(whole.Laps[0].Received + whole.Laps[1].Received + whole.Laps[2].Received)
	if total < 800 {
		t.Fatalf("only %d bytes came", total)
	}
	for n := range total {
		want := StageKex
		switch {
		case n < int(whole.Laps[0].Received):
			want = StageBanner
		case n < int(whole.Laps[0].Received+whole.Laps[1].Received):
			want = StageKexInit
		}
		for reason, end := range ends {
			r := through(t, opt, nil, func(c *memConn) net.Conn { return &cutConn{c, n, end} })
			if r.Stage != want || r.Reason != reason || int(r.Received) != n {
				t.Fatalf("%s after %d bytes: got stage %s (want %s), %s, %d bytes, %v", reason, n, r.Stage, want, r.Reason, r.Received, r.Err)
			}
			broken, ok := r.Err.(*BrokenOff)
			if !ok || int(broken.Offset)+broken.Got != n || len(r.Laps) == 0 || r.Laps[len(r.Laps)-1].Stage != want {
				t.Fatalf("%s after %d bytes: error %#v, laps %v", reason, n, r.Err, r.Laps)
			}
		}
	}
}

// The same for our own writing, which the kernel may be the first to find
// the connection gone at.
func TestEndAfterEveryByteOfOurs(t *testing.T) {
	opt := Options{Offer: Offer{Kex: []string{"curve25519-sha256"}}}
	whole := through(t, opt, nil, nil)
	total := int(whole.Laps[0].Sent + whole.Laps[1].Sent + whole.Laps[2].Sent)
	for n := range total {
		for want, errno := range map[Reason]error{ReasonReset: syscall.ECONNRESET, ReasonClosed: syscall.EPIPE} {
			r := through(t, opt, nil, func(c *memConn) net.Conn { return &cutWriter{c, n, errno} })
			if r.Reason != want || r.Stage == StageDone || int(r.Sent) != n {
				t.Fatalf("%v after %d bytes of ours: got %s at %s after %d bytes, %v", errno, n, r.Reason, r.Stage, r.Sent, r.Err)
			}
		}
	}
}

// wrongSigner signs something else than what it is asked to.
type wrongSigner struct{ ssh.Signer }

func (s wrongSigner) Sign(r io.Reader, data []byte) (*ssh.Signature, error) {
	return s.Signer.Sign(r, append(bytes.Clone(data), 'x'))
}

func TestWrongSignature(t *testing.T) {
	_, key, _ := ed25519.GenerateKey(rand.Reader)
	signer, _ := ssh.NewSignerFromKey(key)
	r := through(t, Options{}, func(c *ssh.ServerConfig) {
		*c = ssh.ServerConfig{NoClientAuth: true}
		c.AddHostKey(wrongSigner{signer})
	}, nil)
	if _, ok := r.Err.(*WrongSignature); !ok || r.Reason != ReasonBadSignature || r.Stage != StageKex || r.HostKey.Verified {
		t.Errorf("stopped at %s: %s: %v", r.Stage, r.Reason, r.Err)
	}
}

// A byte that changes on the way, anywhere from KEXINIT to the signature, is
// never taken for a good handshake. (In padding nobody can see it.)
func TestOneFlippedBitIsSeen(t *testing.T) {
	opt := Options{Offer: Offer{Kex: []string{"curve25519-sha256"}}}
	whole := through(t, opt, nil, nil)
	from := int(whole.Laps[0].Received)
	kexinit := from + int(whole.Laps[1].Received)
	seen := 0
	for n := from + 6; n < kexinit-maxPadding; n += 7 {
		r := through(t, opt, nil, func(c *memConn) net.Conn { return &flipConn{memConn: c, at: n} })
		if r.Stage == StageDone && r.HostKey.Verified {
			t.Fatalf("bit flipped in byte %d: nobody noticed", n)
		}
		seen++
	}
	if seen < 20 {
		t.Fatalf("only %d bytes tried", seen)
	}
}

type flipConn struct {
	*memConn
	at, seen int
}

func (c *flipConn) Read(p []byte) (int, error) {
	n, err := c.memConn.Read(p)
	if i := c.at - c.seen; i >= 0 && i < n {
		p[i] ^= 1
	}
	c.seen += n
	return n, err
}
