package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"sshtay/internal/remedy"
)

// PlanSchema names the contract of a plan. It only grows.
const PlanSchema = "sshtay.plan/1"

// A Plan is what would be changed, on which machine, and what is left to
// people. No array in it is ever null.
type Plan struct {
	Schema   string        `json:"schema"`
	At       time.Time     `json:"at"`
	Version  string        `json:"version"`
	Target   Target        `json:"target"`
	Verdict  Verdict       `json:"verdict"` // of the check before
	Machines []PlanMachine `json:"machines"`
	ByHand   []ByHand      `json:"by_hand"`
	Held     []ByHand      `json:"held"` // could be done, and is not without --accept-risk, or by this account
}

// A PlanMachine is one side with all that would be changed there, in one
// transaction.
type PlanMachine struct {
	Side    string       `json:"side"` // client or server
	Name    string       `json:"name"` // "this machine", or how it is reached
	Risk    string       `json:"risk"` // the worst of its changes
	Changes []PlanChange `json:"changes"`
	Script  string       `json:"script"` // the POSIX sh program that would run
}

// A PlanChange is one change.
type PlanChange struct {
	Kind     string     `json:"kind"`
	Title    string     `json:"title"`
	Causes   []string   `json:"causes"`
	Risk     string     `json:"risk"`
	Files    []PlanFile `json:"files"`
	Commands []string   `json:"commands"`
	Services []string   `json:"services"` // what takes notice of it
	Verified []string   `json:"verified"` // what must be true afterwards
	Notes    []string   `json:"notes"`
}

// A PlanFile is a file that would be made or changed.
type PlanFile struct {
	Path string `json:"path"`
	Diff string `json:"diff"` // unified
}

// ByHand is a remedy that only people can carry out, or that waits for their
// consent.
type ByHand struct {
	Cause   string   `json:"cause"`
	Remedy  string   `json:"remedy"`
	Side    string   `json:"side"`
	Risk    string   `json:"risk"`
	Summary string   `json:"summary"`
	Why     string   `json:"why"` // why it is not done
	Steps   []string `json:"steps"`
}

// LeftToPeople is a remedy of a cause that is not carried out here, and why.
func LeftToPeople(cause string, r remedy.Remedy, why string) ByHand {
	m := mend(r)
	return ByHand{Cause: cause, Remedy: m.ID, Side: m.Side, Risk: m.Risk, Summary: m.Summary, Why: why, Steps: m.Steps}
}

// Empty says that nothing would be changed.
func (p Plan) Empty() bool { return len(p.Machines) == 0 }

// PlanJSON writes a plan in the form of the contract.
func PlanJSON(w io.Writer, p Plan) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(p); err != nil {
		return fmt.Errorf("the plan cannot be written as JSON: %w", err)
	}
	_, err := w.Write(printable(b.Bytes()))
	return err
}
