package probe

import (
	"testing"

	"sshtay/internal/fact"
)

// TestSocketUnit: a socket unit that starts one sshd for each connection has
// limits of its own, and no MaxStartups.
func TestSocketUnit(t *testing.T) {
	const active = "Id=sshd.socket\nLoadState=loaded\nActiveState=active\nSubState=listening\nAccept=yes\n"
	for name, c := range map[string]struct {
		units    string
		held     int
		has, max bool
	}{
		"counted":     {active + "NConnections=63\nMaxConnections=64\n", 63, true, true},
		"old systemd": {active, 0, false, false},
		"hostile":     {active + "NConnections=-1\nMaxConnections=many\n", 0, false, false},
		"one for all": {"Id=ssh.socket\nLoadState=loaded\nActiveState=active\nSubState=running\nAccept=no\nNConnections=0\nMaxConnections=64\n", 0, false, false},
	} {
		r := &reading{sections: map[string]string{"units": c.units}, env: map[string]string{}, facts: &fact.Set{}}
		r.service()
		held, has := fact.SocketConnections.Get(r.facts)
		_, max := fact.SocketConnectionsMax.Get(r.facts)
		if held != c.held || has != c.has || max != c.max {
			t.Errorf("%s: holds %d (%v), limit known %v", name, held, has, max)
		}
	}
}

// TestEnabled: what an init that runs has among what it starts counts, unless somebody
// has said that sshd is not to run.
func TestEnabled(t *testing.T) {
	for name, c := range map[string]struct {
		sections map[string]string
		want     bool
	}{
		"systemd":          {map[string]string{"units": "Id=ssh.service\nLoadState=loaded\nUnitFileState=enabled\n"}, true},
		"systemd, not":     {map[string]string{"units": "Id=ssh.service\nLoadState=loaded\nUnitFileState=disabled\n"}, false},
		"OpenRC":           {map[string]string{"starts": "/etc/runlevels/default/sshd\n"}, true},
		"nobody":           {map[string]string{"starts": ""}, false},
		"told not to":      {map[string]string{"starts": "/etc/rc2.d/S01ssh\n", "off": "/etc/ssh/sshd_not_to_be_run\n"}, false},
		"a unit, told not": {map[string]string{"units": "Id=ssh.service\nUnitFileState=enabled\n", "off": "/etc/ssh/sshd_not_to_be_run\n"}, false},
	} {
		r := &reading{sections: c.sections, env: map[string]string{}, facts: &fact.Set{}}
		r.service()
		if got, _ := fact.SSHDEnabled.Get(r.facts); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestFolderThatIsMade: while systemd listens and nobody is connected, sshd's folder is
// not there, and nothing is wrong with that; unless nobody would make it.
func TestFolderThatIsMade(t *testing.T) {
	const (
		missing  = "Missing privilege separation directory: /run/sshd\r\n"
		socket   = "Id=ssh.socket\nLoadState=loaded\nActiveState=active\nAccept=no\n\n"
		service  = "Id=ssh.service\nLoadState=loaded\nActiveState=inactive\nRuntimeDirectory=sshd\n"
		each     = "Id=ssh.socket\nLoadState=loaded\nActiveState=active\nAccept=yes\n\nId=sshd@0.service\nLoadState=loaded\nActiveState=inactive\nRuntimeDirectory=sshd\n"
		listener = "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups"
	)
	for name, c := range map[string]struct {
		units, title, bad string
		fault             bool
	}{
		"nobody connected":             {socket + service, "", "", false},
		"one for each connection":      {each, "", "", false},
		"nobody makes it":              {socket + "Id=ssh.service\nLoadState=loaded\nActiveState=inactive\n", "", "", true},
		"sshd runs":                    {socket + service, listener, "", true},
		"nothing listens":              {service, "", "", true},
		"and the configuration is bad": {socket + service, "", "/etc/ssh/sshd_config line 3: Bad configuration option: x\n", false},
	} {
		r := &reading{sections: map[string]string{"units": c.units, "sshd-t 255": missing, "sshd-T 255": c.bad, "hostkeys": ""}, env: map[string]string{"title": c.title}, facts: &fact.Set{}, root: true, whole: true}
		r.keys()
		if got, _ := fact.SSHDNoPrivsepDir.Get(r.facts); got != c.fault {
			t.Errorf("%s: missing: %v", name, got)
		}
		if got, _ := fact.SSHDConfigError.Get(r.facts); (got != "") != (c.fault || c.bad != "") {
			t.Errorf("%s: the configuration: %q", name, got)
		}
	}
}
