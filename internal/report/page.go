package report

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"sshtay/internal/cause"
	"sshtay/internal/fact"
	"sshtay/internal/remedy"
)

// A page is a report in the words and the order in which a person reads it.
// Its strings are safe to print on a terminal; a renderer only adds what its
// own form needs.
type page struct {
	who, verdict, says string

	stages []stage
	beside []string // what goes with the stages: the round trip, the server's banner

	heard    []evidence // of a failure that no finding explains: what both sides said
	next     []fix      // and where to look next
	findings []section
	history  []note   // what the machine's logs tell of all its connections; of several with one name the first has it for all
	fine     []string // ruled out
	possible []note
	unclear  []string // could not be judged
	unseen   []note   // by reason, with the most telling facts
	hint     string   // how to let more be seen
	mend     string   // what to type to have something mended, or ""

	spent string
	made  string // when, and by which version
}

type stage struct {
	name, took string
	failed     string // why it was not completed
}

// A note is a name and what is said of it.
type note struct{ name, says string }

type section struct {
	cause, title, status, impact string

	summary  []string // paragraphs
	why      []string
	evidence []evidence
	fixes    []fix
}

type evidence struct{ says, source string }

type fix struct {
	summary, where string
	steps          [][]stepLine
}

func newPage(r Report) page {
	p := page{
		who:     r.who(),
		verdict: r.verdictWords(),
		says:    r.says(),
		stages:  r.stages(),
		spent:   span(r.Spent.Seconds),
		made:    r.At.Format("2006-01-02 15:04:05 UTC") + ", sshtay " + cleanName(r.Version),
	}
	if !r.Target.Local() {
		p.spent += ", " + count(r.Spent.Connections, "unauthenticated connection", "unauthenticated connections")
	}
	if rtt, ok := r.seconds(fact.RTT); ok {
		p.beside = append(p.beside, "round trip "+span(rtt))
	}
	if banner := r.text(fact.HandshakeBanner); banner != "" {
		p.beside = append(p.beside, cleanName(banner))
	}
	if r.unexplained() {
		p.heard, p.next = r.heard(), r.next()
	}
	for _, f := range r.Findings {
		p.findings = append(p.findings, newSection(f))
	}
	for _, c := range r.worstFirst() {
		switch c.Status {
		case cause.RuledOut.String():
			p.fine = append(p.fine, cleanName(c.Cause))
		case cause.Possible.String():
			p.possible = append(p.possible, note{cleanName(c.Cause), cleanLine(c.Reason)})
		case cause.Unknown.String():
			p.unclear = append(p.unclear, cleanName(c.Cause))
		}
	}
	if f, ok := r.Facts[fact.LogHistory.Name()]; ok {
		var h fact.History
		if json.Unmarshal(f.Value, &h) == nil {
			p.history = historyNotes(&h)
		}
	}
	if slices.ContainsFunc(r.Findings, func(f Finding) bool {
		return slices.ContainsFunc(f.Remedies, func(m Remedy) bool { return m.Side != string(remedy.Network) })
	}) {
		p.mend = strings.TrimSpace("sshtay fix " + cleanName(r.Target.Given))
	}
	p.unseen = unseen(r.Missing)
	if r.NoLogin && len(p.unseen) > 0 {
		p.hint = "Leave out --no-login to let the server's own side be seen."
	}
	return p
}

// who names the target as typed and, where that adds something, where it led.
func (r Report) who() string {
	t := r.Target
	if t.Local() {
		return "this machine"
	}
	host, at := t.Host, t.Host
	if strings.Contains(host, ":") {
		at = "[" + host + "]"
	}
	if t.Port != 0 {
		at += ":" + strconv.Itoa(t.Port)
	}
	login := host
	if t.User != "" {
		login, at = t.User+"@"+host, t.User+"@"+at
	}
	who := cleanName(at)
	if t.Host == "" {
		who = cleanName(t.Given)
	} else if given := strings.TrimPrefix(t.Given, "ssh://"); given != host && given != login && given != at {
		who = cleanName(t.Given) + " (" + who + ")"
	}
	if len(t.Jumps) > 0 {
		who += " through " + cleanName(strings.Join(t.Jumps, ", "))
	}
	return who
}

