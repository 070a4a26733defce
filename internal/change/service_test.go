package change

import (
	"os/exec"
	"strings"
	"testing"

	"sshtay/internal/remedy"
	"sshtay/internal/sshconf"
)

// TestService reads what machines of all kinds say of their sshd, and says how
// it takes notice there.
func TestService(t *testing.T) {
	const head = "uid 0\nkernel Linux\nabove 900\nabove 800\nprogram /usr/sbin/sshd\nversion OpenSSH_9.2p1\nsystem debian\n"
	const listens = "listens 00000000:0016 4711\nlistens 00000000000000000000000000000000:0016 4712\n"
	unit := func(lines string) string {
		return "unit " + strings.ReplaceAll(lines, "\n", "\nunit ") + "\nunit-end\n"
	}
	const titled = " /usr/sbin/sshd sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups\n"
	const restarts = "if systemctl is-active -q 'ssh.service'; then systemctl reset-failed 'ssh.service' 2>/dev/null || :; systemctl restart 'ssh.service'; fi"
	for _, c := range []struct{ name, said, reload, alive, command string }{
		{"systemd", "listener 77" + titled + unit("Id=ssh.service\nLoadState=loaded\nActiveState=active\nMainPID=77\nCanReload=yes") + listens,
			"if systemctl is-active -q 'ssh.service'; then systemctl reload 'ssh.service'; fi", "0016", "'/usr/sbin/sshd' '-t'"},
		{"a unit that cannot reload", "listener 77" + titled + unit("Id=sshd.service\nLoadState=loaded\nActiveState=active\nMainPID=77\nCanReload=no") + listens,
			"if systemctl is-active -q 'sshd.service'; then systemctl kill -s HUP --kill-who=main 'sshd.service'; fi", "0016", ""},
		{"the socket starts one for each connection", unit("Id=ssh.socket\nLoadState=loaded\nActiveState=active\nAccept=yes") + listens,
			"", "systemctl is-active -q 'ssh.socket'", ""},
		{"the socket starts the service", "listener 77" + titled + unit("Id=ssh.service\nLoadState=loaded\nActiveState=active\nMainPID=77\nCanReload=yes") +
			unit("Id=ssh.socket\nLoadState=loaded\nActiveState=active\nAccept=no") + listens,
			restarts, "systemctl is-active -q 'ssh.socket'", ""},
		{"nobody has come to the socket", "privsep /run/sshd\n" + unit("Id=ssh.service\nLoadState=loaded\nActiveState=inactive\nMainPID=0\nCanReload=yes") +
			unit("Id=ssh.socket\nLoadState=loaded\nActiveState=active\nAccept=no") + listens,
			restarts, "systemctl is-active -q 'ssh.socket'", "'/run/sshd' '/usr/sbin/sshd' '-t'"},
		{"OpenRC", "listener 77" + titled + "openrc sshd 77\n" + listens,
			"if rc-service 'sshd' status >/dev/null 2>&1; then rc-service 'sshd' reload; fi", "0016", ""},
		{"OpenRC keeps another one", "listener 77" + titled + "openrc sshd 78\n" + listens,
			hangUp(77), "0016", ""},
		{"a plain process", "listener 800 /opt/ssh/sshd sshd: /opt/ssh/sshd -D -f /opt/it's -o UseDNS=no -p 2222 [listener] 0 of 10-100 startups\nlistens 0100007F:08AE 9\n",
			hangUp(800), "08AE", `'/opt/ssh/sshd' '-t' '-f' '/opt/it'\''s' '-o' 'UseDNS=no' '-o' 'Port=2222'`},
		{"another's beside the service", "listener 77" + titled + "listener 800 /usr/sbin/sshd /usr/sbin/sshd -f /x/config\n" +
			unit("Id=ssh.service\nLoadState=loaded\nActiveState=active\nMainPID=77\nCanReload=yes") + listens,
			hangUp(800), "0016", "'/usr/sbin/sshd' '-t' '-f' '/x/config'"},
		{"launchd", "kernel Darwin\n", "", "", ""},
		{"nobody listens", "", "", "", ""},
	} {
		s, err := parseSSHD(head+c.said, "")
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		v := s.service([]int{22, 2222})
		if v.Reload != c.reload {
			t.Errorf("%s: reloads by %q, want %q", c.name, v.Reload, c.reload)
		}
		if !strings.Contains(v.Alive, c.alive) || (c.alive == "") != (v.Alive == "") {
			t.Errorf("%s: alive by %q, want %q", c.name, v.Alive, c.alive)
		}
		if serves := strings.Contains(v.Alive, "/proc/net/tcp"); serves != (v.Serves != "") || strings.Contains(v.Serves, "4711") {
			t.Errorf("%s: served by %q", c.name, v.Serves)
		}
		if !strings.Contains(v.Validate, c.command) || strings.Contains(v.Reload, "restart") && c.reload != restarts {
			t.Errorf("%s: %+v", c.name, v)
		}
		starts := map[string]string{"systemd": "systemctl start 'ssh.service'", "OpenRC": "rc-service 'sshd' start", "a plain process": `'/opt/ssh/sshd' '-f' '/opt/it'\''s' '-o' 'UseDNS=no' '-o' 'Port=2222'`}
		if want, told := starts[c.name]; told && !strings.HasSuffix(v.Start, want) || (v.Start == "") != (v.Alive == "") {
			t.Errorf("%s: starts by %q, want %q", c.name, v.Start, want)
		}
		if !s.release.Debian || s.release.Minor != 2 {
			t.Errorf("%s: release %+v", c.name, s.release)
		}
		for _, lines := range []string{v.Validate, v.Reload, v.Alive} {
			if out, err := exec.Command("sh", "-n", "-c", lines).CombinedOutput(); err != nil {
				t.Errorf("%s: %q is no sh: %s", c.name, lines, out)
			}
		}
	}
	for mode, cuts := range map[string]bool{"process": false, "control-group": true, "mixed": true} {
		said := unit("Id=ssh.service\nLoadState=loaded\nActiveState=inactive\nKillMode="+mode) + unit("Id=ssh.socket\nLoadState=loaded\nActiveState=active\nAccept=no")
		if s, err := parseSSHD(head+said, ""); err != nil || (s.cuts() != "") != cuts {
			t.Errorf("KillMode=%s: cuts sessions: %q, %v", mode, s.cuts(), err)
		}
	}
	if _, err := parseSSHD("uid 0\nkernel Linux\nprogram \n", ""); err == nil {
		t.Error("a machine without sshd has one")
	}
}

