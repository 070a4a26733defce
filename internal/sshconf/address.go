package sshconf

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// parseAddr reads a numeric address in every form the C library takes:
// 127.1 and 0x7f000001 are addresses too.
func parseAddr(s string) (netip.Addr, bool) {
	if strings.Contains(s, ":") {
		a, err := netip.ParseAddr(s)
		return a, err == nil
	}
	parts := strings.Split(s, ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var v uint64
	for i, part := range parts {
		last := i == len(parts)-1
		limit := uint64(1) << 8
		if last {
			limit = 1 << (8 * (5 - len(parts)))
		}
		n, ok := addrPart(part)
		if !ok || n >= limit {
			return netip.Addr{}, false
		}
		if last {
			v = v<<(8*(5-len(parts))) | n
		} else {
			v = v<<8 | n
		}
	}
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}), true
}

// addrPart is one number of a dotted address: hexadecimal, octal or decimal.
func addrPart(s string) (uint64, bool) {
	base := 10
	switch {
	case strings.HasPrefix(s, "0x"), strings.HasPrefix(s, "0X"):
		s, base = s[2:], 16
	case len(s) > 1 && s[0] == '0':
		s, base = s[1:], 8
	}
	n, err := strconv.ParseUint(s, base, 32)
	return n, err == nil
}

// addrText is the address as the C library prints it.
func addrText(a netip.Addr) string {
	b := a.As16()
	if a.Is6() && !a.Is4In6() && a.Zone() == "" && [12]byte(b[:12]) == [12]byte{} && (b[12] != 0 || b[13] != 0) {
		return "::" + netip.AddrFrom4([4]byte(b[12:])).String()
	}
	return a.String()
}

// errMask is a network with bits set behind its mask, or with too long a mask.
var errMask = errors.New("inconsistent mask length")

// errNotNetwork is what reads neither as an address nor as a network.
var errNotNetwork = errors.New("not a network")

// parseNetwork reads ADDRESS or ADDRESS/LENGTH; host bits must be zero.
func parseNetwork(s string) (netip.Prefix, error) {
	host, length, isNet := strings.Cut(s, "/")
	bits := -1
	if isNet {
		n, err := strconv.ParseUint(length, 10, 64)
		if err != nil || n > 128 {
			return netip.Prefix{}, errNotNetwork
		}
		bits = int(n)
	}
	a, ok := parseAddr(host)
	if !ok || len(s) >= 64 {
		return netip.Prefix{}, errNotNetwork
	}
	if bits < 0 {
		bits = a.BitLen()
	}
	p := netip.PrefixFrom(a.WithZone(""), bits)
	if !p.IsValid() || p.Masked().Addr() != a.WithZone("") {
		return netip.Prefix{}, errMask
	}
	return p, nil
}

// matchAddrList holds an address against networks, addresses and name
// patterns; an empty addr only checks the list.
func matchAddrList(addr, list string) (verdict, error) {
	a, ok := parseAddr(addr)
	if addr != "" && !ok {
		return unmatched, nil
	}
	v := unmatched
	for _, p := range strings.Split(list, ",") {
		p, not := strings.CutPrefix(p, "!")
		if p == "" {
			return unmatched, errNotNetwork
		}
		network, err := parseNetwork(p)
		if err == errMask {
			return unmatched, err
		}
		hit := addr != "" && (err == nil && network.Contains(a) || err != nil && match(addr, p))
		switch {
		case hit && not:
			return negated, nil
		case hit:
			v = matched
		}
	}
	return v, nil
}

// matchNetworks holds an address against networks only.
func matchNetworks(addr netip.Addr, list string) (bool, error) {
	found := false
	for _, p := range strings.Split(list, ",") {
		network, err := parseNetwork(p)
		if err != nil {
			return false, err
		}
		found = found || addr.IsValid() && network.Contains(addr)
	}
	return found, nil
}
