package probe

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/rst"
	"sshtay/internal/sock"
)

// tracefs is where the kernel describes its tracepoints, and where it did.
var tracefs = []string{"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}

const (
	// mostSent of the resets are kept: no more than that fit into a report.
	mostSent = 1000
	// lookOn is how much longer resets are awaited on a server that has
	// recorded that it hangs up on people.
	lookOn = 2 * time.Second
)

// A kernelWatch are the resets that the TCP of this machine's kernel sends,
// with its reasons, and its own count of them.
type kernelWatch struct {
	events *sock.Events
	point  rst.Tracepoint
	before int // Tcp: OutRsts
	sent   []rst.Sent
}

// watchKernel begins to watch, where the kernel and our rights allow it. The
// caller calls end.
func watchKernel(ctx context.Context, env *Env) (*kernelWatch, error) {
	var format []byte
	err := fs.ErrNotExist
	for _, root := range tracefs {
		if format, err = env.Local.ReadFile(ctx, root+"/events/tcp/tcp_send_reset/format", 64<<10); err == nil || errors.Is(err, fs.ErrPermission) {
			break
		}
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, errors.New("needs root: run sshtay with sudo")
	case err != nil:
		return nil, errors.New("this kernel tells of no resets, or its tracefs is not mounted")
	}
	w := &kernelWatch{}
	if w.point, err = rst.ParseTracepoint(string(format)); err != nil {
		return nil, err
	}
	// Counted from before the first event until after the last.
	if w.before, err = sock.Counter("Tcp", "OutRsts"); err != nil {
		return nil, err
	}
	w.events, err = sock.WatchEvents(w.point.ID)
	return w, err
}

// take takes what was sent since the last time from this port of this machine,
// and says how much that is by now.
func (w *kernelWatch) take(port int, own map[netip.Addr]bool) int {
	w.events.Take(func(raw []byte) {
		if s, ok := w.point.Read(raw); ok && int(s.From.Port()) == port && own[s.From.Addr()] && len(w.sent) < mostSent {
			w.sent = append(w.sent, s)
		}
	})
	return len(w.sent)
}

// end ends the watching of the port and puts what was seen. With patience it
// waits for a first reset.
func (w *kernelWatch) end(ctx context.Context, facts *fact.Set, port int, patience time.Duration) {
	defer w.events.Close()
	addresses, _ := net.InterfaceAddrs()
	own := ownAddresses(addresses)
	for end := time.Now().Add(patience); w.take(port, own) == 0 && ctx.Err() == nil && time.Until(end) > time.Millisecond; {
		w.events.Wait(time.Until(end))
	}
	after, err := sock.Counter("Tcp", "OutRsts")
	switch {
	case err != nil:
		fact.Miss(facts, err.Error(), fact.ServerResetsSeen)
	case len(w.sent) > after-w.before:
		// The events are those of the whole machine, the count is ours.
		fact.Miss(facts, fmt.Sprintf("%d resets from port %d were seen and only %d were counted here: a container with the same address sends some", len(w.sent), port, after-w.before), fact.ServerResetsSeen)
	default:
		fact.ServerResetsSeen.Put(facts, gather(w.sent), "tracepoint tcp:tcp_send_reset")
	}
}

// gather counts what is alike, in the order of its first coming.
func gather(sent []rst.Sent) []fact.KernelReset {
	all := []fact.KernelReset{}
	place := map[fact.KernelReset]int{}
	for _, s := range sent {
		r := fact.KernelReset{Client: s.To.Addr().String(), State: s.State, Reason: s.Reason}
		i, seen := place[r]
		if !seen {
			i = len(all)
			place[r] = i
			all = append(all, r)
		}
		all[i].N++
	}
	return all
}

// recorded says that the log tells of connections that sshd itself ended
// before their time.
func recorded(facts *fact.Set) bool {
	for _, k := range []fact.Key[int]{fact.LogStartupDrops, fact.LogPenalties, fact.LogGraceTimeouts} {
		if n, _ := k.Get(facts); n > 0 {
			return true
		}
	}
	crashes, _ := fact.LogCrashes.Get(facts)
	forks, _ := fact.LogForkFailures.Get(facts)
	return len(crashes)+len(forks) > 0
}
