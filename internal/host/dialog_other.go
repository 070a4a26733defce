//go:build !unix

package host

import (
	"errors"
	"os/exec"
	"time"
)

func inOwnSession(*exec.Cmd) {}

func killSession(*exec.Cmd) {}

// ErrNoDescriptor is the error for a program that did not pass a connection.
var ErrNoDescriptor = errors.New("the program did not pass back a connection")

// PassedConn fails: this system has no descriptors to pass.
func (Local) PassedConn(Command, time.Time) (*Dialog, error) { return nil, errors.ErrUnsupported }
