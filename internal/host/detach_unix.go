//go:build unix

package host

import (
	"os"
	"os/exec"
	"syscall"
)

// Detach starts a program that goes on without us and without the terminal.
// What it prints is lost: it has to leave its results somewhere.
func (Local) Detach(argv ...string) error {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = os.Environ()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	return cmd.Process.Release()
}
