package probe

import (
	"fmt"
	"io"
	"strings"
	"sync"
)

// remoteCommand wraps a script into one line that every login shell hands on
// unchanged: sh, bash, dash, zsh, ksh, busybox, fish, csh and tcsh. Between
// the single quotes stands nothing that any of these would look at, and
// printf %b of the sh inside turns the escapes back. The script finds its own
// text in $S.
func remoteCommand(script string) string {
	return `exec sh -c 'S="$(printf %b "` + octal(script) + `")"; eval "$S"'`
}

// fedCommand is a short command that reads the script from its input. It first
// says that it runs.
func fedCommand(nonce string) string {
	return `exec sh -c 'printf "\n=` + nonce + ` begin\n"; S="$(cat)"; eval "$S"'`
}

// A feed is an input that is silent until it is started, and then gives a text
// and its end.
type feed struct {
	text  io.Reader
	ready chan struct{} // closed when the text may be read
	once  sync.Once
}

func newFeed(text string) *feed {
	return &feed{text: strings.NewReader(text), ready: make(chan struct{})}
}

func (f *feed) start() { f.once.Do(func() { close(f.ready) }) }

// stop lets a reader go that still waits; nobody is there to read the text.
func (f *feed) stop() { f.start() }

// Read implements io.Reader.
func (f *feed) Read(p []byte) (int, error) {
	<-f.ready
	return f.text.Read(p)
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
