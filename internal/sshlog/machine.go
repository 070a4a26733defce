package sshlog

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Machine is what a server's log tells of all its connections: how many
// failed, in which ways, from which networks and when. A [Story] fills it with
// the events that it has understood. It stays small whatever the log holds.
type Machine struct {
	Failures     int // connections that ended badly; one counts once
	FailedLogins int // passwords and keys that were not accepted
	Visits       int // by programs that say nothing, or no SSH: scanners, health checks
	Forgotten    int // failures of networks that showed too seldom to be kept
	Starts       []Start

	troubles [symptoms]*Trouble
	places   *[placeSets][placeWays]Place
	hours    map[int64]*Hour
	hour     *Hour  // the last one,
	begun    int64  // and its begin, in seconds since 1970
	last     *Place // the last one
	drops    dropCount
}

// A Trouble is one thing that went wrong, with how often and where it shows.
type Trouble struct {
	Symptom     Symptom
	N           int
	First, Last time.Time
	line        []byte
}

// Line is the last line that tells it, as it stands in the log.
func (t *Trouble) Line() string { return string(t.line) }

// A Place is what happened to the connections of one network.
type Place struct {
	Network     Network
	Last        int64 // when it last failed, in seconds since 1970; 0 when that is not known
	Connections int32
	Logins      int32
	Failures    int32
	Kinds       [kinds]int32
}

// An Hour is what happened in one.
type Hour struct {
	At          time.Time // its begin
	Connections int
	Logins      int
	Failures    int
	Kinds       [kinds]int
}

// A Start is a time at which sshd began to listen, or read its configuration
// again.
type Start struct {
	At     time.Time
	Reload bool
}

// What a machine keeps at most: networks, in sets of which each network has
// one, and hours.
const (
	placeSets = 1 << 12
	placeWays = 4
	maxHours  = 10000
	maxStarts = 100
)

// begin counts a connection that was not seen before.
func (m *Machine) begin(e *Event) {
	if e.Net != 0 {
		m.place(e.Net).Connections++
	}
	if h := m.at(e.Time); h != nil {
		h.Connections++
	}
}

// tell counts what a line tells; c is its connection, or nil.
func (m *Machine) tell(tells Symptom, e *Event, c *conn) {
	switch tells {
	case SawAccepted:
		if e.Net != 0 {
			m.place(e.Net).Logins++
		}
		if h := m.at(e.Time); h != nil {
			h.Logins++
		}
		return
	case SawListen, SawStop:
		m.start(tells, e)
		return
	case ClientFailedAuth:
		m.FailedLogins++
		return
	case ClientUnknownUser:
		return
	case ClientSaidNothing, ClientNotSSH:
		m.Visits++
		return
	}
	kind := troubles[tells].kind
	if kind == NoKind || tells == AddressBanned && !bansFromSSH(e) || c != nil && c.refused && (tells == ClientClosedEarly || tells == ClientResetEarly || tells == ClientDisconnected) {
		return // a stranger whose login failed goes away
	}
	n := 1
	if tells == StartupDrop || tells == Penalty {
		n = m.drops.of(e.Message, &e.Captured)
	}
	m.count(tells, e, n)
	if c != nil && c.failed || kind == Banned {
		return
	}
	if c != nil {
		c.failed = true
	} else if e.Net == 0 && kind != Throttle && kind != Penalised {
		return // about the machine, and no connection of it
	}
	m.Failures += n
	if e.Net != 0 {
		m.place(e.Net).Failures++
	}
	if h := m.at(e.Time); h != nil {
		h.Failures += n
	}
}

// bansFromSSH says whether a ban is one from SSH, where the line tells: its
// jail is named after sshd, or bans who was banned again and again.
func bansFromSSH(e *Event) bool {
	before, _, found := strings.Cut(e.Line, "] Ban ")
	jail := before[strings.LastIndexByte(before, '[')+1:]
	return !found || strings.Contains(jail, "ssh") || jail == "recidive" || jail == "dropbear"
}

// count adds a trouble to all that counts it.
func (m *Machine) count(tells Symptom, e *Event, n int) {
	t := m.troubles[tells]
	if t == nil {
		t = &Trouble{Symptom: tells, First: e.Time}
		m.troubles[tells] = t
	}
	t.N += n
	if t.First.IsZero() || !e.Time.IsZero() && e.Time.Before(t.First) {
		t.First = e.Time
	}
	if !e.Time.Before(t.Last) {
		t.Last, t.line = e.Time, append(t.line[:0], e.Line[:min(len(e.Line), maxKept)]...)
	}
	kind := troubles[tells].kind
	if e.Net != 0 {
		p := m.place(e.Net)
		p.Kinds[kind]++
		if !e.Time.IsZero() {
			p.Last = max(p.Last, e.Time.Unix())
		}
	}
	if h := m.at(e.Time); h != nil {
		h.Kinds[kind] += n
	}
}

