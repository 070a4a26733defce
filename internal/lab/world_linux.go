package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"
)

// A Live world is one that has been built. It is private: any number can be
// there at a time, with the same names and addresses.
//
//	client ── home router ══ wide-area link ══ provider's router ── server
//	            (NAT)        (in user space)                    ├── jump host
//	                                                            ├── balancer
//	                                                            └── second server
type Live struct {
	world    World
	lab      *Lab
	machines map[string]*machine // by side
	home     node
	provider node
	balancer node
	pump     *pump
	sockets  sockets

	ctx  context.Context // of everything that runs in it
	stop context.CancelFunc
	runs sync.WaitGroup
}

// A Lab is what all worlds of a run share.
type Lab struct {
	Program string // our own binary, which answers to [InitArgs] and can check
	Seed    uint64 // of chance on the wide-area links
	Trust   bool   // take it that plain ssh meets the fault, and only check
}

// hostNames are how the sides are called by those who connect to them.
var hostNames = map[string]string{"server": "web1", "second": "web2", "jump": "jump1", "balancer": "lb1", "client": "laptop"}

// Up builds a world and starts its servers. When it returns, the world is
// ready for a login, or for whatever its fault makes of one.
func (l *Lab) Up(ctx context.Context, w World) (live *Live, err error) {
	live = &Live{world: w, lab: l, machines: map[string]*machine{}}
	live.ctx, live.stop = context.WithCancel(ctx)
	defer func() {
		if err != nil {
			live.Down()
		}
	}()
	k, err := theKeys()
	if err != nil {
		return live, err
	}
	for _, step := range []func(*keys) error{live.startMachines, live.layNetwork, live.setUpFilters, live.furnish, live.startServers, live.startPeople} {
		if err := step(k); err != nil {
			return live, err
		}
		if ctx.Err() != nil {
			return live, context.Cause(ctx)
		}
	}
	return live, nil
}

// Down takes the world down: all processes end, the rest goes with them.
func (l *Live) Down() {
	l.stop()
	l.sockets.closeAll()
	if l.pump != nil {
		l.pump.close()
	}
	var gone sync.WaitGroup
	for _, m := range l.machines {
		gone.Go(m.close)
	}
	gone.Wait()
	for _, n := range []node{l.home, l.provider, l.balancer} {
		if n.net != nil {
			n.close()
		}
	}
	l.runs.Wait()
}

// sides are the machines of the world, in the order of their building.
func (l *Live) sides() []string {
	sides := []string{"client", "server"}
	if l.world.Jump {
		sides = append(sides, "jump")
	}
	if l.world.Second {
		sides = append(sides, "second")
	}
	return sides
}

func (l *Live) startMachines(*keys) error {
	var mu sync.Mutex
	var all sync.WaitGroup
	var failed error
	for _, side := range l.sides() {
		all.Go(func() {
			m, err := l.startMachine(side)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				l.machines[side] = m
			}
			failed = errors.Join(failed, err)
		})
	}
	all.Wait()
	return failed
}

func (l *Live) startMachine(side string) (*machine, error) {
	tree, owner, ptys := "/", alice, 0
	if side != "client" {
		owner, ptys = deploy, l.world.PTYs
		if l.world.User == "root" {
			owner = root
		}
		if l.world.Server.Kind == "openssh-10" {
			var err error
			if tree, err = Debian13(l.ctx); err != nil {
				return nil, err
			}
		}
	}
	return newMachine(l.lab.Program, hostNames[side], tree, ptys, owner)
}

// hosts is the part of /etc/hosts that all machines share.
func (l *Live) hosts() (text string) {
	for _, side := range []string{"balancer", "server", "second", "jump"} {
		name := hostNames[side]
		if side == "server" && l.world.Balancer != "" {
			name = "web1-behind"
		}
		if side == "balancer" {
			if l.world.Balancer == "" {
				continue
			}
			name += " web1"
		}
		for _, p := range addresses[side].in(l.world.Spec) {
			text += p.Addr().String() + " " + name + "\n"
		}
	}
	return text
}

// furnish puts all files on all machines.
func (l *Live) furnish(k *keys) error {
	for _, side := range l.sides() {
		m := l.machines[side]
		if err := m.settle(l.hosts(), k); err != nil {
			return err
		}
		if err := m.startSyslog(&l.sockets); err != nil {
			return err
		}
		files := l.clientFiles()
		if side != "client" {
			files = l.serverFiles(side, k)
		}
		for _, f := range l.world.Files {
			if f.Side == side && (f.Name[0] == '/' || f.Name[0] == '~') {
				files = append(files, f)
			}
		}
		if err := m.put(files...); err != nil {
			return err
		}
	}
	return nil
}

// clientFiles make the client one that is set up well, after what the
// scenario wants first.
func (l *Live) clientFiles() []File {
	config := string(l.world.file("client", "ssh_config")) + fmt.Sprintf(`
Host web1 web2 jump1 lb1
    User %s

Host web1 web2 lb1
    Port %d

Host *
    ServerAliveInterval 60
    ServerAliveCountMax 3
`, l.world.User, l.world.Port)
	return []File{{Name: "~/.ssh/config", Data: []byte(config), Mode: 0o600}}
}

// startPeople lets the user, the administrator and strangers do what they did
// before we came.
func (l *Live) startPeople(*keys) error {
	if err := l.script("client", "early", alice); err != nil {
		return err
	}
	for _, side := range l.sides()[1:] {
		if err := l.script(side, "after", root); err != nil {
			return err
		}
	}
	server := netip.AddrPortFrom(addresses["server"].in(l.world.Spec)[0].Addr(), uint16(l.world.Port))
	for range l.world.Strangers {
		if err := l.stranger(server); err != nil {
			return err
		}
	}
	if err := l.fillTables(); err != nil {
		return err
	}
	return l.script("client", "before", alice)
}

// fillTables fills the table of connections that shall hold many.
func (l *Live) fillTables() error {
	switch l.world.Conntrack {
	case "":
		return nil
	case "home":
		return l.home.fillConntrack(l.world.Tracked)
	}
	return l.machines[l.world.Conntrack].node.fillConntrack(l.world.Tracked)
}

// wait polls until ready says so, or the world ends.
func (l *Live) wait(what string, ready func() (bool, error)) error {
	deadline := time.Now().Add(20 * time.Second)
	for {
		ok, err := ready()
		if ok || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is not ready after 20 s", what)
		}
		select {
		case <-l.ctx.Done():
			return context.Cause(l.ctx)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// CanBuild says in a clear line what is missing on this machine, if anything.
func CanBuild() error {
	if os.Geteuid() != 0 {
		return errors.New("the lab builds networks of its own and needs root: run it with sudo")
	}
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		return errors.New("the lab needs /dev/net/tun: load it with `modprobe tun`")
	}
	return nil
}
