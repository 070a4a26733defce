package probe

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"sshtay/internal/fact"
	"sshtay/internal/sock"
)

// mostSessions are told of.
const mostSessions = 20

// clientSessions looks at the connections to the server that others have open on
// this machine, and whether their own addresses still are its addresses.
func clientSessions(ctx context.Context, env *Env, facts *fact.Set) {
	to, why := serverAddresses(env, facts)
	if why != "" {
		fact.Miss(facts, why, fact.ClientSource, fact.ClientSessions)
		return
	}
	interfaces := interfaceOf()
	if from, err := sourceFor(to[0]); err == nil {
		name := interfaces[from]
		if name == "" {
			name = "an interface that is not known"
		}
		fact.ClientSource.Put(facts, fmt.Sprintf("%s on %s", from, name), "the kernel's choice for "+to[0].String())
	} else {
		fact.Miss(facts, err.Error(), fact.ClientSource)
	}
	flows, err := sock.FlowsTo(ctx, to[0].Port())
	if err != nil {
		fact.Miss(facts, "this system does not say which connections are open: "+err.Error(), fact.ClientSessions)
		return
	}
	const established = 1
	deprecated := deprecatedAddresses(ctx, env)
	owners := sock.Owners(flows)
	all := []fact.LocalSession{}
	for _, f := range flows {
		if len(all) == mostSessions || f.Info.State != established || !slices.Contains(to, f.Remote) || owners[f.Inode].Ours() {
			continue
		}
		local := f.Local.Addr()
		s := fact.LocalSession{
			Local: local.String(), Address: "here", Interface: interfaces[local],
			Waiting: f.Info.Unacked > 0 && f.Info.Backoff > 0, PID: owners[f.Inode].PID,
		}
		switch {
		case isGone(local):
			s.Address = "gone"
		case deprecated[local]:
			s.Address = "deprecated"
		}
		all = append(all, s)
	}
	fact.ClientSessions.Put(facts, all, "sock_diag")
}

// serverAddresses are those of the host, the one that accepted a connection
// first; or why there are none.
func serverAddresses(env *Env, facts *fact.Set) (all []netip.AddrPort, why string) {
	if first, _ := serverAddr(env, facts); first.IsValid() {
		all = append(all, first)
	}
	if via, _ := fact.HandshakeVia.Get(facts); via != "" && via != viaDirect {
		return nil, "the connection goes through a proxy or a jump host"
	}
	known, _ := fact.HandshakeAddresses.Get(facts)
	for _, a := range known {
		if addr, err := netip.ParseAddr(a.Address); err == nil {
			all = append(all, netip.AddrPortFrom(addr.Unmap(), uint16(env.Resolved.Port)))
		}
	}
	if len(all) == 0 {
		return nil, "no address of the host is known"
	}
	return all, ""
}

// isGone says that an address is none of this machine's. It is not when that
// cannot be told.
func isGone(a netip.Addr) bool {
	return !a.IsLinkLocalUnicast() && errors.Is(sock.TryBind(netip.AddrPortFrom(a, 0)), syscall.EADDRNOTAVAIL)
}

// sourceFor is the address from which the kernel would connect. Nothing is
// sent.
func sourceFor(to netip.AddrPort) (netip.Addr, error) {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		return netip.Addr{}, plainly(err, 0)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap().WithZone(""), nil
}

// interfaceOf maps the addresses of this machine to the names of their
// interfaces.
func interfaceOf() map[netip.Addr]string {
	all := map[netip.Addr]string{}
	interfaces, _ := net.Interfaces()
	for _, i := range interfaces {
		addresses, _ := i.Addrs()
		for _, a := range addresses {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				all[p.Addr().Unmap()] = i.Name
			}
		}
	}
	return all
}

// deprecatedAddresses are those that the kernel gives to no new connection, as
// Linux lists them: an IPv6 privacy address that another has followed.
func deprecatedAddresses(ctx context.Context, env *Env) map[netip.Addr]bool {
	table, _ := env.Local.ReadFile(ctx, "/proc/net/if_inet6", 64<<10)
	all := map[netip.Addr]bool{}
	for _, a := range parseInet6(string(table)) {
		if a.flags&inet6Deprecated != 0 {
			all[a.addr] = true
		}
	}
	return all
}

// An inet6 is an IPv6 address of a Linux machine, with flags of
// linux/if_addr.h.
type inet6 struct {
	addr  netip.Addr
	name  string // of the interface; text from elsewhere
	flags uint64
}

const (
	inet6DADFailed  = 0x08
	inet6Deprecated = 0x20
)

// parseInet6 reads /proc/net/if_inet6: 32 digits of address, then the
// interface's number, the length of the network, the scope and the flags in
// hexadecimal, and the interface's name.
func parseInet6(table string) (all []inet6) {
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) != 6 || len(f[0]) != 32 {
			continue
		}
		raw, err := hex.DecodeString(f[0])
		flags, flagsErr := strconv.ParseUint(f[4], 16, 32)
		if addr, ok := netip.AddrFromSlice(raw); ok && err == nil && flagsErr == nil {
			all = append(all, inet6{addr, f[5], flags})
		}
	}
	return all
}
