package lab

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"sshtay/internal/testenv"
)

// wires returns two networks with a link between them, in user space.
func wires(t testing.TB, link *Link) (client, server node, p *pump) {
	t.Helper()
	var ends [2]node
	for i := range ends {
		n, err := newRouter()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(n.close)
		ends[i] = n
	}
	a, err := openTUN(ends[0].Namespaces, "wan")
	if err != nil {
		t.Fatal(err)
	}
	b, err := openTUN(ends[1].Namespaces, "wan")
	if err != nil {
		t.Fatal(err)
	}
	p = newPump(link, a, b)
	t.Cleanup(p.close)
	for i, is := range []string{"10.0.0.1/24", "10.0.0.2/24"} {
		if err := ends[i].up("wan"); err != nil {
			t.Fatal(err)
		}
		if err := ends[i].address("wan", netip.MustParsePrefix(is)); err != nil {
			t.Fatal(err)
		}
	}
	return ends[0], ends[1], p
}

// transfer sends n bytes over one TCP connection and returns how long it took.
func transfer(t testing.TB, client, server node, n int64) time.Duration {
	t.Helper()
	var l net.Listener
	err := server.Do(func() (err error) { l, err = net.Listen("tcp", "10.0.0.2:9"); return err })
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan int64, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			got <- -1
			return
		}
		defer c.Close()
		k, _ := io.Copy(io.Discard, c)
		got <- k
	}()
	var c net.Conn
	err = client.Do(func() (err error) { c, err = net.DialTimeout("tcp", "10.0.0.2:9", 5*time.Second); return err })
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	chunk := make([]byte, 1<<16)
	for sent := int64(0); sent < n; sent += int64(len(chunk)) {
		if _, err := c.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	c.Close()
	if k := <-got; k < n {
		t.Fatalf("%d of %d bytes arrived", k, n)
	}
	return time.Since(start)
}

// TestPumpDelays: a byte there and back takes the time that the link says, and
// a damaged one arrives with a checksum that the kernel takes for right.
func TestPumpDelays(t *testing.T) {
	testenv.NeedRoot(t)
	lane := Lane{Delay: 30 * time.Millisecond}
	client, server, p := wires(t, NewLink(lane, lane, Box{}, 1))
	took := transfer(t, client, server, 1<<16)
	if took < 60*time.Millisecond {
		t.Errorf("64 KiB there and the last ACK back took %s at a round trip of 60 ms", took)
	}
	if p.connections() != 1 {
		t.Errorf("the link counted %d connections", p.connections())
	}
	lane.Corrupt = 1
	client, server, _ = wires(t, NewLink(lane, Lane{}, Box{}, 1))
	transfer(t, client, server, 1<<16)
}

// BenchmarkPump measures how much TCP one core carries over a link of 20 ms:
// Mbit/s is what arrives in a second, Mbit/s/core what one second of processor
// time carries, the kernel's work at both ends included.
func BenchmarkPump(b *testing.B) {
	testenv.NeedRoot(b)
	lane := Lane{Delay: 10 * time.Millisecond}
	client, server, _ := wires(b, NewLink(lane, lane, Box{Idle: time.Minute}, 1))
	const size = 100 << 20
	before := cpu()
	var took time.Duration
	for b.Loop() {
		took += transfer(b, client, server, size)
	}
	bits := 8 * size / 1e6 * float64(b.N)
	b.ReportMetric(bits/took.Seconds(), "Mbit/s")
	b.ReportMetric(bits/(cpu()-before).Seconds(), "Mbit/s/core")
	b.ReportMetric(0, "ns/op")
}

// cpu is the processor time that this process has used.
func cpu() time.Duration {
	var u unix.Rusage
	unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
