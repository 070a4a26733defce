package sshwire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode"
)

// hostile serves one connection on loopback with fn and returns its address.
func hostile(t *testing.T, fn func(c *net.TCPConn)) string {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		c, err := l.AcceptTCP()
		if err != nil {
			return
		}
		defer c.Close()
		fn(c)
	}()
	t.Cleanup(func() { l.Close(); <-served })
	return l.Addr().String()
}

// hang waits until the client has gone.
func hang(c *net.TCPConn) { io.Copy(io.Discard, c) }

// says sends text and waits for the client to go.
func send(parts ...[]byte) func(c *net.TCPConn) {
	return func(c *net.TCPConn) {
		for _, p := range parts {
			c.Write(p)
		}
		hang(c)
	}
}

// forever sends something again and again until the client has gone.
func forever(first, again []byte) func(c *net.TCPConn) {
	return func(c *net.TCPConn) {
		_, err := c.Write(first)
		for err == nil {
			_, err = c.Write(again)
		}
	}
}

var (
	goodIdent = []byte("SSH-2.0-hostile_1.0 test\r\n")
	goodInit  = Packet(NewKexInit(DefaultOffer()).Payload(), 0)
)

func withIdent(p ...[]byte) []byte { return append(bytes.Clone(goodIdent), bytes.Join(p, nil)...) }

func withInit(p ...[]byte) []byte { return withIdent(goodInit, bytes.Join(p, nil)) }

func strictInit() []byte {
	o := DefaultOffer()
	o.Kex = append(o.Kex, strictServer)
	return Packet(NewKexInit(o).Payload(), 0)
}

