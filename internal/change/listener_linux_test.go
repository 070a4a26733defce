package change

import (
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"sshtay/internal/host"
	"sshtay/internal/testenv"
)

// TestListenerOfABusyServer: one that has just begun to serve a connection looks
// like the one that accepts them, and is not taken for it.
func TestListenerOfABusyServer(t *testing.T) {
	s := testenv.NewSSHD(t, "MaxStartups 1000\n")
	s.Start(t)
	stop := make(chan struct{})
	var knocking sync.WaitGroup
	defer knocking.Wait()
	defer close(stop)
	for range 4 {
		knocking.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port))); err == nil {
					c.Close()
				}
			}
		})
	}
	pid, err := os.ReadFile(s.File("pid"))
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		r, err := host.Local{}.Run(t.Context(), host.Command{Argv: []string{"sh", "-c", listeners + "listeners"}})
		if err != nil {
			t.Fatal(err)
		}
		for l := range strings.Lines(string(r.Stdout)) {
			if strings.Contains(l, s.Config) && !strings.HasPrefix(l, strings.TrimSpace(string(pid))+" ") {
				t.Fatalf("process %s listens, and another was found: %s", pid, l)
			}
		}
		if !strings.Contains(string(r.Stdout), s.Config) {
			t.Fatalf("none was found: %s", r.Stdout)
		}
	}
}
