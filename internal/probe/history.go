package probe

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/host"
	"sshtay/internal/sshlog"
	"sshtay/internal/visible"
)

// historyDays is how far back a check looks, and historyTime how long it may
// read.
const (
	historyDays = 7
	historyTime = 10 * time.Second
)

// History reads what this machine's logs tell of all its connections within
// the last days.
var History = Probe{Name: "history", Yields: []fact.Any{fact.LogHistory}, Run: func(ctx context.Context, env *Env, facts *fact.Set) {
	local, ok := env.Local.(host.Local)
	if !ok {
		fact.Miss(facts, "the logs of another machine are not read as a whole", fact.LogHistory)
		return
	}
	env.Progress("reading this machine's logs of the last days")
	ctx, cancel := context.WithTimeout(ctx, historyTime)
	defer cancel()
	now := time.Now()
	run := HistoryRun{Local: local, Now: now, Since: now.AddDate(0, 0, -historyDays)}
	var story sshlog.Story
	h := run.Read(ctx, &story)
	if len(h.Sources) == 0 {
		reason := fmt.Sprintf("no log of sshd here has lines of the last %d days", historyDays)
		if len(h.Unread) > 0 {
			reason = h.Unread[0].Name + ": " + h.Unread[0].Why
		}
		fact.Miss(facts, reason, fact.LogHistory)
		return
	}
	fact.LogHistory.Put(facts, h, h.Sources[0].Name)
}}

// A HistoryRun reads the logs of this machine: the files of syslog, and the
// journal where these have nothing. It only reads.
type HistoryRun struct {
	Local host.Local
	Root  string // the folder that holds var and etc; "" is the machine's own
	Since time.Time
	Now   time.Time

	story   *sshlog.Story
	history fact.History
}

// Read reads everything from the time on into the story, and returns what it
// tells of the machine. What could not be read is told in it.
func (r *HistoryRun) Read(ctx context.Context, story *sshlog.Story) fact.History {
	r.story = story
	r.history = fact.History{Since: r.Since, Sources: []fact.LogRead{}}
	r.logs(ctx)
	story.End()
	h := HistoryOf(story)
	h.Since, h.Sources, h.Unread = r.Since, r.history.Sources, r.history.Unread
	r.changes(ctx, &h)
	return h
}

// mostNetworks are listed, of which so many at least have never logged in.
const (
	mostNetworks = 10
	strangers    = 3
)

// mostListedHours bounds the hours of a history: three months.
const mostListedHours = 2200

// HistoryOf is what a server's log tells of all its connections.
func HistoryOf(s *sshlog.Story) fact.History {
	m := &s.Machine
	h := fact.History{
		From: s.From, To: s.To, Sources: []fact.LogRead{},
		Connections: s.Clients, Logins: s.Logins, Failures: m.Failures, FailedLogins: m.FailedLogins, Visits: m.Visits, Forgotten: m.Forgotten,
		Troubles: []fact.Trouble{}, Networks: []fact.NetworkHistory{}, Hours: []fact.HourHistory{}, Changes: []fact.Change{},
	}
	for _, t := range m.Troubles() {
		h.Troubles = append(h.Troubles, fact.Trouble{
			Symptom: t.Symptom.String(), Kind: t.Symptom.Kind().String(), Cause: t.Symptom.Cause(), Says: t.Symptom.Says(),
			Count: t.N, First: t.First, Last: t.Last, Line: visible.Line(t.Line(), 400),
		})
	}
	for _, p := range worstPlaces(m.Places()) {
		n := fact.NetworkHistory{Network: p.Network.String(), Connections: int(p.Connections), Logins: int(p.Logins), Failures: int(p.Failures), Kinds: map[string]int{}}
		for k := range sshlog.Kinds() {
			if p.Kinds[k] > 0 {
				n.Kinds[k.String()] = int(p.Kinds[k])
			}
		}
		if p.Last != 0 {
			n.Last = time.Unix(p.Last, 0).In(s.To.Location())
		}
		h.Networks = append(h.Networks, n)
	}
	hours := m.Hours()
	for _, at := range hours[max(0, len(hours)-mostListedHours):] {
		n := fact.HourHistory{At: at.At, Connections: at.Connections, Logins: at.Logins, Failures: at.Failures, Kinds: map[string]int{}}
		for k := range sshlog.Kinds() {
			if at.Kinds[k] > 0 {
				n.Kinds[k.String()] = at.Kinds[k]
			}
		}
		h.Hours = append(h.Hours, n)
	}
	for _, s := range m.Starts {
		c := fact.Change{At: s.At, Kind: "restart", What: "sshd was started", Source: "sshd's log"}
		if s.Reload {
			c.Kind, c.What = "reload", "sshd read its configuration again"
		}
		c.Before, c.After = around(h.Hours, s.At)
		h.Changes = append(h.Changes, c)
	}
	return h
}

// worstPlaces are the networks to be listed: those that log in first, for they
// are whom the server is for, and the worst of each first.
func worstPlaces(all []sshlog.Place) []sshlog.Place {
	var known, strange []sshlog.Place
	for _, p := range all {
		if p.Logins > 0 {
			known = append(known, p)
		} else {
			strange = append(strange, p)
		}
	}
	room := mostNetworks - min(strangers, len(strange))
	known = known[:min(room, len(known))]
	return append(known, strange[:min(mostNetworks-len(known), len(strange))]...)
}

// changes finds what was changed on the machine since then.
func (r *HistoryRun) changes(ctx context.Context, h *fact.History) {
	all := slices.Concat([]fact.Change{}, r.packages(ctx), r.files(), r.boots(ctx))
	all = append(all, h.Changes...)
	all = slices.DeleteFunc(all, func(c fact.Change) bool { return c.At.Before(r.Since) || c.At.After(r.Now.Add(time.Hour)) })
	slices.SortStableFunc(all, func(a, b fact.Change) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.What, b.What)) })
	all = all[max(0, len(all)-mostChanges):]
	for i := range all {
		all[i].Before, all[i].After = around(h.Hours, all[i].At)
		all[i].What = visible.Line(all[i].What, 300)
	}
	h.Changes = append([]fact.Change{}, all...)
}

// mostChanges bounds the changes that are listed.
const mostChanges = 50

// around counts the failures in the day before a time and in the day after it.
func around(hours []fact.HourHistory, t time.Time) (before, after int) {
	for _, h := range hours {
		switch end := h.At.Add(time.Hour); {
		case !end.After(t) && h.At.Add(24*time.Hour).After(t):
			before += h.Failures
		case end.After(t) && h.At.Before(t.Add(24*time.Hour)):
			after += h.Failures
		}
	}
	return before, after
}
