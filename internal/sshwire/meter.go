package sshwire

import (
	"bufio"
	"context"
	"net"
	"time"
)

// meter is a connection that counts, keeps the first bytes received, and
// remembers how writing failed. Reading tells what happened better than
// writing does (a last message may still be waiting), and so a failed write
// is not an end by itself.
type meter struct {
	conn           net.Conn
	buffer         *bufio.Reader
	sent, received int64
	first          []byte
	writeErr       error
}

func newMeter(conn net.Conn) *meter {
	m := &meter{conn: conn}
	m.buffer = bufio.NewReaderSize(readFunc(m.fill), 4096)
	return m
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

func (m *meter) fill(p []byte) (int, error) {
	n, err := m.conn.Read(p)
	m.received += int64(n)
	if len(m.first) < keptBytes {
		m.first = append(m.first, p[:min(n, keptBytes-len(m.first))]...)
	}
	return n, err
}

// offset is how many of the received bytes have been consumed.
func (m *meter) offset() int64 { return m.received - int64(m.buffer.Buffered()) }

func (m *meter) write(p []byte) {
	if m.writeErr != nil {
		return
	}
	n, err := m.conn.Write(p)
	m.sent += int64(n)
	m.writeErr = err
}

// leave ends our sending (FIN) and reads what still comes, so that closing
// does not turn into a reset: a socket closed with unread data sends one.
func (m *meter) leave(deadline time.Time) error {
	if half, ok := m.conn.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
	m.conn.SetDeadline(deadline)
	for left := maxPacket; left > 0; {
		n, err := m.buffer.Discard(min(left, 4096))
		if left -= n; err != nil {
			return err
		}
	}
	return nil
}

// past is a deadline that ends every waiting at once.
var past = time.Unix(1, 0)

// guard lets ctx interrupt whatever the connection waits for. The caller
// calls stop when done.
func (m *meter) guard(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() { m.conn.SetDeadline(past) })
}
