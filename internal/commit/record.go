package commit

import (
	"bytes"
	"cmp"
	"strconv"
	"strings"
	"time"

	"sshtay/internal/visible"
)

// A Record is what a machine knows of one transaction.
type Record struct {
	ID, Title, By string
	State         State
	Why           string // why it was refused or put back
	Started       time.Time
	Until         time.Time // when it is put back unless it is confirmed; zero before it is armed
	Ended         time.Time
	Armed         string // what puts it back in time, and at the next start of the machine
	BootHook      string
	Stuck         string   // what could not be put back
	Theirs        []string // files with what somebody else wrote meanwhile
	Effects, Done int      // how many there are, and how many were carried out
	Program       string   // the path of its program on the machine
}

// State is what became of a transaction.
type State string

// The states. Those up to Stuck are not the end.
const (
	Preparing    State = "preparing"
	Applying     State = "applying"
	Waiting      State = "waiting" // for somebody to confirm it
	PuttingBack  State = "putting-back"
	Stuck        State = "stuck" // not everything could be put back; that is tried again
	Confirmed    State = "confirmed"
	Undone       State = "undone" // after it was confirmed
	RolledBack   State = "rolled-back"
	RefusedState State = "refused" // before anything was changed
)

// Ended says whether nothing more happens by itself.
func (s State) Ended() bool {
	return s == Confirmed || s == Undone || s == RolledBack || s == RefusedState
}

// Bounds of what is read of a machine.
const (
	maxRecords = 1000
	maxText    = 600 // bytes of one value
	maxTheirs  = 100
)

// parseReports reads what the machine reported between the marks, oldest
// first. Whatever else stands there is skipped: it is not ours.
func parseReports(out []byte, mark string) (records []Record, before string) {
	open := []byte("\n=" + mark + " record\n")
	at := bytes.Index(out, open)
	if at < 0 {
		return nil, string(out)
	}
	before = string(out[:at])
	for _, one := range bytes.Split(out[at+len(open):], open) {
		record, rest, ok := bytes.Cut(one, []byte("\n="+mark+" marks\n"))
		marks, _, whole := bytes.Cut(rest, []byte("\n="+mark+" end"))
		if ok && whole && len(records) < maxRecords {
			records = append(records, parseRecord(string(record), string(marks)))
		}
	}
	return records, before
}

// parseRecord reads the lines of one record, and what was seen beside it. The
// text comes from another machine: it is bounded, and made safe to print.
func parseRecord(text, marks string) Record {
	var r Record
	said := map[string]string{}
	done := map[string]bool{}
	for l := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSuffix(l, "\n"), "=")
		if !ok {
			continue
		}
		value = visible.Line(value, maxText)
		switch key {
		case "done", "already":
			done[value] = true
		case "theirs":
			if len(r.Theirs) < maxTheirs {
				r.Theirs = append(r.Theirs, value)
			}
		case "id", "title", "by", "state", "why", "started", "until", "ended", "armed", "boot_hook", "stuck", "effects":
			said[key] = value
		}
	}
	r.ID, r.Title, r.By, r.Why = said["id"], said["title"], said["by"], said["why"]
	r.Armed, r.BootHook = said["armed"], said["boot_hook"]
	r.Started, r.Until, r.Ended = epoch(said["started"]), epoch(said["until"]), epoch(said["ended"])
	r.Effects, _ = strconv.Atoi(said["effects"])
	r.Done = min(len(done), max(r.Effects, 0))
	seen := map[string]string{}
	for l := range strings.Lines(marks) {
		if key, value, ok := strings.Cut(strings.TrimSuffix(l, "\n"), "="); ok {
			seen[key] = visible.Line(value, maxText)
		}
	}
	r.Program = seen["program"]
	r.State = stateOf(said["state"], seen["decision"], seen["through"] == "yes", seen["undo"] == "yes")
	if !r.State.Ended() {
		r.Ended = time.Time{}
	}
	if r.State == Stuck {
		r.Stuck = cmp.Or(said["stuck"], r.Why)
	}
	return r
}

// stateOf weighs what the record says last against the files that decide.
func stateOf(said, decision string, through, undo bool) State {
	switch {
	case through && undo:
		return Undone
	case through && decision == "confirmed":
		return Confirmed
	case through && decision == "refused":
		return RefusedState
	case through:
		return RolledBack
	case said == string(Stuck):
		return Stuck
	case undo, decision == "rolled-back":
		return PuttingBack
	case decision == "confirmed":
		return Confirmed
	case said == string(Waiting):
		return Waiting
	case said == string(Applying):
		return Applying
	}
	return Preparing
}

// epoch is a time in seconds, or none.
func epoch(s string) time.Time {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 || n > 1<<38 {
		return time.Time{}
	}
	return time.Unix(n, 0)
}
