//go:build !linux

package sock

import (
	"context"
	"errors"
)

// Capture watches the packets of TCP connections with the given port.
func Capture(context.Context, int, func(Frame), func()) error { return errors.ErrUnsupported }
