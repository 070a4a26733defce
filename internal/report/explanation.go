package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/visible"
)

// ExplainSchema names the contract of an explanation. It only grows.
const ExplainSchema = "sshtay.explain/1"

// An Explanation is what logs tell of failed connections: what was seen, and
// which causes that speaks for.
type Explanation struct {
	Schema   string    `json:"schema"`
	Stage    string    `json:"stage"` // at which the connection ended: resolve, connect, banner, kex, auth, session, bulk, idle; or ""
	Symptoms []Symptom `json:"symptoms"`
	Ranking  []Ranked  `json:"ranking"` // likeliest first; weights of all causes together are 1
	Next     []string  `json:"next"`    // the commands that would settle it, the best first
	Unread   int       `json:"unread"`  // lines that nothing is known of
	Read     Reading   `json:"read"`
	Flows    []Flow    `json:"flows,omitempty"` // of a capture, those that ended badly first

	History *fact.History `json:"history,omitempty"` // of a server's log: all its connections
}

// A Flow is one connection in a capture. Times are seconds since it began.
type Flow struct {
	Client string     `json:"client"` // address and port
	Server string     `json:"server"`
	Began  time.Time  `json:"began"`
	Took   float64    `json:"seconds"`
	RTT    float64    `json:"rtt,omitempty"`       // of the TCP handshake
	Stages []FlowStep `json:"stages"`              // that were completed
	Story  []string   `json:"story"`               // what happened then, in sentences
	End    string     `json:"end"`                 // open, closed, reset or silence
	Sender string     `json:"sender,omitempty"`    // of a reset: server, client, middlebox or unknown
	Hops   int        `json:"hops_away,omitempty"` // how far the sender was from where the capture was made
	Resent [2]int     `json:"resent"`              // packets sent again by the client, and by the server
}

// A FlowStep is a stage and when it was completed.
type FlowStep struct {
	Stage string  `json:"stage"`
	At    float64 `json:"at"`
}

// A Symptom is something that the log tells, however it is worded.
type Symptom struct {
	Symptom string   `json:"symptom"`
	Says    string   `json:"says"`
	Stage   string   `json:"stage"`
	Side    string   `json:"side"` // who said it: client or server
	Count   int      `json:"count"`
	First   string   `json:"first,omitempty"` // RFC 3339
	Last    string   `json:"last,omitempty"`
	Lines   []string `json:"lines"` // some of them
}

// A Ranked is a cause with its weight, from 0 to 1.
type Ranked struct {
	Cause   string   `json:"cause"`
	Weight  float64  `json:"weight"`
	Title   string   `json:"title"`
	Because []string `json:"because"` // the lines that speak for it
	Against []string `json:"against"`
	Apart   string   `json:"apart"` // what tells it from the others
}

// A Reading is what was read, and what could not be.
type Reading struct {
	Files       []string `json:"files"`
	Lines       int      `json:"lines"`
	Packets     int      `json:"packets,omitempty"`  // of captures
	Others      int      `json:"others"`             // lines of other programs
	Samples     []string `json:"samples,omitempty"`  // some of the unread lines
	Older       int      `json:"older,omitempty"`    // lines from before the time that was asked for
	Cut         int      `json:"cut,omitempty"`      // lines too long to be read to their end
	Problems    []string `json:"problems,omitempty"` // what kept from reading more
	ClockBack   int      `json:"clock_back,omitempty"`
	From        string   `json:"from,omitempty"`
	To          string   `json:"to,omitempty"`
	Server      string   `json:"server,omitempty"`  // the server's software, as it names itself
	OpenSSH     string   `json:"openssh,omitempty"` // the versions whose wordings these are
	Attempts    int      `json:"attempts,omitempty"`
	Connections int      `json:"connections,omitempty"`
	Logins      int      `json:"logins,omitempty"`
}

// When is a time as an explanation has it; a zero one is "".
func When(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}

// ExplainJSON writes an explanation in the form of the contract.
func ExplainJSON(w io.Writer, e Explanation) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(e); err != nil {
		return fmt.Errorf("the explanation cannot be written as JSON: %w", err)
	}
	_, err := w.Write(printable(b.Bytes()))
	return err
}

// shownCauses is how many causes are told with their lines, and shownLines how
// many lines each gets; the others are named.
const (
	shownCauses = 3
	shownLines  = 3
	lineLetters = 300
)

