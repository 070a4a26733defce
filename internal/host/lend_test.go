//go:build unix

package host

import (
	"net"
	"syscall"
	"testing"
	"time"
)

// TestLentAsItWas: a connection that was silent when it was lent stays so.
func TestLentAsItWas(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := (&net.Dialer{KeepAlive: -1}).Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	dir, err := Local{}.TempDir()
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Remove()
	path, stop, err := dir.Lend(c.(*net.TCPConn))
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	borrowed, err := Borrow(path, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer borrowed.Close()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		if on, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_KEEPALIVE); err != nil || on != 0 {
			t.Errorf("keepalives are %d, %v", on, err)
		}
	})
}
