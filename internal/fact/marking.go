package fact

// A Mark is one traffic class and whether packets that carried it got through
// where others of the same connection did.
type Mark struct {
	Way    string `json:"way"`    // "to-server" or "to-client"
	Name   string `json:"name"`   // as OpenSSH writes it: "af21"
	TOS    int    `json:"tos"`    // the whole byte
	Class  string `json:"class"`  // whose mark it is: "interactive" or "bulk"
	Passed bool   `json:"passed"` // it arrived
}

// A MarkTrial is one session of the user's own ssh on a connection of ours:
// what became of it under a mark and, in the same session, without.
type MarkTrial struct {
	Way  string `json:"way"`  // "to-server" or "to-client"
	Kind string `json:"kind"` // "switched": the mark came and went; "constant": from the SYN on; "terminal", "command", "silent": what the server marked by
	Name string `json:"name"` // the mark, or "" when the server chose it
	TOS  int    `json:"tos"`

	Lost   int `json:"lost"`   // times that what was sent under the mark did not arrive, sent again and again
	Passed int `json:"passed"` // times that it did
	Plain  int `json:"plain"`  // times that the same session got through without a mark, in between

	Sent        int `json:"sent,omitempty"`         // packets with data under the mark, of a session that changed it
	Missed      int `json:"missed,omitempty"`       // of these did not arrive
	PlainSent   int `json:"plain_sent,omitempty"`   // packets of the same session without the mark, in between
	PlainMissed int `json:"plain_missed,omitempty"` //

	Unsent string `json:"not_tried,omitempty"` // why nothing was tried
}

// Chance is how probable it is that what went without the mark got through so
// much better by chance alone.
func (t MarkTrial) Chance() float64 {
	return Tally{t.PlainMissed, t.PlainSent}.Chance(Tally{t.Missed, t.Sent})
}

// Facts about traffic classes (DSCP, IPQoS), which cost no connection on the
// handshake's own, and a session each where something was suspected.
var (
	PathMarks  = define[[]Mark]("path.marks", "", "which traffic classes get through to the server, and back from it?")
	MarkTrials = define[[]MarkTrial]("path.mark_trials", "", "what became of sessions that differ in their traffic class?")
)
