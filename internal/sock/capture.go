package sock

import "time"

// A Frame is the beginning of a packet, from its IP header on.
type Frame struct {
	At        time.Time
	Interface int
	Raw       []byte // headers; what follows them is left out
}

// snap is how much of a packet is kept: IPv4 or IPv6 and TCP with all their
// options.
const snap = 120
