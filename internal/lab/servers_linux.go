package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"sshtay/internal/host"
)

// startServers runs the scripts that come before them, then starts what
// answers on each machine but the client.
func (l *Live) startServers(*keys) error {
	for _, side := range l.sides() {
		if err := l.script(side, "boot", root); err != nil {
			return err
		}
	}
	for _, side := range l.sides()[1:] {
		if side == "server" && l.world.Init == "openrc" {
			if err := l.startOpenRC(l.machines[side]); err != nil {
				return err
			}
			continue
		}
		server := l.world.Server
		if side != "server" && hostile[server.Kind] != nil || side == "jump" {
			server = Server{Kind: "system"}
		}
		if err := l.startServer(l.machines[side], server, l.port(side)); err != nil {
			return err
		}
		if side != "server" || l.world.Miscount == "" {
			continue
		}
		if err := l.startMiscount(l.machines[side]); err != nil {
			return err
		}
	}
	if l.world.Balancer == "" {
		return nil
	}
	return l.startBalancer()
}

// behind is where the server listens that something stands before.
const behind = 2200

// startMiscount has a relay on the server answer in sshd's place.
func (l *Live) startMiscount(m *machine) error {
	return l.listen(m.node, l.world.Port, func(c net.Conn) {
		up, err := l.dial(m.node, fmt.Sprintf("127.0.0.1:%d", behind))
		if err != nil {
			return
		}
		defer l.sockets.close(up)
		miscount(c, up, l.world.Miscount)
	})
}

// port is where a side's server listens: a jump host is reached at 22.
func (l *Live) port(side string) int {
	if side == "server" && l.world.Miscount != "" {
		return behind
	}
	if side == "jump" {
		return 22
	}
	return l.world.Port
}

// script runs the scenario's script of that name on a machine, if there is one.
func (l *Live) script(side, name string, as user) error {
	script := l.world.file(side, name)
	if script == nil {
		return nil
	}
	return l.machines[side].script(l.ctx, as, script)
}

func (l *Live) startServer(m *machine, s Server, port int) error {
	switch s.Kind {
	case "none":
		return nil
	case "system", "openssh-10":
		return l.daemon(m, port, "/usr/sbin/sshd", "-D")
	case "dropbear":
		convert := "mkdir -p /etc/dropbear; dropbearconvert openssh dropbear /etc/ssh/ssh_host_ed25519_key /etc/dropbear/ed25519"
		if err := m.script(l.ctx, root, []byte(convert)); err != nil {
			return err
		}
		return l.daemon(m, port, "dropbear", "-F", "-r", "/etc/dropbear/ed25519", "-p", strconv.Itoa(port))
	case "tinysshd":
		return l.inetd(m, port, "tinysshd", "-v", "/etc/tinyssh")
	}
	return l.listen(m.node, port, func(c net.Conn) { hostile[s.Kind](c, s.Arg) })
}

// daemon starts a program that listens on a port and waits until it does. One
// that ends instead is no error: the scenario may be about that.
func (l *Live) daemon(m *machine, port int, argv ...string) error {
	ended := make(chan error, 1)
	l.runs.Go(func() {
		r, err := m.run(l.ctx, root, host.Command{Argv: l.limits(m, argv)})
		if errors.Is(err, host.ErrNotFound) {
			ended <- fmt.Errorf("%w on the machine %s: is it installed?", err, m.name)
			return
		}
		if l.ctx.Err() == nil {
			m.logStart(argv[0], r)
		}
		ended <- nil
	})
	return l.wait(argv[0]+" on "+m.name, func() (bool, error) {
		select {
		case err := <-ended:
			return true, err
		default:
			return m.listens(port)
		}
	})
}

// limits puts the world's limits before a program to run.
func (l *Live) limits(m *machine, argv []string) []string {
	if len(l.world.Limits) == 0 || m != l.machines["server"] {
		return argv
	}
	return slices.Concat([]string{"prlimit"}, l.world.Limits, []string{"--"}, argv)
}

// logStart puts what a daemon said when it ended where an administrator would
// look for it.
func (m *machine) logStart(name string, r host.Result) {
	m.Do(func() error {
		f, err := host.AppendTo("/var/log/syslog", 0o640)
		if err != nil {
			return err
		}
		defer f.Close()
		for line := range strings.Lines(string(r.Stdout) + string(r.Stderr)) {
			fmt.Fprintf(f, "%s %s %s: %s\n", time.Now().Format(time.Stamp), m.name, name, strings.TrimSpace(line))
		}
		return nil
	})
}

// listens looks in the machine's own table of sockets, so as not to be one
// more connection that a server counts.
func (m *machine) listens(port int) (bool, error) {
	want := fmt.Sprintf(":%04X", port)
	for _, name := range []string{"tcp", "tcp6"} {
		table, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", m.Pid, name))
		if err != nil {
			return false, fmt.Errorf("the machine %s is gone: %w", m.name, err)
		}
		for line := range bytes.Lines(table) {
			f := strings.Fields(string(line))
			if len(f) > 3 && strings.HasSuffix(f[1], want) && f[3] == "0A" {
				return true, nil
			}
		}
	}
	return false, nil
}

