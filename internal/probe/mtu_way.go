package probe

import (
	"fmt"
	"strings"

	"sshtay/internal/fact"
)

// WayThrough are the options with which the user's ssh gets through a hole for
// long packets that a check has found: its connection is made with segments as
// small as those that worked, by self, our own program. It is nil where there is
// no hole, or nothing worked.
func WayThrough(facts *fact.Set, self string) []string {
	_, to := fact.PathLostToServer.Get(facts)
	_, from := fact.PathLostFromServer.Get(facts)
	if self == "" || !to && !from {
		return nil
	}
	mss := 0
	trials, _ := fact.PathMTUTrials.Get(facts)
	for _, t := range trials {
		if t.Passed && (mss == 0 || t.MSS < mss) {
			mss = t.MSS
		}
	}
	addresses, _ := fact.HandshakeAddresses.Get(facts)
	for _, a := range addresses {
		if mss > 0 && a.Stage != "" && a.Stage != stageResolve && a.Stage != stageNone {
			return []string{"-o", fmt.Sprintf("ProxyCommand=%s dial --mss %d %s %%p", quote(self), mss, strings.ReplaceAll(a.Address, "%", "%%")), "-o", "ProxyUseFdpass=yes"}
		}
	}
	return nil
}
