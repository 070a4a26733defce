package sshwire

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Message numbers (RFC 4250, 4.1) of the transport layer.
const (
	msgDisconnect    = 1
	msgIgnore        = 2
	msgUnimplemented = 3
	msgDebug         = 4
	msgServiceReq    = 5
	msgServiceAccept = 6
	msgExtInfo       = 7
	msgKexInit       = 20
	msgNewKeys       = 21
	msgKexFirst      = 30 // 30 to 49 belong to the key exchange method
	msgKexLast       = 49
)

var messageNames = map[byte]string{
	msgDisconnect: "SSH_MSG_DISCONNECT", msgIgnore: "SSH_MSG_IGNORE", msgUnimplemented: "SSH_MSG_UNIMPLEMENTED",
	msgDebug: "SSH_MSG_DEBUG", msgServiceReq: "SSH_MSG_SERVICE_REQUEST", msgServiceAccept: "SSH_MSG_SERVICE_ACCEPT",
	msgExtInfo: "SSH_MSG_EXT_INFO", msgKexInit: "SSH_MSG_KEXINIT", msgNewKeys: "SSH_MSG_NEWKEYS",
}

// MessageName is a message number's name in RFC 4253.
func MessageName(number byte) string {
	if name, ok := messageNames[number]; ok {
		return name
	}
	if number >= msgKexFirst && number <= msgKexLast {
		return fmt.Sprintf("key exchange message %d", number)
	}
	return fmt.Sprintf("message %d", number)
}

// DisconnectByApplication is the code of an ordinary goodbye. sshd logs it as
// information; every other code it logs as an error.
const DisconnectByApplication = 11

// disconnectNames are the reason codes of RFC 4253, 11.1, from 1 on.
var disconnectNames = strings.Fields(`HOST_NOT_ALLOWED_TO_CONNECT PROTOCOL_ERROR KEY_EXCHANGE_FAILED RESERVED MAC_ERROR
	COMPRESSION_ERROR SERVICE_NOT_AVAILABLE PROTOCOL_VERSION_NOT_SUPPORTED HOST_KEY_NOT_VERIFIABLE CONNECTION_LOST
	BY_APPLICATION TOO_MANY_CONNECTIONS AUTH_CANCELLED_BY_USER NO_MORE_AUTH_METHODS_AVAILABLE ILLEGAL_USER_NAME`)

const disconnectTooMany = 12

// Disconnect is an SSH_MSG_DISCONNECT. As an error it is the peer's.
type Disconnect struct {
	Code uint32
	Text string // at most 1024 bytes are kept of what a peer sent
	Lang string
}

// Name is the code's name in RFC 4253, without SSH_DISCONNECT_.
func (d *Disconnect) Name() string {
	if d.Code >= 1 && int(d.Code) <= len(disconnectNames) {
		return disconnectNames[d.Code-1]
	}
	return "unknown"
}

func (d *Disconnect) Error() string {
	return fmt.Sprintf("the peer disconnected with code %d (%s): %q", d.Code, d.Name(), d.Text)
}

// Reason is [ReasonDisconnected], unless the peer says that it has too many
// connections.
func (d *Disconnect) Reason() Reason {
	if d.Code == disconnectTooMany {
		return ReasonThrottled
	}
	return ReasonDisconnected
}

// Payload is the message as it goes into a packet.
func (d *Disconnect) Payload() []byte {
	p := binary.BigEndian.AppendUint32([]byte{msgDisconnect}, d.Code)
	return appendString(appendString(p, d.Text), d.Lang)
}

// ParseDisconnect reads an SSH_MSG_DISCONNECT, message number included. As
// OpenSSH does, it takes one whose language is missing; short of a code it is
// a [*ProtocolViolation].
func ParseDisconnect(payload []byte) (*Disconnect, error) {
	r := reader{rest: payload}
	number, code := r.byte(), r.uint32()
	if r.failed || number != msgDisconnect {
		return nil, &ProtocolViolation{Message: number, Why: "not an SSH_MSG_DISCONNECT with a code", Payload: keep(payload)}
	}
	text := r.string()
	lang := r.string()
	return &Disconnect{Code: code, Text: cut(text, 1024), Lang: cut(lang, 64)}, nil
}

// cut takes at most n bytes, whole letters only.
func cut(b []byte, n int) string {
	if len(b) > n {
		for b = b[:n]; len(b) > 0 && !utf8.RuneStart(b[len(b)-1]); {
			b = b[:len(b)-1]
		}
		b = b[:max(len(b)-1, 0)]
	}
	return string(b)
}

// ProtocolViolation is a well-formed packet that has no place where it came.
type ProtocolViolation struct {
	Offset  int64 // where the packet began, in bytes from the peer's first
	Message byte
	Why     string
	Payload []byte // its first bytes, at most 256
}

func (e *ProtocolViolation) Error() string {
	return fmt.Sprintf("%s at byte %d: %s", MessageName(e.Message), e.Offset, e.Why)
}

// Reason is always [ReasonProtocolError].
func (e *ProtocolViolation) Reason() Reason { return ReasonProtocolError }

func keep(b []byte) []byte { return append([]byte(nil), b[:min(len(b), keptBytes)]...) }

// filled is the data of each message of [Filler]: every implementation takes
// messages of this length.
const filled = 8 << 10

// Filler is at least n bytes of messages that the other side ignores (RFC
// 4253, 11.2), for a connection that has exchanged no keys: the first n, and
// what completes the last message, which is never nothing.
func Filler(n int) (stream, rest []byte) {
	one := appendString([]byte{msgIgnore}, make([]byte, filled))
	for len(stream) <= n {
		stream = append(stream, Packet(one, 0)...)
	}
	return stream[:n:n], stream[n:]
}
