package probe

import (
	"strings"
	"testing"
)

// TestServersLastWords: what the server printed before it closed during the
// authentication is told, and what it printed before a login that went well,
// or that failed for a reason of ssh's own, is not.
func TestServersLastWords(t *testing.T) {
	const kex, bye = "debug1: SSH2_MSG_NEWKEYS received", "Connection closed by 192.0.2.7 port 22"
	for _, c := range []struct{ lines, want string }{
		{kex + "|Your account has expired; ask your administrator.|" + bye, "Your account has expired; ask your administrator.; " + bye},
		{kex + "|" + bye, bye},
		{"Authorised use only|" + bye, bye},
		{kex + "|Authorised use only|ada@web1: Permission denied (publickey).", "ada@web1: Permission denied (publickey)."},
	} {
		w := newWatch(patient, "nonce", false, func(error) {})
		for line := range strings.SplitSeq(c.lines, "|") {
			w.addLine(line)
		}
		w.stop()
		if got := w.said(w.reason(255, nil), 255); got != c.want {
			t.Errorf("%s\n said %q, want %q", c.lines, got, c.want)
		}
	}
}
