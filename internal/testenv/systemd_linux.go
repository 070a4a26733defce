//go:build linux

package testenv

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// bootScript has a real systemd come up as process 1 of namespaces of its own,
// with the tree in $1 as its system; what it writes stays in $2.
const bootScript = `
set -eu
mkdir -p "$2/up" "$2/work" "$2/root"
mount --make-rprivate /
mount -t overlay -o "lowerdir=$1,upperdir=$2/up,workdir=$2/work" none "$2/root"
cd "$2/root"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 none run
mount -t tmpfs -o mode=755 none dev
for d in null zero full random urandom tty; do : >"dev/$d"; mount --bind "/dev/$d" "dev/$d"; done
printf "127.0.0.1 localhost\\n::1 localhost\\n" >etc/hosts
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
echo 0123456789abcdef0123456789abcdef >etc/machine-id
mkdir -p old
pivot_root . old
exec env -i container=sshtay PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . sh -c 'umount -l /old; exec /usr/lib/systemd/systemd --system --unit=multi-user.target </dev/null'
`

// A Systemd is a machine whose process 1 is a real systemd, with a network of its
// own.
type Systemd struct {
	t    *testing.T
	tree string
	dir  string // what it writes
	pid  int    // of its process 1; 0 while it is off
	wait func()
}

// BootSystemd boots a machine of the system in that folder, which stays as it is. It
// goes away with the test.
func BootSystemd(t *testing.T, tree string) *Systemd {
	t.Helper()
	NeedRoot(t)
	Need(t, "unshare", "nsenter", "pivot_root")
	dir, err := os.MkdirTemp("/var/tmp", "sshtay-systemd-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir); os.Remove(dir + ".log") })
	s := &Systemd{t: t, tree: tree, dir: dir}
	t.Cleanup(s.PowerCut)
	s.Boot()
	return s
}

// Inside is a command line that runs the program in the machine.
func (s *Systemd) Inside(argv ...string) []string {
	return append([]string{"nsenter", "-t", strconv.Itoa(s.pid), "-m", "-p", "-u", "-i", "-n", "-C", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, argv...)
}

// Boot starts it, and waits until it has come up.
func (s *Systemd) Boot() {
	s.t.Helper()
	cmd := exec.Command("unshare", "--pid", "--mount", "--cgroup", "--uts", "--ipc", "--net", "--fork", "sh", "-c", bootScript, "sh", s.tree, s.dir)
	log, err := os.Create(s.dir + ".log")
	if err != nil {
		s.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	s.wait = func() { <-ended }
	s.pid = 0
	said := ""
	for end := time.Now().Add(90 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if s.pid == 0 {
			data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", cmd.Process.Pid, cmd.Process.Pid))
			pid, _ := strconv.Atoi(strings.TrimSpace(string(data)))
			if name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); string(name) == "systemd\n" {
				s.pid = pid
			}
		}
		if s.pid != 0 {
			if said = s.state(); strings.HasPrefix(said, "running") || strings.HasPrefix(said, "degraded") {
				return
			}
		}
		if time.Now().After(end) {
			data, _ := os.ReadFile(log.Name())
			s.PowerCut()
			s.t.Fatalf("systemd does not come up: %s %s", said, data)
		}
	}
}

// state is what systemd says of the whole.
func (s *Systemd) state() string {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	argv := s.Inside("systemctl", "is-system-running")
	out, _ := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	return string(out)
}

// PowerCut ends it at once.
func (s *Systemd) PowerCut() {
	if s.pid != 0 {
		syscall.Kill(s.pid, syscall.SIGKILL)
		s.wait()
	}
	s.pid = 0
}
