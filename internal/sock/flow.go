package sock

import (
	"context"
	"net/netip"
	"os"
	"slices"
	"time"
)

// A Flow is one TCP connection of this machine, or more exactly of our network
// namespace, whoever owns it.
type Flow struct {
	Local, Remote netip.AddrPort // IPv4 addresses as such, even where the socket is an IPv6 one
	Cookie        uint64         // no other socket has it as long as the kernel runs
	UID           uint32         // whose it is
	Inode         uint64         // of the descriptor, for [Owners]; 0 when no program holds it any more
	Info          Info
}

// FlowsTo returns the TCP connections to a port of other machines, or to any
// where port is 0. It needs no privileges.
func FlowsTo(ctx context.Context, port uint16) ([]Flow, error) { return flowsTo(ctx, port) }

// Ends hears of every TCP connection that ends, with its last counters. It
// needs no privileges.
type Ends struct{ ends }

// ListenEnds begins to hear. The caller closes it.
func ListenEnds() (*Ends, error) {
	e, err := listenEnds()
	return &Ends{e}, err
}

// Next waits for the next connection that ends; it fails when there is none
// by the deadline of ctx, or once it is closed. What ends faster than it is
// asked for may be missed.
func (e *Ends) Next(ctx context.Context) (Flow, error) { return e.next(ctx) }

// A Process holds a socket.
type Process struct {
	PID, Parent int
	Name        string        // of the program, as the kernel cuts it: at most 15 bytes; text from elsewhere
	Age         time.Duration // since it was started
}

// Ours says whether it is this very process, or one that we started.
func (p Process) Ours() bool { return p.PID == os.Getpid() || p.Parent == os.Getpid() }

// Owners returns the processes that hold these sockets, by inode, as far as we
// may look: those of other users only root may see. Of several the oldest
// counts.
func Owners(flows []Flow) map[uint64]Process {
	wanted := map[uint64]bool{}
	var users []uint32
	for _, f := range flows {
		if f.Inode == 0 {
			continue
		}
		wanted[f.Inode] = true
		if !slices.Contains(users, f.UID) {
			users = append(users, f.UID)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	return owners(wanted, users)
}
