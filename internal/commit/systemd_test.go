//go:build linux

package commit

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sshtay/internal/change"
	"sshtay/internal/host"
	"sshtay/internal/lab"
	"sshtay/internal/testenv"
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
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
echo 0123456789abcdef0123456789abcdef >etc/machine-id
mkdir -p old
pivot_root . old
exec env -i container=sshtay PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . sh -c 'umount -l /old; exec /usr/lib/systemd/systemd --system --unit=multi-user.target </dev/null'
`

// A booted machine is one whose process 1 is a real systemd.
type booted struct {
	host.Local
	t    *testing.T
	tree string
	dir  string
	pid  int // of its process 1
	wait func()
}

func (b *booted) Run(ctx context.Context, c host.Command) (host.Result, error) {
	c.Argv = append([]string{"nsenter", "-t", strconv.Itoa(b.pid), "-m", "-p", "-u", "-i", "-n", "-C", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, c.Argv...)
	return b.Local.Run(ctx, c)
}

func (b *booted) boot() {
	b.t.Helper()
	cmd := exec.Command("unshare", "--pid", "--mount", "--cgroup", "--uts", "--ipc", "--net", "--fork", "sh", "-c", bootScript, "sh", b.tree, b.dir)
	log, err := os.Create(b.dir + ".log")
	if err != nil {
		b.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	b.wait = func() { <-ended }
	b.pid = 0
	said := ""
	for end := time.Now().Add(90 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if b.pid == 0 {
			data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", cmd.Process.Pid, cmd.Process.Pid))
			pid, _ := strconv.Atoi(strings.TrimSpace(string(data)))
			if name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); string(name) == "systemd\n" {
				b.pid = pid
			}
		}
		if b.pid != 0 {
			if said, _ = b.sh("systemctl is-system-running"); strings.HasPrefix(said, "running") || strings.HasPrefix(said, "degraded") {
				return
			}
		}
		if time.Now().After(end) {
			data, _ := os.ReadFile(log.Name())
			b.powerCut()
			b.t.Fatalf("systemd does not come up: %s %s", said, data)
		}
	}
}

func (b *booted) powerCut() {
	if b.pid != 0 {
		syscall.Kill(b.pid, syscall.SIGKILL)
		b.wait()
	}
	b.pid = 0
}

func (b *booted) sh(script string) (string, int) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	r, err := b.Run(ctx, host.Command{Argv: []string{"sh", "-c", script}})
	if err != nil {
		b.t.Fatalf("%s: %v", script, err)
	}
	return string(r.Stdout) + string(r.Stderr), r.Exit
}

func (b *booted) await(what, script string) {
	b.t.Helper()
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if _, code := b.sh(script); code == 0 {
			return
		}
		if time.Now().After(end) {
			out, _ := b.sh("cat /var/lib/sshtay/*/record; systemctl list-timers --all --no-pager; journalctl --no-pager -n 40")
			b.t.Fatalf("never: %s\n%s", what, out)
		}
	}
}

// TestSystemd: with a real systemd and Debian's own sshd, the timer puts it back,
// again when that is killed in the middle, and after a power cut it is put back
// before sshd starts.
func TestSystemd(t *testing.T) {
	t.Parallel()
	testenv.NeedRoot(t)
	testenv.Need(t, "unshare", "nsenter", "pivot_root")
	tree, err := lab.Debian13(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/var/tmp", "sshtay-systemd-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir); os.Remove(dir + ".log") })
	b := &booted{t: t, tree: tree, dir: dir}
	b.boot()
	t.Cleanup(b.powerCut)

	old, err := os.ReadFile(filepath.Join(tree, "/etc/ssh/sshd_config"))
	if err != nil {
		t.Fatal(err)
	}
	transaction := func(id string, patience time.Duration) Transaction {
		return Transaction{ID: id, Title: id, Patience: patience, Changes: []change.Change{{
			Effects: []change.Effect{
				{Title: "kill the rollback once", Commands: &change.Commands{Done: "[ -e /root/done ]", Apply: ": >/root/done",
					Undo: "rm -f /root/done; [ ! -e /root/kill ] || { rm /root/kill; kill -9 $PPID; }"}},
				{Title: "write sshd_config", File: &change.File{Path: "/etc/ssh/sshd_config", Old: old, New: append(append([]byte("ClientAliveInterval 77\n"), old...), '\n')}}},
			Services: []change.Service{{Name: "sshd", Validate: "sshd -t", Reload: "systemctl reload ssh.service", Alive: "systemctl is-active --quiet ssh.service", Start: "systemctl start ssh.service"}},
			Verify:   []change.Verification{{Title: "sshd -T says so", Run: "sshd -T | grep -qx 'clientaliveinterval 77'"}}}}}
	}
	apply := func(tr Transaction) {
		t.Helper()
		o, err := Apply(t.Context(), b, tr)
		if err != nil || o.Code != OK {
			t.Fatalf("%s: %v, %v\n%s", tr.ID, err, o.Err(), o.Said)
		}
		if o.Record.Armed != "systemd timer sshtay-"+tr.ID+".timer" || o.Record.BootHook != "systemd unit sshtay-boot-"+tr.ID+".service" {
			t.Errorf("%s: armed by %s, at the start by %s", tr.ID, o.Record.Armed, o.Record.BootHook)
		}
		if out, code := b.sh("systemctl is-active sshtay-" + tr.ID + ".timer && systemd-analyze verify /etc/systemd/system/sshtay-boot-" + tr.ID + ".service"); code != 0 || strings.Contains(out, "sshtay-boot-"+tr.ID+".service:") {
			t.Errorf("%s: %s", tr.ID, out)
		}
	}
	isAsBefore := func(id, why string) {
		t.Helper()
		b.await(id+" is through", "[ -e /var/lib/sshtay/"+id+"/end ]")
		b.await("nothing of it is left in systemd", "! systemctl list-units --plain --no-legend 'sshtay-*' | grep -q . && ! ls /etc/systemd/system /etc/systemd/system/multi-user.target.wants | grep sshtay")
		out, code := b.sh("cat /etc/ssh/sshd_config && systemctl is-active --quiet ssh.service")
		if code != 0 || out != string(old) {
			t.Errorf("%s: not as before: %d %.200s", id, code, out)
		}
		all, err := History(t.Context(), b)
		if err != nil || len(all) == 0 || all[len(all)-1].ID != id || all[len(all)-1].State != RolledBack || !strings.Contains(all[len(all)-1].Why, why) {
			t.Errorf("%s: %+v, %v", id, all, err)
		}
	}

	apply(transaction("timer", 5*time.Second))
	b.sh(": >/root/kill")
	isAsBefore("timer", "nobody confirmed it in time")
	wasKilled := func() {
		t.Helper()
		if _, code := b.sh("[ -e /root/kill ]"); code == 0 {
			t.Error("the rollback was not killed")
		}
	}
	wasKilled()

	apply(transaction("restart", time.Hour))
	b.sh(": >/root/kill; sync") // at the start, too, it is killed once
	b.powerCut()
	b.boot()
	isAsBefore("restart", "the machine was restarted")
	wasKilled()
	if out, _ := b.sh("journalctl -b --no-pager -o cat"); strings.Contains(out, "ordering cycle") {
		t.Errorf("the unit is part of a cycle: %s", out)
	}

	tr := transaction("kept", time.Hour)
	apply(tr)
	if o, err := Confirm(t.Context(), b, "kept"); err != nil || o.Code != OK {
		t.Errorf("%v, %v", err, o.Err())
	}
	b.await("nothing of it is left in systemd", "! systemctl list-units --plain --no-legend 'sshtay-*' | grep -q . && ! ls /etc/systemd/system /etc/systemd/system/multi-user.target.wants | grep sshtay")
	if out, code := b.sh("sshd -T | grep -qx 'clientaliveinterval 77' && systemctl is-active ssh.service"); code != 0 {
		t.Errorf("not kept: %s", out)
	}
}
