//go:build !linux

package lab

import (
	"context"
	"errors"
	"io"
)

// A Lab is what all worlds of a run share. It needs Linux.
type Lab struct {
	Program string
	Seed    uint64
	Trust   bool
}

var errNoLinux = errors.New("the lab is made of network namespaces: it needs Linux")

// InitArgs are the arguments with which our own program is the first process
// of a machine in the lab.
var InitArgs = []string{"lab", "init"}

// Init returns an error: there are no machines without Linux.
func Init(io.Reader, io.Writer) error { return errNoLinux }

// CanBuild says in a clear line what is missing on this machine.
func CanBuild() error { return errNoLinux }

// Run returns a result that says that the lab needs Linux.
func (l *Lab) Run(_ context.Context, s Scenario) Result {
	return Result{Name: s.Name, Wanted: s.Want.First, Verdict: Failed, Problems: []string{errNoLinux.Error()}}
}

// Shell returns an error: there are no machines without Linux.
func (l *Lab) Shell(context.Context, Scenario) (int, error) { return 0, errNoLinux }
