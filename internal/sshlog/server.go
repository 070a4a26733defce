package sshlog

import (
	"net/netip"
	"strings"
	"time"

	"sshtay/internal/pattern"
)

// A Server counts what a server's log tells, about one client and about sshd.
// Its zero value knows no client: nothing is ever "ours".
type Server struct {
	Client  netip.Addr
	User    string
	Now     time.Time // lines older than a day before it do not count; zero counts all
	Network string    // number of the server's network namespace; kernel lines that name another one are not its own
	Boot    time.Time // when the kernel's clock began; without it lines of its ring buffer have no time

	StartupDrops, StartupDropsOurs                    Count
	Penalties, PenaltiesOurs                          Count
	RefusedOurs                                       Count
	GraceTimeouts, GraceTimeoutsOurs                  Count
	NoMoreSessions                                    Count
	TooManyAuthOurs, ClientTimeoutsOurs, InactiveOurs Count
	ResetsOurs, NegotiationOurs                       Count
	ForkFailures, Crashes, Broken, OOM, ConntrackFull Count
	PAMOurs, SessionFailuresOurs                      Count
	ClientLines                                       Count // lines that name the client
	Lines                                             int   // lines of sshd that were read
}

// A Count is how many lines told of something, and the last of them, in the
// order in which they were added.
type Count struct {
	N    int
	Last []string // at most maxLast lines, without their head but with their time
}

// maxLast bounds the lines that a Count keeps; ClientLines keeps more.
const (
	maxLast        = 5
	maxClientLines = 20
)

func (c *Count) add(line string, keep int) {
	c.N++
	if len(c.Last) == keep {
		c.Last = c.Last[1:]
	}
	c.Last = append(c.Last, line)
}

// Add takes the next line, oldest first.
func (s *Server) Add(raw string) {
	l, ok := ParseLine(raw, s.Now)
	if l.Uptime > 0 && !s.Boot.IsZero() {
		l.Time = s.Boot.Add(l.Uptime)
	}
	if !ok || !s.Now.IsZero() && !l.Time.IsZero() && l.Time.Before(s.Now.Add(-24*time.Hour)) {
		return
	}
	raw = strings.TrimRight(raw, "\r\n")
	switch l.Ident {
	case "sshd", "sshd-session", "sshd-auth":
		s.Lines++
		if s.names(l.Text) {
			s.ClientLines.add(raw, maxClientLines)
		}
		s.match(raw, level.Regexp().ReplaceAllString(l.Text, ""), sshdRules)
	case "kernel":
		s.match(raw, l.Text, kernelRules)
	case "systemd", "systemd-oomd":
		s.match(raw, l.Text, serviceRules)
	}
}

// level is what OpenSSH puts before messages that are no information.
var level = pattern.New(`^(?:error|fatal): `)

// names says whether the text holds the client's address as a word.
func (s *Server) names(text string) bool {
	if !s.Client.IsValid() {
		return false
	}
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF.:", r) }) {
		if s.isClient(strings.TrimRight(word, ":.")) {
			return true
		}
	}
	return false
}

func (s *Server) isClient(address string) bool {
	a, err := netip.ParseAddr(address)
	return err == nil && s.Client.IsValid() && a.Unmap().WithZone("") == s.Client.Unmap().WithZone("")
}

func (s *Server) match(raw, text string, rules []rule) {
	for _, r := range rules {
		m := r.match.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		group := func(name string) string {
			if i := r.match.Regexp().SubexpIndex(name); i >= 0 {
				return m[i]
			}
			return ""
		}
		if n := group("net"); n != "" && s.Network != "" && n != s.Network {
			return
		}
		ours := s.isClient(group("addr"))
		if r.kind == pam || r.kind == sessionFailure { // these name at most the user
			user := group("user")
			ours = user == "" || s.User == "" || user == s.User
		}
		all, own := s.tally(r.kind)
		if all != nil {
			all.add(raw, maxLast)
		}
		if own != nil && ours {
			own.add(raw, maxLast)
		}
		return
	}
}

// tally is where a kind of line is counted: all of them, and ours.
func (s *Server) tally(k kind) (all, ours *Count) {
	switch k {
	case startupDrop:
		return &s.StartupDrops, &s.StartupDropsOurs
	case penalty:
		return &s.Penalties, &s.PenaltiesOurs
	case graceTimeout:
		return &s.GraceTimeouts, &s.GraceTimeoutsOurs
	case noMoreSessions:
		return &s.NoMoreSessions, nil
	case forkFailure:
		return &s.ForkFailures, nil
	case crash:
		return &s.Crashes, nil
	case broken:
		return &s.Broken, nil
	case oom:
		return &s.OOM, nil
	case conntrackFull:
		return &s.ConntrackFull, nil
	case refused:
		return nil, &s.RefusedOurs
	case tooManyAuth:
		return nil, &s.TooManyAuthOurs
	case clientTimeout:
		return nil, &s.ClientTimeoutsOurs
	case inactive:
		return nil, &s.InactiveOurs
	case reset:
		return nil, &s.ResetsOurs
	case negotiation:
		return nil, &s.NegotiationOurs
	case pam:
		return nil, &s.PAMOurs
	}
	return nil, &s.SessionFailuresOurs
}
