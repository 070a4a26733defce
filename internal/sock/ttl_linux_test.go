package sock

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

// TestReceivedTTL: the hop limit that the other side sends with is seen here,
// in both families.
func TestReceivedTTL(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		accepted := make(chan *net.TCPConn, 1)
		go func() {
			c, err := l.Accept()
			if err != nil {
				close(accepted)
				return
			}
			accepted <- c.(*net.TCPConn)
		}()
		c, err := Dial(t.Context(), netip.MustParseAddrPort(l.Addr().String()), Options{Timeout: 5 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		server := <-accepted
		if server == nil {
			t.Fatal("nothing was accepted")
		}
		defer server.Close()
		if err := SetTTL(server, 57); err != nil {
			t.Fatal(err)
		}
		if ttl, err := ReceivedTTL(c); ttl != 0 || err != nil {
			t.Errorf("%s: %d, %v before anything was asked for", address, ttl, err)
		}
		if err := WatchTTL(c); err != nil {
			t.Fatal(err)
		}
		// The answer comes after the acknowledgement of what it answers.
		if _, err := c.Write([]byte("a")); err != nil {
			t.Fatal(err)
		}
		one := make([]byte, 1)
		if _, err := io.ReadFull(server, one); err != nil {
			t.Fatal(err)
		}
		if _, err := server.Write(one); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, one); err != nil {
			t.Fatal(err)
		}
		if ttl, err := ReceivedTTL(c); ttl != 57 || err != nil {
			t.Errorf("%s: %d, %v; want 57", address, ttl, err)
		}
	}
}

// FuzzTTLIn: what the kernel says is read within its bounds.
func FuzzTTLIn(f *testing.F) {
	f.Add([]byte{21, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 54, 0, 0, 0, 5, 0, 26, 0, 57})
	f.Add([]byte{16, 0, 0, 0})
	f.Fuzz(func(t *testing.T, oob []byte) {
		if ttl := ttlIn(oob); ttl < 0 || ttl > 255 {
			t.Errorf("hop limit %d", ttl)
		}
	})
}
