package sshwire

import (
	"encoding/binary"
	"math/big"
	"strings"
)

// reader takes the data types of RFC 4251, 5 from a payload. After a failure
// it stays failed and gives zero values, so that callers check once.
type reader struct {
	rest   []byte
	failed bool
}

func (r *reader) bytes(n int) []byte {
	if r.failed || n < 0 || n > len(r.rest) {
		r.failed = true
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.bytes(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) string() []byte {
	n := r.uint32()
	if n > maxPacket {
		r.failed = true
		return nil
	}
	return r.bytes(int(n))
}

// names reads a name-list of at most max names.
func (r *reader) names(max int) []string {
	s := string(r.string())
	if s == "" || r.failed {
		return nil
	}
	if strings.Count(s, ",") >= max {
		r.failed = true
		return nil
	}
	return strings.Split(s, ",")
}

func appendString[T string | []byte](b []byte, s T) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

func appendNames(b []byte, names []string) []byte {
	return appendString(b, strings.Join(names, ","))
}

// mpint is the content of an mpint (without its length): big-endian, two's
// complement, and so with a leading zero where the first bit is set.
func mpint(x *big.Int) []byte {
	if x.Sign() == 0 {
		return nil
	}
	b := x.Bytes()
	if b[0]&0x80 != 0 {
		b = append([]byte{0}, b...)
	}
	return b
}
