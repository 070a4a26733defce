package lab

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"sshtay/internal/host"
)

// A firewall is the packet filter of one node, changed all at once by apply.
type firewall struct {
	conn  *nftables.Conn
	table *nftables.Table
}

// newFirewall begins a table of its own in the node's packet filter.
func newFirewall(n node, name string) (*firewall, error) {
	conn, err := nftables.New(nftables.WithNetNSFd(n.Network()))
	if err != nil {
		return nil, fmt.Errorf("cannot reach the packet filter: %w", err)
	}
	return &firewall{conn, conn.AddTable(&nftables.Table{Name: name, Family: nftables.TableFamilyINet})}, nil
}

func (f *firewall) apply() error {
	if err := f.conn.Flush(); err != nil {
		return fmt.Errorf("cannot set up the packet filter: %w", err)
	}
	return nil
}

func (f *firewall) chain(name string, hook *nftables.ChainHook, priority *nftables.ChainPriority, kind nftables.ChainType) *nftables.Chain {
	return f.conn.AddChain(&nftables.Chain{Name: name, Table: f.table, Type: kind, Hooknum: hook, Priority: priority})
}

func (f *firewall) rule(c *nftables.Chain, parts ...[]expr.Any) {
	var all []expr.Any
	for _, p := range parts {
		all = append(all, p...)
	}
	f.conn.AddRule(&nftables.Rule{Table: f.table, Chain: c, Exprs: all})
}

// masquerade hides IPv4 senders behind the device's address, with ports of
// its own choice when random.
func (f *firewall) masquerade(device string, random bool) {
	c := f.chain("postrouting", nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource, nftables.ChainTypeNAT)
	f.rule(c, family(unix.NFPROTO_IPV4), outDevice(device), []expr.Any{&expr.Masq{Random: random, FullyRandom: random}})
}

// clampMSS writes a smaller maximum segment size into SYNs that pass.
func (f *firewall) clampMSS(size int) {
	c := f.chain("mangle", nftables.ChainHookForward, nftables.ChainPriorityMangle, nftables.ChainTypeFilter)
	f.rule(c, protocol(unix.IPPROTO_TCP), []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 13, Len: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 1, Mask: []byte{flagSYN}, Xor: []byte{0}},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: []byte{0}},
		&expr.Immediate{Register: 1, Data: binary.BigEndian.AppendUint16(nil, uint16(size))},
		&expr.Exthdr{SourceRegister: 1, Op: expr.ExthdrOpTcpopt, Type: 2, Offset: 2, Len: 2},
	})
}

// muteICMP drops the errors that the node sends and those that pass it.
func (f *firewall) muteICMP() {
	for name, hook := range map[string]*nftables.ChainHook{"output": nftables.ChainHookOutput, "forward": nftables.ChainHookForward} {
		c := f.chain("mute-"+name, hook, nftables.ChainPriorityFilter, nftables.ChainTypeFilter)
		for _, kind := range []byte{3, 11} {
			f.rule(c, protocol(unix.IPPROTO_ICMP), transport(0, 1, []byte{kind}), []expr.Any{&expr.Verdict{Kind: expr.VerdictDrop}})
		}
		for _, kind := range []byte{1, 2, 3} {
			f.rule(c, protocol(unix.IPPROTO_ICMPV6), transport(0, 1, []byte{kind}), []expr.Any{&expr.Verdict{Kind: expr.VerdictDrop}})
		}
	}
}

// reject answers SYNs to a TCP port with a reset in the name of who they are
// for: of what passes the node, or of what is for the node itself.
func (f *firewall) reject(port int, passing bool) {
	f.refuse("reject", port, passing, &expr.Reject{Type: unix.NFT_REJECT_TCP_RST})
}

// drop is reject without a word.
func (f *firewall) drop(port int, passing bool) {
	f.refuse("drop", port, passing, &expr.Verdict{Kind: expr.VerdictDrop})
}

func (f *firewall) refuse(how string, port int, passing bool, verdict expr.Any) {
	name, hook := how+"-input", nftables.ChainHookInput
	if passing {
		name, hook = how+"-forward", nftables.ChainHookForward
	}
	c := f.chain(name, hook, nftables.ChainPriorityFilter, nftables.ChainTypeFilter)
	f.rule(c, protocol(unix.IPPROTO_TCP), toPort(port), []expr.Any{verdict})
}

// quiet drops datagrams and echo requests to the node.
func (f *firewall) quiet() {
	c := f.chain("quiet", nftables.ChainHookInput, nftables.ChainPriorityFilter, nftables.ChainTypeFilter)
	dropped := []expr.Any{&expr.Verdict{Kind: expr.VerdictDrop}}
	f.rule(c, protocol(unix.IPPROTO_UDP), dropped)
	f.rule(c, protocol(unix.IPPROTO_ICMP), transport(0, 1, []byte{8}), dropped)
	f.rule(c, protocol(unix.IPPROTO_ICMPV6), transport(0, 1, []byte{128}), dropped)
}

