//go:build unix

package host

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// reachAll has the end of the context reach what the program starts, too: ssh
// starts proxies of its own. The program leads a process group or, where it
// wants the terminal, stays in ours. After the program's end the function
// returned kills what lives on after the grace.
func reachAll(cmd *exec.Cmd, terminal bool) (killRest func(grace time.Duration)) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = !terminal
	var rest []int
	cmd.Cancel = func() error {
		pid := cmd.Process.Pid
		if !terminal {
			rest = []int{-pid}
			return syscall.Kill(-pid, syscall.SIGTERM)
		}
		rest = descendants(pid)
		signalAll(rest, syscall.SIGTERM)
		return cmd.Process.Signal(syscall.SIGTERM) // and not KILL: ssh may have turned the terminal's echo off
	}
	return func(grace time.Duration) {
		for end := time.Now().Add(grace); signalAll(rest, 0) && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond)
		}
		signalAll(rest, syscall.SIGKILL)
	}
}

// signalAll says whether there is still somebody to signal.
func signalAll(pids []int, sig syscall.Signal) bool {
	alive := false
	for _, pid := range pids {
		alive = syscall.Kill(pid, sig) == nil || alive
	}
	return alive
}

// descendants are the processes below one, where the kernel lists them.
func descendants(pid int) []int {
	const most = 1000
	all := []int{pid}
	for i := 0; i < len(all) && len(all) < most; i++ {
		dir := fmt.Sprintf("/proc/%d/task/", all[i])
		threads, _ := os.ReadDir(dir)
		for _, t := range threads {
			children, _ := os.ReadFile(dir + t.Name() + "/children")
			for _, child := range strings.Fields(string(children)) {
				if n, err := strconv.Atoi(child); err == nil {
					all = append(all, n)
				}
			}
		}
	}
	return all[1:]
}

func asUser(cmd *exec.Cmd, o Owner) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(o.UID), Gid: uint32(o.GID)}
}