func randomBytes(n int) []byte {
	rng, b := mathrand.New(mathrand.NewPCG(1, 2)), make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// A KEXINIT with a name-list of so many names.
func crowdedInit(names int) []byte {
	o := DefaultOffer()
	o.Ciphers = strings.Split(strings.Repeat("a,", names)+"a", ",")
	return Packet((&KexInit{Kex: o.Kex, HostKeys: o.HostKeys, CiphersToServer: o.Ciphers}).Payload(), 0)
}

func badGroup() []byte {
	return Packet(appendString(appendString([]byte{msgGexGroup}, []byte{7}), []byte{2}), 0)
}

var escape = "\x1b]0;owned\a\x1b[2J\x9b31m"

var hostileServers = []struct {
	name   string
	serve  func(c *net.TCPConn)
	kex    string // the only key exchange offered, where it matters
	stage  Stage
	reason Reason
	looks  Protocol
	says   string // in the error
}{
	{"nothing at all", hang, "", StageBanner, ReasonTimedOut, ProtocolEmpty, "nothing of it came"},
	{"one byte at a time", drip, "", StageBanner, ReasonTimedOut, ProtocolSSH, "bytes of it came"},
	{"endless lines", forever(nil, []byte("Welcome to the machine\r\n")), "", StageBanner, ReasonNotSSH, ProtocolText, "in the first 1024 lines"},
	{"endless line", forever(nil, bytes.Repeat([]byte("x"), 1000)), "", StageBanner, ReasonNotSSH, ProtocolText, "more than 8192"},
	{"endless identification", forever([]byte("SSH-2.0-"), bytes.Repeat([]byte("x"), 1000)), "", StageBanner, ReasonProtocolError, ProtocolSSH, "more than 8192"},
	{"random bytes", send(randomBytes(4096)), "", StageBanner, ReasonNotSSH, ProtocolBinary, ""},
	{"HTTP", send([]byte("HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n")), "", StageBanner, ReasonNotSSH, ProtocolHTTP, ""},
	{"HTTP and closed", closing("HTTP/1.1 400 Bad Request\r\n\r\n"), "", StageBanner, ReasonNotSSH, ProtocolHTTP, "closed"},
	{"TLS alert", send([]byte("\x15\x03\x01\x00\x02\x02\x46")), "", StageBanner, ReasonNotSSH, ProtocolTLS, ""},
	{"PROXY v1", send([]byte("PROXY TCP4 192.0.2.1 192.0.2.2 4711 22\r\n")), "", StageBanner, ReasonNotSSH, ProtocolProxyV1, ""},
	{"PROXY v1 before SSH", send([]byte("PROXY TCP4 192.0.2.1 192.0.2.2 4711 22\r\n"), withIdent()), "", StageKexInit, ReasonTimedOut, ProtocolSSH, ""},
	{"PROXY v2", send([]byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c")), "", StageBanner, ReasonNotSSH, ProtocolProxyV2, ""},
	{"SMTP", send([]byte("220 mx.example ESMTP Postfix\r\n")), "", StageBanner, ReasonNotSSH, ProtocolSMTP, ""},
	{"telnet", send([]byte("\xff\xfd\x18\xff\xfd\x20")), "", StageBanner, ReasonNotSSH, ProtocolTelnet, ""},
	{"MySQL", send([]byte("\x4a\x00\x00\x00\x0a8.0.36\x00")), "", StageBanner, ReasonNotSSH, ProtocolMySQL, ""},
	{"unknown text, closed", closing("Go away\r\n"), "", StageBanner, ReasonClosed, ProtocolText, "closed"},
	{"MaxStartups of 8.2", closing("Exceeded MaxStartups\r\n"), "", StageBanner, ReasonThrottled, ProtocolText, ""},
	{"MaxStartups of 9.8, reset", resetting("Not allowed at this time\r\n"), "", StageBanner, ReasonThrottled, ProtocolText, ""},
	{"protocol 1.5", send([]byte("SSH-1.5-1.2.27\n")), "", StageBanner, ReasonVersionMismatch, ProtocolSSH, "1.2.27"},
	{"no version", send([]byte("SSH-banana\r\n")), "", StageBanner, ReasonProtocolError, ProtocolSSH, "malformed"},
	{"NUL in the identification", send([]byte("SSH-2.0-a\x00b\r\n")), "", StageBanner, ReasonProtocolError, ProtocolSSH, ""},
	{"escapes in the identification", send([]byte("SSH-2.0" + escape + "\r\n")), "", StageBanner, ReasonProtocolError, ProtocolSSH, "malformed"},
	{"closed at once", closing(""), "", StageBanner, ReasonClosed, ProtocolEmpty, "closed"},
	{"reset at once", resetting(""), "", StageBanner, ReasonReset, ProtocolEmpty, "reset"},
	{"closed after identification", closing(string(goodIdent)), "", StageKexInit, ReasonClosed, ProtocolSSH, "the peer closed the connection; awaited was SSH_MSG_KEXINIT at byte 26, and nothing of it came"},
	{"reset after identification", resetting(string(goodIdent)), "", StageKexInit, ReasonReset, ProtocolSSH, "SSH_MSG_KEXINIT"},
	{"hangs within KEXINIT", send(withIdent(goodInit[:300])), "", StageKexInit, ReasonTimedOut, ProtocolSSH, fmt.Sprintf("300 of its %d bytes", len(goodInit))},
	{"sshd complains of our identification", send(withIdent([]byte("Invalid SSH identification string.\r\n"))), "", StageKexInit, ReasonProtocolError, ProtocolSSH, "Invalid SSH identification string."},
	{"some other text after identification", send(withIdent([]byte("Connection from 192.0.2.1 rejected" + escape + "\n"))), "", StageKexInit, ReasonBadPacket, ProtocolSSH, "length 1131376238"},
	{"length of 4 GB", send(withIdent([]byte("\xff\xff\xff\xff\x04aaaaaaaa"))), "", StageKexInit, ReasonBadPacket, ProtocolSSH, "length 4294967295"},
	{"length of 256 KiB and nothing", send(withIdent([]byte("\x00\x03\xff\xfc\x04"))), "", StageKexInit, ReasonTimedOut, ProtocolSSH, "5 of its 262144 bytes"},
	{"length not of whole blocks", send(withIdent([]byte("\x00\x00\x00\x0d\x04aaaaaaaaaaaaaaaa"))), "", StageKexInit, ReasonBadPacket, ProtocolSSH, "multiple of 8"},
	{"padding too short", send(withIdent([]byte("\x00\x00\x00\x0c\x03aaaaaaaaaaaaaaaa"))), "", StageKexInit, ReasonBadPacket, ProtocolSSH, "padding of 3"},
	{"padding and nothing else", send(withIdent([]byte("\x00\x00\x00\x0c\x0baaaaaaaaaaaaaaaa"))), "", StageKexInit, ReasonBadPacket, ProtocolSSH, "padding of 11"},
	{"KEXINIT with endless names", send(withIdent(crowdedInit(100000))), "", StageKexInit, ReasonProtocolError, ProtocolSSH, "more than 1024 names"},
	{"KEXINIT cut short", send(withIdent(Packet(NewKexInit(DefaultOffer()).Payload()[:99], 0))), "", StageKexInit, ReasonProtocolError, ProtocolSSH, "cut short"},
	{"KEXINIT of nothing", send(withIdent(Packet((&KexInit{}).Payload(), 0))), "", StageKexInit, ReasonNoCommonAlgorithm, ProtocolSSH, "key exchange"},
	{"NEWKEYS instead of KEXINIT", send(withIdent(Packet([]byte{msgNewKeys}, 0))), "", StageKexInit, ReasonProtocolError, ProtocolSSH, "SSH_MSG_NEWKEYS at byte 26"},
	{"flood of KEXINIT", forever(goodIdent, goodInit), "", StageKex, ReasonProtocolError, ProtocolSSH, "SSH_MSG_KEXINIT"},
	{"flood of IGNORE", forever(goodIdent, Packet(appendString([]byte{msgIgnore}, "x"), 0)), "", StageKexInit, ReasonProtocolError, ProtocolSSH, "say nothing"},
	{"flood of DEBUG", forever(withInit(), Packet([]byte{msgDebug, 1, 0, 0, 0, 0}, 0)), "", StageKex, ReasonProtocolError, ProtocolSSH, "say nothing"},
	{"flood of DISCONNECT", forever(goodIdent, Packet((&Disconnect{Code: 2, Text: "no" + escape}).Payload(), 0)), "", StageKexInit, ReasonDisconnected, ProtocolSSH, "PROTOCOL_ERROR"},
	{"too many connections", send(withInit(Packet((&Disconnect{Code: 12}).Payload(), 0))), "", StageKex, ReasonThrottled, ProtocolSSH, "TOO_MANY_CONNECTIONS"},
	{"IGNORE under strict key exchange", send(withIdent(strictInit(), Packet([]byte{msgIgnore, 0, 0, 0, 0}, 0))), "", StageKex, ReasonProtocolError, ProtocolSSH, "strict"},
	{"IGNORE before a strict KEXINIT", send(withIdent(Packet([]byte{msgIgnore, 0, 0, 0, 0}, 0), strictInit())), "", StageKexInit, ReasonProtocolError, ProtocolSSH, "strict"},
	{"key exchange reply cut short", send(withInit(Packet([]byte{msgKexReplyECDH, 0, 0}, 0))), "", StageKex, ReasonProtocolError, ProtocolSSH, "cut short"},
	{"share of the wrong length", send(withInit(Packet(appendString(appendString(appendString([]byte{msgKexReplyECDH}, "k"), "short"), "s"), 0))), "", StageKex, ReasonProtocolError, ProtocolSSH, "5 bytes"},
	{"share of the zero point", send(withInit(Packet(appendString(appendString(appendString([]byte{msgKexReplyECDH}, "k"), make([]byte, 32)), "s"), 0))), "curve25519-sha256", StageKex, ReasonProtocolError, ProtocolSSH, "share"},
	{"group of three bits", func(c *net.TCPConn) { send(withIdent(gexInit(), badGroup()))(c) }, "diffie-hellman-group-exchange-sha256", StageKex, ReasonProtocolError, ProtocolSSH, "3 bits"},
}

func gexInit() []byte {
	o := DefaultOffer()
	o.Kex = []string{"diffie-hellman-group-exchange-sha256"}
	return Packet(NewKexInit(o).Payload(), 0)
}

func drip(c *net.TCPConn) {
	for _, b := range append([]byte("SSH-2.0-"), bytes.Repeat([]byte("x"), 4000)...) {
		if _, err := c.Write([]byte{b}); err != nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// closing reads our identification, so that the close is a FIN.
func closing(text string) func(c *net.TCPConn) {
	return func(c *net.TCPConn) {
		c.Write([]byte(text))
		readOurs(c)
		c.CloseWrite()
		hang(c)
	}
}

func resetting(text string) func(c *net.TCPConn) {
	return func(c *net.TCPConn) {
		c.Write([]byte(text))
		readOurs(c)
		if strings.HasPrefix(text, "SSH-") { // our KEXINIT too
			io.ReadFull(c, make([]byte, 5))
		}
		c.SetLinger(0)
	}
}

func readOurs(c net.Conn) {
	one := []byte{0}
	for one[0] != '\n' {
		if _, err := io.ReadFull(c, one); err != nil {
			return
		}
	}
}

// Whatever a server does: the right stage, word and bytes, in bounded time
// and memory, and nothing unprintable in what people read.
func TestHostileServers(t *testing.T) {
	for _, test := range hostileServers {
		t.Run(test.name, func(t *testing.T) {
			opt := Options{Timeout: 20 * time.Second, StageTimeout: time.Second}
			if test.kex != "" {
				opt.Offer.Kex = []string{test.kex}
			}
			if test.reason != ReasonTimedOut { // a busy machine is given time
				opt.StageTimeout = 15 * time.Second
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r := handshakeWith(t, hostile(t, test.serve), opt)
			runtime.ReadMemStats(&after)
			if r.Stage != test.stage || r.Reason != test.reason || r.Looks != test.looks {
				t.Errorf("got %s at %s, looks %s; want %s at %s, %s (%v)", r.Reason, r.Stage, r.Looks, test.reason, test.stage, test.looks, r.Err)
			}
			if r.Err == nil || !strings.Contains(r.Err.Error(), test.says) {
				t.Fatalf("error %v does not say %q", r.Err, test.says)
			}
			for _, c := range r.Err.Error() {
				if !unicode.IsPrint(c) {
					t.Errorf("unprintable %q in the error %q", c, r.Err)
				}
			}
			if len(r.Err.Error()) > 8192 || len(r.First) > keptBytes || len(r.Before.Lines) > keptLines {
				t.Errorf("kept too much: %d bytes of error, %d first bytes, %d lines", len(r.Err.Error()), len(r.First), len(r.Before.Lines))
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 16<<20 {
				t.Errorf("allocated %d bytes", used)
			}
		})
	}
}

// A server that guesses wrong with its first key exchange packet has it
// thrown away (RFC 4253, 7.1).
func TestWrongGuessIsDiscarded(t *testing.T) {
	o := DefaultOffer()
	k := NewKexInit(Offer{Kex: append([]string{"none-of-yours"}, o.Kex...), HostKeys: o.HostKeys, Ciphers: o.Ciphers, MACs: o.MACs, Compression: o.Compression})
	k.FirstKexPacketFollow = true
	addr := hostile(t, send(withIdent(Packet(k.Payload(), 0), Packet([]byte{msgKexReplyECDH, 1, 2, 3}, 0), Packet((&Disconnect{Code: 11, Text: "seen"}).Payload(), 0))))
	if r := handshakeWith(t, addr, Options{}); r.Disconnect == nil || r.Disconnect.Text != "seen" {
		t.Errorf("got %s at %s: %v", r.Reason, r.Stage, r.Err)
	}
}

// The goodbye that an ill server gets is a DISCONNECT, too.
func TestGoodbyeAfterFailure(t *testing.T) {
	got := make(chan []byte, 1)
	addr := hostile(t, func(c *net.TCPConn) {
		c.Write(goodIdent)
		all, _ := io.ReadAll(c)
		got <- all
	})
	handshakeWith(t, addr, Options{StageTimeout: 300 * time.Millisecond, Timeout: 20 * time.Second})
	// handshakeWith has closed the connection: all of it is there.
	all := <-got
	end := all[max(0, len(all)-len(Goodbye())):]
	payload, err := ReadPacket(bytes.NewReader(end), 0)
	if err != nil {
		t.Fatalf("%v in % x", err, all)
	}
	if d, err := ParseDisconnect(payload); err != nil || d.Code != DisconnectByApplication {
		t.Errorf("goodbye %v, %v", d, err)
	}
	if n := binary.BigEndian.Uint32(end); int(n)+4 != len(end) {
		t.Errorf("goodbye of %d bytes in %d", n, len(end))
	}
}
