package probe

import (
	"strconv"
	"strings"

	"sshtay/internal/fact"
)

// Where the kernel says how full its table of connections is, and what became
// of packets for which there was no room. All may be read by everybody.
const (
	conntrackCount = "/proc/sys/net/netfilter/nf_conntrack_count"
	conntrackMax   = "/proc/sys/net/netfilter/nf_conntrack_max"
	conntrackStat  = "/proc/net/stat/nf_conntrack"
)

// parseConntrack reads the texts of these files.
func parseConntrack(count, most, stat string) (t fact.Conntrack, ok bool) {
	t.Count, ok = atoi(count)
	if !ok {
		return t, false
	}
	t.Max, ok = atoi(most)
	t.Dropped = sumColumn(stat, "drop")
	return t, ok
}

// sumColumn adds up a column of a table with a line of names and then one line
// of hexadecimal numbers for each processor.
func sumColumn(table, name string) (sum int) {
	head, rows, _ := strings.Cut(table, "\n")
	column := -1
	for i, n := range strings.Fields(head) {
		if n == name {
			column = i
		}
	}
	for row := range strings.Lines(rows) {
		f := strings.Fields(row)
		if column < 0 || column >= len(f) {
			continue
		}
		if n, err := strconv.ParseUint(f[column], 16, 32); err == nil {
			sum += int(n)
		}
	}
	return sum
}
