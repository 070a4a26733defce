package cause

import (
	"fmt"
	"strings"

	"sshtay/internal/fact"
)

// A deed is what a server did to its clients, as its logs count it.
type deed struct {
	kinds []string // of a history
	least int      // so often a network must be hit to count: somebody leaves a prompt open every day
	did   string
	why   string
}

// deeds are those that the logs of a machine tell by themselves, by the cause
// that their words name.
var deeds = map[string]deed{
	"startup-throttle":   {[]string{"throttle"}, 1, "sshd dropped connections for MaxStartups", whyStartups},
	"source-refused":     {[]string{"penalty", "ban", "refusal"}, 1, "the server shut out addresses", "It meets everybody behind the same address, so one broken job or health check shuts out its neighbours."},
	"login-grace":        {[]string{"grace"}, 3, "logins ran out of LoginGraceTime", whyGrace},
	"server-idle-policy": {[]string{"idle"}, 3, "sshd ended connections for being idle", "UnusedConnectionTimeout and ChannelTimeout end what is silent, however alive it is."},
	"corruption":         {[]string{"damage"}, 2, "packets came altered", "Something on the way, or in a program, changed what was sent; sshd ends such a connection at once."},
}

// recordedFor lets what the machine's own logs tell of all its clients speak
// where the judge, who looks at one client, has no finding. Only what was done
// to networks that log in here counts: strangers are shut out every day.
func recordedFor(id string, status Status, judge func(*fact.View) Verdict) func(*fact.View) Verdict {
	return func(v *fact.View) Verdict {
		verdict := judge(v)
		h, seen := fact.LogHistory.In(v)
		if !seen || verdict.Status >= Likely {
			return verdict
		}
		d := deeds[id]
		hit, all := d.hits(h)
		if len(hit) == 0 {
			return verdict
		}
		since := h.Since
		if since.IsZero() {
			since = h.From
		}
		out := Verdict{
			Status: status, Impact: WillBreak, Why: d.why,
			Reason:  fmt.Sprintf("the machine's logs name %s that log in here", count(len(hit), "network")),
			Summary: fmt.Sprintf("%s at least %s since %s, and met networks that log in here: %s.", upper(d.did), times(all), since.Format("2006-01-02"), strings.Join(hit, ", ")),
		}
		for _, t := range h.Troubles {
			if t.Cause == id && t.Line != "" {
				out.Evidence = append(out.Evidence, says(fact.LogHistory, "%s, the last time: %s", t.Says, t.Line))
			}
		}
		return out
	}
}

// hits are the networks that log in and were hit, and how often they were.
func (d deed) hits(h fact.History) (networks []string, all int) {
	for _, n := range h.Networks {
		hit := 0
		for _, k := range d.kinds {
			hit += n.Kinds[k]
		}
		if n.Logins > 0 && hit >= d.least {
			networks = append(networks, fmt.Sprintf("%s (%d)", n.Network, hit))
			all += hit
		}
	}
	return networks, all
}
