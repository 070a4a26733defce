package fact

import "time"

// A History is what the logs of a machine tell of all its connections in a
// stretch of time, which files that was read in, and what changed meanwhile.
// Lists are sorted with what matters most first, but hours and changes by time.
type History struct {
	Since   time.Time    `json:"since"`         // what was asked for
	From    time.Time    `json:"from,omitzero"` // the first line that was read, and the last
	To      time.Time    `json:"to,omitzero"`   //
	Sources []LogRead    `json:"sources"`       // in the order in which they were read
	Unread  []LogNotRead `json:"not_read,omitempty"`

	Connections  int `json:"connections"`
	Logins       int `json:"logins"`
	Failures     int `json:"failures"`            // connections that ended badly; each counts once
	FailedLogins int `json:"failed_logins"`       // passwords and keys that were not accepted
	Visits       int `json:"visits"`              // by scanners and health checks, which are no failures
	Forgotten    int `json:"forgotten,omitempty"` // failures of networks that showed too seldom to be listed

	Troubles []Trouble        `json:"troubles"`
	Networks []NetworkHistory `json:"networks"` // the worst ten, those that log in first
	Hours    []HourHistory    `json:"hours"`
	Changes  []Change         `json:"changes"`
}

// A LogRead is a log that was read.
type LogRead struct {
	Name  string    `json:"name"`
	Lines int       `json:"lines"`
	From  time.Time `json:"from,omitzero"`
	To    time.Time `json:"to,omitzero"`
}

// A LogNotRead is a log that could not be read, or not to its end.
type LogNotRead struct {
	Name string `json:"name"`
	Why  string `json:"why"`
	Do   string `json:"do,omitempty"` // how to let it be read
}

// A Trouble is one thing that went wrong, as the log words it.
type Trouble struct {
	Symptom string    `json:"symptom"`
	Kind    string    `json:"kind"`            // throttle, penalty, ban, refusal, grace, idle, timeout, reset, close, login, limit, algorithms, damage, shortage or crash
	Cause   string    `json:"cause,omitempty"` // that the words name; absent where they tell how it ended and not why
	Says    string    `json:"says"`
	Count   int       `json:"count"`
	First   time.Time `json:"first,omitzero"`
	Last    time.Time `json:"last,omitzero"`
	Line    string    `json:"line,omitempty"` // the last one
}

// A NetworkHistory is what happened to the connections of one client network,
// a /24 or a /64.
type NetworkHistory struct {
	Network     string         `json:"network"`
	Connections int            `json:"connections"`
	Logins      int            `json:"logins"`
	Failures    int            `json:"failures"`
	Kinds       map[string]int `json:"kinds"`
	Last        time.Time      `json:"last,omitzero"` // failure
}

// An HourHistory is what happened in one hour.
type HourHistory struct {
	At          time.Time      `json:"at"`
	Connections int            `json:"connections"`
	Logins      int            `json:"logins"`
	Failures    int            `json:"failures"`
	Kinds       map[string]int `json:"kinds,omitempty"`
}

// A Change is something that was changed on the machine, and how many
// connections failed in the day before it and in the day after.
type Change struct {
	At     time.Time `json:"at"`
	Kind   string    `json:"kind"` // package, restart, reload, file or boot
	What   string    `json:"what"`
	Source string    `json:"source"`
	Before int       `json:"failures_before"`
	After  int       `json:"failures_after"`
}

// LogHistory is what all logs of the machine tell.
var LogHistory = define[History]("log.history", "", "what do the machine's logs tell of all its connections, and what changed meanwhile?")
