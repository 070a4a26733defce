package cause

import (
	"fmt"
	"strconv"
	"time"

	"sshtay/internal/pattern"
)

// How rules that limit new connections are written by nft ("limit rate over
// 5/minute", "ct count over 3") and by iptables-save (the others).
var (
	recentRule = pattern.New(`-m recent .{0,80}--seconds (\d{1,7})\b`)
	rateRule   = pattern.New(`(?:limit rate(?: over)?|--limit|--hashlimit-above|--hashlimit-upto) (\d{1,7})/(sec|min|hour|day|week)`)
	openRule   = pattern.New(`(?:--connlimit-above|ct count over) (\d{1,7})\b`)
)

var rateUnits = map[string]time.Duration{"sec": time.Second, "min": time.Minute, "hour": time.Hour, "day": 24 * time.Hour, "week": 7 * 24 * time.Hour}

// windowOf says when a firewall rule that has refused an address lets it in
// again, as far as the rule tells; "" when it does not.
func windowOf(rule string) string {
	if m := recentRule.FindStringSubmatch(rule); m != nil {
		// Tries that were refused count as well (--update).
		seconds, _ := strconv.Atoi(m[1])
		return "after " + span(time.Duration(seconds)*time.Second) + " without a try"
	}
	if m := rateRule.FindStringSubmatch(rule); m != nil {
		if n, _ := strconv.Atoi(m[1]); n > 0 {
			return fmt.Sprintf("after %s, and one more every %[1]s", span(rateUnits[m[2]]/time.Duration(n)))
		}
	}
	if m := openRule.FindStringSubmatch(rule); m != nil {
		n, _ := strconv.Atoi(m[1])
		return fmt.Sprintf("as soon as no more than %s open: one must end", are(n))
	}
	return ""
}

// are is a number with its verb.
func are(n int) string {
	if n == 1 {
		return "1 is"
	}
	return fmt.Sprintf("%d are", n)
}
