package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Run implements [Host]. When ctx is done the program and what it started are
// asked to end and, after the grace, killed. Programs in /usr/sbin and /sbin
// are found even when PATH does not name these.
func (Local) Run(ctx context.Context, c Command) (Result, error) {
	if len(c.Argv) == 0 {
		return Result{}, errors.New("no program to run")
	}
	limit := c.Limit
	if limit == 0 {
		limit = DefaultLimit
	}
	out, errOut := &capped{limit: limit, tee: c.Stdout}, &capped{limit: limit, tee: c.Stderr}
	var cmd *exec.Cmd
	var killRest func(time.Duration)
	begin := func() (err error) {
		if cmd, err = c.prepare(ctx, out, errOut); err != nil {
			return err
		}
		killRest = reachAll(cmd, c.Terminal)
		if err = cmd.Start(); err != nil {
			return fmt.Errorf("%s: %w", c.Argv[0], err)
		}
		return nil
	}

	start := time.Now()
	var err error
	if c.Inside != nil {
		err = c.Inside.Do(begin)
	} else {
		err = begin()
	}
	if err != nil && (cmd == nil || cmd.Process == nil) {
		return Result{}, err
	}
	err = cmd.Wait()
	if ctx.Err() != nil {
		killRest(cmd.WaitDelay)
	}
	r := Result{
		Stdout: out.kept, Stderr: errOut.kept, Truncated: out.over || errOut.over,
		Exit: status(cmd.ProcessState), Took: time.Since(start),
	}
	var exited *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return r, fmt.Errorf("%s: %w", c.Argv[0], context.Cause(ctx))
	case errors.As(err, &exited), errors.Is(err, exec.ErrWaitDelay):
		return r, nil
	case err != nil:
		return r, fmt.Errorf("%s: %w", c.Argv[0], err)
	}
	return r, nil
}

// prepare makes the command ready to start. It is called where the command
// shall run.
func (c Command) prepare(ctx context.Context, out, errOut io.Writer) (*exec.Cmd, error) {
	path, err := Find(c.Argv[0])
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, c.Argv[1:]...)
	cmd.Args[0] = c.Argv[0]
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Dir, c.Stdin, out, errOut
	if c.Standard {
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	}
	switch {
	case c.Inside != nil:
		cmd.Env = append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, c.Env...)
	case c.Env != nil:
		cmd.Env = append(os.Environ(), c.Env...)
	}
	cmd.WaitDelay = c.Grace
	if cmd.WaitDelay == 0 {
		cmd.WaitDelay = DefaultGrace
	}
	if c.As != nil {
		asUser(cmd, *c.As)
	}
	return cmd, nil
}

// Find returns the path of a program, on PATH or in the sbin folders.
func Find(program string) (string, error) {
	path, err := exec.LookPath(program)
	if err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin/", "/sbin/", "/usr/local/sbin/"} {
		if path, err := exec.LookPath(dir + program); err == nil {
			return path, nil
		}
	}
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("%s: %w", program, ErrNotFound)
	}
	return "", err
}

func status(p *os.ProcessState) int {
	if p == nil {
		return -1
	}
	if w, ok := p.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return 128 + int(w.Signal())
	}
	return p.ExitCode()
}

// capped keeps the first limit bytes that are written to it and takes the rest
// without keeping it, so that the writer is never blocked.
type capped struct {
	limit int
	kept  []byte
	over  bool
	tee   io.Writer
}

func (c *capped) Write(p []byte) (int, error) {
	if c.tee != nil {
		if _, err := c.tee.Write(p); err != nil {
			c.tee = nil
		}
	}
	n := min(len(p), c.limit-len(c.kept))
	c.kept = append(c.kept, p[:n]...)
	c.over = c.over || n < len(p)
	return len(p), nil
}
