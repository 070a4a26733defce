package cause

import (
	"strings"

	"sshtay/internal/pattern"
)

// ownWords are what sshd prints when it cannot serve at all. They reach the
// client where its standard error is the connection, as under inetd.
var ownWords = pattern.New(`no hostkeys available|Could not load host key|Unable to load host key|Missing privilege separation directory|` +
	`Privilege separation user \S+ does not exist|OpenSSL version mismatch|error while loading shared libraries|` +
	`terminating, \d+ bad configuration options|Bad configuration option|sshd(-session|-auth)?: (not found|No such file)`)

// sshdsOwnWords returns the line of text in which an sshd says why it cannot
// serve, and whether there is one.
func sshdsOwnWords(text string) (string, bool) {
	for line := range strings.SplitSeq(strings.NewReplacer(`\r`, "", `\n`, "\n").Replace(text), "\n") {
		if ownWords.MatchString(line) {
			return firstLine(line), true
		}
	}
	return "", false
}

// lineLimit is how much of a line from elsewhere a report quotes.
const lineLimit = 160

// firstLine is the first line of text that was made visible: line ends are
// real ones or written as escapes.
func firstLine(text string) string {
	for _, end := range []string{"\n", `\r`, `\n`} {
		text, _, _ = strings.Cut(text, end)
	}
	if runes := []rune(text); len(runes) > lineLimit {
		return string(runes[:lineLimit]) + "..."
	}
	return strings.TrimSpace(text)
}
