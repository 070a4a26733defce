package probe

import (
	"bytes"
	"context"
	"time"

	"sshtay/internal/host"
)

// A Stay takes over the session of a login, for work there.
type Stay struct {
	// Begun is told, in a goroutine of its own, when our script runs: the machine
	// may be asked already, and answers once that has ended.
	Begun func(*host.Remote)
	// Ended is told when our script has ended, and what it said is known.
	Ended func(Entrance)
}

// An Entrance leads into a login whose script has ended and whose session goes
// on. It is for one use.
type Entrance func(ctx context.Context) (*host.Remote, error)

// staying has the session of a script go on as a shell that does what it is told.
// Until then nothing reads what that is told.
func staying(script, nonce string) string {
	return "exec 3<&0 </dev/null\n" + script + "exec <&3 3<&-\n" + host.Reception(nonce, true)
}

// mostOfSSH bounds what is kept of what ssh says, in bytes: the last of it tells
// why a connection was lost.
const mostOfSSH = 256 << 10

// runAndStay runs ssh until our script has ended, or until ssh has.
func (t *loginRun) runAndStay(ctx context.Context, cmd host.Command, stay *Stay) (host.Result, error) {
	cmd.Limit = mostOfSSH
	d, err := host.Local{}.Dialog(cmd)
	if err != nil {
		return host.Result{}, err
	}
	m := host.Early(d)
	runs := t.onBegin
	t.onBegin = func() {
		runs()
		go stay.Begun(m)
	}
	forget := context.AfterFunc(ctx, func() { d.Conn.SetReadDeadline(time.Unix(1, 0)) })
	defer forget()
	buf := make([]byte, 32<<10)
	for {
		n, err := d.Conn.Read(buf)
		(*watchOut)(t.watch).Write(buf[:n])
		if ahead, ended := t.afterEnd(); ended && forget() {
			t.stayed = func(ctx context.Context) (*host.Remote, error) { return m, m.Enter(ctx, ahead, t.nonce) }
			return host.Result{}, nil
		}
		if err == nil {
			continue
		}
		select {
		case <-d.Ended():
		case <-ctx.Done():
		}
		m.Close()
		r, _ := d.End(0)
		return r, context.Cause(ctx)
	}
}

// afterEnd is what came behind our script's last line, once that came. From then
// on nothing more is watched.
func (w *watch) afterEnd() (ahead []byte, ended bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended {
		return nil, false
	}
	w.over = true
	return bytes.Clone(w.out[bytes.Index(w.out, w.end)+len(w.end):]), true
}
