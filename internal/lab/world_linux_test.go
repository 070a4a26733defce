package lab

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"sshtay/internal/testenv"
)

// ordinary is a world without a fault.
func ordinary(t testing.TB) World {
	t.Helper()
	testenv.NeedRoot(t)
	testenv.Need(t, "ssh", "sshd")
	if err := CanBuild(); err != nil {
		t.Fatal(err)
	}
	return World{Spec: usual()}
}

func newTestLab() *Lab { return &Lab{Program: os.Args[0], Seed: 1} }

// pids are the first processes of a world's machines.
func (l *Live) pids() (pids []int) {
	for _, m := range l.machines {
		pids = append(pids, m.Pid)
	}
	return pids
}

// networks lists the network namespaces that any process is in.
func networks(t testing.TB) map[string]bool {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/ns/net")
	if err != nil || len(links) == 0 {
		t.Fatalf("cannot look at other processes: %v", err)
	}
	all := map[string]bool{}
	for _, l := range links {
		if to, err := os.Readlink(l); err == nil {
			all[to] = true
		}
	}
	return all
}

// gone fails unless the processes end, which the kernel may take a moment for.
func gone(t testing.TB, pids []int) {
	t.Helper()
	for _, pid := range pids {
		for i := 0; !errors.Is(unix.Kill(pid, 0), unix.ESRCH); i++ {
			if i > 2000 {
				t.Errorf("process %d lives on", pid)
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// TestWorldsSideBySide: worlds with the same names and addresses do not see
// each other, and when they are down nothing is left.
func TestWorldsSideBySide(t *testing.T) {
	w := ordinary(t)
	before, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 3 {
		all.Go(func() {
			mark := fmt.Sprintf("world %d\n", i)
			w := w
			w.Files = []File{{Side: "server", Name: "/etc/mark", Mode: 0o644, Data: []byte(mark)}}
			live, err := newTestLab().Up(t.Context(), w)
			if err != nil {
				t.Error(err)
				return
			}
			r, err := live.shell("ssh web1 cat /etc/mark", 20*time.Second)
			if err != nil || string(r.Stdout) != mark {
				t.Errorf("in %s ssh says %q %q, %v", mark, r.Stdout, r.Stderr, err)
			}
			if n := live.pump.connections(); n != 1 {
				t.Errorf("the link of %s counted %d connections", mark, n)
			}
			pids := live.pids()
			live.Down()
			gone(t, pids)
		})
	}
	all.Wait()
	if _, err := os.Stat("/etc/mark"); err == nil {
		t.Error("a file of a world is on this machine")
	}
	after, err := os.ReadFile("/proc/self/mounts")
	if err != nil || string(before) != string(after) {
		t.Errorf("mounts were left behind: %q, before %q", after, before)
	}
}

// TestUpFails: a world that cannot be finished is taken down at once.
func TestUpFails(t *testing.T) {
	w := ordinary(t)
	w.Files = []File{{Side: "server", Name: "boot", Data: []byte("echo no such luck; exit 7")}}
	live, err := newTestLab().Up(t.Context(), w)
	if err == nil || !strings.Contains(err.Error(), "no such luck") {
		t.Errorf("got %v", err)
	}
	gone(t, live.pids())
}

// TestKilled: when a run is killed without a word, the kernel takes its world
// down. The run is this test program, called again with an environment that
// tells it to hold a world.
func TestKilled(t *testing.T) {
	w := ordinary(t)
	if os.Getenv("LAB_TEST_HOLD") != "" {
		live, err := newTestLab().Up(t.Context(), w)
		fmt.Println("holding", live.pids(), err)
		select {}
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), "LAB_TEST_HOLD=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if killed := cmd.Process.Kill(); err != nil || killed != nil {
		t.Fatal(err, killed)
	}
	cmd.Wait()
	list, _, _ := strings.Cut(strings.TrimPrefix(line, "holding ["), "]")
	var pids []int
	for f := range strings.FieldsSeq(list) {
		pid, err := strconv.Atoi(f)
		if err != nil {
			t.Fatalf("the held world said %q", line)
		}
		pids = append(pids, pid)
	}
	if len(pids) != 2 {
		t.Fatalf("the held world said %q", line)
	}
	gone(t, pids)
}

// TestDownClosesNetworks: no network of a world outlives it.
func TestDownClosesNetworks(t *testing.T) {
	w := ordinary(t)
	w.Strangers = 2
	w.Server.Kind = "mute"
	live, err := newTestLab().Up(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	var inside string
	if err := live.machines["server"].Do(func() (err error) {
		inside, err = os.Readlink("/proc/1/ns/net")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if !networks(t)[inside] {
		t.Fatalf("the server's network %s is nobody's", inside)
	}
	live.Down()
	if networks(t)[inside] {
		t.Errorf("the server's network %s is still somebody's", inside)
	}
}
