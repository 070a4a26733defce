package lab

import (
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// serverKinds are the servers that a scenario may ask for.
var serverKinds = append([]string{"system", "openssh-10", "dropbear", "tinysshd", "none"}, hostileKinds...)

// HostileKinds are the servers that are none, or bad ones, by name.
func HostileKinds() []string { return slices.Clone(hostileKinds) }

// Misbehave treats one connection as the hostile server of that name does; n
// is how many bytes it sends first, where it counts them. The caller closes
// the connection.
func Misbehave(kind string, c net.Conn, n int) { hostile[kind](c, n) }

var hostileKinds = []string{"http", "tls", "smtp", "ftp", "mute", "close", "reset", "endless", "garbage", "slow", "huge-packet", "escapes"}

// hostile are servers that are none, or bad ones. Each gets one connection,
// and a number that says how many bytes where it counts them.
var hostile = map[string]func(c net.Conn, n int){
	"http": func(c net.Conn, _ int) {
		c.Read(make([]byte, 1024))
		io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nContent-Type: text/html\r\nContent-Length: 16\r\nConnection: close\r\n\r\n400 Bad Request\n")
	},
	"tls": func(c net.Conn, _ int) {
		c.Read(make([]byte, 1024))
		c.Write([]byte{21, 3, 1, 0, 2, 2, 70}) // alert: fatal, protocol version
	},
	"smtp": func(c net.Conn, _ int) {
		io.WriteString(c, "220 mail.example.net ESMTP Postfix\r\n")
		hold(c)
	},
	"ftp": func(c net.Conn, _ int) {
		io.WriteString(c, "220 (vsFTPd 3.0.5)\r\n")
		hold(c)
	},
	"mute":  func(c net.Conn, _ int) { hold(c) },
	"close": func(net.Conn, int) {},
	"reset": func(c net.Conn, n int) {
		io.WriteString(c, ("SSH-2.0-OpenSSH_9.9\r\n" + strings.Repeat("x", n))[:n])
		if n > 0 {
			// What was sent shall arrive before the reset does.
			c.SetReadDeadline(time.Now().Add(time.Second))
			c.Read(make([]byte, 1))
		}
		if t, ok := c.(*net.TCPConn); ok {
			t.SetLinger(0)
		}
	},
	"endless": func(c net.Conn, _ int) {
		line := []byte(strings.Repeat("welcome ", 12) + "\r\n")
		for err := error(nil); err == nil; _, err = c.Write(line) {
			time.Sleep(time.Millisecond)
		}
	},
	"garbage": func(c net.Conn, _ int) {
		r, noise := rand.New(rand.NewPCG(22, 22)), make([]byte, 4096)
		for i := range noise {
			noise[i] = byte(r.Uint32())
		}
		c.Write(noise)
		hold(c)
	},
	"slow": func(c net.Conn, _ int) {
		for _, b := range []byte("SSH-2.0-OpenSSH_9.9 one byte a second is all you get\r\n") {
			if _, err := c.Write([]byte{b}); err != nil {
				return
			}
			time.Sleep(time.Second)
		}
		hold(c)
	},
	"huge-packet": func(c net.Conn, _ int) {
		io.WriteString(c, "SSH-2.0-OpenSSH_9.9\r\n\xff\xff\xff\xff\x06\x14")
		hold(c)
	},
	"escapes": func(c net.Conn, _ int) {
		io.WriteString(c, "\x1b[2J\x1b]0;owned\x07 all is well\r\n\x1b[31mSSH-1.0-no\r\n")
		hold(c)
	},
}

// hold keeps a connection until the other side lets go of it, but not for ever.
func hold(c net.Conn) {
	c.SetReadDeadline(time.Now().Add(10 * time.Minute))
	io.Copy(io.Discard, c)
}

// sockets are the open sockets of one world. An open socket keeps its network
// alive, so all of them are closed with the world.
type sockets struct {
	mu     sync.Mutex
	open   map[io.Closer]bool
	closed bool
}

// add takes charge of a socket, or closes it when the world is gone.
func (s *sockets) add(c io.Closer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		c.Close()
		return
	}
	if s.open == nil {
		s.open = map[io.Closer]bool{}
	}
	s.open[c] = true
}

func (s *sockets) close(c io.Closer) {
	s.mu.Lock()
	delete(s.open, c)
	s.mu.Unlock()
	c.Close()
}

func (s *sockets) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for c := range s.open {
		c.Close()
	}
}

// serve gives every connection to handle, until the listener is closed.
func (s *sockets) serve(l net.Listener, handle func(net.Conn)) {
	s.add(l)
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		s.add(c)
		go func() {
			defer s.close(c)
			handle(c)
		}()
	}
}
