//go:build linux

package commit

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sshtay/internal/change"
	"sshtay/internal/host"
	"sshtay/internal/lab"
	"sshtay/internal/testenv"
)

// A booted machine is one whose process 1 is a real systemd.
type booted struct {
	host.Local
	*testenv.Systemd
	t *testing.T
}

func (b *booted) Run(ctx context.Context, c host.Command) (host.Result, error) {
	c.Argv = b.Inside(c.Argv...)
	return b.Local.Run(ctx, c)
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
	tree, err := lab.Debian13(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b := &booted{Systemd: testenv.BootSystemd(t, tree), t: t}

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
	b.PowerCut()
	b.Boot()
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