// A dropCount counts the connections that lines about drops tell of. sshd
// names at most one address in five minutes, and says at the end of the
// throttling how many there were.
type dropCount struct{ told int } // of the present throttling

// of is how many connections a line tells of that no line told of before.
func (d *dropCount) of(m *Message, c *Captured) int {
	n, _ := strconv.Atoi(c.Number)
	n = min(n, 1<<30)
	switch {
	case strings.HasPrefix(m.form, "beginning"), strings.HasPrefix(m.form, "srclimit_penalise"):
		d.told = 0
		return 0
	case strings.HasPrefix(m.form, "in MaxStartups"):
		more := max(0, n-d.told)
		d.told += more
		return more
	case strings.HasPrefix(m.form, "exited MaxStartups"):
		more := max(0, n-d.told)
		d.told = 0
		return more
	case strings.Contains(m.form, "logging rate-limited"):
		return n
	}
	d.told++
	return 1
}

// start notes that sshd was started. It says so for each address it listens
// on, and a stop belongs to the start that follows.
func (m *Machine) start(tells Symptom, e *Event) {
	reload := strings.Contains(e.Message.form, "restarting")
	if e.Time.IsZero() || tells == SawStop && !reload || !reload && !strings.HasPrefix(e.Message.form, "Server listening") {
		return
	}
	if n := len(m.Starts); n > 0 && e.Time.Sub(m.Starts[n-1].At).Abs() < 5*time.Second {
		return
	}
	if len(m.Starts) == maxStarts {
		m.Starts = slices.Delete(m.Starts, 0, 1)
	}
	m.Starts = append(m.Starts, Start{e.Time, reload})
}

// place is where a network's connections are counted. A network that has no
// place takes that of the least one in its set: of many that knock once, none
// drives out one that knocks often.
func (m *Machine) place(n Network) *Place {
	if m.last != nil && m.last.Network == n {
		return m.last
	}
	if m.places == nil {
		m.places = new([placeSets][placeWays]Place)
	}
	set := &m.places[uint64(n)*0x9e3779b97f4a7c15>>(64-12)]
	least := &set[0]
	for i := range set {
		p := &set[i]
		if p.Network == n {
			m.last = p
			return p
		}
		if p.matters() < least.matters() {
			least = p
		}
	}
	m.Forgotten += int(least.Failures)
	*least = Place{Network: n}
	m.last = least
	return least
}

// matters is how much a place is worth to be kept: those who log in are whom
// the server is for.
func (p *Place) matters() int32 { return p.Failures + 16*min(p.Logins, 1<<20) + min(p.Connections, 1) }

// at is the hour of a time, or nil where there is none, or no room for it.
func (m *Machine) at(t time.Time) *Hour {
	if t.IsZero() {
		return nil
	}
	now := t.Unix()
	if m.hour != nil && now >= m.begun && now < m.begun+3600 {
		return m.hour
	}
	begin := now - int64(t.Minute()*60+t.Second())
	h := m.hours[begin]
	if h == nil {
		if len(m.hours) >= maxHours {
			return nil
		}
		if m.hours == nil {
			m.hours = map[int64]*Hour{}
		}
		h = &Hour{At: time.Unix(begin, 0).In(t.Location())}
		m.hours[begin] = h
	}
	m.hour, m.begun = h, begin
	return h
}

// Troubles are all that went wrong: those whose cause is named first, and the
// most frequent of these.
func (m *Machine) Troubles() []Trouble {
	var all []Trouble
	for _, t := range m.troubles {
		if t != nil {
			all = append(all, *t)
		}
	}
	open := func(t Trouble) int {
		if t.Symptom.Cause() == "" {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(all, func(a, b Trouble) int { return cmp.Or(cmp.Compare(open(a), open(b)), cmp.Compare(b.N, a.N)) })
	return all
}

// Places are the networks with failures or bans, the worst first.
func (m *Machine) Places() []Place {
	var all []Place
	if m.places == nil {
		return nil
	}
	for i := range m.places {
		for _, p := range m.places[i] {
			if p.Failures > 0 || p.Kinds[Banned] > 0 {
				all = append(all, p)
			}
		}
	}
	slices.SortFunc(all, func(a, b Place) int {
		return cmp.Or(cmp.Compare(b.Failures, a.Failures), cmp.Compare(b.Logins, a.Logins), cmp.Compare(a.Network, b.Network))
	})
	return all
}

// Hours are the hours in which something happened, in order.
func (m *Machine) Hours() []Hour {
	var all []Hour
	for _, at := range slices.Sorted(maps.Keys(m.hours)) {
		all = append(all, *m.hours[at])
	}
	return all
}

// Kinds are the kinds of trouble.
func Kinds() iter.Seq[Kind] {
	return func(yield func(Kind) bool) {
		for k := NoKind + 1; k < kinds; k++ {
			if !yield(k) {
				return
			}
		}
	}
}
