package pcap

import (
	"bytes"
	"encoding/binary"
)

// Messages of RFC 4253, section 12, that are sent before the encryption
// begins.
const (
	msgDisconnect = 1
	msgKexInit    = 20
	msgNewKeys    = 21
	msgKexFirst   = 30
	msgKexLast    = 49
)

// A stream is what one side says before its encryption begins.
type stream struct {
	read     int    // bytes of the stream that were understood
	ident    string // its identification, without the end of the line
	notSSH   bool   // it begins with something else
	messages []byte // types of messages, in order
	words    string // of a DISCONNECT
	reason   uint32
	sealed   bool // its NEWKEYS was sent: what follows is encrypted
}

// Bounds for what is no encryption yet (RFC 4253: 255 bytes for the
// identification, 35000 for a packet).
const (
	mostBefore   = 8 << 10
	mostPacket   = 256 << 10
	mostMessages = 64
)

// follow understands what head holds beyond what was read, and calls said with
// each message.
func (s *stream) follow(head []byte, said func(message byte)) {
	for !s.sealed && !s.notSSH && s.read < len(head) && len(s.messages) < mostMessages {
		rest := head[s.read:]
		if s.ident == "" {
			if !s.greet(rest) {
				return
			}
			said(0)
			continue
		}
		if len(rest) < 6 {
			return
		}
		length := int(binary.BigEndian.Uint32(rest))
		if length < 2 || length > mostPacket {
			s.notSSH = true
			return
		}
		if len(rest) < 4+length {
			return
		}
		message, body := rest[5], rest[6:4+length]
		s.read += 4 + length
		s.messages = append(s.messages, message)
		switch message {
		case msgNewKeys:
			s.sealed = true
		case msgDisconnect:
			s.disconnect(body)
		}
		said(message)
	}
}

// greet looks for the identification, before which a server may send other
// lines. It says whether it was found.
func (s *stream) greet(rest []byte) bool {
	for at := 0; ; {
		if prefix := rest[at:min(len(rest), at+4)]; !bytes.HasPrefix([]byte("SSH-"), prefix[:min(len(prefix), 4)]) {
			end := bytes.IndexByte(rest[at:], '\n')
			if end < 0 || at+end > mostBefore {
				s.notSSH = at+len(rest[at:]) > mostBefore
				return false
			}
			at += end + 1
			if at == len(rest) {
				return false
			}
			continue
		}
		end := bytes.IndexByte(rest[at:], '\n')
		if end < 0 {
			s.notSSH = len(rest)-at > 1024
			return false
		}
		s.ident = string(bytes.TrimRight(rest[at:at+end], "\r"))
		s.ident = s.ident[:min(len(s.ident), 255)]
		s.read += at + end + 1
		return true
	}
}

func (s *stream) disconnect(body []byte) {
	if len(body) < 8 {
		return
	}
	s.reason = binary.BigEndian.Uint32(body)
	if n := int(binary.BigEndian.Uint32(body[4:])); n >= 0 && n <= len(body)-8 {
		s.words = string(body[8 : 8+min(n, 1000)])
	}
}
