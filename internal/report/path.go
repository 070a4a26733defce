package report

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"sshtay/internal/fact"
)

// PathSchema names the JSON form of a [Path]: only additions are made to it.
const PathSchema = "sshtay.path/1"

// A Path is what `sshtay path` found: the way to a host, hop by hop.
type Path struct {
	Schema  string    `json:"schema"` // [PathSchema]
	At      time.Time `json:"at"`
	Version string    `json:"version"`
	Target  Target    `json:"target"`
	Address string    `json:"address"` // the one that was gone to, or ""

	Reached      string      `json:"reached"`                 // as handshake.stage
	Reason       string      `json:"reason,omitempty"`        // as handshake.detail, where it came no further
	RTT          float64     `json:"rtt,omitempty"`           // s
	Distance     int         `json:"distance,omitempty"`      // as path.distance
	DistanceBack int         `json:"distance_back,omitempty"` // as path.distance_back
	Hops         []fact.Hop  `json:"hops"`                    // the last one is the server
	LossBegins   int         `json:"loss_begins,omitempty"`   // which of the hops it is, the first being 1
	MTU          PathMTU     `json:"mtu"`
	Marks        []fact.Mark `json:"marks"`         // as path.marks: traffic classes that were tried once each
	Flows        []fact.Flow `json:"flows"`         // as path.flows
	TraceSeconds float64     `json:"trace_seconds"` // that following the way took, once it was known how far it is
	Missing      []Missing   `json:"missing"`
	Spent        Spent       `json:"spent"`
}

// NewPath makes a Path of the facts.
func NewPath(in Input) Path {
	p := Path{
		Schema: PathSchema, At: in.At.UTC().Truncate(time.Second), Version: in.Version,
		Target: Target{Given: in.Target.Given, User: in.Resolved.User, Host: in.Resolved.Host, Port: in.Resolved.Port, Jumps: filled(in.Resolved.Jumps)},
		Hops:   []fact.Hop{}, Marks: []fact.Mark{}, Flows: []fact.Flow{}, Missing: []Missing{}, MTU: newPathMTU(in.Facts),
		Spent: Spent{Seconds: in.Took.Round(time.Millisecond).Seconds(), Connections: in.Connections},
	}
	p.Reached, _ = fact.HandshakeStage.Get(in.Facts)
	p.Reason, _ = fact.HandshakeDetail.Get(in.Facts)
	if rtt, ok := fact.RTT.Get(in.Facts); ok {
		p.RTT = rtt.Seconds()
	}
	p.Distance, _ = fact.PathDistance.Get(in.Facts)
	p.DistanceBack, _ = fact.PathDistanceBack.Get(in.Facts)
	if hops, ok := fact.PathHops.Get(in.Facts); ok {
		p.Hops = hops
	}
	if marks, ok := fact.PathMarks.Get(in.Facts); ok {
		p.Marks = marks
	}
	if flows, ok := fact.PathFlows.Get(in.Facts); ok {
		p.Flows = flows
	}
	p.LossBegins = slices.IndexFunc(p.Hops, func(h fact.Hop) bool { return h.Verdict == "loss-begins" }) + 1
	if all, ok := fact.HandshakeAddresses.Get(in.Facts); ok {
		for _, a := range all {
			if a.Stage != "" {
				p.Address = a.Address
			}
		}
	}
	for name, reason := range in.Facts.Missing() {
		if strings.HasPrefix(name, "path.") && !strings.HasPrefix(reason, fact.NotNeeded) {
			p.Missing = append(p.Missing, Missing{name, reason})
		}
	}
	slices.SortFunc(p.Missing, func(a, b Missing) int { return cmp.Compare(a.Fact, b.Fact) })
	return p
}

// ExitCode is 0 for a way that shows nothing wrong, 1 where packets are lost,
// long ones vanish or the server cannot be connected to, 3 where nothing could
// be seen.
func (p Path) ExitCode() int {
	switch {
	case len(p.Hops) == 0:
		return 3
	case p.LossBegins > 0, p.Reached == "resolve", p.MTU.hole():
		return 1
	}
	return 0
}

// PathJSON writes a Path as JSON.
func PathJSON(w io.Writer, p Path, _ TextOptions) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(p); err != nil {
		return fmt.Errorf("the path cannot be written as JSON: %w", err)
	}
	_, err := w.Write(printable(b.Bytes()))
	return err
}

