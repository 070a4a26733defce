package change_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sshtay/internal/change"
	"sshtay/internal/commit"
	"sshtay/internal/host"
	"sshtay/internal/testenv"
)

// A promise is one kind of change on one machine, to be held to what every
// change promises.
type promise struct {
	name  string
	setup string // lines of sh that make the machine what it is
	make  func(context.Context, host.Host) (change.Change, error)
	live  string // lines of sh that print what the change touches beside files
	want  string // a word that the titles and notes have

	random bool // what it makes is never the same twice
}

var (
	client4 = netip.MustParseAddr("198.51.100.7")
	client6 = netip.MustParseAddr("2001:db8::7")
)

func sysctl(values ...string) func(context.Context, host.Host) (change.Change, error) {
	return func(ctx context.Context, m host.Host) (change.Change, error) {
		with := map[string]string{}
		for i := 0; i < len(values); i += 2 {
			with[values[i]] = values[i+1]
		}
		return change.Sysctl(ctx, m, with)
	}
}

var (
	keepalives = "cat /proc/sys/net/ipv4/tcp_keepalive_* /proc/sys/net/ipv4/tcp_mtu_probing"
	noSysctls  = "rm -rf /etc/sysctl.d /etc/sysctl.conf; mkdir /etc/sysctl.d\n"
	network    = "ip link add eth0 type veth peer name eth1; ip link set eth0 addrgenmode none; ip link set eth1 addrgenmode none; ip link set eth1 up; ip address add 192.0.2.5/24 dev eth0; ip -6 address add 2001:db8:1::5/64 dev eth0 nodad; ip link set eth0 up; ip route add default via 192.0.2.1 proto dhcp src 192.0.2.5 metric 100; ip -6 route add default via 2001:db8:1::1 dev eth0\n"
	routes     = "ip route show table all | sort; ip -6 route show table all | sort; ip link show eth0 | grep -o ' mtu [0-9]*'"
	ruleset    = "nft list ruleset"
	tools4     = "iptables -S; iptables -t raw -S; nft list ruleset"
	tools6     = "ip6tables -S; nft list ruleset"
	// A table of the kernel's own settings, which belong to the real machine: these are laid over them.
	table = `for f in nf_conntrack_max nf_conntrack_buckets; do echo 65536 >/run/$f; mount --bind /run/$f /proc/sys/net/netfilter/$f; done
`
	tables  = "cat /proc/sys/net/netfilter/nf_conntrack_max /proc/sys/net/netfilter/nf_conntrack_buckets"
	daemon  = change.Listener + `if [ -n "$pid" ]; then echo serves; else echo dead; fi`
	noUnits = "rm -rf /lib/systemd/system/ssh* /usr/lib/tmpfiles.d/ssh*\n"
)

