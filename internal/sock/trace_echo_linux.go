package sock

import (
	"encoding/binary"
	"os"

	"golang.org/x/sys/unix"
)

// The types of echo messages (RFC 792, RFC 4443).
const (
	echo4, echoReply4 = 8, 0
	echo6, echoReply6 = 128, 129
)

func echoProtocol(v4 bool) int {
	if v4 {
		return unix.IPPROTO_ICMP
	}
	return unix.IPPROTO_ICMPV6
}

// echoID tells our echo requests from those of others on a raw socket. On
// others the kernel puts in an identifier of its own, and sorts them itself.
var echoID = uint16(os.Getpid())

// echoRequest makes an echo request with the hop limit as its sequence number.
// The checksum is that of ICMP; the kernel makes the one of ICMPv6 in any
// case.
func echoRequest(v4 bool, ttl int) []byte {
	b := make([]byte, 16)
	b[0] = echo6
	if v4 {
		b[0] = echo4
	}
	binary.BigEndian.PutUint16(b[4:], echoID)
	binary.BigEndian.PutUint16(b[6:], uint16(ttl))
	sum := uint32(b[0])<<8 + uint32(echoID) + uint32(ttl)
	binary.BigEndian.PutUint16(b[2:], ^uint16(sum+sum>>16))
	return b
}

// isOurs says whether an echo message, ours quoted or an answer to it, is of
// this probe.
func (p *probing) isOurs(echo []byte) bool {
	return len(echo) >= 8 && binary.BigEndian.Uint16(echo[4:]) == echoID && binary.BigEndian.Uint16(echo[6:]) == uint16(p.TTL)
}

// echoed says whether an echo reply to the probe has come.
func (p *probing) echoed(v4 bool) bool {
	b := make([]byte, 128)
	for range mostStamps {
		n, _, err := unix.Recvfrom(p.fd, b, unix.MSG_DONTWAIT)
		if err == unix.EAGAIN {
			return false
		}
		if err != nil { // of an ICMP error that was in the queue, too
			continue
		}
		reply, kind := b[:n], byte(echoReply6)
		if v4 {
			kind = echoReply4
			if p.raw && n > 0 {
				reply = reply[min(n, int(b[0]&15)*4):] // behind the IP header
			}
		}
		if len(reply) > 0 && reply[0] == kind && (!p.raw || p.isOurs(reply)) {
			return true
		}
	}
	return false
}