// PathText writes a Path for a person.
func PathText(w io.Writer, p Path, o TextOptions) error {
	t := &terminal{width: min(max(o.Width, 40), 100), color: o.Color}
	ws := words(bold, p.Target.Given+":")
	t.hang("", append(ws, words(normal, p.says())...))
	if len(p.Hops) > 0 {
		t.blank()
		for _, l := range PathLines(p.Hops, t.width) {
			t.line("", []word{{l, normal}})
		}
		t.blank()
		for _, s := range slices.Concat(p.means(), p.long(), p.marked(), p.others()) {
			t.hang("", words(normal, s))
		}
	}
	_, err := io.WriteString(w, t.b.String())
	return err
}

// says is where the way leads, and how far that is.
func (p Path) says() string {
	s := fmt.Sprintf("%s port %d", cmp.Or(p.Address, p.Target.Host), p.Target.Port)
	if p.RTT > 0 {
		s += ", " + span(p.RTT)
	}
	switch {
	case p.Distance > 0 && p.DistanceBack > 0 && p.Distance != p.DistanceBack:
		s += fmt.Sprintf(", %s there and %d back", count(p.Distance, "hop", "hops"), p.DistanceBack)
	case p.Distance > 0:
		s += ", " + count(p.Distance, "hop", "hops")
	case p.DistanceBack > 0:
		s += fmt.Sprintf(", %s back from there", count(p.DistanceBack, "hop", "hops"))
	}
	if p.Reached == "resolve" || p.Reached == "none" {
		s += ". It cannot be connected to: " + p.Reason
	}
	return strings.TrimSuffix(s, ".") + "."
}

// means says what can be concluded, and what cannot.
func (p Path) means() (all []string) {
	last := len(p.Hops) - 1
	host := p.Hops[last]
	if s := p.loss(host); s != "" {
		all = append(all, s)
	}
	shy, equal, silent, answers := 0, 0, 0, -1
	for i, h := range p.Hops[:last] {
		switch h.Verdict {
		case "shy":
			shy++
		case "silent":
			if h.Says == "" {
				silent++
			}
		}
		if h.Answers > 0 || h.Says != "" {
			answers = i
		}
		if len(h.Addresses) > 1 {
			equal++
		}
		if h.Says != "" {
			all = append(all, fmt.Sprintf("Hop %d (%s) says that it %s.", i+1, h.Addresses[0], h.Says))
		}
	}
	if host.Answers == 0 && answers >= 0 {
		s := fmt.Sprintf("Behind hop %d (%s) nobody answers", answers+1, p.Hops[answers].Addresses[0])
		if p.Reached != "resolve" {
			s += "; how many routers there are between it and the server is not known"
		}
		all = append(all, s+".")
	}
	if shy > 0 {
		all = append(all, count(shy, "hop", "hops")+" answered less often than asked, and passed everything on: routers limit what they say of themselves.")
	}
	if silent > 0 && p.Reached != "resolve" {
		all = append(all, count(silent, "hop", "hops")+" never answered, which alone means nothing.")
	}
	if equal > 0 {
		all = append(all, "Several addresses at one hop are equal routes: connections take one each.")
	}
	return all
}

// loss says what is lost up to the server, as far as that was measured.
func (p Path) loss(host fact.Hop) string {
	lost := host.Of - host.Answers
	switch {
	case p.LossBegins > 0:
		where := fmt.Sprintf("at hop %d", p.LossBegins)
		if h := p.Hops[p.LossBegins-1]; len(h.Addresses) > 0 {
			where += " (" + strings.Join(h.Addresses, ", ") + ")"
		}
		return fmt.Sprintf("Of %d packets to the server %d were lost. That begins %s, or on the way there from the hop before that answers; whether they are lost there or on the way back, this does not show.", host.Of, lost, where)
	case host.Verdict == "answers" && host.Of > 1:
		return fmt.Sprintf("Nothing is lost on the way: the server answered all %d.", host.Of)
	case host.Verdict == "unclear" && host.By == "icmp":
		return fmt.Sprintf("The server answered %d of %d echo requests. Where the others were lost is not clear: more rounds may tell (--count).", host.Answers, host.Of)
	case host.Verdict == "unclear":
		return fmt.Sprintf("The server answered %d of %d. Systems limit such answers, so that this alone shows no loss.", host.Answers, host.Of)
	case host.Verdict == "silent" && p.Reached != "resolve":
		return "The server answers on its port alone: loss up to it was not measured here."
	}
	return ""
}
