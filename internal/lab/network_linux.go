package lab

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
	"sshtay/internal/host"
)

// A node is a place in the network: a router, or a machine.
type node struct {
	*host.Namespaces
	net *netlink.Handle
}

// newNode takes charge of a network namespace: its own traffic to itself
// works, IPv6 addresses are ready at once, and routers forward. Machines heed
// losses as RFC 5681 has it, whatever this one prefers: the only way that every
// kernel lets a namespace choose.
func newNode(ns *host.Namespaces, router bool) (node, error) {
	h, err := netlink.NewHandleAt(netns.NsHandle(ns.Network()), unix.NETLINK_ROUTE)
	if err != nil {
		return node{}, fmt.Errorf("cannot reach the network of a new machine: %w", err)
	}
	n := node{ns, h}
	settings := []string{"net/ipv6/conf/all/accept_dad=0", "net/ipv6/conf/default/accept_dad=0", "net/ipv6/conf/default/accept_ra=0"}
	if router {
		settings = append(settings, "net/ipv4/ip_forward=1", "net/ipv6/conf/all/forwarding=1", "net/ipv4/conf/all/rp_filter=0", "net/ipv4/conf/default/rp_filter=0")
	} else {
		settings = append(settings, "net/ipv4/tcp_congestion_control=reno")
	}
	if err := n.kernel(settings...); err != nil {
		return node{}, err
	}
	return n, n.up("lo")
}

func (n node) close() {
	n.net.Close()
	n.Namespaces.Close()
}

// kernel sets kernel settings, each as "path/below/proc/sys=value".
func (n node) kernel(settings ...string) error {
	return n.Do(func() error {
		for _, s := range settings {
			name, value, _ := strings.Cut(s, "=")
			if err := host.SetKernel(name, value); err != nil {
				return err
			}
		}
		return nil
	})
}

// connect lays a cable between two nodes.
func connect(a node, aName string, b node, bName string) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = aName
	cable := &netlink.Veth{LinkAttrs: attrs, PeerName: bName, PeerNamespace: netlink.NsFd(b.Network())}
	if err := a.net.LinkAdd(cable); err != nil {
		return fmt.Errorf("cannot lay a cable from %s to %s: %w", aName, bName, err)
	}
	if err := a.up(aName); err != nil {
		return err
	}
	return b.up(bName)
}

func (n node) up(device string) error {
	l, err := n.net.LinkByName(device)
	if err != nil {
		return fmt.Errorf("device %s: %w", device, err)
	}
	return n.net.LinkSetUp(l)
}

// address gives a device its addresses, each with the length of its network.
func (n node) address(device string, prefixes ...netip.Prefix) error {
	l, err := n.net.LinkByName(device)
	if err != nil {
		return fmt.Errorf("device %s: %w", device, err)
	}
	for _, p := range prefixes {
		if err := n.net.AddrAdd(l, &netlink.Addr{IPNet: ipNet(p), Flags: unix.IFA_F_NODAD}); err != nil {
			return fmt.Errorf("cannot give %s the address %s: %w", device, p, err)
		}
	}
	return nil
}

// route sends packets for a network to a device, by way of a router there
// unless via is the zero address.
func (n node) route(to netip.Prefix, device string, via netip.Addr) error {
	l, err := n.net.LinkByName(device)
	if err != nil {
		return fmt.Errorf("device %s: %w", device, err)
	}
	r := &netlink.Route{LinkIndex: l.Attrs().Index, Dst: ipNet(to)}
	if via.IsValid() {
		r.Gw, r.Flags = via.AsSlice(), int(netlink.FLAG_ONLINK)
	}
	if err := n.net.RouteAdd(r); err != nil {
		return fmt.Errorf("cannot add a route to %s by %s: %w", to, device, err)
	}
	return nil
}

// mtu sets the size of the largest packet that a device takes.
func (n node) mtu(device string, size int) error {
	l, err := n.net.LinkByName(device)
	if err != nil {
		return fmt.Errorf("device %s: %w", device, err)
	}
	return n.net.LinkSetMTU(l, size)
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
