package fact

// A RekeyTrial is one session of the user's own ssh that sent some data, with
// or without renewing its keys on the way.
type RekeyTrial struct {
	Renews    bool   `json:"renews"`           // it was to renew its keys in the midst of the data
	Stage     string `json:"stage"`            // how far the login got
	Began     bool   `json:"began"`            // a renewal began
	Renewed   bool   `json:"renewed"`          // and was finished
	Whole     bool   `json:"whole"`            // everything went, and the session ended in peace
	Reason    string `json:"reason,omitempty"` // the word of login.reason for the end, or "silence"
	Says      string `json:"says,omitempty"`   // what ssh printed about it
	Unstarted string `json:"not_tried,omitempty"`
}

// RekeyTrials are sessions that differ in nothing but the renewal of their
// keys.
var RekeyTrials = define[[]RekeyTrial]("session.rekey_trials", "", "what became of sessions that renewed their keys, and of others that did not?")
