package sshlog

import (
	"math"
	"slices"
	"strings"
	"time"
)

// A Story is what logs tell, gathered line by line. It stays small whatever
// the logs hold. The zero Story is ready to use.
type Story struct {
	Seen     [symptoms]*Seen // nil for those that did not show
	Lines    int
	Packets  int // of captures
	Chatter  int
	Others   int
	Before   int // lines from before the time that is asked for
	Unread   int
	Samples  []string // some of the unread lines
	Cut      int      // lines too long to be read to their end
	Backward int      // times that the clock went back by more than a minute
	From, To time.Time

	Host     string // the server that a client named, and its port
	Port     string
	Software string   // how the server names its software
	Versions Versions // of OpenSSH whose wordings these are
	Ended    string   // the stage at which the last client's attempt ended
	Attempts int      // attempts of clients
	Logins   int      // logins that a server accepted
	Clients  int      // connections that a server's log names
	Machine  Machine  // what it tells of all of them

	attempt attempt
	open    []Event // bare lines that either side may have said, while it is not known which did
	sides   [OfServer + 1]int
	source  string
	conns   *[1 << connBits]conn
	ages    ages
	last    time.Time
}

// Seen is how often a symptom showed, and where.
type Seen struct {
	Symptom     Symptom
	N           int
	First, Last time.Time
	Lines       []string // the first ones, as they stand in the log
	Server      bool     // a server said it
}

// What a story keeps at most.
const (
	maxSeenLines = 3
	maxKept      = 400 // letters of a line
	maxOpen      = 2000
	connBits     = 16
)

// A conn is a connection that a server's log named. Old ones are forgotten
// when their place is wanted.
type conn struct {
	id       uint64
	since    uint32 // when its login was accepted, in seconds since 1970; 0 when that is not known
	accepted bool
	refused  bool // its login failed, or its user does not exist
	failed   bool // its failure was counted
}

// Add takes the next batch.
func (s *Story) Add(b *Batch) {
	if s.source != b.Source {
		s.settle()
		s.source, s.last = b.Source, time.Time{}
	}
	s.Lines += b.Lines
	s.Chatter += b.Chatter
	s.Others += b.Others
	s.Before += b.Before
	s.Unread += b.Unread
	s.Cut += b.Cut
	for _, l := range b.Samples[:min(len(b.Samples), maxSamples-len(s.Samples))] {
		s.Samples = append(s.Samples, keep(l))
	}
	for i := range b.Events {
		s.event(&b.Events[i])
	}
}

// End is to be called after the last batch.
func (s *Story) End() {
	s.settle()
	s.endAttempt()
	for _, a := range s.ages.alike() {
		s.see(EndedAtSameAge, &a.end)
	}
}

func (s *Story) event(e *Event) {
	if !e.Time.IsZero() && e.Time != s.last { // the same time as the last one says nothing new
		if s.From.IsZero() || e.Time.Before(s.From) {
			s.From = e.Time
		}
		if e.Time.Before(s.last.Add(-time.Minute)) {
			s.Backward++
		}
		s.last = e.Time
		if e.Time.After(s.To) {
			s.To = e.Time
		}
	}
	if e.Role == OfNobody {
		if len(s.open) >= maxOpen {
			s.settle()
		}
		s.open = append(s.open, *e)
		return
	}
	if !e.Framed {
		s.sides[e.Role]++
	}
	if len(s.open) > 0 && e.Role == OfClient { // keep the order of what a client said
		s.settle()
	}
	s.tell(e)
}

// settle decides who said the lines that either side may have said: a server,
// when the log holds bare lines of a server and none of a client.
func (s *Story) settle() {
	role := OfClient
	if s.sides[OfServer] > 0 && s.sides[OfClient] == 0 {
		role = OfServer
	}
	open := s.open
	s.open = nil
	for i := range open {
		open[i].Role = role
		s.tell(&open[i])
	}
}

func (s *Story) tell(e *Event) {
	s.Versions.narrow(e.Message.since)
	if e.Role == OfServer {
		s.server(e)
		return
	}
	s.client(e)
}

// server follows connections through a server's log.
func (s *Story) server(e *Event) {
	tells := e.Tells()
	var c *conn
	if e.Conn != 0 {
		if s.conns == nil {
			s.conns = new([1 << connBits]conn)
		}
		c = &s.conns[e.Conn>>(64-connBits)]
		if c.id != e.Conn {
			*c = conn{id: e.Conn}
			s.Clients++
			s.Machine.begin(e)
		}
		switch {
		case tells == SawAccepted:
			c.accepted = true
			if !e.Time.IsZero() {
				c.since = uint32(min(max(e.Time.Unix(), 0), math.MaxUint32))
			}
		case tells == ClientFailedAuth || tells == ClientUnknownUser:
			c.refused = true
		case c.accepted && tells == ClientClosedEarly:
			tells = ClientLeft
		case c.accepted && tells == ClientResetEarly:
			tells = ClientReset
		}
	}
	if tells == SawAccepted {
		s.Logins++
	}
	if c != nil && c.since != 0 && !c.failed && !e.Time.IsZero() && (tells == ClientLeft || tells == ClientReset || tells == ClientTimedOut) {
		s.ages.add(time.Duration(e.Time.Unix()-int64(c.since))*time.Second, e)
	}
	s.Machine.tell(tells, e, c)
	s.see(tells, e)
}

func (s *Story) see(tells Symptom, e *Event) {
	if tells == NoSymptom || tells.IsProgress() {
		return
	}
	seen := s.Seen[tells]
	if seen == nil {
		seen = &Seen{Symptom: tells, First: e.Time, Server: e.Role == OfServer}
		s.Seen[tells] = seen
	}
	seen.N++
	seen.Last = e.Time
	if len(seen.Lines) < maxSeenLines {
		if l := keep(e.Line); !slices.Contains(seen.Lines, l) {
			seen.Lines = append(seen.Lines, l)
		}
	}
}

// keep returns a line that does not hold on to the chunk it came from.
func keep(line string) string { return strings.Clone(line[:min(len(line), maxKept)]) }
