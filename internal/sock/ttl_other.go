//go:build !linux

package sock

import (
	"errors"
	"net"
)

// WatchTTL needs Linux.
func WatchTTL(*net.TCPConn) error { return errors.ErrUnsupported }

// ReceivedTTL needs Linux.
func ReceivedTTL(*net.TCPConn) (int, error) { return 0, errors.ErrUnsupported }
