package probe

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"sshtay/internal/fact"
)

// kernelCount finds a counter of TCP in the form of /proc/net/snmp and
// /proc/net/netstat: a line of names, and one of numbers that begins alike.
func kernelCount(text, name string) (int, bool) {
	var names []string
	for line := range strings.SplitSeq(text, "\n") {
		fields := strings.Fields(line)
		if len(fields) == 0 || !strings.HasPrefix(fields[0], "Tcp") {
			continue
		}
		i := slices.Index(names, name)
		if i > 0 && len(fields) == len(names) && fields[0] == names[0] {
			n, err := strconv.ParseUint(fields[i], 10, 62)
			return int(n), err == nil
		}
		names = fields
	}
	return 0, false
}

// checksumErrors is how many TCP segments with a wrong checksum this machine
// has dropped since it was started, or -1.
func checksumErrors(ctx context.Context, env *Env) int {
	const most = 16 << 10
	text, err := env.Local.ReadFile(ctx, "/proc/net/snmp", most)
	if err != nil {
		return -1
	}
	if n, ok := kernelCount(string(text), "InCsumErrors"); ok {
		return n
	}
	return -1
}

// between is how much a counter grew, or -1 where it could not be read.
func between(before, after int) int {
	if before < 0 || after < before {
		return -1
	}
	return after - before
}

// putChecksumErrors says how many segments came altered during the check, and
// TCP noticed it.
func putChecksumErrors(ctx context.Context, env *Env, facts *fact.Set) {
	if n := between(env.checksums, checksumErrors(ctx, env)); n >= 0 {
		fact.ClientChecksumErrors.Put(facts, n, "/proc/net/snmp")
		return
	}
	fact.Miss(facts, "this system does not count them where sshtay looks", fact.ClientChecksumErrors)
}
