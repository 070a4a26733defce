package sshlog

import (
	"bytes"
	"context"
	"errors"
	"hash/maphash"
	"io"
	"runtime"
	"strings"
	"sync"
	"time"
)

// chunkSize is how much is read at a time. Chunks are taken apart in parallel
// and handed over in order; a few are in memory at once.
const chunkSize = 256 << 10

// maxLineSize bounds a line: what is longer is read up to here.
const maxLineSize = chunkSize / 2

// Options say how a log is to be read.
type Options struct {
	Source string    // its name, for the batches
	Now    time.Time // gives years to times without one
	Since  time.Time // lines of before are passed over; zero takes all
	System bool      // sshd's own lines are passed over: another log has them
}

// seed makes the numbers of connections: the same for all logs of a run.
var seed = maphash.MakeSeed()

// A chunk is some whole lines on their way.
type chunk struct {
	text string
	cut  int // lines that were too long
	done chan *Batch
}

// Read reads a log, and hands over what it holds in order, a batch at a time.
// Memory is bounded whatever the log holds. The error is that of reading, or
// emit's; what came before it has been handed over.
func Read(ctx context.Context, r io.Reader, o Options, emit func(*Batch) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	workers := runtime.GOMAXPROCS(0)
	work, order := make(chan *chunk), make(chan *chunk, workers+1)
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for c := range work {
				c.done <- readChunk(c, o)
			}
		})
	}
	var failed error
	running.Go(func() {
		defer close(order)
		defer close(work)
		failed = split(r, func(text string, cut int) bool {
			c := &chunk{text, cut, make(chan *Batch, 1)}
			select {
			case order <- c:
			case <-ctx.Done():
				return false
			}
			select {
			case work <- c:
				return true
			case <-ctx.Done():
				c.done <- nil
				return false
			}
		})
	})
	var refused error
	for c := range order {
		b := <-c.done
		if b == nil || refused != nil {
			continue
		}
		if refused = emit(b); refused != nil {
			cancel()
		}
		usedEvents.Put(&b.Events)
	}
	running.Wait()
	return errors.Join(refused, context.Cause(ctx), failed)
}

// usedEvents are those of batches that were handed over.
var usedEvents sync.Pool

func readChunk(c *chunk, o Options) *Batch {
	r := lineReader{frames: framer{clock: clock{now: o.Now}}, all: theCatalogue(), seed: seed, options: o, batch: &Batch{Source: o.Source, Cut: c.cut}}
	if events, ok := usedEvents.Get().(*[]Event); ok {
		r.batch.Events = (*events)[:0]
	}
	for text := c.text; text != ""; {
		line, rest, _ := strings.Cut(text, "\n")
		r.read(strings.TrimSuffix(line, "\r"))
		text = rest
	}
	if r.frames.part != "" { // the rest of it is in another chunk, or nowhere
		l := Line{Text: r.frames.part}
		r.bare(l.Text, &l)
	}
	return r.batch
}

// split cuts what is read into chunks of whole lines.
func split(r io.Reader, take func(text string, cut int) bool) error {
	buf := make([]byte, chunkSize)
	have, cut := 0, 0
	skipping := false // the rest of a line that was too long
	for {
		n, err := io.ReadFull(r, buf[have:])
		have += n
		if skipping {
			end := bytes.IndexByte(buf[:have], '\n')
			if end < 0 {
				have = 0
				if err != nil {
					return ended(err)
				}
				continue
			}
			have = copy(buf, buf[end+1:have])
			skipping = false
			if err == nil {
				continue
			}
		}
		if err != nil {
			if have > 0 && !take(string(buf[:have]), cut) {
				return nil
			}
			return ended(err)
		}
		end := bytes.LastIndexByte(buf[:have], '\n') + 1
		kept := end
		if have-end > maxLineSize {
			skipping, cut = true, cut+1
			end, kept = have, end+maxLineSize
		}
		if kept > 0 {
			if !take(string(buf[:kept]), cut) {
				return nil
			}
			cut = 0
		}
		have = copy(buf, buf[end:have])
	}
}

// ended turns the end of a log into no error.
func ended(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil
	}
	return err
}
