package demo

import (
	"bufio"
	"context"
	"io"
	"net"
)

// Servers that speak another protocol than SSH.

var webServer = Fault{
	Name:  "http",
	Title: "a web server answers on the port",
	What: "The port leads to a web server: a wrong port, a proxy, or the login page of a hotel's network. " +
		"Plain ssh does not show what it heard; it says that the other side closed the connection.",
	Command: hello,
	Expect:  "not-ssh",
	Prints:  `(?i)connection closed|invalid format`,
	meet:    func(*server) meeting { return answer(badRequest) },
}

const badRequest = "HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nContent-Type: text/html\r\nContent-Length: 45\r\nConnection: close\r\n\r\n" +
	"<html><body>400 Bad Request</body></html>\r\n\r\n"

var tlsServer = Fault{
	Name:  "tls",
	Title: "a TLS server answers on the port",
	What: "The port expects TLS, as HTTPS does, and answers ssh's greeting with a TLS alert. " +
		"Plain ssh says that the banner has an invalid format.",
	Command: hello,
	Expect:  "not-ssh",
	Prints:  `(?i)invalid format|connection closed`,
	meet:    func(*server) meeting { return answer(unexpectedVersion) },
}

// unexpectedVersion is a TLS alert record: fatal, protocol_version
// (RFC 8446, sections 5.1 and 6.2).
const unexpectedVersion = "\x15\x03\x01\x00\x02\x02\x46"

// answer waits for the client's first line, gives one answer, and closes.
func answer(text string) meeting {
	return func(_ context.Context, c *net.TCPConn) {
		if _, err := firstLine(bufio.NewReaderSize(c, maxLine)); err != nil {
			return
		}
		io.WriteString(c, text)
		part(c)
	}
}

var mailServer = Fault{
	Name:  "smtp",
	Title: "a mail server answers on the port",
	What: "The port leads to a mail server. It greets first, as SSH servers do, so ssh takes its lines for a preamble and waits for more: " +
		"plain ssh hangs without a word.",
	Command: hello,
	Expect:  "not-ssh",
	Freezes: starving,
	meet:    func(*server) meeting { return mail },
}

func mail(_ context.Context, c *net.TCPConn) {
	io.WriteString(c, "220 mail.example.org ESMTP\r\n")
	r := bufio.NewReaderSize(c, maxLine)
	for {
		if _, err := firstLine(r); err != nil {
			return
		}
		if _, err := io.WriteString(c, "502 5.5.2 Error: command not recognized\r\n"); err != nil {
			return
		}
	}
}

// maxLine bounds a line that is read from a client. An identification has at
// most 255 bytes (RFC 4253, section 4.2).
const maxLine = 4096

// firstLine reads one line with its line end. A longer line than the reader's
// buffer is [bufio.ErrBufferFull].
func firstLine(r *bufio.Reader) ([]byte, error) { return r.ReadSlice('\n') }