func TestRiskOf(t *testing.T) {
	for option, want := range map[string]remedy.Risk{"clientaliveinterval": remedy.ReloadsSSHD, "MaxStartups": remedy.ReloadsSSHD, "AllowUsers": remedy.CanLockOut, "Port": remedy.CanLockOut} {
		if got := riskOf([]sshconf.Assignment{{Keyword: "MaxSessions", Value: "9"}, {Keyword: option, Value: "1"}}); got != want {
			t.Errorf("%s: %s, want %s", option, got, want)
		}
	}
}

// FuzzSSHD: whatever a machine says of its sshd, what comes of it is a program of sh.
func FuzzSSHD(f *testing.F) {
	const head = "uid 0\nkernel Linux\nprogram /usr/sbin/sshd\nversion OpenSSH_9.2p1\n"
	seeds := []string{
		"", head + "privsep /run/$(id)\nunit Id=ssh.socket\nunit LoadState=loaded\nunit ActiveState=active\nunit-end\n",
		head + "listener 77 /usr/sbin/sshd sshd: /usr/sbin/sshd -D -f 'a b -o [listener]\nlistens 0:0016 1'\n",
		head + "openrc a'b 77\nlistener 77 x y\n",
		head + "unit Id=ssh.service';id\nunit LoadState=loaded\nunit ActiveState=active\nunit CanReload=yes\nunit-end\n",
	}
	for _, s := range seeds {
		f.Add(s)
	}
	if len(seeds) != 5 {
		f.Fatal("seeds are missing")
	}
	f.Fuzz(func(t *testing.T, said string) {
		s, err := parseSSHD(said, "")
		if err != nil || strings.Contains(said, "\x00") { // no program can have it in its arguments
			return
		}
		s.cuts()
		v := s.service([]int{22})
		for _, lines := range []string{v.Validate, v.Reload, v.Serves, v.Alive, v.Start} {
			if out, err := exec.Command("sh", "-n", "-c", lines).CombinedOutput(); err != nil {
				t.Errorf("%q is no sh: %s", lines, out)
			}
		}
	})
}