// knownOnly drops TCP packets of connections that the node does not know, or
// answers them with a reset: those that pass it, or its own.
func (f *firewall) knownOnly(passing, reset bool) {
	then := []expr.Any{&expr.Verdict{Kind: expr.VerdictDrop}}
	if reset {
		then = []expr.Any{&expr.Reject{Type: unix.NFT_REJECT_TCP_RST}}
	}
	hooks := map[string]*nftables.ChainHook{"known-input": nftables.ChainHookInput, "known-output": nftables.ChainHookOutput}
	if passing {
		hooks = map[string]*nftables.ChainHook{"known-forward": nftables.ChainHookForward}
	}
	for name, hook := range hooks {
		c := f.chain(name, hook, nftables.ChainPriorityFilter, nftables.ChainTypeFilter)
		f.rule(c, protocol(unix.IPPROTO_TCP), inState(expr.CtStateBitINVALID), then)
	}
}

// limit drops new connections to a TCP port beyond count in the given time
// from one source, as "ufw limit" does: it lets count through at once and then
// one in every such time.
func (f *firewall) limit(port, count int, every time.Duration) error {
	c := f.chain("input", nftables.ChainHookInput, nftables.ChainPriorityFilter, nftables.ChainTypeFilter)
	perHour := uint64(time.Hour / every)
	for _, v := range []struct {
		family byte
		set    string
		kind   nftables.SetDatatype
		source expr.Payload
	}{
		{unix.NFPROTO_IPV4, "limited4", nftables.TypeIPAddr, expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 12, Len: 4}},
		{unix.NFPROTO_IPV6, "limited6", nftables.TypeIP6Addr, expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 8, Len: 16}},
	} {
		set := &nftables.Set{Table: f.table, Name: v.set, KeyType: v.kind, Dynamic: true, Size: 65535}
		if err := f.conn.AddSet(set, nil); err != nil {
			return fmt.Errorf("cannot set up a rate limit: %w", err)
		}
		f.rule(c, family(v.family), protocol(unix.IPPROTO_TCP), toPort(port), isNew(), []expr.Any{
			&v.source,
			&expr.Dynset{SrcRegKey: 1, SetName: set.Name, SetID: set.ID, Operation: unix.NFT_DYNSET_OP_UPDATE, Exprs: []expr.Any{
				&expr.Limit{Type: expr.LimitTypePkts, Rate: perHour, Unit: expr.LimitTimeHour, Burst: uint32(count), Over: true},
			}},
			&expr.Verdict{Kind: expr.VerdictDrop},
		})
	}
	return nil
}

func family(f byte) []expr.Any { return meta(expr.MetaKeyNFPROTO, []byte{f}) }

func protocol(p byte) []expr.Any { return meta(expr.MetaKeyL4PROTO, []byte{p}) }

func outDevice(name string) []expr.Any {
	padded := make([]byte, unix.IFNAMSIZ)
	copy(padded, name)
	return meta(expr.MetaKeyOIFNAME, padded)
}

func meta(key expr.MetaKey, is []byte) []expr.Any {
	return []expr.Any{&expr.Meta{Key: key, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: is}}
}

func toPort(port int) []expr.Any {
	return transport(2, 2, binary.BigEndian.AppendUint16(nil, uint16(port)))
}

func transport(offset, length uint32, is []byte) []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: offset, Len: length},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: is},
	}
}

// isNew holds for the first packet of a connection.
func isNew() []expr.Any { return inState(expr.CtStateBitNEW) }

// inState holds for packets that are in a state to the node's connection
// tracking.
func inState(bit uint32) []expr.Any {
	return []expr.Any{
		&expr.Ct{Key: expr.CtKeySTATE, Register: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: binaryutil.NativeEndian.PutUint32(bit), Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 4)},
	}
}

// takeTurns leads every other connection to one address to another machine,
// whose answers come from the first address: to a client the two are one.
func (n node) takeTurns(ctx context.Context, one, other pair) error {
	rules := fmt.Sprintf(`table ip twin {
	chain turns { type nat hook prerouting priority dstnat; ip daddr %s dnat to numgen inc mod 2 map { 0 : %[1]s, 1 : %[2]s }; }
}
table ip6 twin {
	chain turns { type nat hook prerouting priority dstnat; ip6 daddr %[3]s dnat to numgen inc mod 2 map { 0 : %[3]s, 1 : %[4]s }; }
}
`, one[0].Addr(), other[0].Addr(), one[1].Addr(), other[1].Addr())
	r, err := host.Local{}.Run(ctx, host.Command{Argv: []string{"nft", "-f", "-"}, Stdin: strings.NewReader(rules), Inside: n.Namespaces})
	if err == nil && r.Exit != 0 {
		err = fmt.Errorf("nft: %s", r.Stderr)
	}
	return err
}
