//go:build !unix

package host

import "os/exec"

func inOwnGroup(*exec.Cmd) {}
