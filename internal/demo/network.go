package demo

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"time"
)

// A network carries one connection between a client and the server, well or
// badly, until one of them is gone.
type network func(client *net.TCPConn, server net.Conn)

// behind serves a client through a network. The server's end is a pipe in
// memory, so that the only way to the server leads through the fault.
func (s *server) behind(ctx context.Context, client *net.TCPConn, carry network) {
	near, far := net.Pipe()
	var served sync.WaitGroup
	served.Go(func() {
		s.serve(ctx, far)
		far.Close()
	})
	carry(client, near)
	near.Close()
	served.Wait()
}

// cutAtKexInit carries the greetings and answers the client's KEXINIT with a
// TCP reset.
func cutAtKexInit(client *net.TCPConn, server net.Conn) {
	var back sync.WaitGroup
	back.Go(func() {
		io.Copy(client, server)
		client.CloseWrite()
	})
	defer back.Wait()
	defer server.Close()

	r := bufio.NewReaderSize(client, maxLine)
	line, err := firstLine(r)
	if err != nil {
		return
	}
	if _, err := server.Write(line); err != nil {
		return
	}
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return
	}
	size := min(binary.BigEndian.Uint32(length[:]), maxPacket)
	if _, err := io.CopyN(io.Discard, r, int64(size)); err != nil {
		return
	}
	client.SetLinger(0)
	client.Close()
}

// maxPacket is the longest packet that an implementation must accept
// (RFC 4253, section 6.1).
const maxPacket = 35000

// forgetAfter carries everything until both sides have been silent for the
// limit; from then on it takes what comes and drops it, as a NAT does whose
// entry has expired.
func forgetAfter(limit time.Duration) network {
	return func(client *net.TCPConn, server net.Conn) {
		f := &flow{limit: limit, last: time.Now()}
		var back sync.WaitGroup
		back.Go(func() {
			f.carry(client, server)
			if f.known() {
				client.CloseWrite()
			}
		})
		f.carry(server, client)
		server.Close() // the client is gone
		back.Wait()
	}
}

// A flow is an entry in the table of a NAT.
type flow struct {
	limit     time.Duration
	mu        sync.Mutex
	last      time.Time
	forgotten bool
}

// known refreshes the entry, unless it has expired.
func (f *flow) known() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	f.forgotten = f.forgotten || now.Sub(f.last) > f.limit
	f.last = now
	return !f.forgotten
}

// carry moves bytes one way until the sender is gone.
func (f *flow) carry(to io.Writer, from io.Reader) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && f.known() {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
