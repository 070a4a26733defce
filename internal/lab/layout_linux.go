package lab

import (
	"errors"
	"fmt"
	"net/netip"

	"sshtay/internal/host"
)

// The addresses of a world. Networks that nobody has: RFC 5737, RFC 3849.
var (
	clientLAN  = pair{netip.MustParsePrefix("192.168.7.23/24"), netip.MustParsePrefix("2001:db8:7::23/64")}
	homeLAN    = pair{netip.MustParsePrefix("192.168.7.1/24"), netip.MustParsePrefix("2001:db8:7::1/64")}
	homeWAN    = pair{netip.MustParsePrefix("198.51.100.7/24"), netip.MustParsePrefix("2001:db8:64::7/64")}
	providerIs = pair{netip.MustParsePrefix("198.51.100.1/24"), netip.MustParsePrefix("2001:db8:64::1/64")}
	gateway    = pair{netip.MustParsePrefix("203.0.113.1/32"), netip.MustParsePrefix("2001:db8:113::1/128")}
	addresses  = map[string]pair{
		"server":   {netip.MustParsePrefix("203.0.113.10/32"), netip.MustParsePrefix("2001:db8:113::10/128")},
		"second":   {netip.MustParsePrefix("203.0.113.11/32"), netip.MustParsePrefix("2001:db8:113::11/128")},
		"jump":     {netip.MustParsePrefix("203.0.113.20/32"), netip.MustParsePrefix("2001:db8:113::20/128")},
		"balancer": {netip.MustParsePrefix("203.0.113.30/32"), netip.MustParsePrefix("2001:db8:113::30/128")},
	}
	everywhere = pair{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
)

// pair is an IPv4 and an IPv6 prefix.
type pair [2]netip.Prefix

// in returns those of the pair that the world uses.
func (p pair) in(s Spec) (out []netip.Prefix) {
	for i, used := range []bool{s.IPv4, s.IPv6} {
		if used {
			out = append(out, p[i])
		}
	}
	return out
}

// newRouter makes a router: a network that forwards, with nothing running in it.
func newRouter() (node, error) {
	ns, err := host.NewNetwork()
	if err != nil {
		return node{}, err
	}
	return newNode(ns, true)
}

func (l *Live) layNetwork(*keys) (err error) {
	if l.home, err = newRouter(); err != nil {
		return err
	}
	if l.provider, err = newRouter(); err != nil {
		return err
	}
	client := l.machines["client"].node
	if err := connect(client, "eth0", l.home, "lan"); err != nil {
		return err
	}
	if err := errors.Join(client.address("eth0", clientLAN.in(l.world.Spec)...), l.home.address("lan", homeLAN.in(l.world.Spec)...)); err != nil {
		return err
	}
	if err := l.defaultRoute(client, "eth0", homeLAN); err != nil {
		return err
	}
	if err := l.layWAN(); err != nil {
		return err
	}
	for _, side := range l.sides()[1:] {
		if err := l.attach(side, l.machines[side].node); err != nil {
			return err
		}
	}
	if l.world.Balancer == "" {
		return nil
	}
	if l.balancer, err = newRouter(); err != nil {
		return err
	}
	return l.attach("balancer", l.balancer)
}

// layWAN connects the routers by the link in user space.
func (l *Live) layWAN() error {
	atHome, err := openTUN(l.home.Namespaces, "wan")
	if err != nil {
		return err
	}
	atProvider, err := openTUN(l.provider.Namespaces, "wan")
	if err != nil {
		atHome.Close()
		return err
	}
	s := l.world.Spec
	l.pump = newPump(NewLink(s.Lanes[ToServer], s.Lanes[ToClient], s.Box, l.lab.Seed), atHome, atProvider)
	for _, end := range []struct {
		node
		is pair
	}{{l.home, homeWAN}, {l.provider, providerIs}} {
		if err := errors.Join(end.up("wan"), end.address("wan", end.is.in(s)...)); err != nil {
			return err
		}
		if s.MTU > 0 {
			if err := end.mtu("wan", s.MTU); err != nil {
				return err
			}
		}
	}
	if err := l.defaultRoute(l.home, "wan", providerIs); err != nil {
		return err
	}
	for _, p := range clientLAN.in(s) {
		if err := l.provider.route(p.Masked(), "wan", netip.Addr{}); err != nil {
			return err
		}
	}
	return nil
}

// attach connects a machine to the provider's router, as clouds do: with an
// address that is a network of its own.
func (l *Live) attach(side string, n node) error {
	if err := connect(n, "eth0", l.provider, side); err != nil {
		return err
	}
	is := addresses[side].in(l.world.Spec)
	if err := errors.Join(n.address("eth0", is...), l.provider.address(side, gateway.in(l.world.Spec)...)); err != nil {
		return err
	}
	for _, p := range is {
		if err := l.provider.route(p, side, netip.Addr{}); err != nil {
			return err
		}
	}
	return l.defaultRoute(n, "eth0", gateway)
}

func (l *Live) defaultRoute(n node, device string, by pair) error {
	for i, p := range everywhere.in(l.world.Spec) {
		if err := n.route(p, device, by.in(l.world.Spec)[i].Addr()); err != nil {
			return err
		}
	}
	return nil
}

func (l *Live) setUpFilters(*keys) error {
	s := l.world.Spec
	for i, router := range []node{l.home, l.provider} {
		f, err := newFirewall(router, "router")
		if err != nil {
			return err
		}
		if i == 0 && s.IPv4 && s.NAT != "no" {
			f.masquerade("wan", s.NAT == "ports-rewritten")
		}
		if i == 0 && s.MSS > 0 {
			f.clampMSS(s.MSS)
		}
		if s.Reject == [2]string{"home", "provider"}[i] {
			f.reject(s.Port, true)
		}
		if s.Drop == [2]string{"home", "provider"}[i] {
			f.drop(s.Port, true)
		}
		switch s.Routers {
		case "mute":
			f.muteICMP()
		case "icmp":
			err = router.kernel("net/ipv4/icmp_ratelimit=0", "net/ipv6/icmp/ratelimit=0")
		case "few":
			err = router.kernel("net/ipv4/icmp_ratelimit=1000", "net/ipv6/icmp/ratelimit=1000")
		}
		if err := errors.Join(err, f.apply()); err != nil {
			return err
		}
	}
	if s.Twin {
		if err := l.provider.takeTurns(l.ctx, addresses["server"], addresses["second"]); err != nil {
			return err
		}
	}
	if m := l.machines[s.Conntrack]; m != nil {
		f, err := newFirewall(m.node, "stateful")
		if err != nil {
			return err
		}
		f.trackConnections()
		if err := f.apply(); err != nil {
			return err
		}
	}
	if s.Ping {
		if err := l.machines["client"].kernel("net/ipv4/ping_group_range=0 2147483647"); err != nil {
			return err
		}
	}
	if err := l.setUpForgetting(); err != nil {
		return err
	}
	if s.Limit == 0 && !s.Quiet && s.Reject != "server" && s.Drop != "server" {
		return nil
	}
	f, err := newFirewall(l.machines["server"].node, "ufw")
	if err != nil {
		return err
	}
	if s.Reject == "server" {
		f.reject(s.Port, false)
	}
	if s.Drop == "server" {
		f.drop(s.Port, false)
	}
	if s.Quiet {
		f.quiet()
	}
	if s.Limit > 0 {
		if err := f.limit(s.Port, s.Limit, s.Every); err != nil {
			return err
		}
	}
	return f.apply()
}

// setUpForgetting lets kernels on the way forget connections.
func (l *Live) setUpForgetting() error {
	for _, f := range l.world.Forgets {
		n, passing := map[string]node{"home": l.home, "provider": l.provider}[f.Where]
		if !passing {
			n = l.machines[f.Where].node
		}
		// Without the second setting a kernel takes up a connection again that
		// it does not know.
		err := n.kernel(fmt.Sprintf("net/netfilter/nf_conntrack_tcp_timeout_established=%d", int(f.After.Seconds())), "net/netfilter/nf_conntrack_tcp_loose=0")
		if err != nil {
			return err
		}
		w, err := newFirewall(n, "stateful")
		if err != nil {
			return err
		}
		w.knownOnly(passing, f.How == "reset")
		if err := w.apply(); err != nil {
			return err
		}
	}
	return nil
}
