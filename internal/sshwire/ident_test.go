package sshwire

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestParseIdent(t *testing.T) {
	tests := []struct {
		line   string
		want   Ident
		reason Reason
	}{
		{"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10", Ident{Protocol: "2.0", Software: "OpenSSH_9.2p1", Comments: "Debian-2+deb12u10"}, ""},
		{"SSH-2.0-OpenSSH_10.5", Ident{Protocol: "2.0", Software: "OpenSSH_10.5"}, ""},
		{"SSH-2.0-dropbear_2022.83", Ident{Protocol: "2.0", Software: "dropbear_2022.83"}, ""},
		{"SSH-1.99-Cisco-1.25", Ident{Protocol: "1.99", Software: "Cisco-1.25"}, ""},
		{"SSH-2.0-a b c", Ident{Protocol: "2.0", Software: "a", Comments: "b c"}, ""},
		{"SSH-2.0-- -", Ident{Protocol: "2.0", Software: "-", Comments: "-"}, ""},
		{"SSH-1.5-1.2.27", Ident{Protocol: "1.5", Software: "1.2.27"}, ReasonVersionMismatch},
		{"SSH-3.0-future", Ident{Protocol: "3.0", Software: "future"}, ReasonVersionMismatch},
		{"SSH-2.0-", Ident{}, ReasonProtocolError},
		{"SSH-2.0", Ident{}, ReasonProtocolError},
		{"SSH-", Ident{}, ReasonProtocolError},
		{"SSH-2-x", Ident{}, ReasonProtocolError},
		{"SSH-+2.0-x", Ident{}, ReasonProtocolError},
		{"ssh-2.0-x", Ident{}, ReasonNotSSH},
		{"", Ident{}, ReasonNotSSH},
	}
	for _, test := range tests {
		got, err := ParseIdent(test.line)
		if test.want.Protocol != "" {
			test.want.Raw = test.line
		}
		if got != test.want || ReasonOf(err) != test.reason {
			t.Errorf("%q: got %+v, %v; want %+v, %s", test.line, got, err, test.want, test.reason)
		}
	}
}

func TestOurIdent(t *testing.T) {
	for version, want := range map[string]string{
		"1.2.3":                  "SSH-2.0-sshtay_1.2.3",
		"0.1.0-dev":              "SSH-2.0-sshtay_0.1.0.dev",
		"a b\r\nSSH-2.0-evil":    "SSH-2.0-sshtay_a.bSSH.2.0.evil",
		"":                       "SSH-2.0-sshtay_",
		strings.Repeat("9", 999): "SSH-2.0-sshtay_" + strings.Repeat("9", 64),
	} {
		got := OurIdent(version)
		if got != want {
			t.Errorf("%q: %q", version, got)
		}
		id, err := ParseIdent(got)
		if err != nil || strings.ContainsAny(id.Software, "- ") || id.Comments != "" || len(got) > 253 {
			t.Errorf("%q: %+v, %v", got, id, err)
		}
		// sshd closes on these at sight.
		if strings.HasPrefix(id.Software, "Probe-") || strings.Contains(id.Software, "SSH_Version_Mapper") {
			t.Errorf("%q is a name that sshd drops", got)
		}
	}
}

