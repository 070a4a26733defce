//go:build !unix

package host

import (
	"os/exec"
	"time"
)

// reachAll does nothing: the end of the context ends the program alone.
func reachAll(*exec.Cmd, bool) (killRest func(time.Duration)) { return func(time.Duration) {} }

// asUser does nothing: programs run as us where users are not numbers.
func asUser(*exec.Cmd, Owner) {}
