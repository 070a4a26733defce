package probe

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// network names the network by which an address is reached from here: the
// device, the gateway and the gateway's hardware address, for 192.168.1.1 is
// everywhere. It is "" when the kernel does not say.
func network(ctx context.Context, env *Env, to netip.Addr) string {
	read := func(name string) string {
		data, _ := env.Local.ReadFile(ctx, name, 1<<20)
		return string(data)
	}
	r, found := routeTo(to, read("/proc/net/route"), read("/proc/net/ipv6_route"))
	if !found {
		return ""
	}
	name := "via " + r.gateway.String() + " dev " + r.device
	if !r.gateway.IsValid() || r.gateway.IsUnspecified() {
		name = "dev " + r.device
	}
	if mac := neighbour(r.gateway, read("/proc/net/arp")); mac != "" {
		name += " (" + mac + ")"
	}
	return name
}

// A route is an entry of the kernel's tables.
type route struct {
	to      netip.Prefix
	gateway netip.Addr
	device  string
	metric  uint64
}

// routeTo finds the entry that is used for an address, in the text of the
// files of /proc/net.
func routeTo(to netip.Addr, v4, v6 string) (best route, found bool) {
	parse, text := parseRoute4, v4
	if to = to.Unmap(); to.Is6() {
		parse, text = parseRoute6, v6
	}
	for line := range strings.Lines(text) {
		r, err := parse(strings.Fields(line))
		if err != nil || !r.to.Contains(to) {
			continue
		}
		if !found || r.to.Bits() > best.to.Bits() || r.to.Bits() == best.to.Bits() && r.metric < best.metric {
			best, found = r, true
		}
	}
	return best, found
}

const routeUp = 1 // RTF_UP

// parseRoute4 reads "eth0 00000000 0107A8C0 0003 0 0 0 00000000 ...": device,
// destination, gateway, flags, ..., metric, mask; addresses as the machine
// stores numbers.
func parseRoute4(f []string) (r route, err error) {
	if len(f) < 8 {
		return r, fmt.Errorf("a route of %d words", len(f))
	}
	var n [4]uint64 // destination, gateway, flags, mask
	for i, word := range []string{f[1], f[2], f[3], f[7]} {
		if n[i], err = strconv.ParseUint(word, 16, 32); err != nil {
			return r, err
		}
	}
	if n[2]&routeUp == 0 {
		return r, fmt.Errorf("the route is down")
	}
	r.device = f[0]
	r.metric, _ = strconv.ParseUint(f[6], 10, 32)
	addr := func(n uint64) netip.Addr {
		var b [4]byte
		binary.NativeEndian.PutUint32(b[:], uint32(n))
		return netip.AddrFrom4(b)
	}
	bits := 0
	for _, b := range addr(n[3]).As4() {
		for ; b&0x80 != 0; b <<= 1 {
			bits++
		}
	}
	r.gateway = addr(n[1])
	r.to, err = addr(n[0]).Prefix(bits)
	return r, err
}

// parseRoute6 reads "20010db8... 40 000... 00 fe80... 00000400 ... flags eth0".
func parseRoute6(f []string) (r route, err error) {
	if len(f) < 10 {
		return r, fmt.Errorf("a route of %d words", len(f))
	}
	addr := func(text string) (netip.Addr, error) {
		b, err := hex.DecodeString(text)
		if err != nil || len(b) != 16 {
			return netip.Addr{}, fmt.Errorf("%q is no IPv6 address", text)
		}
		return netip.AddrFrom16([16]byte(b)), nil
	}
	to, err := addr(f[0])
	if err != nil {
		return r, err
	}
	bits, err := strconv.ParseUint(f[1], 16, 8)
	if err != nil {
		return r, err
	}
	if r.gateway, err = addr(f[4]); err != nil {
		return r, err
	}
	flags, err := strconv.ParseUint(f[8], 16, 32)
	if err != nil || flags&routeUp == 0 || f[9] == "lo" {
		return r, fmt.Errorf("the route is not in use")
	}
	r.metric, _ = strconv.ParseUint(f[5], 16, 32)
	r.device = f[9]
	r.to, err = to.Prefix(int(bits))
	return r, err
}

// neighbour is the hardware address of an IPv4 address, in the text of
// /proc/net/arp.
func neighbour(addr netip.Addr, arp string) string {
	for line := range strings.Lines(arp) {
		f := strings.Fields(line)
		if len(f) >= 4 && f[0] == addr.String() && f[3] != "00:00:00:00:00:00" {
			return f[3]
		}
	}
	return ""
}
