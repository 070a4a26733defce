package cli

import (
	"strconv"
	"strings"
	"time"

	"sshtay/internal/probe"
)

// autoPace begins fast, and goes on at politePace as soon as one login is not let
// in. The strictest limit that is common drops the sixth new connection
// within 30 s (ufw limit): one is left for the user.
const autoPace = "auto"

var politePace = probe.Pace{Logins: 4, Within: 30 * time.Second}

// Bounds of what can be asked for.
const (
	leastSilence = 2 * time.Second
	mostSilence  = 48 * time.Hour
)

// readIdle turns the flags about silence into options.
func (o *checkOptions) readIdle() error {
	if o.pace == "" { // a verb that leaves nothing silent
		return nil
	}
	var ok bool
	if o.idle.Pace, ok = readPace(o.pace); !ok {
		return usage("", "--pace %s: want %s, or logins in a time, such as 5/30s", o.pace, autoPace)
	}
	switch {
	case o.idle.UpTo == 0:
	case o.idle.UpTo < leastSilence || o.idle.UpTo > mostSilence:
		return usage("", "--idle %s: want a time from %s to %s, such as 30m", o.idle.UpTo, leastSilence, mostSilence)
	case o.noLogin:
		return usage("", "--idle and --no-login exclude each other: only connections that are logged in may be silent for long")
	case o.target.Given == "":
		return usage("sshtay check --idle 30m HOST", "--idle needs a host")
	}
	return nil
}

func readPace(text string) (p probe.Pace, ok bool) {
	if text == autoPace {
		p = politePace
		p.Eager = true
		return p, true
	}
	count, within, ok := strings.Cut(text, "/")
	n, err := strconv.Atoi(count)
	d, err2 := time.ParseDuration(within)
	return probe.Pace{Logins: n, Within: d}, ok && err == nil && err2 == nil && n >= 1 && d > 0
}
