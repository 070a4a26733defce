package lab

import (
	"encoding/binary"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/xt"
	"golang.org/x/sys/unix"
)

// countRecent gives a node the two rules that "ufw limit" makes, with the match
// recent of iptables: new connections to the port are counted by their address,
// and while the last count of them came within the time, each is dropped.
func countRecent(n node, port, count int, within time.Duration) error {
	f, err := newFirewall(n, "filter")
	if err != nil {
		return err
	}
	f.conn.DelTable(f.table) // these matches are for one family each
	for _, family := range []nftables.TableFamily{nftables.TableFamilyIPv4, nftables.TableFamilyIPv6} {
		f.table = f.conn.AddTable(&nftables.Table{Name: "filter", Family: family})
		c := f.chain("INPUT", nftables.ChainHookInput, nftables.ChainPriorityFilter, nftables.ChainTypeFilter)
		first := [][]expr.Any{protocol(unix.IPPROTO_TCP), toPort(port), isNew()}
		f.rule(c, append(first, recent(recentSet, 0, 0))...)
		f.rule(c, append(first, recent(recentUpdate, count, within), []expr.Any{&expr.Verdict{Kind: expr.VerdictDrop}})...)
	}
	return f.apply()
}

// What the match recent does with the address of a packet.
const (
	recentSet    = 1 << 1
	recentUpdate = 1 << 2
)

// recent is that match as the kernel takes it (xt_recent_mtinfo_v1 of
// linux/netfilter/xt_recent.h), on the list of the name that iptables gives it.
func recent(does byte, count int, within time.Duration) []expr.Any {
	const nameAt, maskAt, size = 10, 212, 232
	b := make([]byte, size)
	binary.NativeEndian.PutUint32(b, uint32(within.Seconds()))
	binary.NativeEndian.PutUint32(b[4:], uint32(count))
	b[8] = does
	copy(b[nameAt:], "DEFAULT")
	for i := range 16 {
		b[maskAt+i] = 0xff
	}
	info := xt.Unknown(b)
	return []expr.Any{&expr.Match{Name: "recent", Rev: 1, Info: &info}}
}
