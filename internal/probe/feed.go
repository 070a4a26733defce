package probe

import (
	"io"
	"strings"
	"sync"
)

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
