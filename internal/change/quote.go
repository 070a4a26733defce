package change

import "strings"

// Quote makes one word of sh of any text without a NUL.
func Quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// words makes a command line of words.
func words(all ...string) string {
	quoted := make([]string, len(all))
	for i, w := range all {
		quoted[i] = Quote(w)
	}
	return strings.Join(quoted, " ")
}
