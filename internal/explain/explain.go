package explain

import (
	"cmp"
	"math"
	"slices"

	"sshtay/internal/cause"
	"sshtay/internal/report"
	"sshtay/internal/sshlog"
)

// Which lines speak for a cause, and which against: those of symptoms that it
// shows so many times more often, or less often, than the causes do on
// average.
const (
	forIt     = 1.1
	againstIt = 0.4
)

// leastWeight is what a cause must weigh to be named, and mostCauses how many
// are.
const (
	leastWeight = 0.015
	mostCauses  = 10
)

// Of explains what logs told.
func Of(s *sshlog.Story) report.Explanation {
	symptoms := ordered(s)
	e := report.Explanation{
		Schema: report.ExplainSchema, Stage: stage(s, symptoms), Symptoms: []report.Symptom{}, Ranking: rank(symptoms, s.Attempts == 0 && s.Clients > 1), Next: []string{}, Unread: s.Unread,
		Read: reading(s),
	}
	for _, seen := range symptoms {
		e.Symptoms = append(e.Symptoms, report.Symptom{
			Symptom: seen.Symptom.String(), Says: seen.Symptom.Says(), Stage: seen.Symptom.Stage(), Count: seen.N,
			Side: side(seen), First: report.When(seen.First), Last: report.When(seen.Last), Lines: seen.Lines,
		})
	}
	e.Next = next(s, e.Ranking)
	return e
}

// ordered are the symptoms by stage, those that tell most first.
func ordered(s *sshlog.Story) []*sshlog.Seen {
	seen := slices.DeleteFunc(slices.Clone(s.Seen[:]), func(s *sshlog.Seen) bool { return s == nil })
	slices.SortFunc(seen, func(a, b *sshlog.Seen) int {
		return cmp.Or(cmp.Compare(sharpness(b.Symptom), sharpness(a.Symptom)), cmp.Compare(a.Symptom, b.Symptom))
	})
	return seen
}

// sharpness is how much a symptom tells: the weight that it alone would give
// to the likeliest cause.
func sharpness(s sshlog.Symptom) float64 {
	most, all := 0.0, 0.0
	for _, c := range causes {
		w := c.prior * share(s, c.id)
		most, all = max(most, w), all+w
	}
	return most / all
}

// share is how often a cause shows a symptom.
func share(s sshlog.Symptom, id string) float64 {
	r, ok := shows[s]
	if !ok {
		return 1
	}
	if p, ok := r[id]; ok {
		return p
	}
	return r[other]
}

// average is how often a symptom shows, whatever the cause.
func average(s sshlog.Symptom) float64 {
	sum, priors := 0.0, 0.0
	for _, c := range causes {
		sum, priors = sum+c.prior*share(s, c.id), priors+c.prior
	}
	return sum / priors
}

// rank weighs all causes. The symptoms of a server's log are of many
// connections, and not of one failure.
func rank(symptoms []*sshlog.Seen, many bool) []report.Ranked {
	ranking := []report.Ranked{}
	if len(symptoms) == 0 {
		return ranking
	}
	weigh := weights
	if many {
		weigh = pooled
	}
	for i, w := range weigh(symptoms) {
		c := causes[i]
		r := report.Ranked{Cause: c.id, Weight: w, Title: title(c), Apart: c.apart, Because: []string{}, Against: []string{}}
		for _, s := range symptoms {
			switch ratio := share(s.Symptom, c.id) / average(s.Symptom); {
			case ratio >= forIt:
				r.Because = append(r.Because, s.Lines[0])
			case ratio <= againstIt && !many: // of another connection it says nothing against it
				r.Against = append(r.Against, s.Lines[0])
			}
		}
		ranking = append(ranking, r)
	}
	slices.SortStableFunc(ranking, func(a, b report.Ranked) int { return cmp.Compare(b.Weight, a.Weight) })
	last := 0
	for last < min(len(ranking), mostCauses) && ranking[last].Weight >= leastWeight {
		ranking[last].Weight = math.Round(ranking[last].Weight*1000) / 1000
		last++
	}
	return ranking[:last]
}

func title(c suspect) string {
	for _, known := range cause.All() {
		if known.ID == c.id {
			return known.Title
		}
	}
	return cmp.Or(c.title, c.id)
}

// stage is where the connection ended: as the client's progress tells it, else
// as the symptom does that tells most.
func stage(s *sshlog.Story, symptoms []*sshlog.Seen) string {
	if s.Ended != "" {
		return s.Ended
	}
	for _, seen := range symptoms {
		if at := seen.Symptom.Stage(); at != "" {
			return at
		}
	}
	return ""
}

func side(s *sshlog.Seen) string {
	if s.Server {
		return "server"
	}
	return "client"
}

func reading(s *sshlog.Story) report.Reading {
	return report.Reading{
		Files: []string{}, Lines: s.Lines, Packets: s.Packets, Others: s.Others, Older: s.Before, Samples: s.Samples, Cut: s.Cut, ClockBack: s.Backward, From: report.When(s.From), To: report.When(s.To),
		Server: s.Software, OpenSSH: s.Versions.String(), Attempts: s.Attempts, Connections: s.Clients, Logins: s.Logins,
	}
}
