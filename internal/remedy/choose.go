package remedy

import "slices"

// Choose says what is to be done about a finding: which of its remedies
// machines carry out, in order, and which are left to people. The sides are
// those whose machine can be changed.
//
// A remedy is carried out if a machine can take all its steps, and none of those
// that make it needless (see [Remedy.Unless]) was chosen before it. One that is
// needless is in neither list.
func Choose(finding []Remedy, sides ...Side) (chosen, left []Remedy) {
	needless := func(r Remedy) bool {
		return slices.ContainsFunc(chosen, func(c Remedy) bool { return slices.Contains(r.Unless, c.ID) })
	}
	for _, r := range finding {
		switch {
		case needless(r):
		case slices.Contains(sides, r.Side) && r.Mechanical():
			chosen = append(chosen, r)
		default:
			left = append(left, r)
		}
	}
	return chosen, left
}

// Mechanical says that a machine can carry the remedy out: it takes at least
// one step, and leaves none to a person.
func (r Remedy) Mechanical() bool {
	takes := false
	for _, s := range r.Steps {
		switch s.Kind {
		case Advice, Command:
			return false
		case Note, Implied:
		default:
			takes = true
		}
	}
	return takes
}