// listen serves a port of a node by a function of ours.
func (l *Live) listen(n node, port int, handle func(net.Conn)) error {
	var listener net.Listener
	err := n.Do(func() (err error) {
		listener, err = net.Listen("tcp", ":"+strconv.Itoa(port))
		return err
	})
	if err != nil {
		return fmt.Errorf("cannot listen on port %d: %w", port, err)
	}
	l.runs.Go(func() { l.sockets.serve(listener, handle) })
	return nil
}

// inetd serves a port by a program that is started for every connection.
func (l *Live) inetd(m *machine, port int, argv ...string) error {
	return l.listen(m.node, port, func(c net.Conn) {
		ctx, end := context.WithCancel(l.ctx)
		defer end()
		m.run(ctx, root, host.Command{Argv: argv, Stdin: c, Stdout: c, Limit: 1})
	})
}

// startBalancer passes connections on to the server, from an address of its
// own.
func (l *Live) startBalancer() error {
	to := netip.AddrPortFrom(addresses["server"].in(l.world.Spec)[0].Addr(), uint16(l.world.Port)).String()
	return l.listen(l.balancer, l.world.Port, func(c net.Conn) {
		up, err := l.dial(l.balancer, to)
		if err != nil {
			return
		}
		defer l.sockets.close(up)
		if l.world.Balancer == "proxy-header" {
			from, here := c.RemoteAddr().(*net.TCPAddr), c.LocalAddr().(*net.TCPAddr)
			fmt.Fprintf(up, "PROXY TCP%s %s %s %d %d\r\n", map[bool]string{true: "4", false: "6"}[from.IP.To4() != nil], from.IP, here.IP, from.Port, here.Port)
		}
		quiet := l.closeWhenQuiet(c, up)
		go func() {
			io.Copy(io.MultiWriter(up, quiet), c)
			up.(*net.TCPConn).CloseWrite()
		}()
		io.Copy(io.MultiWriter(c, quiet), up)
	})
}

// closeWhenQuiet ends both halves of a connection through the balancer when
// nothing was written to what it returns for as long as the balancer waits.
func (l *Live) closeWhenQuiet(halves ...net.Conn) io.Writer {
	if l.world.Closes == 0 {
		return io.Discard
	}
	return quiet{time.AfterFunc(l.world.Closes, func() {
		for _, c := range halves {
			l.sockets.close(c)
		}
	}), l.world.Closes}
}

// quiet is a timer that begins again with every write.
type quiet struct {
	*time.Timer
	after time.Duration
}

func (q quiet) Write(p []byte) (int, error) {
	q.Reset(q.after)
	return len(p), nil
}

// stranger opens a connection to the server from elsewhere, and says nothing.
func (l *Live) stranger(server netip.AddrPort) error {
	_, err := l.dial(l.provider, server.String())
	return err
}

func (l *Live) dial(n node, to string) (c net.Conn, err error) {
	err = n.Do(func() error {
		c, err = net.DialTimeout("tcp", to, 10*time.Second)
		return err
	})
	if err == nil {
		l.sockets.add(c)
	}
	return c, err
}

// serverFiles make a side's server one that is set up well, after what the scenario
// wants first.
func (l *Live) serverFiles(side string, k *keys) []File {
	config := fmt.Sprintf(`Include /etc/ssh/sshd_config.d/*.conf
Port %d
ClientAliveInterval 60
ClientAliveCountMax 3
KbdInteractiveAuthentication no
UsePAM yes
PrintMotd no
AcceptEnv LANG LC_*
Subsystem sftp /usr/lib/openssh/sftp-server
`, l.port(side))
	files := []File{
		{Name: "/etc/ssh/sshd_config", Data: []byte(config), Mode: 0o644},
		{Name: "/run/sshd/.keep", Mode: 0o644},
		{Name: "/var/log/wtmp", Mode: 0o664}, {Name: "/var/log/lastlog", Mode: 0o664}, {Name: "/var/log/btmp", Mode: 0o660}, {Name: "/run/utmp", Mode: 0o664},
	}
	if lines := l.world.file(side, "sshd_config"); lines != nil {
		files = append(files, File{Name: "/etc/ssh/sshd_config.d/10-scenario.conf", Data: lines, Mode: 0o644})
	}
	if l.world.Server.Kind == "tinysshd" {
		for _, h := range k.host {
			if h.raw != nil {
				files = append(files, File{Name: "/etc/tinyssh/.ed25519.sk", Data: h.raw, Mode: 0o600}, File{Name: "/etc/tinyssh/ed25519.pk", Data: h.raw[32:], Mode: 0o644})
			}
		}
	}
	for _, h := range k.host {
		name := "/etc/ssh/ssh_host_" + h.kind + "_key"
		files = append(files, File{Name: name, Data: h.private, Mode: 0o600}, File{Name: name + ".pub", Data: h.public, Mode: 0o644})
	}
	return files
}
