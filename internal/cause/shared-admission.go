package cause

import (
	"fmt"
	"strconv"
	"strings"

	"sshtay/internal/fact"
	"sshtay/internal/pattern"
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
	tries, failures int  // failures before the server's banner
	loginCut        bool // the user's own ssh was cut off before the banner
	late            bool // it ended after a long silence
	loginOnly       bool // and nothing else was tried
	loginTold       bool // the refusal was printed by the user's own ssh
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

// withLogin counts the login by the user's own ssh as one more connection.
func (a admission) withLogin(v *fact.View) admission {
	stage, seen := fact.LoginStage.In(v)
	reason, _ := fact.LoginReason.In(v)
	said, _ := fact.LoginError.In(v)
	early := stage == "none" || stage == "connect"
	cut := early && (reason == "closed" || reason == "reset" || reason == "throttled")
	switch {
	case !seen || early && !cut:
		return a
	case !a.seen: // it is the only one
		a.seen, a.loginOnly, a.tries, a.failures, a.stage, a.reason = true, true, 0, 0, "kex", ""
		if cut {
			a.stage, a.reason = "connect", reason
		}
	}
	a.tries++
	if cut && a.stage == "connect" && a.reason == "timed-out" {
		// Our own patience ended first: what ssh saw is how the silence ends.
		a.reason, a.late = reason, true
	}
	if cut {
		a.failures++
		a.loginCut = true
	}
	for _, words := range []string{exceededStartups, notAllowedNow} {
		if a.refusal == "" && strings.Contains(said, words) {
			a.refusal, a.loginTold = words, true
		}
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

// cut says that a connection was made and ended by the other side before its
// banner: the last one, one of those before it, or the login.
func (a admission) cut() bool { return a.shut() || a.greeted() && a.failures > 0 }

// sometimes says that some tries failed before the banner and some did not.
func (a admission) sometimes() bool { return a.failures > 0 && a.failures < a.tries }

// tally says how the tries went: "2 of 3 connections".
func (a admission) tally() string {
	switch {
	case a.tries == 1:
		return "the one connection tried"
	case a.failures == 2 && a.tries == 2:
		return "both connections tried"
	case a.failures == a.tries:
		return fmt.Sprintf("all %d connections tried", a.tries)
	}
	return fmt.Sprintf("%d of %d connections", a.failures, a.tries)
}

// says is evidence for how the connections were received.
func (a admission) says() []Evidence {
	var e []Evidence
	switch {
	case a.loginTold:
		e = append(e, says(fact.LoginError, "the server said: %s", a.refusal))
	case a.refusal != "":
		e = append(e, says(fact.Refusal, "the server said: %s", a.refusal))
	}
	if a.loginCut {
		e = append(e, says(fact.LoginReason, "the user's own ssh was cut off before the banner"))
	}
	if a.failures > 0 && !a.loginOnly {
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

// slots is what was read of sshd's room for connections that log in.
type slots struct {
	limit         startups
	known         bool // the limit was read
	held          int
	counted       bool // how many are held was seen
	perSource     string
	oneEach       bool // every connection has its own sshd: there is no MaxStartups
	release       release
	logged        bool // the log of drops was read, and this release writes them
	drops, naming int
}

func slotsOf(v *fact.View) slots {
	var s slots
	s.release, _ = sshdRelease(v)
	text, _ := fact.MaxStartups.In(v)
	s.limit, s.known = parseStartups(text, s.release)
	s.held, s.counted = fact.Unauthenticated.In(v)
	s.perSource, _ = fact.PerSourceMaxStartups.In(v)
	if s.perSource == "none" {
		s.perSource = ""
	}
	activation, _ := fact.SSHDActivation.In(v)
	s.oneEach = activation == "socket-unit-accept" || activation == "inetd"
	s.drops, s.logged = fact.LogStartupDrops.In(v)
	s.naming, _ = fact.LogStartupsOurs.In(v)
	if s.release != (release{}) && !s.release.since(8, 4) && s.drops == 0 {
		s.logged = false
	}
	return s
}

// refuses is the chance in percent that the next connection is refused.
func (s slots) refuses() int {
	if !s.known || !s.counted || s.oneEach {
		return 0
	}
	return s.limit.refuses(s.held)
}

// orPerSource says what else the same words may mean.
func (s slots) orPerSource() string {
	if s.perSource != "" {
		return "; PerSourceMaxStartups " + s.perSource + " is reported in the same words"
	}
	return ""
}

// says is evidence for what was read on the server.
func (s slots) says(v *fact.View) []Evidence {
	var e []Evidence
	if s.known {
		e = append(e, says(fact.MaxStartups, "MaxStartups %v: from %d on refuse %d %%, from %d on all", s.limit, s.limit.begin, s.limit.refuses(s.limit.begin), s.limit.full))
	}
	if s.counted {
		e = append(e, says(fact.Unauthenticated, "%s now", count(s.held, "unauthenticated connection")))
	}
	if s.naming > 0 {
		e = append(e, says(fact.LogStartupsOurs, "the log names this address at least %s", times(s.naming)))
	}
	if sample, seen := fact.LogStartupSample.In(v); seen && s.drops > 0 {
		e = append(e, says(fact.LogStartupSample, "%s", sample))
	}
	return e
}

var dropNumber = pattern.New(`drop connection #(\d{1,6}) `)

// bySource says that PerSourceMaxStartups is set, and that MaxStartups was not
// reached when a connection was dropped: the log says how many there were, and
// where it does not, how many there are now has to do.
func (s slots) bySource(v *fact.View) bool {
	if s.perSource == "" || !s.known {
		return false
	}
	sample, _ := fact.LogStartupSample.In(v)
	if m := dropNumber.FindStringSubmatch(sample); m != nil {
		then, _ := strconv.Atoi(m[1])
		return then < s.limit.begin
	}
	return s.counted && s.held < s.limit.begin
}