func TestReadIdent(t *testing.T) {
	long := strings.Repeat("x", maxIdentLine)
	tests := []struct {
		name, in, raw string
		lines         string // joined by |
		count         int
		bad           bool
		err           error
	}{
		{"plain", "SSH-2.0-x\r\nrest", "SSH-2.0-x", "", 0, false, nil},
		{"line feed only", "SSH-2.0-x\nrest", "SSH-2.0-x", "", 0, false, nil},
		{"text before", "Hello\r\n\r\n you\nSSH-2.0-x\r\nrest", "SSH-2.0-x", "Hello|| you", 3, false, nil},
		{"long line before", long + "\nSSH-2.0-x\r\nrest", "SSH-2.0-x", long[:keptLine], 1, false, nil},
		{"1023 lines before", strings.Repeat("\n", 1023) + "SSH-2.0-x\r\nrest", "SSH-2.0-x", strings.Repeat("|", keptLines-1), 1023, false, nil},
		{"1024 lines before", strings.Repeat("\n", 1024) + "SSH-2.0-x\r\n", "", strings.Repeat("|", keptLines-1), 1024, true, nil},
		{"too long a line", long + "x\n", "", long[:keptLine], 1, true, nil},
		{"lone CR", "a\rb\n", "", "ab", 1, true, nil},
		{"NUL", "a\x00b\n", "", "a\x00", 1, true, nil},
		{"nothing", "", "", "", 0, false, io.EOF},
		{"half a line", "Hel", "", "Hel", 1, false, io.ErrUnexpectedEOF},
		{"half an identification", "motd\nSSH-2.0", "", "motd", 1, false, io.ErrUnexpectedEOF},
		{"three letters", "SSH", "", "", 0, false, io.ErrUnexpectedEOF},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := bufio.NewReader(strings.NewReader(test.in))
			id, before, err := ReadIdent(r, nil)
			if id.Raw != test.raw || strings.Join(before.Lines, "|") != test.lines || before.Count != test.count {
				t.Errorf("got %q after %d lines %.99q", id.Raw, before.Count, before.Lines)
			}
			if bad := errors.As(err, new(*BadIdent)); bad != test.bad || !bad && !errors.Is(err, test.err) {
				t.Errorf("error %v", err)
			}
			if rest, _ := io.ReadAll(r); test.raw != "" && string(rest) != "rest" {
				t.Errorf("left %q unread", rest)
			}
		})
	}
}

func TestForeignIsCalledOnceAndEarly(t *testing.T) {
	in, out := io.Pipe()
	seen := make(chan Protocol, 9)
	go func() {
		out.Write([]byte("220 ftp.example FTP server ready\r\n"))
		if got := <-seen; got != ProtocolFTP {
			t.Errorf("told %q", got)
		}
		out.Write([]byte("221 bye\r\nSSH-2.0-x\r\n"))
	}()
	id, _, err := ReadIdent(bufio.NewReader(in), func(p Protocol) { seen <- p })
	if id.Software != "x" || err != nil || len(seen) != 0 {
		t.Errorf("got %+v, %v, told %d times more", id, err, len(seen))
	}
}

func TestSniff(t *testing.T) {
	for first, want := range map[string]Protocol{
		"":                                      ProtocolEmpty,
		"S":                                     ProtocolSSH,
		"SSH-2.0-x\r\n":                         ProtocolSSH,
		"motd\r\nSSH-2.0-x\r\n":                 ProtocolSSH,
		"HTTP/1.0 400 Bad Request\r\n":          ProtocolHTTP,
		"\r\n<!DOCTYPE html>":                   ProtocolHTTP,
		"<html><body>":                          ProtocolHTTP,
		"\x00\x00\x12\x04\x00\x00\x00\x00\x00a": ProtocolHTTP2,
		"\x15\x03\x03\x00\x02\x02\x28":          ProtocolTLS,
		"\x16\x03\x01\x02\x00":                  ProtocolTLS,
		"PROXY TCP6 ::1 ::1 1 2\r\n":            ProtocolProxyV1,
		"PROXY UNKNOWN\r\n":                     ProtocolProxyV1,
		"\r\n\r\n\x00\r\nQUIT\n":                ProtocolProxyV2,
		"220 mail.example ESMTP\r\n":            ProtocolSMTP,
		"554 mx refuses smtp\r\n":               ProtocolSMTP,
		"220-ProFTPD\r\n":                       ProtocolFTP,
		"220 ready\r\n":                         ProtocolMailOrFT,
		"+OK Dovecot ready.\r\n":                ProtocolPOP3,
		"* OK [CAPABILITY IMAP4rev1] ready\r\n": ProtocolIMAP,
		"\x5b\x00\x00\x00\x0a5.5.5-10.11":       ProtocolMySQL,
		"\x45\x00\x00\x00\xff\x6a\x04Host":      ProtocolMySQL,
		"\x03\x00\x00\x13\x0e\xd0":              ProtocolRDP,
		"\xff\xfb\x01":                          ProtocolTelnet,
		"RFB 003.008\n":                         ProtocolVNC,
		"-ERR unknown command 'SSH-2.0'\r\n":    ProtocolRedis,
		"Welcome \x1b[31mback\x1b[0m\r\n":       ProtocolText,
		"Gr\u00fc\u00df Gott \u4f60\xe5":        ProtocolText, // cut within a letter
		"\x00":                                  ProtocolBinary,
		"abc\x80def":                            ProtocolBinary,
	} {
		if got := Sniff([]byte(first)); got != want {
			t.Errorf("%q looks like %s, want %s", first, got, want)
		}
	}
}
