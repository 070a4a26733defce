package probe

import (
	"fmt"
	"strings"
)

// remoteCommand wraps a script into one line that every login shell hands on
// unchanged: sh, bash, dash, zsh, ksh, busybox, fish, csh and tcsh. Between
// the single quotes stands nothing that any of these would look at, and
// printf %b of the sh inside turns the escapes back. The script finds its own
// text in $S.
func remoteCommand(script string) string {
	return `exec sh -c 'S="$(printf %b "` + octal(script) + `")"; eval "$S"'`
}

// octal writes each byte that some shell may look at as \0ooo.
func octal(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c > '~' || strings.IndexByte("'\"\\`$!", c) >= 0 {
			fmt.Fprintf(&b, `\0%03o`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
