package explain

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"sshtay/internal/pcap"
	"sshtay/internal/report"
	"sshtay/internal/sshlog"
)

// Loss is told of from so many packets and such a share on.
const (
	lostPackets = 3
	lostShare   = 0.01
	// longSilence is how long a connection must have been silent before its end
	// for the silence to be suspected: devices forget after seconds at least.
	longSilence = 2 * time.Second
	// longWait is how long a server's program may think before it is told.
	longWait = 5 * time.Second
)

// AddPackets adds what a capture shows to what logs told. It returns the
// connections, those that ended badly first, and what of the capture could not
// be read.
func AddPackets(log *sshlog.Story, stories []pcap.Story, tally pcap.Tally) (flows []report.Flow, problems []string) {
	log.Others += tally.Other
	log.Attempts += len(stories)
	log.Packets += tally.Packets
	var well []report.Flow
	for _, s := range stories {
		w := witness{Story: s, log: log}
		w.look()
		log.Ended = cmp.Or(w.stage, log.Ended)
		if s.ServerIdent != "" {
			log.Host, log.Port = s.Server.Addr().String(), fmt.Sprint(s.Server.Port())
			log.Software = strings.TrimPrefix(s.ServerIdent, "SSH-2.0-")
		}
		if w.stage != "" {
			flows = append(flows, w.flow())
		} else {
			well = append(well, w.flow())
		}
	}
	if tally.Broken != "" {
		problems = append(problems, "the capture could not be read to its end: "+tally.Broken)
	}
	if tally.Cut > 0 {
		problems = append(problems, fmt.Sprintf("of %d packets the capture kept only the begin (tcpdump -s 0 keeps them whole)", tally.Cut))
	}
	return append(flows, well...), problems
}

// A witness tells what one connection of a capture shows.
type witness struct {
	pcap.Story
	log   *sshlog.Story
	stage string // at which it ended badly, or ""
	then  []string
}

// look turns the story into symptoms and sentences.
func (w *witness) look() {
	reached := ""
	if len(w.Stages) > 0 {
		reached = w.Stages[len(w.Stages)-1].Name
	}
	next := map[string]string{"": "connect", "connect": "banner", "banner": "kex", "kexinit": "kex", "kex": "session"}[reached]
	if reached == "" && !w.Whole {
		next = "session"
	}
	for _, s := range w.Stalls {
		if s.For == "answer" && s.Of == "server" && s.Length >= longWait {
			w.tell(sshlog.WireNoAnswer, fmt.Sprintf("for %s the server's kernel had acknowledged everything and its program said nothing", short(s.Length)))
		}
	}
	w.losses()
	if w.Hole != nil {
		w.stage = next
		w.tell(sshlog.WireHole, hole(*w.Hole))
	}
	switch w.End.Kind {
	case pcap.Reset:
		w.stage = cmp.Or(w.stage, w.resetStage(next))
		w.reset(next)
	case pcap.Silence:
		w.stage = cmp.Or(w.stage, next)
		w.silence(next)
	case pcap.Closed:
		w.closed(next)
	default:
		w.then = append(w.then, "it was open when the capture ended")
	}
}

func (w *witness) resetStage(next string) string {
	if w.Idle >= longSilence {
		return "idle"
	}
	return next
}

func hole(h pcap.Hole) string {
	if h.Times == 0 {
		return fmt.Sprintf("of what was sent to the %s packets of up to %d bytes arrived, and one of about %d never did", h.Towards, h.Passed, h.Lost)
	}
	return fmt.Sprintf("towards the %s a packet of %d bytes was sent %d times and never acknowledged; packets of up to %d bytes were", h.Towards, h.Lost, h.Times, h.Passed)
}

func (w *witness) losses() {
	for _, way := range []struct {
		towards string
		pcap.Count
	}{{"server", w.FromClient}, {"client", w.FromServer}} {
		towards, c := way.towards, way.Count
		if w.Hole != nil || c.Resent < lostPackets || float64(c.Resent) < lostShare*float64(c.Packets) {
			continue
		}
		w.tell(sshlog.WireResent, fmt.Sprintf("towards the %s %d of %d packets were lost and sent again (%.1f %%)", towards, c.Resent, c.Packets, 100*float64(c.Resent)/float64(c.Packets)))
	}
}

