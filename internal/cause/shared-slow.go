package cause

import (
	"slices"
	"time"

	"sshtay/internal/fact"
)

// slowAtWork are those of slowStages in which the server itself has to work.
// An authentication may wait for a directory or a name server elsewhere.
func slowAtWork(slow []Evidence) []Evidence {
	return slices.DeleteFunc(slices.Clone(slow), func(e Evidence) bool { return e.Fact == fact.LoginAuthTime.Name() })
}

// slowStages are the stages of a connection that took much longer than their
// round trips. What is allowed beyond these is generous: a small machine
// computes a key exchange for a second, and an authentication may ask a
// directory.
func slowStages(v *fact.View) []Evidence {
	rtt, _ := fact.RTT.In(v)
	var slow []Evidence
	for _, s := range []struct {
		key    fact.Key[time.Duration]
		name   string
		trips  int
		beyond time.Duration
	}{
		{fact.BannerTime, "the greeting", 1, time.Second},
		{fact.KexInitTime, "the list of algorithms", 1, time.Second},
		{fact.KexTime, "the key exchange", 2, 1500 * time.Millisecond},
		{fact.LoginAuthTime, "the authentication", 6, 5 * time.Second},
		{fact.SessionShellTime, "the shell's start", 2, 3 * time.Second},
	} {
		took, seen := s.key.In(v)
		if seen && took > time.Duration(s.trips)*rtt+s.beyond {
			slow = append(slow, says(s.key, "%s took %s", s.name, span(took)))
		}
	}
	return slow
}
