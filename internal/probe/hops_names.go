package probe

import (
	"context"
	"strings"
	"sync"
	"time"

	"sshtay/internal/visible"
)

const (
	// nameTime is how long the name of an address is waited for.
	nameTime = 2 * time.Second
	mostName = 100
)

// names finds the names of addresses beside other work.
type names struct {
	mu      sync.Mutex
	of      map[string]string // of each address asked for; "" as long as none is known
	pending sync.WaitGroup
}

// ofAll returns the names that are known of some addresses, and begins to ask
// for the others.
func (n *names) ofAll(addresses []string) (known []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range addresses {
		name, asked := n.of[a]
		if name != "" {
			known = append(known, name)
		}
		if !asked {
			n.of[a] = ""
			n.pending.Go(func() { n.find(a) })
		}
	}
	return known
}

func (n *names) find(address string) {
	ctx, cancel := context.WithTimeout(context.Background(), nameTime)
	defer cancel()
	found, err := resolver.LookupAddr(ctx, address)
	if err != nil || len(found) == 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.of[address] = visible.Line(strings.TrimSuffix(found[0], "."), mostName)
}

// wait waits for the names that were asked for; each comes in time or never.
func (n *names) wait() {
	if n != nil {
		n.pending.Wait()
	}
}
