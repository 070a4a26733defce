package lab

import (
	"container/heap"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"sshtay/internal/host"
)

// A pump carries packets between the two ends of a link at the times that the
// link decides.
type pump struct {
	start time.Time
	mu    sync.Mutex // guards what follows down to count
	link  *Link
	due   [2]queue
	count uint64 // packets scheduled so far
	wake  [2]chan struct{}
	ends  [2]*os.File // where packets of each way come out; they come in at the other one
	done  sync.WaitGroup
}

// openTUN makes a TUN device in a network namespace. Packets read from it are
// as they would be on a wire: the kernel has cut them to size and has
// completed their checksums, for the device has no offloading to offer.
func openTUN(ns *host.Namespaces, name string) (*os.File, error) {
	var file *os.File
	err := ns.Do(func() error {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("cannot open /dev/net/tun: %w", err)
		}
		ifr, err := unix.NewIfreq(name)
		if err != nil {
			return err
		}
		ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err != nil {
			unix.Close(fd)
			return fmt.Errorf("cannot make the TUN device %s: %w", name, err)
		}
		file = os.NewFile(uintptr(fd), name)
		return nil
	})
	return file, err
}

// newPump starts to carry packets between a device at the client's end and one
// at the server's.
func newPump(link *Link, client, server *os.File) *pump {
	p := &pump{start: time.Now(), link: link, ends: [2]*os.File{ToServer: server, ToClient: client}}
	for way := range p.wake {
		p.wake[way] = make(chan struct{}, 1)
	}
	for _, way := range []Way{ToServer, ToClient} {
		p.done.Go(func() { p.read(way) })
		p.done.Go(func() { p.write(way) })
	}
	p.done.Go(p.tick)
	return p
}

// close stops the pump and closes both devices.
func (p *pump) close() {
	for _, f := range p.ends {
		f.Close()
	}
	p.mu.Lock()
	p.link = nil
	p.mu.Unlock()
	for _, w := range p.wake {
		wake(w)
	}
	p.done.Wait()
}

// connections returns how many TCP connections were tried towards the server.
func (p *pump) connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.link == nil {
		return 0
	}
	return p.link.Connections()
}

func (p *pump) read(way Way) {
	from := p.ends[way.other()]
	for {
		buf := make([]byte, 2048) // the devices' MTU is 1500 at most
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		p.mu.Lock()
		if p.link == nil {
			p.mu.Unlock()
			return
		}
		p.schedule(p.link.Pass(time.Since(p.start), way, buf[:n]))
		p.mu.Unlock()
	}
}

// schedule queues packets and wakes the writers. The caller holds mu.
func (p *pump) schedule(fs []Fate) {
	for _, f := range fs {
		p.count++
		heap.Push(&p.due[f.Way], queued{f, p.count})
		if p.due[f.Way][0].number == p.count {
			wake(p.wake[f.Way])
		}
	}
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// write sends what is due in one way, then sleeps until the next is.
func (p *pump) write(way Way) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var now []Fate
	for {
		p.mu.Lock()
		if p.link == nil {
			p.mu.Unlock()
			return
		}
		at := time.Since(p.start)
		now = now[:0]
		for len(p.due[way]) > 0 && p.due[way][0].At <= at {
			now = append(now, heap.Pop(&p.due[way]).(queued).Fate)
		}
		sleep := time.Hour
		if len(p.due[way]) > 0 {
			sleep = p.due[way][0].At - at
		}
		p.mu.Unlock()
		for _, f := range now {
			p.ends[way].Write(f.Raw) // a device that is full or closed loses it, as a wire does
		}
		if len(now) > 0 {
			continue
		}
		timer.Reset(sleep)
		select {
		case <-p.wake[way]:
		case <-timer.C:
		}
	}
}

// tick lets the link act by itself.
func (p *pump) tick() {
	for {
		p.mu.Lock()
		if p.link == nil {
			p.mu.Unlock()
			return
		}
		now := time.Since(p.start)
		fs, next := p.link.Tick(now)
		p.schedule(fs)
		p.mu.Unlock()
		if next == 0 {
			return
		}
		time.Sleep(next - now)
	}
}

// A queued packet knows its place among those that are due at the same time.
type queued struct {
	Fate
	number uint64
}

// queue is a heap of packets, the one that is due first at its head.
type queue []queued

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, k int) bool {
	return q[i].At < q[k].At || q[i].At == q[k].At && q[i].number < q[k].number
}
func (q queue) Swap(i, k int) { q[i], q[k] = q[k], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(queued)) }
func (q *queue) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = queued{}
	*q = old[:len(old)-1]
	return last
}
