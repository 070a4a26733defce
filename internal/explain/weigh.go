package explain

import (
	"math"
	"slices"

	"sshtay/internal/sshlog"
)

// weights are those of the causes, in their order, by Bayes' rule for
// symptoms of one failure. Each symptom counts once: that a log says the same
// thing a thousand times does not make it mean more.
func weights(symptoms []*sshlog.Seen) []float64 {
	said := saysWhy(symptoms)
	all := make([]float64, len(causes))
	for i, c := range causes {
		w := math.Log(c.prior)
		for _, s := range symptoms {
			evidence := math.Log(share(s.Symptom, c.id) / average(s.Symptom))
			if said && s.Symptom.IsEnding() {
				evidence *= endingAfterWhy
			}
			w += evidence
		}
		all[i] = math.Exp(w)
	}
	return whole(all)
}

// pooled are the weights for symptoms of many failures, which may have a cause
// each: those that each symptom alone would give, averaged. A symptom counts
// for as much as it tells, and a little more when it was seen more often.
func pooled(symptoms []*sshlog.Seen) []float64 {
	all := make([]float64, len(causes))
	for _, s := range symptoms {
		says := sharpness(s.Symptom)
		says *= says * (1 + math.Log10(float64(s.N)))
		for i, w := range weights([]*sshlog.Seen{s}) {
			all[i] += says * w
		}
	}
	return whole(all)
}

// whole scales weights so that they are 1 together.
func whole(all []float64) []float64 {
	sum := 0.0
	for _, w := range all {
		sum += w
	}
	for i := range all {
		all[i] /= sum
	}
	return all
}

// endingAfterWhy is how much an ending still counts beside a symptom that says
// why: the ending follows from it, in the way that the very program has, and
// is no second witness.
const endingAfterWhy = 0.3

// saysWhy says whether a symptom is there that tells more than how it ended.
func saysWhy(symptoms []*sshlog.Seen) bool {
	return slices.ContainsFunc(symptoms, func(s *sshlog.Seen) bool {
		return !s.Symptom.IsEnding() && sharpness(s.Symptom) > 0.5
	})
}
