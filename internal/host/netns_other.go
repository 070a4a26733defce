//go:build !linux

package host

import "errors"

// Namespaces are views of a machine that a program may have for its own. Only
// Linux has them.
type Namespaces struct{}

// Do returns an error: this system has no namespaces.
func (*Namespaces) Do(func() error) error {
	return errors.New("this system has no namespaces: they need Linux")
}
