package cli

import (
	"strconv"
	"strings"
	"time"
)

// defaultPace is how fast logins are made for a measurement of silence. The
// strictest limit that is common lets six connections in within 30 s (ufw
// limit); one is left for the user.
const defaultPace = "5/30s"

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
	count, within, ok := strings.Cut(o.pace, "/")
	n, err := strconv.Atoi(count)
	d, err2 := time.ParseDuration(within)
	if !ok || err != nil || err2 != nil || n < 1 || d <= 0 {
		return usage("", "--pace %s: want logins in a time, such as %s", o.pace, defaultPace)
	}
	o.idle.Logins, o.idle.Within = n, d
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
