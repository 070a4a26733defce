package sshwire

import (
	"bytes"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Protocol is what the first bytes from a peer look like: one word of a
// closed list.
type Protocol string

// The closed list.
const (
	ProtocolEmpty    Protocol = "empty" // nothing came
	ProtocolSSH      Protocol = "ssh"   // an identification line, or the beginning of one
	ProtocolHTTP     Protocol = "http"
	ProtocolHTTP2    Protocol = "http2"
	ProtocolTLS      Protocol = "tls"
	ProtocolProxyV1  Protocol = "proxy-protocol-v1"
	ProtocolProxyV2  Protocol = "proxy-protocol-v2"
	ProtocolSMTP     Protocol = "smtp"
	ProtocolFTP      Protocol = "ftp"
	ProtocolMailOrFT Protocol = "smtp-or-ftp" // both greet with 220
	ProtocolPOP3     Protocol = "pop3"
	ProtocolIMAP     Protocol = "imap"
	ProtocolMySQL    Protocol = "mysql"
	ProtocolRDP      Protocol = "rdp"
	ProtocolTelnet   Protocol = "telnet"
	ProtocolVNC      Protocol = "vnc"
	ProtocolRedis    Protocol = "redis"
	ProtocolText     Protocol = "text"   // readable, of no protocol known here
	ProtocolBinary   Protocol = "binary" // not readable, of no protocol known here
)

var (
	httpStart = regexp.MustCompile(`(?i)^\s*(HTTP/[0-9]|<!doctype html|<html)`)
	identLine = regexp.MustCompile(`(?m)^SSH-`)
)

// Sniff names the protocol of a peer from the first bytes that it sent.
// A few hundred bytes are enough.
func Sniff(first []byte) Protocol {
	if len(first) == 0 {
		return ProtocolEmpty
	}
	if p := sniffBinary(first); p != "" {
		return p
	}
	if p := sniffText(first); p != "" {
		return p
	}
	if readable(first) {
		return ProtocolText
	}
	return ProtocolBinary
}

func sniffBinary(b []byte) Protocol {
	at := func(i int) int {
		if i < len(b) {
			return int(b[i])
		}
		return -1
	}
	switch {
	case bytes.HasPrefix(b, []byte("\r\n\r\n\x00\r\nQUIT\n")):
		return ProtocolProxyV2
	case (at(0) == 0x15 || at(0) == 0x16) && at(1) == 3 && at(2) <= 4 && at(2) >= 0:
		return ProtocolTLS // an alert or a handshake record
	case at(0) == 0xff && at(1) >= 0xf0 && at(1) <= 0xfe:
		return ProtocolTelnet // IAC and a command
	case at(0) == 3 && at(1) == 0 && at(2) == 0 && at(3) >= 7:
		return ProtocolRDP // TPKT
	case at(2) == 0 && at(3) == 0 && (at(4) == 10 || at(4) == 0xff) && int(b[0])|int(b[1])<<8 >= 5:
		return ProtocolMySQL // packet 0: protocol version 10, or an error
	case len(b) >= 9 && at(0) == 0 && at(3) == 4 && at(4) == 0 && bytes.Equal(b[5:9], []byte{0, 0, 0, 0}):
		return ProtocolHTTP2 // a SETTINGS frame on stream 0
	}
	return ""
}

func sniffText(b []byte) Protocol {
	s := string(b[:min(len(b), keptBytes)])
	upper := strings.ToUpper(s)
	switch {
	case identLine.MatchString(s), strings.HasPrefix("SSH-", s):
		return ProtocolSSH
	case httpStart.MatchString(s):
		return ProtocolHTTP
	case strings.HasPrefix(s, "PROXY TCP"), strings.HasPrefix(s, "PROXY UNKNOWN"):
		return ProtocolProxyV1
	case strings.HasPrefix(s, "220 "), strings.HasPrefix(s, "220-"), strings.HasPrefix(s, "554 "), strings.HasPrefix(s, "421 "):
		if strings.Contains(upper, "SMTP") || strings.Contains(upper, "MAIL") {
			return ProtocolSMTP
		}
		if strings.Contains(upper, "FTP") {
			return ProtocolFTP
		}
		return ProtocolMailOrFT
	case strings.HasPrefix(s, "+OK"):
		return ProtocolPOP3
	case strings.HasPrefix(s, "* OK"), strings.HasPrefix(s, "* PREAUTH"), strings.HasPrefix(s, "* BYE"):
		return ProtocolIMAP
	case strings.HasPrefix(s, "RFB 00"):
		return ProtocolVNC
	case strings.HasPrefix(s, "-ERR "), strings.HasPrefix(s, "-DENIED "):
		return ProtocolRedis
	}
	return ""
}

// readable tells text, which may hold colour sequences and be cut in the
// middle of a letter, from binary.
func readable(b []byte) bool {
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError && size == 1 && utf8.FullRune(b):
			return false
		case r < ' ' && !strings.ContainsRune("\t\r\n\x1b\a\b\f\v", r), r == 0x7f:
			return false
		}
		b = b[size:]
	}
	return true
}

// refusals are what sshd says in plain text when it will not talk now, in
// place of its identification: from 8.2 to 9.7, and from 9.8 on.
var refusals = []string{
	"Exceeded MaxStartups",
	"Not allowed at this time",
}

// Refusal returns the first line by which a server says that it refuses for
// now, and whether there is one.
func Refusal(lines []string) (string, bool) {
	for _, line := range lines {
		for _, r := range refusals {
			if strings.HasPrefix(strings.TrimSpace(line), r) {
				return line, true
			}
		}
	}
	return "", false
}

// complaints are sshd's plain text answers to our own identification line,
// sent after its own: what it read was not what we sent, was too old for it
// or never came.
var complaints = []string{
	"Invalid SSH identification string.",
	"Protocol major versions differ.",
	"Timed out waiting for SSH identification string.",
	"No SSH identification string received.",
	"Protocol mismatch.",
}

// Complaint returns the plain text by which sshd rejects an identification
// line, and whether the bytes are one.
func Complaint(b []byte) (string, bool) {
	for _, c := range complaints {
		if bytes.HasPrefix(b, []byte(c)) {
			return c, true
		}
	}
	return "", false
}
