package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
	"sshtay/internal/host"
)

// The users of every machine beside root.
var (
	root   = user{"root", "/root", host.Owner{}}
	deploy = user{"deploy", "/home/deploy", host.Owner{UID: 4242, GID: 4242}}
	alice  = user{"alice", "/home/alice", host.Owner{UID: 4343, GID: 4343}}
)

type user struct {
	name, home string
	host.Owner
}

// A machine is a host in a world: it has a name, a copy of a system tree, a
// network and process numbers of its own.
type machine struct {
	node
	*host.Machine
	name  string
	owner user // of ~/
}

// newMachine starts a machine with a copy of the system in tree. The program
// is ours: it answers to [InitArgs].
func newMachine(program, name, tree string, ptys int, owner user) (*machine, error) {
	line, err := json.Marshal(become{Name: name, Tree: tree, PTYs: ptys})
	if err != nil {
		return nil, err
	}
	m, err := host.StartMachine(program, InitArgs, line)
	if err != nil {
		return nil, fmt.Errorf("machine %s: %w", name, err)
	}
	n, err := newNode(m.Namespaces, false)
	if err != nil {
		m.Close()
		return nil, fmt.Errorf("machine %s: %w", name, err)
	}
	return &machine{node: n, Machine: m, name: name, owner: owner}, nil
}

// Do runs f inside the machine.
func (m *machine) Do(f func() error) error { return m.Machine.Do(f) }

func (m *machine) close() {
	m.net.Close()
	m.Machine.Close()
}

// run runs a program on the machine as a user.
func (m *machine) run(ctx context.Context, as user, c host.Command) (host.Result, error) {
	c.Inside, c.As = m.Machine.Namespaces, &as.Owner
	c.Dir = as.home
	c.Env = append([]string{"HOME=" + as.home, "USER=" + as.name, "LOGNAME=" + as.name, "SHELL=/bin/bash", "LANG=C.UTF-8", "TERM=dumb"}, c.Env...)
	return host.Local{}.Run(ctx, c)
}

// script runs a shell script to its end; it must end well.
func (m *machine) script(ctx context.Context, as user, script []byte) error {
	r, err := m.run(ctx, as, host.Command{Argv: []string{"bash", "-euc", string(script)}})
	if err != nil {
		return fmt.Errorf("script on %s: %w", m.name, err)
	}
	if r.Exit != 0 {
		return fmt.Errorf("script on %s ended with %d: %s%s", m.name, r.Exit, r.Stdout, r.Stderr)
	}
	return nil
}

// put puts files on the machine. Files below /proc are laid over the kernel's.
func (m *machine) put(files ...File) error {
	return m.Do(func() error {
		for i, f := range files {
			if err := m.putOne(i, f); err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
		}
		return nil
	})
}

func (m *machine) putOne(i int, f File) error {
	owner := root.Owner
	name := f.Name
	if rest, ok := strings.CutPrefix(name, "~/"); ok {
		owner, name = m.owner.Owner, path.Join(m.owner.home, rest)
		// The folders between are the user's too.
		for dir := path.Dir(name); len(dir) > len(m.owner.home); dir = path.Dir(dir) {
			if err := host.PutDir(dir, 0o700, owner); err != nil {
				return err
			}
		}
	}
	if strings.HasPrefix(name, "/proc/") {
		if _, err := os.Stat(name); err != nil {
			return nil // this kernel has no such thing to cover
		}
		cover := fmt.Sprintf("/run/lab/proc-%d", i)
		if err := host.PutFile(cover, f.Data, f.Mode, owner); err != nil {
			return err
		}
		return mount(cover, name, "", unix.MS_BIND, "")
	}
	return host.PutFile(name, f.Data, f.Mode, owner)
}

// settle puts on the machine what every machine has: users, names, and the
// configuration that a fresh Debian comes with.
func (m *machine) settle(hosts string, k *keys) error {
	if err := m.up("lo"); err != nil {
		return err
	}
	err := m.Do(func() error {
		for _, u := range []user{root, deploy, alice} {
			if err := host.PutDir(u.home, 0o700, u.Owner); err != nil {
				return err
			}
		}
		return addUsers()
	})
	if err != nil {
		return fmt.Errorf("%s: %w", m.name, err)
	}
	files := []File{
		{Name: "/etc/hosts", Data: []byte("127.0.0.1 localhost " + m.name + "\n::1 localhost " + m.name + "\n" + hosts)},
		{Name: "/etc/hostname", Data: []byte(m.name + "\n")},
		{Name: "/etc/nsswitch.conf", Data: []byte("passwd: files\ngroup: files\nshadow: files\nhosts: files\n")},
		{Name: "/etc/resolv.conf"}, {Name: "/etc/hosts.allow"}, {Name: "/etc/hosts.deny"}, {Name: "/etc/motd"},
		{Name: "/etc/ssh/ssh_config", Data: []byte("Include /etc/ssh/ssh_config.d/*.conf\nHost *\n    SendEnv LANG LC_*\n    HashKnownHosts yes\n    GSSAPIAuthentication yes\n")},
		// What other worlds do on this machine is nobody's business in this one.
		{Name: "/proc/loadavg", Data: []byte("0.08 0.03 0.01 1/97 1234\n")},
		{Name: "/proc/pressure/cpu", Data: []byte(calm + strings.Replace(calm, "some", "full", 1))},
		{Name: "/proc/pressure/memory", Data: []byte(calm + strings.Replace(calm, "some", "full", 1))},
		{Name: "/proc/pressure/io", Data: []byte(calm + strings.Replace(calm, "some", "full", 1))},
		{Name: "/usr/bin/dmesg", Data: []byte("#!/bin/sh\n"), Mode: 0o755}, // the kernel has one log for all of them
		{Name: "~/.ssh/known_hosts", Data: k.knownHosts()},
		{Name: "~/.ssh/id_ed25519", Data: k.user.private, Mode: 0o600},
		{Name: "~/.ssh/authorized_keys", Data: k.user.public, Mode: 0o600},
	}
	for i := range files {
		if files[i].Mode == 0 {
			files[i].Mode = 0o644
		}
	}
	return m.put(files...)
}

// calm is what the kernel says of a resource that nobody waits for.
const calm = "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"

// addUsers adds our users to the machine's, and leaves out people of the
// machine beneath: they are nobody's business here.
func addUsers() error {
	passwd, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return err
	}
	var users, shadow, groups strings.Builder
	for line := range strings.Lines(string(passwd)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) == 7 && f[0] != "root" && (len(f[2]) < 4 || f[0] == "nobody") {
			users.WriteString(line)
			fmt.Fprintf(&shadow, "%s:*:19000:0:99999:7:::\n", f[0])
		}
	}
	group, err := os.ReadFile("/etc/group")
	if err != nil {
		return err
	}
	groups.Write(group)
	for _, u := range []user{root, deploy, alice} {
		fmt.Fprintf(&users, "%s:x:%d:%d::%s:/bin/bash\n", u.name, u.UID, u.GID, u.home)
		fmt.Fprintf(&shadow, "%s:*:19000:0:99999:7:::\n", u.name)
		if u.UID != 0 {
			fmt.Fprintf(&groups, "%s:x:%d:\n", u.name, u.GID)
		}
	}
	return errors.Join(
		host.PutFile("/etc/passwd", []byte(users.String()), 0o644, root.Owner),
		host.PutFile("/etc/shadow", []byte(shadow.String()), 0o640, root.Owner),
		host.PutFile("/etc/group", []byte(groups.String()), 0o644, root.Owner),
	)
}
