//go:build !unix

package host

import "errors"

// Detach starts a program that goes on without us.
func (Local) Detach(...string) error { return errors.ErrUnsupported }
