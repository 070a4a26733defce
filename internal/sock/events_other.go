//go:build !linux

package sock

import (
	"errors"
	"time"
)

// Events are the records of one tracepoint of the kernel.
type Events struct{}

// WatchEvents begins to watch the tracepoint of that number.
func WatchEvents(int) (*Events, error) { return nil, errors.ErrUnsupported }

// Wait waits until there is a record, or the time is over.
func (*Events) Wait(time.Duration) {}

// Take hands over what there is.
func (*Events) Take(func(raw []byte)) {}

// Close ends the watching.
func (*Events) Close() {}
