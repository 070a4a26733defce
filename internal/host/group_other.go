//go:build !unix

package host

import "os/exec"

func inOwnGroup(*exec.Cmd) {}

// asUser does nothing: programs run as us where users are not numbers.
func asUser(*exec.Cmd, Owner) {}
