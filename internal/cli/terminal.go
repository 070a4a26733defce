package cli

import (
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/term"
)

// isTerminal says whether a stream is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// keepTerminal returns a function that puts a terminal back into its present
// state: ssh turns the echo off while it asks, and may be ended then.
func keepTerminal(stream any) (restore func()) {
	if f, ok := stream.(*os.File); ok {
		if state, err := term.GetState(int(f.Fd())); err == nil {
			return func() { term.Restore(int(f.Fd()), state) }
		}
	}
	return func() {}
}

// width returns the columns of the terminal, or what suits a file.
func width(stream any) int {
	if f, ok := stream.(*os.File); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
			return min(columns, 110)
		}
	}
	return 96
}

// A progress line says on a terminal what is being done, and leaves no trace.
// Elsewhere it says nothing.
type progress struct {
	mu  sync.Mutex
	out io.Writer
	on  bool
}

// say replaces the line; an empty text removes it.
func (p *progress) say(text string) {
	if !p.on {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprint(p.out, "\r\x1b[K")
	if text != "" {
		fmt.Fprintf(p.out, "%s ...", text)
	}
}