var promises = []promise{
	{name: "sysctl", setup: noSysctls, make: sysctl("net.ipv4.tcp_keepalive_time", "600", "net.ipv4.tcp_keepalive_intvl", "60", "net.ipv4.tcp_keepalive_probes", "5"), live: keepalives, want: "60-sshtay.conf"},
	{name: "sysctl, half of it there", setup: noSysctls + "echo 600 >/proc/sys/net/ipv4/tcp_keepalive_time; printf 'net/ipv4/tcp_keepalive_time=700\\n# net.ipv4.tcp_mtu_probing = 1' >/etc/sysctl.d/60-sshtay.conf", make: sysctl("net.ipv4.tcp_keepalive_time", "600", "net.ipv4.tcp_mtu_probing", "1"), live: keepalives},
	{name: "sysctl, a later file", setup: noSysctls + "echo 'net.ipv4.tcp_mtu_probing = 0' >/etc/sysctl.d/90-mine.conf", make: sysctl("net.ipv4.tcp_mtu_probing", "1"), live: keepalives, want: "99-zz-sshtay.conf"},
	{name: "sysctl.conf linked in", setup: noSysctls + "printf '# mine\\r\\n net.ipv4.tcp_mtu_probing = 0 \\r\\nkernel.x=1' >/etc/sysctl.conf; ln -s ../sysctl.conf /etc/sysctl.d/99-sysctl.conf; chown 4242 /etc/sysctl.conf; setfacl -m u:4343:r /etc/sysctl.conf; setfattr -n user.note -v kept /etc/sysctl.conf; setfattr -n security.selinux -v system_u:object_r:system_conf_t:s0 /etc/sysctl.conf", make: sysctl("net.ipv4.tcp_mtu_probing", "1"), live: keepalives, want: "/etc/sysctl.conf"},
	{name: "sysctl.conf by itself", setup: noSysctls + "echo 'net.ipv4.tcp_mtu_probing=0' >/etc/sysctl.conf", make: sysctl("net.ipv4.tcp_mtu_probing", "1"), live: keepalives, want: "60-sshtay.conf"},
	{name: "conntrack timeout", setup: noSysctls, make: sysctl("net.netfilter.nf_conntrack_tcp_timeout_established", "86400"), live: "cat /proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established", want: "modules-load.d"},
	{name: "conntrack table", setup: noSysctls + table + "echo 131072 >/run/nf_conntrack_buckets", make: sysctl("net.netfilter.nf_conntrack_max", "262144", "net.netfilter.nf_conntrack_buckets", "262144"), live: tables},
	{name: "route", setup: network, make: func(ctx context.Context, m host.Host) (change.Change, error) {
		return change.RouteMTU(ctx, m, client4, 1280)
	}, live: routes, want: "reboot"},
	{name: "route on the link", setup: network, make: func(ctx context.Context, m host.Host) (change.Change, error) {
		return change.RouteMTU(ctx, m, netip.MustParseAddr("192.0.2.9"), 1280)
	}, live: routes},
	{name: "route IPv6", setup: network, make: func(ctx context.Context, m host.Host) (change.Change, error) {
		return change.RouteMTU(ctx, m, client6, 1280)
	}, live: routes},
	{name: "route that was there", setup: network + "ip route add 198.51.100.7 via 192.0.2.3 dev eth0 proto static metric 7 mtu lock 1400 advmss 1300", make: func(ctx context.Context, m host.Host) (change.Change, error) {
		return change.RouteMTU(ctx, m, client4, 1280)
	}, live: routes},
	{name: "route IPv6 that was there", setup: network + "ip -6 route add 2001:db8::7 via 2001:db8:1::3 dev eth0 proto static metric 7", make: func(ctx context.Context, m host.Host) (change.Change, error) {
		return change.RouteMTU(ctx, m, client6, 1280)
	}, live: routes},
	{name: "interface", setup: network, make: func(ctx context.Context, m host.Host) (change.Change, error) {
		return change.InterfaceMTU(ctx, m, "eth0", 1400)
	}, live: routes, want: "reboot"},
	{name: "clamp", make: func(ctx context.Context, m host.Host) (change.Change, error) { return change.MSSClamp(ctx, m, 1240) }, live: ruleset, want: "reboot"},
	{name: "clamp beside rules", setup: "nft add table inet sshtay; nft add chain inet sshtay in '{ type filter hook prerouting priority raw; }'; nft add rule inet sshtay in tcp dport 22 notrack; nft add table ip other", make: func(ctx context.Context, m host.Host) (change.Change, error) { return change.MSSClamp(ctx, m, 1240) }, live: ruleset},
	{name: "clamp again, and kept", setup: "nft -f - <<'END'\n" + change.ClampScript(1400) + "END\nmkdir -p /etc/nftables.d; echo 'include \"/etc/nftables.d/*.nft\"' >/etc/nftables.conf", make: func(ctx context.Context, m host.Host) (change.Change, error) { return change.MSSClamp(ctx, m, 1240) }, live: ruleset, want: "/etc/nftables.d/sshtay.nft"},
	{name: "ICMP", setup: guarded, make: passICMP("4"), live: ruleset, want: "/etc/nftables.conf"},
	{name: "ICMP for IPv6 beside ICMP", setup: guarded + `nft 'insert rule inet filter input icmp type destination-unreachable icmp code 4 accept comment "sshtay pass-icmp"'
`, make: passICMP("6"), live: ruleset},
	{name: "ICMP, half of it there", setup: guarded + `nft 'insert rule ip early in icmp type destination-unreachable icmp code 4 accept comment "sshtay pass-icmp"'
`, make: passICMP("4"), live: ruleset},
	{name: "ICMP, iptables", setup: "iptables -N ufw-in; iptables -A ufw-in -p icmp -j REJECT; iptables -A INPUT -i lo -j ACCEPT; iptables -A INPUT -j ufw-in; iptables -t raw -A PREROUTING -p icmp -j DROP\n", make: passICMP("4"), live: tools4, want: "/etc/ufw/before.rules"},
	{name: "ICMP, ip6tables and nft", setup: guarded + "ip6tables -P INPUT DROP; ip6tables -A INPUT -i lo -j ACCEPT\n", make: passICMP("6"), live: tools6, want: "rules.v6"},
	{name: "hosts.allow", setup: "printf 'sshd: ALL: deny' >/etc/hosts.allow; chmod 640 /etc/hosts.allow", make: func(ctx context.Context, m host.Host) (change.Change, error) {
		return change.HostsAllow(ctx, m, client4)
	}, want: "stands before"},
	{name: "no hosts.allow", setup: "rm -f /etc/hosts.allow", make: func(ctx context.Context, m host.Host) (change.Change, error) {
		return change.HostsAllow(ctx, m, client6)
	}},
	{name: "privsep folder", setup: noUnits, make: change.PrivsepDir, want: "/etc/tmpfiles.d/60-sshtay.conf"},
	{name: "privsep folder of another", setup: "mkdir -m 2775 /run/sshd; chown 4242:4242 /run/sshd", make: change.PrivsepDir},
	{name: "no host keys", setup: "printf 'HostKey /etc/ssh/ssh_host_ed25519_key\\nHostKey /etc/ssh/ssh_host_ecdsa_key\\n' >/etc/ssh/sshd_config; echo 'old' >/etc/ssh/ssh_host_ed25519_key.pub", make: change.HostKeys, random: true, want: "ed25519"},
	{name: "an empty host key", setup: "echo 'HostKey /etc/ssh/ssh_host_ed25519_key' >/etc/ssh/sshd_config; install -m 640 /dev/null /etc/ssh/ssh_host_ed25519_key", make: change.HostKeys, random: true},
	{name: "open host keys", setup: ": >/etc/ssh/sshd_config; ssh-keygen -qA; chmod 644 /etc/ssh/ssh_host_rsa_key; chown 4242:4242 /etc/ssh/ssh_host_ecdsa_key; setfacl -m u:4343:r /etc/ssh/ssh_host_ed25519_key", make: change.HostKeys},
	{name: "a dead sshd", setup: "mkdir -p /run/sshd; ssh-keygen -qA; echo 'Port 2222' >/etc/ssh/sshd_config; rm -f /etc/init.d/ssh*", make: change.StartSSHD, live: daemon, want: "start sshd"},
	{name: "a dead sshd, started by a script", setup: "mkdir -p /run/sshd; ssh-keygen -qA; echo 'Port 2222' >/etc/ssh/sshd_config", make: change.StartSSHD, live: daemon},
	{name: "socket limits", setup: fakeSystemd, make: func(ctx context.Context, m host.Host) (change.Change, error) {
		return change.SocketLimits(ctx, m, map[string]string{"MaxConnections": "256", "TriggerLimitIntervalSec": "0"})
	}, want: "60-sshtay.conf"},
	{name: "socket limits, a later file", setup: fakeSystemd + "mkdir -p /etc/systemd/system/ssh.socket.d; printf '[Socket]\\nMaxConnections=8\\n' >/etc/systemd/system/ssh.socket.d/limits.conf", make: func(ctx context.Context, m host.Host) (change.Change, error) {
		return change.SocketLimits(ctx, m, map[string]string{"MaxConnections": "256"})
	}, want: "limits.conf"},
	{name: "ban", setup: fail2ban + "fail2ban-client set sshd banip 2001:db8::7 2001:db8::70 >/dev/null; fail2ban-client set second banip 203.0.113.9 2001:db8::7 >/dev/null", make: func(ctx context.Context, m host.Host) (change.Change, error) { return change.Unban(ctx, m, client6) }, live: "fail2ban-client banned | tr -d ' ' | tr '[],{}' '\\n\\n\\n\\n\\n' | sort", want: "second, sshd"},
}

