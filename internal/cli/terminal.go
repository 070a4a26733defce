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
