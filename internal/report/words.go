package report

import (
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"sshtay/internal/visible"
)

// How many bytes of a text are shown. Whoever needs all of it has the JSON.
const (
	nameLimit  = 160
	lineLimit  = 400
	proseLimit = 3000
)

// All that is printed goes through these: whatever is in a report may come from
// the other side, or from a file that someone else wrote.
func cleanName(s string) string { return visible.Line(s, nameLimit) }
func cleanLine(s string) string { return visible.Line(strings.TrimSpace(s), lineLimit) }

// cleanText keeps line ends, and makes tabs spaces.
func cleanText(s string) string {
	end := ""
	if len(s) > proseLimit {
		cut := proseLimit
		for !utf8.RuneStart(s[cut]) && cut > proseLimit-utf8.UTFMax {
			cut--
		}
		s, end = s[:cut], "..."
	}
	return strings.ReplaceAll(visible.Text(s, len(s)), "\t", "    ") + end
}

// paragraphs splits prose at empty lines; other line ends are spaces.
func paragraphs(s string) []string {
	var out []string
	for p := range strings.SplitSeq(cleanText(s), "\n\n") {
		if p = strings.Join(strings.Fields(p), " "); p != "" {
			out = append(out, p)
		}
	}
	return out
}

// words for the closed lists of the contract; what is not listed is shown as
// it is.
var plain = map[string]string{
	"at-risk": "at risk",

	"other-command":  "another command ran",
	"no-answer":      "no answer",
	"needs-terminal": "wants a terminal",

	"breaks":     "breaks this connection now",
	"will-break": "breaks connections sooner or later",
	"risk":       "may break connections when something else goes wrong",

	"client":  "on the client",
	"server":  "on the server",
	"network": "in the network",

	"reloads-sshd": "reloads sshd, which open sessions survive",
	"can-lock-out": "can lock you out: keep a session open",
}

func inWords(s string) string {
	if w, ok := plain[s]; ok {
		return w
	}
	return cleanName(s)
}

// lastWorked names the stages as the last thing that worked.
var lastWorked = map[string]string{
	"resolve": "finding the host's address",
	"connect": "the TCP connection",
	"banner":  "the server's banner",
	"kex":     "the key exchange",
	"auth":    "the authentication",
	"session": "the session",
	"bulk":    "the bulk transfer",
	"idle":    "the idle time",
}

// span writes a time the way one says it, in two figures or so.
func span(seconds float64) string {
	ms := seconds * 1e3
	whole := int64(math.Round(min(math.Abs(seconds), 1e9)))
	switch {
	case ms > 0 && ms < 0.095:
		return fmt.Sprintf("%.2f ms", ms)
	case ms < 9.95:
		return fmt.Sprintf("%.1f ms", ms)
	case ms < 999.5:
		return fmt.Sprintf("%.0f ms", ms)
	case seconds < 59.95:
		return fmt.Sprintf("%.1f s", seconds)
	case whole < 3600:
		return fmt.Sprintf("%d min %d s", whole/60, whole%60)
	}
	return fmt.Sprintf("%d h %d min", whole/3600, whole%3600/60)
}

// count writes a number of things.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// firstSentence cuts prose after its first sentence.
func firstSentence(s string) (first, rest string) {
	for i := 0; i+2 < len(s); i++ {
		next, _ := utf8.DecodeRuneInString(s[i+2:])
		if strings.IndexByte(".!?", s[i]) >= 0 && s[i+1] == ' ' && !unicode.IsLower(next) {
			return s[:i+1], s[i+2:]
		}
	}
	return s, ""
}

// ended makes sure that a sentence ends.
func ended(s string) string {
	if s == "" || strings.ContainsAny(s[len(s)-1:], ".!?:") {
		return s
	}
	return s + "."
}
