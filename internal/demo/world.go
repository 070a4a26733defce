package demo

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
)

// maxGuests bounds the connections that are open at the same time; the port
// is open to every user of this machine.
const maxGuests = 32

// A World is a fault that is up, waiting for connections.
type World struct {
	Host string // an address of this machine
	Port int

	listener *net.TCPListener
	server   *server
	stop     context.CancelFunc
	running  sync.WaitGroup
}

// Start opens the fault on a free port of the loopback address. The world
// lives until ctx is done or it is closed.
func (f Fault) Start(ctx context.Context) (*World, error) {
	s, err := newServer(f.scene)
	if err != nil {
		return nil, err
	}
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, fmt.Errorf("the demo found no free port on 127.0.0.1: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	at := l.Addr().(*net.TCPAddr)
	s.port = at.Port
	w := &World{Host: at.IP.String(), Port: at.Port, listener: l, server: s, stop: stop}
	w.running.Add(1)
	go w.accept(ctx, f.meet(s))
	return w, nil
}

// Addr returns host and port as one, for a dialer.
func (w *World) Addr() string { return net.JoinHostPort(w.Host, strconv.Itoa(w.Port)) }

// Close ends every connection and returns when nothing of the world is left
// running. It may be called more than once.
func (w *World) Close() {
	w.stop()
	w.running.Wait()
}

func (w *World) accept(ctx context.Context, meet meeting) {
	defer w.running.Done()
	defer w.stop()
	unhook := context.AfterFunc(ctx, func() { w.listener.Close() })
	defer unhook()
	defer w.listener.Close()
	seats := make(chan struct{}, maxGuests)
	for {
		c, err := w.listener.AcceptTCP()
		if err != nil {
			return
		}
		seats <- struct{}{}
		w.running.Add(1)
		go func() {
			defer w.running.Done()
			defer func() { <-seats }()
			defer c.Close()
			// Who is in the middle of reading or writing wakes up by this.
			unhook := context.AfterFunc(ctx, func() { c.Close() })
			defer unhook()
			meet(ctx, c)
		}()
	}
}
