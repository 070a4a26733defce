package cause

import (
	"fmt"
	"strconv"
	"strings"

	"sshtay/internal/fact"
)

// What sshd says in plain text before it closes a connection that it will not
// serve.
const (
	exceededStartups = "Exceeded MaxStartups"     // 8.2 to 9.7: MaxStartups or PerSourceMaxStartups
	notAllowedNow    = "Not allowed at this time" // since 9.8: one of these, or a penalty
)

// An admission is how our own unauthenticated connections were received.
type admission struct {
	seen            bool
	stage, reason   string
	refusal         string
	tries, failures int // failures before the server's banner
}

func admissionOf(v *fact.View) admission {
	var a admission
	a.stage, a.seen = fact.HandshakeStage.In(v)
	a.reason, _ = fact.HandshakeReason.In(v)
	a.refusal, _ = fact.Refusal.In(v)
	var counted bool
	if a.tries, counted = fact.HandshakeTries.In(v); !counted {
		a.tries = 1
	}
	if a.failures, counted = fact.HandshakeFailures.In(v); !counted && a.seen && !a.greeted() {
		a.failures = a.tries
	}
	return a
}

// greeted says that the last try got the server's banner.
func (a admission) greeted() bool { return a.stage == "banner" || a.stage == "kex" }

// shut says that the connection was made, and ended by the other side before
// its banner.
func (a admission) shut() bool {
	return a.stage == "connect" && (a.reason == "closed" || a.reason == "reset" || a.reason == "throttled")
}

// sometimes says that some tries failed before the banner and some did not.
func (a admission) sometimes() bool { return a.failures > 0 && a.failures < a.tries }

// tally says how the tries went: "2 of 3 connections".
func (a admission) tally() string {
	switch {
	case a.tries == 1:
		return "the one connection tried"
	case a.failures == a.tries:
		return fmt.Sprintf("all %d connections tried", a.tries)
	}
	return fmt.Sprintf("%d of %d connections", a.failures, a.tries)
}

// says is evidence for how the connections were received.
func (a admission) says() []Evidence {
	var e []Evidence
	if a.refusal != "" {
		e = append(e, says(fact.Refusal, "the server said: %s", a.refusal))
	}
	if a.failures > 0 {
		e = append(e, says(fact.HandshakeFailures, "%s ended before the server's banner", a.tally()))
	}
	return e
}

// startups is sshd's MaxStartups begin:rate:full.
type startups struct{ begin, rate, full int }

// parseStartups reads begin:rate:full, or the short form N that stands for
// N:30:N, but is read as 10:30:N by OpenSSH 10.1 and 10.2.
func parseStartups(text string, by release) (startups, bool) {
	var n [3]int
	parts := strings.Split(text, ":")
	if len(parts) != 1 && len(parts) != 3 {
		return startups{}, false
	}
	for i, p := range parts {
		number, err := strconv.Atoi(p)
		if err != nil || number < 1 {
			return startups{}, false
		}
		n[i] = number
	}
	if len(parts) == 1 {
		n = [3]int{n[0], 30, n[0]}
		if by.within(release{10, 1}, release{10, 2}) {
			n[0] = 10
		}
	}
	return startups{n[0], n[1], n[2]}, n[1] <= 100 && n[0] <= n[2]
}

// refuses is the chance, in percent, that sshd refuses one more connection
// while it holds n that have not logged in: sshd's own integer arithmetic.
func (s startups) refuses(n int) int {
	switch {
	case n < s.begin:
		return 0
	case n >= s.full, s.rate == 100:
		return 100
	}
	return s.rate + (100-s.rate)*(n-s.begin)/(s.full-s.begin)
}

func (s startups) String() string { return fmt.Sprintf("%d:%d:%d", s.begin, s.rate, s.full) }
