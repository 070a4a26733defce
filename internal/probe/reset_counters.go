package probe

import (
	"context"
	"strconv"
	"strings"
	"time"

	"sshtay/internal/fact"
)

// A tally is what the server's kernel has counted since it was started.
type tally struct {
	sent    int     // resets that its TCP sent (Tcp: OutRsts); those of a firewall are not among them
	seconds float64 // that it is up
}

// tallyTime bounds one reading.
const tallyTime = 3 * time.Second

// readTally asks the server's kernel over a connection that the user's ssh
// still holds open. A login of its own is not spent on it: the experiment
// needs all that are fair.
func readTally(ctx context.Context, env *Env, facts *fact.Set) (tally, bool) {
	if master, _ := fact.ControlMaster.Get(facts); master != "alive" {
		return tally{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, tallyTime)
	defer cancel()
	nonce := newNonce()
	r, err := overShared(ctx, env, "echo; echo ="+nonce+" begin; cat /proc/uptime; grep ^Tcp: /proc/net/snmp; echo ="+nonce+" end")
	if err != nil {
		return tally{}, false
	}
	_, text, _ := strings.Cut(string(r.Stdout), beginMark(nonce))
	return parseTally(text)
}

// parseTally reads /proc/uptime, and after it the lines of /proc/net/snmp.
func parseTally(text string) (tally, bool) {
	up, rest, _ := strings.Cut(text, " ")
	seconds, err := strconv.ParseFloat(up, 64)
	sent, counted := kernelCount(rest, "OutRsts")
	if err != nil || !counted || !(seconds > 0 && seconds < 1e10) {
		return tally{}, false
	}
	return tally{sent, seconds}, true
}

// putTallies puts what the server's kernel counted between two readings, while
// so many connections of ours were reset.
func putTallies(facts *fact.Set, before, after tally, again int) {
	const source = "/proc/net/snmp on the server, before and after the experiment"
	sent, took := after.sent-before.sent, after.seconds-before.seconds
	if again == 0 || sent < 0 || took < 0 {
		return // nothing happened in between, or the machine was started anew
	}
	fact.ResetAgain.Put(facts, again, "probe/reset")
	fact.ServerResetsSent.Put(facts, sent, source)
	fact.ServerResetsUsual.Put(facts, float64(before.sent)/before.seconds*took, source)
}