// guarded has three chains that could drop an ICMP error, one of them for IPv4
// alone, and two that could not.
const guarded = `nft -f - <<'END'
table inet filter {
	chain input { type filter hook input priority 0; policy drop; iif lo accept; tcp dport 22 accept comment "sshtay pass-icmp or not"; }
	chain checks { meta l4proto { icmp, ipv6-icmp } counter reject; }
	chain late { type filter hook input priority 10; tcp dport 25 jump checks; }
	chain output { type filter hook output priority 0; policy drop; accept; }
}
table ip early {
	chain in { type filter hook prerouting priority -300; icmp type != echo-request drop; }
	chain count { type filter hook prerouting priority -200; counter; }
}
END
`

func passICMP(family string) func(context.Context, host.Host) (change.Change, error) {
	return func(ctx context.Context, m host.Host) (change.Change, error) { return change.PassICMP(ctx, m, family) }
}

// fail2ban runs for real, with jails that do nothing but hold addresses.
const fail2ban = `
mkdir -p /run/fail2ban; : >/var/log/auth.log
rm -f /etc/fail2ban/jail.d/*
cat >/etc/fail2ban/jail.local <<'END'
[DEFAULT]
backend = polling
banaction = noop
bantime = 1h
dbfile = None
logpath = /var/log/auth.log
filter = sshd
[sshd]
enabled = true
[second]
enabled = true
END
printf '[Definition]\nactionban =\nactionunban =\n' >/etc/fail2ban/action.d/noop.conf
fail2ban-client -q start >/dev/null
`