// endings are what a client's program would print of an end at a stage.
var endings = map[string]map[string]sshlog.Symptom{
	pcap.Reset:  {"banner": sshlog.ResetAtBanner, "kex": sshlog.ResetInKex},
	pcap.Closed: {"banner": sshlog.ClosedAtBanner, "kex": sshlog.ClosedInKex},
}

func (w *witness) reset(next string) {
	idle := ""
	if w.Idle >= longSilence {
		idle = fmt.Sprintf("after %s of silence ", short(w.Idle))
	}
	text := fmt.Sprintf("%sthe connection was reset in the name of the %s, by %s", idle, w.End.By, sender(w.End))
	w.then = append(append(w.then, text), w.End.Reasons...)
	switch {
	case next == "connect":
		w.note(sshlog.WireSynRefused, text)
	case w.End.Sender == "middlebox" && idle != "":
		w.note(sshlog.WireResetByBoxIdle, text)
	case w.End.Sender == "middlebox":
		w.note(sshlog.WireResetByBox, text)
	case w.End.Sender == "server":
		w.note(sshlog.WireResetByServer, text)
	case w.End.Sender == "client":
		w.note(sshlog.WireResetByClient, text)
	}
	if s, ok := endings[pcap.Reset][next]; ok && w.End.By == "server" {
		w.note(s, text)
	}
}

func sender(e pcap.End) string {
	switch {
	case e.Sender == "middlebox" && e.Hops > 0:
		return fmt.Sprintf("something else, %d hops from where the capture was made", e.Hops)
	case e.Sender == "middlebox":
		return "something else"
	case e.Sender == "server" || e.Sender == "client":
		return "itself"
	}
	return "nobody knows whom"
}

func (w *witness) silence(next string) {
	switch {
	case w.Hole != nil:
		w.then = append(w.then, "nothing moved any more")
	case next == "connect":
		w.tell(sshlog.WireSynLost, "nobody answered the attempts to connect")
	case w.Idle >= longSilence:
		w.tell(sshlog.WireSilenceIdle, fmt.Sprintf("after %s of silence, what was sent was never acknowledged, however often", short(w.Idle)))
	default:
		w.tell(sshlog.WireSilence, "what was sent was never acknowledged, however often")
	}
}

func (w *witness) closed(next string) {
	said := ""
	if w.End.Said != "" {
		said = fmt.Sprintf(", with the words %q", w.End.Said)
	}
	text := fmt.Sprintf("the %s closed the connection%s", w.End.By, said)
	w.then = append(w.then, text)
	if s, ok := endings[pcap.Closed][next]; ok && w.End.By == "server" && w.End.Said == "" {
		w.stage = cmp.Or(w.stage, next)
		w.note(s, text)
	}
}

// tell notes a symptom and its sentence in the story.
func (w *witness) tell(s sshlog.Symptom, text string) {
	w.then = append(w.then, text)
	w.note(s, text)
}

// mostLines of a symptom are kept.
const mostLines = 3

func (w *witness) note(s sshlog.Symptom, text string) {
	seen := w.log.Seen[s]
	if seen == nil {
		seen = &sshlog.Seen{Symptom: s, First: w.Began}
		w.log.Seen[s] = seen
	}
	seen.N++
	seen.Last = w.Began.Add(w.Took)
	if len(seen.Lines) < mostLines {
		seen.Lines = append(seen.Lines, fmt.Sprintf("%s %v → %v: %s", w.Began.Format("15:04:05.000"), w.Client, w.Server, text))
	}
}

func (w *witness) flow() report.Flow {
	f := report.Flow{
		Client: w.Client.String(), Server: w.Server.String(), Began: w.Began, Took: w.Took.Seconds(), RTT: w.RTT.Seconds(), Stages: []report.FlowStep{},
		Story: w.then, End: w.End.Kind, Sender: w.End.Sender, Hops: w.End.Hops, Resent: [2]int{w.FromClient.Resent, w.FromServer.Resent},
	}
	for _, s := range w.Stages {
		f.Stages = append(f.Stages, report.FlowStep{Stage: s.Name, At: s.At.Seconds()})
	}
	if w.Unread != "" {
		f.Story = append([]string{w.Unread}, f.Story...)
	}
	return f
}

// short is a time as people say it.
func short(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
}
