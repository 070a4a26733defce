package lab

import (
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// trackConnections has a node's kernel keep track of all connections, as one
// does that has a stateful firewall.
func (f *firewall) trackConnections() {
	for name, hook := range map[string]*nftables.ChainHook{"track-in": nftables.ChainHookInput, "track-out": nftables.ChainHookOutput} {
		c := f.chain(name, hook, nftables.ChainPriorityFilter, nftables.ChainTypeFilter)
		f.rule(c, isNew(), []expr.Any{&expr.Counter{}})
	}
}

// fillConntrack fills a part of a node's table of connections with connections
// that others seem to have, and that the kernel gives up for no newcomer. The
// limit is one for the whole kernel and cannot be set in a network of its own.
func (n node) fillConntrack(part float64) error {
	return n.Do(func() error {
		most, err := procNumber("/proc/sys/net/netfilter/nf_conntrack_max")
		if err != nil {
			return err
		}
		if most > 1<<20 {
			return fmt.Errorf("nf_conntrack_max is %d here: too many to fill", most)
		}
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		const atOnce = 500
		var batch []byte
		want := int(part * float64(most))
		for i := range want + atOnce { // a few too many: there is no way to ask for exactly as many
			batch = append(batch, newConnection(uint32(i))...)
			if i%atOnce == atOnce-1 {
				if err := unix.Send(fd, batch, 0); err != nil {
					return fmt.Errorf("cannot fill the table of connections: %w", err)
				}
				batch = batch[:0]
			}
		}
		if count, err := procNumber("/proc/sys/net/netfilter/nf_conntrack_count"); err != nil || count < want {
			return fmt.Errorf("the table of connections holds %d of %d after %d were put in: %v", count, most, want, err)
		}
		return nil
	})
}

func procNumber(name string) (int, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}

// newConnection is the message to the kernel for the i-th of others'
// connections: UDP, answered, and remembered for an hour.
func newConnection(i uint32) []byte {
	tuple := func(kind uint16, from, to [4]byte, fromPort, toPort uint16) []byte {
		ip := append(attribute(1, from[:]), attribute(2, to[:])...)
		proto := attribute(1, []byte{unix.IPPROTO_UDP})
		proto = append(proto, attribute(2, binary.BigEndian.AppendUint16(nil, fromPort))...)
		proto = append(proto, attribute(3, binary.BigEndian.AppendUint16(nil, toPort))...)
		return attribute(kind|unix.NLA_F_NESTED, append(attribute(1|unix.NLA_F_NESTED, ip), attribute(2|unix.NLA_F_NESTED, proto)...))
	}
	const seenReply, assured, confirmed = 1 << 1, 1 << 2, 1 << 3 // linux/netfilter/nf_conntrack_common.h
	one, other := [4]byte{10, byte(i >> 24), byte(i >> 16), 1}, [4]byte{10, 255, 0, 1}
	body := []byte{unix.AF_INET, 0, 0, 0} // struct nfgenmsg
	body = append(body, tuple(1, one, other, uint16(i), 53)...)
	body = append(body, tuple(2, other, one, 53, uint16(i))...)
	body = append(body, attribute(3, binary.BigEndian.AppendUint32(nil, seenReply|assured|confirmed))...)
	body = append(body, attribute(7, binary.BigEndian.AppendUint32(nil, 3600))...)
	head := binary.NativeEndian.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+len(body)))
	head = binary.NativeEndian.AppendUint16(head, unix.NFNL_SUBSYS_CTNETLINK<<8) // IPCTNL_MSG_CT_NEW
	head = binary.NativeEndian.AppendUint16(head, unix.NLM_F_REQUEST|unix.NLM_F_CREATE)
	return append(append(head, make([]byte, 8)...), body...)
}

// attribute is a netlink attribute, padded.
func attribute(kind uint16, value []byte) []byte {
	a := binary.NativeEndian.AppendUint16(nil, uint16(4+len(value)))
	a = binary.NativeEndian.AppendUint16(a, kind)
	a = append(a, value...)
	return append(a, make([]byte, -len(a)&3)...)
}