// fakeSystemd answers what we ask systemd about a socket unit, from files as
// systemd would read them.
const fakeSystemd = `
mkdir -p /run/systemd/system
printf '[Socket]\nListenStream=22\nAccept=yes\nMaxConnections=64\n' >/lib/systemd/system/ssh.socket
cat >/usr/local/bin/systemctl <<'END'
#!/bin/sh
case "$*" in
*sshd.socket*) exit 1 ;;
'show -p LoadState ssh.socket') echo LoadState=loaded ;;
'show -p MaxConnections ssh.socket') cat /lib/systemd/system/ssh.socket /etc/systemd/system/ssh.socket.d/*.conf 2>/dev/null | grep MaxConnections= | tail -n 1 ;;
'is-enabled -q ssh.socket'|'is-active -q ssh.socket'|daemon-reload) ;;
*) echo "unexpected: $*" >&2; exit 2 ;;
esac
END
chmod +x /usr/local/bin/systemctl
`

// TestPromises holds every kind of change to the same promises.
func TestPromises(t *testing.T) {
	testenv.Need(t, "nft", "iptables", "ip6tables", "ip", "sysctl", "getfacl", "setfacl", "getfattr", "sshd", "ssh-keygen", "fail2ban-client", "mount")
	for _, p := range promises {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			m.must("ip link set lo up\n" + p.setup)
			p.hold(m)
		})
	}
}

