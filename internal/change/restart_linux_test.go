package change_test

import (
	"bytes"
	"strings"
	"testing"

	"sshtay/internal/commit"
	"sshtay/internal/host"
	"sshtay/internal/lab"
	"sshtay/internal/testenv"
)

// powerCut ends everything that runs, and empties what a start finds empty.
const powerCut = "kill -9 -1 || :\nrm -rf /run/* /tmp/*\n"

// openrcBoots and cronBoots are what a start does then, with OpenRC and its service
// local (here as Alpine and Gentoo have it: Debian's OpenRC comes without), and where
// nobody but cron starts things beside sshd.
const (
	localService = `cat >/etc/init.d/local <<'END'
#!/sbin/openrc-run
depend() { after *; }
start() { for f in /etc/local.d/*.start; do [ ! -x "$f" ] || "$f" || :; done; }
END
chmod 755 /etc/init.d/local
mkdir -p /etc/local.d
rc-update -q add local default
`
	openrcBoots = "mkdir -p /run/openrc /run/sshd\n{ openrc sysinit; openrc boot; openrc default; } >/run/openrc.log 2>&1\n"
	cronBoots   = "mkdir -p /run/sshd\n/usr/sbin/sshd\ncron\n"
	withCron    = `ip link set lo up
ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
printf '%s\n' 'Include /etc/ssh/sshd_config.d/*.conf' 'HostKey /etc/ssh/ssh_host_ed25519_key' 'UsePAM no' >/etc/ssh/sshd_config
mkdir -p /etc/ssh/sshd_config.d /var/spool/cron/crontabs
rm -f /etc/init.d/ssh
`
)

// TestRestart: what nobody had confirmed when the power went is put back at the next
// start, by OpenRC or by cron, and sshd, which starts before that, takes notice.
func TestRestart(t *testing.T) {
	for by, start := range map[string]func(*testing.T) (m served, boots string){
		"OpenRC script /etc/local.d/sshtay-": func(t *testing.T) (served, string) {
			m := newAtOpenRC(t, "sshd")
			m.must(localService)
			return m, openrcBoots
		},
		"cron job /etc/cron.d/sshtay-": func(t *testing.T) (served, string) {
			testenv.Need(t, "sshd", "ssh-keygen", "ssh-keyscan", "ip", "apt-get", "dpkg-deb")
			archive, err := lab.Packages(t.Context(), "cron", "cron", "cron-daemon-common")
			if err != nil {
				t.Fatal(err)
			}
			m := served{newMachine(t).shell, "sshd"}
			if r, err := m.Run(t.Context(), host.Command{Argv: lab.Unpack, Stdin: bytes.NewReader(archive)}); err != nil || r.Exit != 0 {
				t.Fatalf("%v: %s", err, r.Stderr)
			}
			m.must(withCron + cronBoots)
			return m, cronBoots
		},
	} {
		t.Run(strings.Fields(by)[0], func(t *testing.T) {
			t.Parallel()
			m, boots := start(t)
			o, err := commit.Apply(t.Context(), m, commit.Transaction{ID: "cut", Title: "cut", Changes: m.tell()})
			if err != nil || o.Code != commit.OK || o.Record.BootHook != by+"cut"+map[bool]string{true: ".start"}[strings.HasPrefix(by, "OpenRC")] {
				t.Fatalf("%v, %v, at the next start by %q\n%s", err, o.Err(), o.Record.BootHook, o.Said)
			}
			m.is("sshd took notice", tells)
			m.must(powerCut + boots)
			m.is("sshd took notice of the rollback", tellsNot)
			m.is("the file is gone", "[ ! -e /etc/ssh/sshd_config.d/00-sshtay.conf ]")
			m.is("nothing is left for the next start", "! ls /etc/local.d /etc/cron.d | grep sshtay")
			all, err := commit.History(t.Context(), m)
			if err != nil || len(all) != 1 || all[0].State != commit.RolledBack || !strings.Contains(all[0].Why, "the machine was restarted") {
				t.Errorf("%+v, %v", all, err)
			}
		})
	}
}
