package cli

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

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
	mu    sync.Mutex
	out   io.Writer
	on    bool
	after time.Duration // what takes less is not shown: ssh may want the terminal
	text  string        // what is being done
	shown bool
	timer *time.Timer // until it is shown
	held  bool        // ssh has the terminal
}

// say replaces the line; an empty text removes it.
func (p *progress) say(text string) {
	if !p.on {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text = text
	switch {
	case p.held && text != "":
	case p.after > 0 && !p.shown && text != "":
		if p.timer == nil {
			p.timer = time.AfterFunc(p.after, p.showNow)
		}
	default:
		p.show()
	}
}

// giveWay leaves the terminal to ssh, which writes to it by itself and is not
// to be overwritten, and takes it back.
func (p *progress) giveWay(held bool) {
	if !p.on {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held = held; held && p.shown {
		fmt.Fprintln(p.out)
		p.shown = false
	}
}

func (p *progress) showNow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer = nil; !p.held && p.text != "" {
		p.show()
	}
}

// show writes the line as it shall be now.
func (p *progress) show() {
	if p.shown || p.text != "" {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
	if p.shown = p.text != ""; p.shown {
		fmt.Fprintf(p.out, "%s ...", p.text)
	}
}