// says is the verdict's sentence.
func (r Report) says() string {
	switch {
	case len(r.Findings) > 0:
		f := r.Findings[0]
		first, _ := firstSentence(strings.Join(paragraphs(cmp.Or(f.Summary, f.Title)), " "))
		if more := len(r.Findings) - 1; more > 0 {
			return ended(first) + " " + count(more, "more finding", "more findings") + " below."
		}
		return ended(first)
	case r.Verdict == Healthy && r.Target.Local():
		return "Nothing here breaks SSH connections, as far as could be seen."
	case r.Verdict == Healthy && !r.came("session"):
		return "The key exchange was completed and no cause of resets was found. Nobody logged in."
	case r.Verdict == Healthy:
		return "A session ran, and no cause of resets was found."
	case r.Target.Local():
		return "Nothing here could be judged."
	case r.unexplained():
		return r.failure()
	case r.Reached == "":
		return "The connection was not observed, so nothing can be said of it."
	}
	return "The last thing that worked was " + lastWorked[r.Reached] + ", and what could be seen does not say more."
}

// worstFirst are the causes in the order in which they matter to a reader:
// first what would break this connection.
func (r Report) worstFirst() []Judged {
	rank := func(j Judged) int {
		return slices.Index([]string{cause.Breaks.String(), cause.WillBreak.String(), cause.Risk.String(), ""}, j.Impact)
	}
	return slices.SortedStableFunc(slices.Values(r.Causes), func(a, b Judged) int { return cmp.Compare(rank(a), rank(b)) })
}

// stages tells how far the connection came, how long each stage took, and
// where it ended.
func (r Report) stages() []stage {
	if r.Target.Local() {
		return nil
	}
	times := map[string][]fact.Any{
		"resolve": {fact.ResolveTime},
		"connect": {fact.ConnectTime},
		"banner":  {fact.BannerTime},
		"kex":     {fact.KexInitTime, fact.KexTime},
		"auth":    {fact.LoginAuthTime},
		"session": {fact.SessionShellTime},
	}
	var out []stage
	reached := slices.Index(Stages, r.Reached)
	for _, name := range Stages[:reached+1] {
		s := stage{name: name}
		var sum float64
		for _, k := range times[name] {
			if t, ok := r.seconds(k); ok {
				sum += t
				s.took = span(sum)
			}
		}
		out = append(out, s)
	}
	switch why := r.ended(); {
	case why == "":
	case r.came("session"):
		out[reached].took = strings.TrimSpace(out[reached].took + " (" + why + ")")
	case reached < 0 && r.proxied():
		out = append(out, stage{name: "proxy", failed: why})
	default:
		out = append(out, stage{name: Stages[reached+1], failed: why})
	}
	return out
}

// ended says why the connection came no farther, or why our command did not
// run in the session, in a word, or "" when there is nothing to say.
func (r Report) ended() string {
	ours, theirs := r.text(fact.HandshakeReason), r.text(fact.LoginReason)
	far := slices.Index(Stages, r.text(fact.LoginStage)) - slices.Index(Stages, r.text(fact.HandshakeStage))
	switch {
	case far > 0: // why another connection ended sooner is told by the findings
		return cleanName(theirs)
	case far == 0 && !slices.Contains([]string{"closed", "reset", "timed-out"}, theirs): // who was told more says more
		return cleanName(cmp.Or(theirs, ours))
	}
	return cleanName(cmp.Or(ours, theirs))
}

func newSection(f Finding) section {
	s := section{
		cause:   cleanName(f.Cause),
		title:   cleanLine(f.Title),
		status:  cleanName(f.Status),
		impact:  inWords(f.Impact),
		summary: paragraphs(f.Summary),
		why:     paragraphs(f.Why),
	}
	for _, e := range f.Evidence {
		s.evidence = append(s.evidence, evidence{cleanLine(e.Says), cleanLine(cmp.Or(e.Source, e.Fact))})
	}
	for _, m := range f.Remedies {
		s.fixes = append(s.fixes, newFix(m.Summary, m.Side, m.Risk, m.Steps))
	}
	return s
}

// newFix is a remedy with its steps as they are shown.
func newFix(summary, side, risk string, steps []string) fix {
	f := fix{summary: cleanLine(summary), where: inWords(side) + "; " + inWords(risk)}
	for _, step := range steps {
		if lines := stepLines(step); len(lines) > 0 {
			f.steps = append(f.steps, lines)
		}
	}
	return f
}
