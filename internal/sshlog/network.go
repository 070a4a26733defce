package sshlog

import (
	"net/netip"
	"strings"
)

// A Network is a client's network: an IPv4 address's /24, or an IPv6 address's
// /64. It is the first 64 bits of the address; those of IPv4 stand as
// 0:1:xxyy:zz00, which nobody has. 0 is no network: a name, or nothing.
type Network uint64

const networkOfIPv4 = Network(1) << 32

// networkOf reads the address of a line.
func networkOf(addr string) Network {
	if n, ok := networkOfDotted(addr); ok {
		return n
	}
	if strings.IndexByte(addr, ':') < 0 {
		return 0
	}
	a, err := netip.ParseAddr(addr)
	switch {
	case err != nil:
		return 0
	case a.IsLoopback():
		return networkOfIPv4 | 127<<24
	case a.Is4In6():
		b := a.As16()
		return networkOfIPv4 | Network(b[12])<<24 | Network(b[13])<<16 | Network(b[14])<<8
	}
	var n Network
	bytes := a.As16()
	for _, b := range bytes[:8] {
		n = n<<8 | Network(b)
	}
	return n
}

// networkOfDotted reads an IPv4 address. It stands in the way of every line.
func networkOfDotted(s string) (n Network, ok bool) {
	part, dots, digits := Network(0), 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case c-'0' <= 9 && digits < 3:
			part = part*10 + Network(c-'0')
			digits++
		case c == '.' && digits > 0 && part <= 255 && dots < 3:
			n = n<<8 | part
			part, digits = 0, 0
			dots++
		default:
			return 0, false
		}
	}
	return networkOfIPv4 | n<<8, dots == 3 && digits > 0 && part <= 255
}

// String is the network in the notation of CIDR.
func (n Network) String() string {
	if n>>32 == 1 {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), 0}), 24).String()
	}
	var b [16]byte
	for i := range 8 {
		b[i] = byte(n >> (56 - 8*i))
	}
	return netip.PrefixFrom(netip.AddrFrom16(b), 64).String()
}
