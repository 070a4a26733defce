package probe

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"sshtay/internal/sock"
)

// A flowWatch remembers the last counters of each TCP connection to the
// server's port that ends while a check runs: those of ssh, too, whose socket
// we never hold. A nil one remembers nothing.
type flowWatch struct {
	port uint16
	err  error

	mu    sync.Mutex
	ended map[uint64]sock.Flow // by cookie
}

// mostEnded that ended are remembered: a check makes a handful.
const mostEnded = 200

// watchFlows begins to remember, until ctx is done.
func watchFlows(ctx context.Context, port int) *flowWatch {
	w := &flowWatch{port: uint16(port), ended: map[uint64]sock.Flow{}}
	ends, err := sock.ListenEnds()
	if w.err = err; err != nil {
		return w
	}
	context.AfterFunc(ctx, func() { ends.Close() })
	go func() {
		for {
			f, err := ends.Next(ctx)
			if err != nil {
				return
			}
			w.remember(f)
		}
	}()
	return w
}

func (w *flowWatch) remember(f sock.Flow) {
	if f.Remote.Port() != w.port {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.ended) < mostEnded {
		w.ended[f.Cookie] = f
	}
}

// A seenFlow is a connection, and whether it has ended.
type seenFlow struct {
	sock.Flow
	Ended bool
}

// all returns the connections to the port that ended since the watch began,
// and those that there are now.
func (w *flowWatch) all(ctx context.Context) ([]seenFlow, error) {
	if w == nil {
		return nil, nil
	}
	// A slow path uses up the time of the whole check; asking the kernel why
	// takes none.
	now, err := sock.FlowsTo(context.WithoutCancel(ctx), w.port)
	if err != nil {
		return nil, err
	}
	time.Sleep(tellTime)
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []seenFlow
	for _, cookie := range slices.Sorted(maps.Keys(w.ended)) {
		all = append(all, seenFlow{w.ended[cookie], true})
	}
	for _, f := range now {
		if _, ended := w.ended[f.Cookie]; !ended {
			all = append(all, seenFlow{Flow: f})
		}
	}
	return all, w.err
}

// tellTime is how long the kernel may take to tell of an end that it has just
// taken off its list; it does so from a work queue, in far less than a
// millisecond.
const tellTime = 5 * time.Millisecond
