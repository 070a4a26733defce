//go:build unix

package host

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// inOwnSession takes the terminal from the program and what it starts, and
// has cancelling reach all of them, first by the signal that ssh sends its
// proxies.
func inOwnSession(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGHUP) }
}

// deaf is the same program, which Ctrl-C on the terminal does not end.
func deaf(path string, argv []string) (string, []string) {
	return "/bin/sh", append([]string{"sh", "-c", `trap "" INT QUIT; exec "$@"`, "sh", path}, argv[1:]...)
}

// killSession ends what a program left running in its session.
func killSession(cmd *exec.Cmd) { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

// ErrNoDescriptor is the error for a program that ended or spoke without
// passing a connection.
var ErrNoDescriptor = errors.New("the program did not pass back a connection")

// PassedConn starts a program that makes a connection and passes its
// descriptor back through its standard output, as ssh has it done with
// ProxyUseFdpass, and waits for that until the deadline. The connection is in
// the dialog, which the caller ends; it is returned with the error too, unless
// the program could not be started.
func (Local) PassedConn(c Command, deadline time.Time) (*Dialog, error) {
	syscall.ForkLock.RLock()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		syscall.ForkLock.RUnlock()
		return nil, os.NewSyscallError("socketpair", err)
	}
	syscall.CloseOnExec(pair[0])
	syscall.CloseOnExec(pair[1])
	syscall.ForkLock.RUnlock()
	theirs, ours := os.NewFile(uintptr(pair[0]), "socketpair"), os.NewFile(uintptr(pair[1]), "socketpair")
	conn, err := net.FileConn(ours)
	ours.Close()
	if err != nil {
		theirs.Close()
		return nil, err
	}
	defer conn.Close()
	d, err := c.start(theirs, theirs)
	theirs.Close()
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(deadline)
	d.Conn, err = receive(conn.(*net.UnixConn))
	return d, err
}
