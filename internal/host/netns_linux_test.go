package host

import (
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"sshtay/internal/testenv"
)

// TestNetwork: what is made inside a network is made there alone, and a
// program can be run there; the thread we come from stays where it was.
func TestNetwork(t *testing.T) {
	testenv.NeedRoot(t)
	n, err := NewNetwork()
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	var inside []net.Interface
	if err := n.Do(func() (err error) { inside, err = net.Interfaces(); return err }); err != nil {
		t.Fatal(err)
	}
	if len(inside) != 1 || inside[0].Name != "lo" {
		t.Errorf("a new network has the devices %v, want lo alone", inside)
	}
	r, err := Local{}.Run(t.Context(), Command{Argv: []string{"cat", "/proc/self/net/dev"}, Inside: n})
	if err != nil || strings.Count(string(r.Stdout), ":") != 1 {
		t.Errorf("a program inside sees %q, %v", r.Stdout, err)
	}
	if err := n.Do(func() error { return SetKernel("net/ipv4/ip_forward", "1") }); err != nil {
		t.Error(err)
	}
	if err := n.Do(func() error { return errors.New("as told") }); err == nil || err.Error() != "as told" {
		t.Errorf("the function's error became %v", err)
	}
}

// TestMachine: a machine has processes and a name of its own, runs programs as
// the user they are given, and ends with all that runs on it.
func TestMachine(t *testing.T) {
	testenv.NeedRoot(t)
	m, err := StartMachine("/bin/sh", []string{"-c", "read what; mount -t proc proc /proc; echo ready; cat"}, []byte("anything"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Local{}.Run(t.Context(), Command{Argv: []string{"sh", "-c", `sleep 1000 & echo $PPID $(id -u):$(id -g) "$A" "$HOME" $(ls -d /proc/[0-9]* | wc -l)`}, Inside: m.Namespaces, As: &Owner{1234, 1235}, Env: []string{"A=b"}})
	if err != nil {
		t.Fatal(err)
	}
	f := strings.Fields(string(r.Stdout))
	if len(f) != 4 || f[0] != "0" || f[1] != "1234:1235" || f[2] != "b" || len(f[3]) != 1 {
		t.Errorf("a program inside says %q, %q", r.Stdout, r.Stderr)
	}
	var left []os.DirEntry
	if err := m.Do(func() (err error) { left, err = os.ReadDir("/proc"); return err }); err != nil || len(left) < 10 {
		t.Errorf("the machine's /proc has %d entries, %v", len(left), err)
	}
	m.Close()
	if err := unix.Kill(m.Pid, 0); !errors.Is(err, unix.ESRCH) {
		t.Errorf("the first process lives on: %v", err)
	}
}

// TestMachineFails: what the first process says instead of "ready" is the
// error, and nobody waits for ever.
func TestMachineFails(t *testing.T) {
	testenv.NeedRoot(t)
	done := make(chan error, 1)
	go func() {
		_, err := StartMachine("/bin/sh", []string{"-c", "read what; echo no such luck"}, nil)
		done <- err
	}()
	select {
	case err := <-done:
		if err == nil || !strings.Contains(err.Error(), "no such luck") {
			t.Errorf("got %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("still waiting for a machine that failed")
	}
}
