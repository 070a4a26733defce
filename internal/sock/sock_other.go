//go:build !unix

package sock

import (
	"errors"
	"net"
)

func setMSS(int, int, bool) error    { return errors.ErrUnsupported }
func setTOS(int, int, bool) error    { return errors.ErrUnsupported }
func setTTL(int, int, bool) error    { return errors.ErrUnsupported }
func setMinTTL(int, int, bool) error { return errors.ErrUnsupported }
func setError(int, int, bool) error  { return errors.ErrUnsupported }

// InfoOf asks the kernel about a connection.
func InfoOf(*net.TCPConn) (Info, error) { return Info{}, errors.ErrUnsupported }