// ExplainText writes an explanation for a person at a terminal.
func ExplainText(w io.Writer, e Explanation, o TextOptions) error {
	if o.Width <= 0 {
		o.Width = 80
	}
	t := &terminal{width: min(max(o.Width, 40), 100), color: o.Color}
	t.hang("", append(words(bold, "What "+source(e)+":"), words(normal, headline(e))...))
	t.blank()
	t.history(historyNotes(e.History))
	for i, s := range notTold(e) {
		t.item(0, once(i, "seen"), words(normal, symptomLine(s)))
		for _, l := range s.Lines[:min(len(s.Lines), 1)] {
			t.beside(0, "", words(dim, quoted(l)))
		}
	}
	t.reading(e)
	t.flows(e.Flows)
	for i, r := range e.Ranking[:min(len(e.Ranking), shownCauses)] {
		t.ranked(i, r)
	}
	t.rest(e)
	if len(e.Next) > 0 {
		t.blank()
		t.hang("", words(bold, "To settle it:"))
		t.b.WriteString("    " + t.paint(cyan, e.Next[0]) + onTheServer(e.Next[0]) + "\n")
		for _, n := range e.Next[1:] {
			t.hang("", words(normal, "and if that finds nothing:"))
			t.b.WriteString("    " + t.paint(cyan, n) + onTheServer(n) + "\n")
		}
	}
	_, err := io.WriteString(w, t.b.String())
	return err
}

// inTotals are the symptoms that a history counts in its first line.
var inTotals = []string{"client-failed-auth", "client-unknown-user", "client-said-nothing", "client-not-ssh"}

// notTold are the symptoms that the history, where there is one, has not told.
func notTold(e Explanation) []Symptom {
	if e.History == nil {
		return e.Symptoms
	}
	return slices.DeleteFunc(slices.Clone(e.Symptoms), func(s Symptom) bool {
		return slices.Contains(inTotals, s.Symptom) || slices.ContainsFunc(e.History.Troubles, func(t fact.Trouble) bool { return t.Symptom == s.Symptom })
	})
}

// onTheServer says where a command without a host is to be typed.
func onTheServer(command string) string {
	if strings.Count(command, " ") == 1 {
		return "    # on the server"
	}
	return ""
}

// quoted is a line of a log, fit to print.
func quoted(line string) string { return "| " + visible.Line(strings.TrimSpace(line), lineLetters) }

var stageWords = map[string]string{
	"config": "it never began: the configuration or the program itself stood in the way", "resolve": "it ended at the lookup of the name",
	"connect": "it ended at the TCP connection", "banner": "it ended before the SSH banner", "kex": "it ended in the key exchange",
	"auth": "it ended in the login", "session": "it ended in the session", "bulk": "it ended while data was moving", "idle": "it ended while it was idle",
	"": "at which stage it ended, the lines do not tell",
}

func source(e Explanation) string {
	if e.Read.Packets > 0 && e.Read.Lines == 0 {
		return "the capture tells"
	}
	if e.History != nil && len(e.History.Sources) > 0 {
		return "this machine's logs tell"
	}
	return "the log tells"
}

func headline(e Explanation) string {
	switch {
	case e.History != nil && len(e.History.Sources) > 0:
		return "of all connections to its sshd."
	case e.History != nil && e.History.Connections == 0 && len(e.Symptoms) == 0:
		return "nothing: no line of an SSH server was found."
	case len(e.Symptoms) > 0 && e.Read.Attempts == 0 && e.Read.Connections > 1:
		return fmt.Sprintf("of %d connections to a server; what follows may be of several.", e.Read.Connections)
	case len(e.Symptoms) > 0:
		return stageWords[e.Stage] + "."
	case e.Read.Attempts+e.Read.Connections > 0:
		return "no failure."
	case e.Read.Packets > 0:
		return "nothing: no packet of it is of an SSH connection."
	}
	return "nothing: no line is one that sshtay knows."
}

func symptomLine(s Symptom) string {
	text := s.Says
	if s.Count > 1 {
		text += fmt.Sprintf(" (%d times", s.Count)
		if s.First != "" && s.Last != s.First {
			text += ", from " + s.First + " to " + s.Last
		}
		text += ")"
	}
	if s.Side == "server" {
		text += ", says the server"
	}
	return text
}

