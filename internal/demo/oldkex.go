package demo

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"

	"golang.org/x/crypto/ssh"
)

var oldAlgorithms = Fault{
	Name:  "no-kex",
	Title: "the server offers only algorithms that today's clients refuse",
	What: "An old switch, or a server that nobody has updated: it greets and offers diffie-hellman-group1-sha1, ssh-dss and 3des-cbc and nothing else. " +
		"Plain ssh says that it is unable to negotiate.",
	Command: hello,
	Expect:  "version",
	Prints:  `Unable to negotiate|no matching`,
	meet:    func(*server) meeting { return offerOld },
}

// offerOld greets, offers, and hears the client out. golang.org/x/crypto does
// not offer such algorithms any more, so the packet is our own.
func offerOld(_ context.Context, c *net.TCPConn) {
	io.WriteString(c, "SSH-2.0-Cisco-1.25\r\n")
	if _, err := firstLine(bufio.NewReaderSize(c, maxLine)); err != nil {
		return
	}
	c.Write(plainPacket(oldKexInit()))
	io.Copy(io.Discard, c)
}

// kexInit is the offer of RFC 4253, section 7.1, in its order.
type kexInit struct {
	Cookie                                   [16]byte `sshtype:"20"`
	Kex, HostKey                             []string
	CipherToServer, CipherToClient           []string
	MACToServer, MACToClient                 []string
	CompressionToServer, CompressionToClient []string
	LanguagesToServer, LanguagesToClient     []string
	FirstKexFollows                          bool
	Reserved                                 uint32
}

func oldKexInit() []byte {
	ciphers := strings.Fields("aes128-cbc 3des-cbc aes192-cbc aes256-cbc")
	macs := strings.Fields("hmac-sha1 hmac-sha1-96 hmac-md5 hmac-md5-96")
	return ssh.Marshal(kexInit{
		Cookie:              [16]byte([]byte("not random at all")[:16]),
		Kex:                 []string{"diffie-hellman-group1-sha1"},
		HostKey:             []string{"ssh-dss"},
		CipherToServer:      ciphers,
		CipherToClient:      ciphers,
		MACToServer:         macs,
		MACToClient:         macs,
		CompressionToServer: []string{"none"},
		CompressionToClient: []string{"none"},
	})
}

// plainPacket wraps a payload as the packets before the first key exchange
// are: length, padding length, payload, at least 4 bytes of padding up to a
// multiple of 8 (RFC 4253, section 6).
func plainPacket(payload []byte) []byte {
	padding := 8 - (5+len(payload))%8
	if padding < 4 {
		padding += 8
	}
	p := binary.BigEndian.AppendUint32(nil, uint32(1+len(payload)+padding))
	p = append(p, byte(padding))
	p = append(p, payload...)
	return append(p, make([]byte, padding)...)
}
