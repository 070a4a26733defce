package sock

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pairOn makes a connection to a listener on the address, and returns both
// ends.
func pairOn(t testing.TB, network, address string) (near, far *net.TCPConn) {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial(network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	other, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(); other.Close() })
	return conn.(*net.TCPConn), other.(*net.TCPConn)
}

// mapped connects an IPv6 socket to an IPv4 address, as some programs do.
func mapped(t *testing.T, to netip.AddrPort) *os.File {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "mapped")
	t.Cleanup(func() { f.Close() })
	a := netip.AddrFrom16(to.Addr().As16()).As16()
	if err := unix.Connect(fd, &unix.SockaddrInet6{Port: int(to.Port()), Addr: a}); err != nil {
		t.Fatal(err)
	}
	return f
}

// TestFlowsTo finds connections of each kind by their port, with what the
// kernel says of the socket itself, and with who owns it.
func TestFlowsTo(t *testing.T) {
	for _, c := range []struct{ network, address string }{{"tcp4", "127.0.0.1:0"}, {"tcp6", "[::1]:0"}} {
		near, far := pairOn(t, c.network, c.address)
		near.Write(make([]byte, 3000))
		io.ReadFull(far, make([]byte, 3000))
		to := near.RemoteAddr().(*net.TCPAddr).AddrPort()
		flows, err := FlowsTo(t.Context(), to.Port())
		if err != nil || len(flows) != 1 {
			t.Fatalf("%s: %d flows, %v", c.network, len(flows), err)
		}
		f := flows[0]
		info, err := InfoOf(near)
		if err != nil {
			t.Fatal(err)
		}
		if f.Remote != to || f.Local != near.LocalAddr().(*net.TCPAddr).AddrPort() || f.UID != uint32(os.Getuid()) || f.Cookie == 0 {
			t.Errorf("%s: %+v", c.network, f)
		}
		if f.Info.BytesSent != 3000 || f.Info.State != info.State || f.Info.SendMSS != info.SendMSS || f.Info.MinRTT != info.MinRTT {
			t.Errorf("%s: sock_diag says %+v, the socket says %+v", c.network, f.Info, info)
		}
		who := Owners(flows)[f.Inode]
		if who.PID != os.Getpid() || who.Parent != os.Getppid() || who.Name == "" || who.Age <= 0 || who.Age > time.Hour {
			t.Errorf("%s: owned by %+v", c.network, who)
		}
	}
}

func TestFlowsOfMappedSockets(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	to := l.Addr().(*net.TCPAddr).AddrPort()
	mapped(t, to)
	flows, err := FlowsTo(t.Context(), to.Port())
	if err != nil || len(flows) != 1 || flows[0].Remote != to || flows[0].Local.Addr() != to.Addr() {
		t.Errorf("%+v, %v; want one to %v", flows, err, to)
	}
}

// TestEnds: the last counters of a connection are heard of after it ended.
func TestEnds(t *testing.T) {
	ends, err := ListenEnds()
	if err != nil {
		t.Fatal(err)
	}
	near, far := pairOn(t, "tcp6", "[::1]:0")
	near.Write(make([]byte, 5000))
	io.ReadFull(far, make([]byte, 5000))
	local := near.LocalAddr().(*net.TCPAddr).AddrPort()
	near.Close()
	far.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		f, err := ends.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if f.Local == local {
			if f.Info.BytesSent != 5000 || f.Info.BytesAcked < 5000 {
				t.Errorf("it ended with %+v", f.Info)
			}
			break
		}
	}
	ends.Close()
	if _, err := ends.Next(t.Context()); err == nil {
		t.Error("a closed one is heard from")
	}
}

// FuzzParseDiag: whatever an answer holds, reading it ends, and what is taken
// for a flow has addresses.
func FuzzParseDiag(f *testing.F) {
	message := func(kind uint16, data []byte) []byte {
		b := make([]byte, unix.SizeofNlMsghdr, unix.SizeofNlMsghdr+len(data))
		binary.NativeEndian.PutUint32(b, uint32(unix.SizeofNlMsghdr+len(data)))
		binary.NativeEndian.PutUint16(b[4:], kind)
		return append(b, data...)
	}
	info := make([]byte, diagMessage+4+240)
	info[0] = unix.AF_INET6
	binary.NativeEndian.PutUint16(info[diagMessage:], 244)
	binary.NativeEndian.PutUint16(info[diagMessage+2:], diagInfo)
	f.Add(message(diagByFamily, info))
	f.Add(message(diagByFamily, info[:100]))
	f.Add(append(message(diagByFamily, info), message(unix.NLMSG_DONE, nil)...))
	f.Add(message(unix.NLMSG_ERROR, []byte{0xfe, 0xff, 0xff, 0xff}))
	f.Fuzz(func(t *testing.T, b []byte) {
		flows, _, _ := parseDiag(b)
		for _, flow := range flows {
			if !flow.Local.IsValid() || !flow.Remote.IsValid() || flow.Local.Addr().Is4In6() {
				t.Errorf("%+v", flow)
			}
		}
	})
}

// FuzzParseStat: a program may choose its name freely.
func FuzzParseStat(f *testing.F) {
	f.Add("4711 (ssh) S 4000 4711 4000 34816 4711 4194560 700 0 0 0 1 1 0 0 20 0 1 0 123456 9000 800")
	f.Add("1 (a) R 2) S 7 1 1")
	f.Add(") (")
	f.Fuzz(func(t *testing.T, stat string) {
		if p := parseStat(stat, time.Hour); p.Age < 0 || p.Age > time.Hour {
			t.Errorf("%q is %v old", stat, p.Age)
		}
	})
}

func TestParseStat(t *testing.T) {
	p := parseStat("4711 (my (s) h) S 4000 4711 4000 34816 4711 4194560 700 0 0 0 1 1 0 0 20 0 1 0 6000 9000 800", 100*time.Second)
	if want := (Process{PID: 4711, Parent: 4000, Name: "my (s) h", Age: 40 * time.Second}); p != want {
		t.Errorf("%+v, want %+v", p, want)
	}
}

// BenchmarkFlowsTo is what one look costs on a machine with 10,000
// connections, of which one goes to the port.
func BenchmarkFlowsTo(b *testing.B) {
	var limit unix.Rlimit
	unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)
	limit.Cur = limit.Max
	unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	const pairs = 5000
	if limit.Cur < 2*pairs+100 {
		b.Fatalf("only %d descriptors may be open", limit.Cur)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	for range pairs {
		near, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		far, err := l.Accept()
		if err != nil {
			b.Fatal(err)
		}
		defer near.Close()
		defer far.Close()
	}
	near, _ := pairOn(b, "tcp4", "127.0.0.1:0")
	b.Run("one-port", func(b *testing.B) {
		port := near.RemoteAddr().(*net.TCPAddr).AddrPort().Port()
		for b.Loop() {
			if flows, err := FlowsTo(b.Context(), port); err != nil || len(flows) != 1 {
				b.Fatal(len(flows), err)
			}
		}
	})
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			if flows, err := FlowsTo(b.Context(), 0); err != nil || len(flows) < 2*pairs {
				b.Fatal(len(flows), err)
			}
		}
	})
	b.Run("owner", func(b *testing.B) {
		flows, _ := FlowsTo(b.Context(), near.RemoteAddr().(*net.TCPAddr).AddrPort().Port())
		for b.Loop() {
			if len(Owners(flows)) != 1 {
				b.Fatal("nobody owns it")
			}
		}
	})
}