func (t *terminal) ranked(i int, r Ranked) {
	t.blank()
	t.hang(fmt.Sprintf("%d. ", i+1), append(words(bold, fmt.Sprintf("%.0f %% %s", r.Weight*100, r.Title)), words(dim, "["+r.Cause+"]")...))
	for k, l := range r.Because[:min(len(r.Because), shownLines)] {
		t.beside(3, once(k, "for"), words(normal, quoted(l)))
	}
	for k, l := range r.Against[:min(len(r.Against), shownLines)] {
		t.beside(3, once(k, "against"), words(normal, quoted(l)))
	}
	t.beside(3, "sign", words(normal, r.Apart))
}

// rest names the causes that are not told in full, each with what would tell.
func (t *terminal) rest(e Explanation) {
	if len(e.Ranking) <= shownCauses {
		return
	}
	t.blank()
	t.hang("", words(bold, "Not excluded:"))
	for _, r := range e.Ranking[shownCauses:] {
		t.hang(fmt.Sprintf("  %2.0f %% ", r.Weight*100), append(words(normal, r.Title), append(words(dim, "["+r.Cause+"]"), words(normal, "- "+r.Apart)...)...))
	}
}

// shownFlows is how many connections of a capture are told.
const shownFlows = 5

// flows tells the story of the connections in a capture.
func (t *terminal) flows(flows []Flow) {
	for _, f := range flows[:min(len(flows), shownFlows)] {
		t.blank()
		t.hang("", append(words(bold, f.Client+" → "+f.Server), words(dim, f.Began.Format("2006-01-02 15:04:05.000 MST"))...))
		var steps []string
		for _, s := range f.Stages {
			steps = append(steps, fmt.Sprintf("%s %.0f ms", s.Stage, s.At*1000))
		}
		if len(steps) > 0 {
			t.beside(3, "got to", words(normal, strings.Join(steps, " → ")))
		}
		for i, l := range f.Story {
			t.beside(3, once(i, "then"), words(normal, visible.Line(l, lineLetters)))
		}
	}
	if more := len(flows) - shownFlows; more > 0 {
		t.beside(0, "", words(dim, fmt.Sprintf("and %s, listed by --json", count(more, "other connection", "other connections"))))
	}
}

// reading tells what was read and, above all, what was not.
func (t *terminal) reading(e Explanation) {
	r := e.Read
	var parts []string
	if r.Lines > 0 || r.Packets == 0 {
		parts = append(parts, count(r.Lines, "line", "lines"))
	}
	if r.Packets > 0 {
		parts = append(parts, count(r.Packets, "packet", "packets"))
	}
	if r.Attempts > 0 {
		parts = append(parts, count(r.Attempts, "attempt", "attempts")+" of a client")
	}
	if r.Connections > 0 {
		parts = append(parts, count(r.Connections, "connection", "connections")+" and "+count(r.Logins, "login", "logins")+" on a server")
	}
	if r.Others > 0 {
		parts = append(parts, count(r.Others, "line", "lines")+" of other programs")
	}
	if r.Older > 0 {
		parts = append(parts, count(r.Older, "line", "lines")+" from before")
	}
	if r.Server != "" {
		parts = append(parts, "the server calls itself "+visible.Line(r.Server, 100))
	}
	if r.OpenSSH != "" {
		parts = append(parts, "worded as by OpenSSH "+r.OpenSSH)
	}
	if e.History == nil || len(e.History.Sources) == 0 {
		t.beside(0, "read", words(dim, strings.Join(parts, " · ")))
	}
	if e.Unread > 0 {
		t.beside(0, "unread", words(normal, count(e.Unread, "line", "lines")+" that sshtay does not know:"))
		for _, l := range r.Samples {
			t.beside(0, "", words(dim, quoted(l)))
		}
	}
	if r.Cut > 0 {
		t.beside(0, "", words(normal, count(r.Cut, "line", "lines")+" too long to be read to the end"))
	}
	if r.ClockBack > 0 {
		t.beside(0, "", words(normal, "the clock of the log went back "+count(r.ClockBack, "time", "times")))
	}
	for _, p := range r.Problems {
		t.beside(0, "problem", words(red, visible.Line(p, lineLetters)))
	}
}