func (p promise) hold(m machine) {
	t := m.t
	before := m.state(p.live)
	c, err := p.make(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	p.same(m, "making a change did something", before)
	p.fits(t, c)
	for _, e := range c.Effects {
		if e.Commands == nil {
			continue
		}
		if status, _ := m.sh(e.Commands.Done); status == 0 {
			t.Errorf("it is done before it was applied: %s", e.Title)
		}
		m.must(e.Commands.Undo)
	}
	p.same(m, "undoing what was not done did something", before)

	p.recover(m, c, before)

	for _, e := range c.Effects {
		m.do(e)
	}
	m.serve(c)
	after := m.state(p.live)
	if after == before {
		t.Fatal("nothing that is looked at has changed")
	}
	for range 2 { // who asks whether it is done changes nothing either
		for _, e := range c.Effects {
			if e.Commands != nil {
				m.must(e.Commands.Done)
			}
			m.do(e)
		}
		p.same(m, "applying twice is not once", after)
	}
	for _, v := range c.Verify {
		if status, out := m.sh(v.Run); status != 0 {
			t.Errorf("it is not so: %s (%s)", v.Title, out)
		}
	}
	again, err := p.make(t.Context(), m)
	if err != nil || len(again.Effects) > 0 {
		t.Errorf("made again on the changed machine: %+v, %v; want no effects", again.Effects, err)
	}
	for range 2 {
		for i := range c.Effects {
			m.undo(c.Effects[len(c.Effects)-1-i])
		}
		m.serve(c)
		p.same(m, "undone, it is not as it was", before)
	}
	p.commit(m, c, before, after)
}

// commit has package commit carry the change out, keep it and undo it; and has
// it fail behind every effect.
func (p promise) commit(m machine, c change.Change, before, after string) {
	m.t.Helper()
	ctx := m.t.Context()
	for n := range c.Effects {
		fails := c
		fails.Effects = append(slices.Clone(c.Effects[:n+1]), change.Effect{Title: "fail", Commands: &change.Commands{Done: "false", Apply: "false"}})
		out, err := commit.Apply(ctx, m, commit.Transaction{ID: fmt.Sprintf("fails-%d", n), Title: c.Title, Changes: []change.Change{fails}})
		if err != nil || out.Code != commit.PutBack {
			m.t.Fatalf("code %d, %v: %s", out.Code, err, out.Said)
		}
		p.same(m, "put back after "+c.Effects[n].Title, before)
	}
	out, err := commit.Apply(ctx, m, commit.Transaction{ID: "works", Title: c.Title, Changes: []change.Change{c}})
	if err != nil || out.Code != commit.OK {
		m.t.Fatalf("code %d, %v: %s", out.Code, err, out.Said)
	}
	if out, err = commit.Confirm(ctx, m, "works"); err != nil || out.Code != commit.OK {
		m.t.Fatalf("code %d, %v: %s", out.Code, err, out.Said)
	}
	if !p.random {
		p.same(m, "confirmed, it is not as it was when it was tried", after)
	}
	if out, err = commit.Rollback(ctx, m, "works", ""); err != nil || out.Code != commit.OK {
		m.t.Fatalf("code %d, %v: %s", out.Code, err, out.Said)
	}
	p.same(m, "rolled back, it is not as it was", before)
}

// recover lets it fail at every effect, and within each, and undoes what was
// done.
func (p promise) recover(m machine, c change.Change, before string) {
	m.t.Helper()
	for n, e := range c.Effects {
		for _, whole := range c.Effects[:n] {
			m.do(whole)
		}
		between := m.state(p.live)
		lines := []string{""}
		if e.Commands != nil && !strings.Contains(e.Commands.Apply, "<<") && !strings.Contains(e.Commands.Apply, "do\n") {
			lines = strings.SplitAfter(e.Commands.Apply, "\n")
		}
		for part := range lines {
			m.must(strings.Join(lines[:part+1], ""))
			m.undo(e)
			p.same(m, "it failed within "+e.Title, between)
		}
		for i := range n {
			m.undo(c.Effects[n-1-i])
		}
		p.same(m, "it failed at "+e.Title, before)
	}
}

// same holds the machine to a state that it had.
func (p promise) same(m machine, what, want string) {
	m.t.Helper()
	if d := cmp.Diff(strings.Split(want, "\n"), strings.Split(m.state(p.live), "\n")); d != "" {
		m.t.Fatalf("%s:\n%s", what, d)
	}
}

// serve lets the services take notice.
func (m machine) serve(c change.Change) {
	m.t.Helper()
	for _, s := range c.Services {
		m.must(s.Validate)
		m.must(s.Reload)
		m.must(s.Alive)
	}
}

// fits looks at the change itself.
func (p promise) fits(t *testing.T, c change.Change) {
	text := c.Title + "\n" + strings.Join(c.Notes, "\n")
	for _, e := range c.Effects {
		text += "\n" + e.Title
		if (e.File == nil) == (e.Commands == nil) {
			t.Errorf("an effect that is not one thing: %+v", e)
		}
		if e.File != nil && string(e.File.Old) == string(e.File.New) && (e.File.Old == nil) == (e.File.New == nil) {
			t.Errorf("an effect that does nothing: %s", e.Title)
		}
	}
	if len(c.Effects) == 0 || c.Title == "" || !c.Root || c.Risk == "" || len(c.Verify) == 0 {
		t.Errorf("a change that does not say what it is: %+v", c)
	}
	if !strings.Contains(text, p.want) {
		t.Errorf("nothing in it says %q:\n%s", p.want, text)
	}
}
