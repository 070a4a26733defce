package sshwire

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unicode"
)

// Sizes of unencrypted binary packets (RFC 4253, 6).
const (
	blockSize  = 8
	minPadding = 4
	maxPadding = 255
	// maxPacket is OpenSSH's limit. Every implementation must take 35,000
	// bytes; OpenSSH takes this much, and so nothing beyond it can work.
	maxPacket = 256 << 10
	// keptBytes is how much of what a peer sent is kept for showing.
	keptBytes = 256
)

// BadPacket is a sequence of bytes that cannot be an SSH packet.
type BadPacket struct {
	Offset  int64  // where the packet began, in bytes from the peer's first
	Length  uint32 // what its first four bytes say, read as the length that they should be
	Padding int    // the padding length, when reading got that far; otherwise -1
	First   []byte // the first bytes of the packet, at most 256
	Text    string // when it is plain text by which sshd complains: that text
	Why     string
}

func (e *BadPacket) Error() string {
	what := fmt.Sprintf("bad packet at byte %d: %s", e.Offset, e.Why)
	if e.Text != "" {
		return fmt.Sprintf("%s; it is the text %.256q", what, e.Text)
	}
	return fmt.Sprintf("%s; it begins %.32q", what, e.First)
}

// Reason is always [ReasonBadPacket], unless sshd complains in plain text.
func (e *BadPacket) Reason() Reason {
	if e.Text != "" {
		return ReasonProtocolError
	}
	return ReasonBadPacket
}

// BrokenOff is a connection that ended or fell silent while something was
// expected or under way.
type BrokenOff struct {
	Waiting string // what was awaited, "the identification line", "SSH_MSG_KEXINIT"
	Offset  int64  // where it began or would begin, in bytes from the peer's first
	Got     int    // how many of its bytes came
	Want    int    // how many it has; 0 when that is not known yet
	Err     error  // how the connection ended
	Write   error  // how our own last writing failed, when it did
}

func (e *BrokenOff) Error() string {
	got := "nothing of it came"
	switch {
	case e.Got > 0 && e.Want > 0:
		got = fmt.Sprintf("%d of its %d bytes came", e.Got, e.Want)
	case e.Got > 0:
		got = fmt.Sprintf("%d bytes of it came", e.Got)
	}
	return fmt.Sprintf("%s; awaited was %s at byte %d, and %s", says(e.Reason(), e.Err), e.Waiting, e.Offset, got)
}

func (e *BrokenOff) Unwrap() error { return e.Err }

// Reason is how the connection ended. A reset that our own writing met first
// leaves only an end of file to reading.
func (e *BrokenOff) Reason() Reason {
	r := ReasonOf(e.Err)
	if r == ReasonClosed && e.Write != nil && ReasonOf(e.Write) == ReasonReset {
		return ReasonReset
	}
	return r
}

func says(r Reason, err error) string {
	switch r {
	case ReasonClosed:
		return "the peer closed the connection"
	case ReasonReset:
		return "the connection was reset"
	case ReasonTimedOut:
		return "nothing more came in the time given"
	}
	return err.Error()
}

// ReadPacket reads one unencrypted packet and returns its payload, which has
// at least the message number. offset is where the packet begins and goes
// into errors, which are a [*BadPacket] or a [*BrokenOff].
func ReadPacket(r io.Reader, offset int64) (payload []byte, err error) {
	head := make([]byte, 5)
	if n, err := io.ReadFull(r, head); err != nil {
		return nil, &BrokenOff{Waiting: "a packet", Offset: offset, Got: n, Err: plainEOF(err)}
	}
	length, padding := binary.BigEndian.Uint32(head), int(head[4])
	bad := func(padding int, first []byte, why string, args ...any) error {
		return &BadPacket{offset, length, padding, first[:min(len(first), keptBytes)], "", fmt.Sprintf(why, args...)}
	}
	if length > maxPacket || length < 1+1+minPadding {
		text, first := readText(head, r)
		err := bad(-1, first, "length %d is not between %d and %d", length, 1+1+minPadding, maxPacket)
		err.(*BadPacket).Text = text
		return nil, err
	}
	if (4+length)%blockSize != 0 {
		return nil, bad(padding, head, "length %d and its own 4 bytes are no multiple of %d", length, blockSize)
	}
	if padding < minPadding || padding >= int(length)-1 {
		return nil, bad(padding, head, "padding of %d in a packet of length %d", padding, length)
	}
	body := make([]byte, length-1)
	if n, err := io.ReadFull(r, body); err != nil {
		return nil, &BrokenOff{Waiting: "a packet", Offset: offset, Got: len(head) + n, Want: 4 + int(length), Err: plainEOF(err)}
	}
	return body[:len(body)-padding], nil
}

// plainEOF makes the two kinds of end of file one: how much came is said
// elsewhere.
func plainEOF(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return io.EOF
	}
	return err
}

// readText takes bytes that are no packet for the plain text that sshd may
// send in its place. It reads on only while that makes sense, and at most the
// bytes that are kept: sshd closes after such a line.
func readText(head []byte, r io.Reader) (text string, first []byte) {
	for _, c := range head {
		if c > unicode.MaxASCII || !unicode.IsPrint(rune(c)) && c != '\r' && c != '\n' {
			return "", head
		}
	}
	first = append([]byte(nil), head...)
	for len(first) < keptBytes && first[len(first)-1] != '\n' {
		one := []byte{0}
		if _, err := io.ReadFull(r, one); err != nil {
			break
		}
		first = append(first, one[0])
	}
	text, _ = Complaint(first)
	return text, first
}

// Packet wraps a payload into an unencrypted packet. extra asks for that many
// bytes of padding beyond what is needed, as far as the format allows.
func Packet(payload []byte, extra int) []byte {
	padding := blockSize - (5+len(payload))%blockSize
	if padding < minPadding {
		padding += blockSize
	}
	extra -= extra % blockSize
	for padding+extra > maxPadding {
		extra -= blockSize
	}
	padding += max(extra, 0)
	p := make([]byte, 5, 5+len(payload)+padding)
	binary.BigEndian.PutUint32(p, uint32(1+len(payload)+padding))
	p[4] = byte(padding)
	p = append(p, payload...)
	p = p[:cap(p)]
	rand.Read(p[5+len(payload):])
	return p
}
