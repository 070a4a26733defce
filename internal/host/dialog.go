package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"time"
)

// A Dialog is a running program that is spoken with through its standard
// input and output, as ssh speaks with a ProxyCommand.
type Dialog struct {
	Conn   net.Conn // its standard input and output; it has deadlines and CloseWrite
	cancel context.CancelFunc
	ended  chan struct{}
	cmd    *exec.Cmd
	rest   func() // ends what the program left running
	stderr *capped
	start  time.Time
	took   time.Duration
}

// Dialog starts a program to speak with. Of the command, Argv, Env, Dir,
// Limit (of standard error), Stderr, Terminal and Grace count. Unless it is
// left the terminal, the program cannot ask the user anything; with it, it is
// deaf to Ctrl-C, for who speaks with it decides when it ends. The caller calls
// End in any case.
func (Local) Dialog(c Command) (*Dialog, error) {
	in, toProgram, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	fromProgram, out, err := os.Pipe()
	if err != nil {
		in.Close()
		toProgram.Close()
		return nil, err
	}
	return c.speak(in, out, &stream{read: fromProgram, write: toProgram})
}

// speak starts the program on its ends of the streams, which it closes here,
// and keeps ours, which it closes when that fails.
func (c Command) speak(in, out *os.File, ours net.Conn) (*Dialog, error) {
	defer in.Close()
	defer out.Close()
	d, err := c.start(in, out)
	if err != nil {
		ours.Close()
		return nil, err
	}
	d.Conn = ours
	return d, nil
}

func (c Command) start(in, out *os.File) (*Dialog, error) {
	if len(c.Argv) == 0 {
		return nil, errors.New("no program to run")
	}
	path, err := Find(c.Argv[0])
	if err != nil {
		return nil, err
	}
	argv := c.Argv
	if c.Terminal {
		path, argv = deaf(path, argv)
	}
	ctx, cancel := context.WithCancel(context.Background())
	d := &Dialog{cancel: cancel, ended: make(chan struct{}), start: time.Now(), stderr: &capped{limit: c.Limit, tee: c.Stderr}}
	if d.stderr.limit == 0 {
		d.stderr.limit = DefaultLimit
	}
	d.cmd = exec.CommandContext(ctx, path, argv[1:]...)
	d.cmd.Args[0] = argv[0]
	d.cmd.Dir, d.cmd.Stdin, d.cmd.Stdout, d.cmd.Stderr = c.Dir, in, out, d.stderr
	d.cmd.Env = append(os.Environ(), c.Env...)
	d.cmd.WaitDelay = c.Grace
	if d.cmd.WaitDelay == 0 {
		d.cmd.WaitDelay = DefaultGrace
	}
	if c.Terminal {
		killRest := reachAll(d.cmd, true)
		d.rest = func() { killRest(0) }
	} else {
		inOwnSession(d.cmd)
		d.rest = func() { killSession(d.cmd) }
	}
	if err := d.cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("%s: %w", c.Argv[0], err)
	}
	go func() {
		d.cmd.Wait()
		d.took = time.Since(d.start)
		close(d.ended)
	}()
	return d, nil
}

// Ended is closed when the program has ended.
func (d *Dialog) Ended() <-chan struct{} { return d.ended }

// End closes the connection and waits for the program to end. One that has
// not ended after the patience is asked to, and then killed with everything
// that it started. Own says whether it ended by itself; standard output is not
// in the result.
func (d *Dialog) End(patience time.Duration) (r Result, own bool) {
	defer d.cancel()
	if d.Conn != nil {
		d.Conn.Close()
	}
	select {
	case <-d.ended:
		own = true
	case <-time.After(patience):
		d.cancel()
		<-d.ended
		d.rest()
	}
	return Result{Stderr: d.stderr.kept, Exit: status(d.cmd.ProcessState), Truncated: d.stderr.over, Took: d.took}, own
}

// stream makes a connection of two pipes.
type stream struct{ read, write *os.File }

func (s *stream) Read(p []byte) (int, error)  { return s.read.Read(p) }
func (s *stream) Write(p []byte) (int, error) { return s.write.Write(p) }
func (s *stream) CloseWrite() error           { return s.write.Close() }
func (s *stream) Close() error {
	s.write.Close() // it may be closed already, by CloseWrite
	return s.read.Close()
}
func (s *stream) LocalAddr() net.Addr                { return pipeAddr{} }
func (s *stream) RemoteAddr() net.Addr               { return pipeAddr{} }
func (s *stream) SetReadDeadline(t time.Time) error  { return s.read.SetReadDeadline(t) }
func (s *stream) SetWriteDeadline(t time.Time) error { return s.write.SetWriteDeadline(t) }
func (s *stream) SetDeadline(t time.Time) error {
	s.write.SetWriteDeadline(t)
	return s.read.SetReadDeadline(t)
}

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }
