package sshlog

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
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
	ResetsOurs, NegotiationOurs, CorruptOurs          Count
	ForkFailures, Crashes, Broken, OOM, ConntrackFull Count
	DiskFull                                          Count // or a quota
	Duplicates                                        Count // addresses of the server's that another machine uses
	PAMOurs, SessionFailuresOurs                      Count
	ClientLines                                       Count     // lines that name the client
	PenaltyUntil                                      time.Time // when the last penalty of the client ends that a line tells of
	Lines                                             int       // lines of sshd that were read
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
	all := theCatalogue()
	switch l.Ident {
	case "sshd", "sshd-session", "sshd-auth":
		s.Lines++
		if s.names(l.Text) {
			s.ClientLines.add(raw, maxClientLines)
		}
		s.match(raw, cutLevel(cutTail(l.Text)), l.Time, &all.sshdOnly)
	case "kernel":
		s.match(raw, l.Text, l.Time, &all.kernelOnly)
	case "systemd", "systemd-oomd":
		s.match(raw, l.Text, l.Time, &all.unitOnly)
	case "systemd-journald", "rsyslogd":
		s.match(raw, l.Text, l.Time, &all.loggerOnly)
	}
}

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

func (s *Server) match(raw, text string, at time.Time, known *index) {
	var c Captured
	m := known.find(text, &c)
	if m == nil {
		return
	}
	tells := m.toldBy(sshd)
	if tells == ConntrackFull && c.Number != "" && s.Network != "" && c.Number != s.Network {
		return
	}
	ours := s.isClient(c.Addr)
	if tells == AccountRefused || tells == NoLogin || tells == SessionBroken { // these name at most the user
		ours = c.User == "" || s.User == "" || c.User == s.User
	}
	if strings.HasPrefix(m.form, "beginning") { // the line after it says it again, with an address
		return
	}
	if end := at.Add(penaltyOf(text)); tells == Penalty && ours && !at.IsZero() && end.After(at) && end.After(s.PenaltyUntil) {
		s.PenaltyUntil = end
	}
	all, own := s.tally(tells)
	if all != nil {
		all.add(raw, maxLast)
	}
	if own != nil && ours {
		own.add(raw, maxLast)
	}
}

// mostPenalty bounds a penalty: sshd's own bound is 600 s by default.
const mostPenalty = 30 * 24 * time.Hour

// penaltyOf is how long a penalty is that sshd gives: "... active penalty of 15
// seconds for ...", and since 10.3 with a fraction.
func penaltyOf(text string) time.Duration {
	_, after, found := strings.Cut(text, " penalty of ")
	number, _, ok := strings.Cut(after, " seconds")
	seconds, err := strconv.ParseFloat(number, 64)
	if !found || !ok || err != nil || !(seconds > 0 && seconds <= mostPenalty.Seconds()) {
		return 0
	}
	return time.Duration(seconds * float64(time.Second))
}

// tally is where a line that tells something is counted: all of them, and ours.
func (s *Server) tally(tells Symptom) (all, ours *Count) {
	switch tells {
	case StartupDrop:
		return &s.StartupDrops, &s.StartupDropsOurs
	case Penalty:
		return &s.Penalties, &s.PenaltiesOurs
	case GraceTimeout:
		return &s.GraceTimeouts, &s.GraceTimeoutsOurs
	case NoMoreSessions:
		return &s.NoMoreSessions, nil
	case ForkFailure:
		return &s.ForkFailures, nil
	case ChildCrash:
		return &s.Crashes, nil
	case DaemonBroken, OpenSSLMismatch:
		return &s.Broken, nil
	case OutOfMemory:
		return &s.OOM, nil
	case DiskFull:
		return &s.DiskFull, nil
	case ConntrackFull:
		return &s.ConntrackFull, nil
	case DuplicateAddress:
		return &s.Duplicates, nil
	case TCPWrapped:
		return nil, &s.RefusedOurs
	case MaxAuthTries:
		return nil, &s.TooManyAuthOurs
	case ClientSilent:
		return nil, &s.ClientTimeoutsOurs
	case Inactive:
		return nil, &s.InactiveOurs
	case ClientReset, ClientResetEarly, ClientTimedOut:
		return nil, &s.ResetsOurs
	case ClientNoCommon:
		return nil, &s.NegotiationOurs
	case ClientWrongMAC:
		return nil, &s.CorruptOurs
	case AccountRefused, NoLogin:
		return nil, &s.PAMOurs
	case SessionBroken:
		return nil, &s.SessionFailuresOurs
	}
	return nil, nil
}

// Filter is a POSIX extended regular expression, of plain words only, that
// every line matches which some rule counts whoever it is about. What counts
// only when it is ours names our address. A server can select lines with it
// before it sends them.
const Filter = `axStartups|axstartups|enalties |penalty: |penalised|activating|active penalty|Too many incoming|Timeout before|no more sessions|` +
	`fork: |fork of|fork rejected|accept: |socketpair|openpty|pty_req|temporarily unavailable|terminated by signal|child crash|killed by|Killed /|by the OOM|oom-kill|` +
	`no hostkeys|rivilege separation|must be owned|Bind to port|Cannot bind|rexec|ssh_msg_recv|not supported here|not executable|RESTART FAILED|slots full|` +
	`bad configuration| line [0-9]|IPQoS|OpenSSL version|Access denied|PAM: pam_|because /|because shell|oo many |chroot|subsystem not found|execution failed|` +
	`ut of memory|table full|duplicate address|using my IP|file-max|segfault|general protection|trap |No space left|quota exceeded|with error 28|type=1326|Failed with result|repeated too quickly|Trigger limit`
