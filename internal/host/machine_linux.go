package host

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Machine is a set of namespaces of its own and the process that is the
// first in them. When that process ends, the kernel ends all others and takes
// down mounts and devices; and it ends when our end of its standard input is
// closed, in whatever way we go. So nothing is left behind.
type Machine struct {
	*Namespaces
	Pid   int // of the first process, as we see it
	cmd   *exec.Cmd
	input io.WriteCloser
}

// StartMachine runs our own program with args as the first process of a new
// machine and gives it one line on standard input: what to become. The machine
// is ready when that process has answered with the line "ready"; any other
// first line is its error. It needs root.
func StartMachine(program string, args []string, line []byte) (*Machine, error) {
	cmd := exec.Command(program, args...)
	cmd.Args[0] = "sshtay"
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
		Setpgid:    true, // a Ctrl-C on our terminal is for us; what we do then reaches it
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start a machine of its own (are you root?): %w", err)
	}
	m := &Machine{Pid: cmd.Process.Pid, cmd: cmd, input: in, Namespaces: &Namespaces{}}
	if err := m.become(line, out); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

func (m *Machine) become(line []byte, out io.Reader) error {
	if _, err := m.input.Write(append(line, '\n')); err != nil {
		return err
	}
	answer, err := bufio.NewReader(io.LimitReader(out, 4096)).ReadString('\n')
	if answer = strings.TrimSpace(answer); answer != "ready" {
		return errors.Join(fmt.Errorf("the new machine did not come up: %s", answer), err)
	}
	m.Namespaces, err = namespacesOf(m.Pid)
	return err
}

// Close ends the machine and everything in it, and returns when all of its
// processes are gone.
func (m *Machine) Close() {
	m.Namespaces.Close()
	m.input.Close()
	m.cmd.Process.Kill()
	m.cmd.Wait()
}
