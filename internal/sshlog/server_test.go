package sshlog

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.FixedZone("", 3600))

func counted(user string, lines ...string) *Server {
	s := &Server{Client: netip.MustParseAddr("192.0.2.9"), User: user, Now: now}
	for _, l := range lines {
		s.Add(l)
	}
	return s
}

func TestHeads(t *testing.T) {
	at := time.Date(2026, 11, 21, 0, 15, 33, 0, now.Location())
	for line, want := range map[string]Line{
		"Nov 21 00:15:33 web1 sshd[21597]: no more sessions":                         {at, 0, "sshd", 21597, "no more sessions"},
		"<38>Nov 21 00:15:33 sshd[21597]: no more sessions\r\n":                      {at, 0, "sshd", 21597, "no more sessions"},
		"Nov 21 00:15:33 web1 auth.info sshd[21597]: no more sessions":               {at, 0, "sshd", 21597, "no more sessions"},
		"2026-11-21T00:15:33+0100 web1 sshd-session[7]: no more sessions":            {at, 0, "sshd-session", 7, "no more sessions"},
		"2026-11-20T23:15:33.000000+00:00 web1 sshd[21597]: no more sessions":        {at, 0, "sshd", 21597, "no more sessions"},
		"Nov 21 00:15:33 web1 /usr/sbin/sshd[1]: x: y":                               {at, 0, "sshd", 1, "x: y"},
		"Nov 21 00:15:33 web1 kernel: [ 3600.1] Out of memory: Killed process 1 (x)": {at, 0, "kernel", 0, "Out of memory: Killed process 1 (x)"},
		"Nov 21 00:15:33 web1 user.warn kernel: Out of memory: x":                    {at, 0, "kernel", 0, "Out of memory: x"},
		"[ 3600.123456] nf_conntrack: table full":                                    {time.Time{}, 3600123456 * time.Microsecond, "kernel", 0, "nf_conntrack: table full"},
		"Dec 31 23:00:00 web1 sshd[2]: last year":                                    {time.Date(2025, 12, 31, 23, 0, 0, 0, now.Location()), 0, "sshd", 2, "last year"},
	} {
		got, ok := ParseLine(line, now)
		if same := got.Time.Equal(want.Time); !ok || !same || got.Ident != want.Ident || got.PID != want.PID || got.Uptime != want.Uptime || got.Text != want.Text {
			t.Errorf("%q\n got %v %+v\nwant %+v", line, ok, got, want)
		}
	}
	for _, line := range []string{"", "last message repeated 2 times", "Nov 21 00:15:33 web1 last message repeated 2 times", "-- Boot 1234 --"} {
		if got, ok := ParseLine(line, now); ok {
			t.Errorf("%q was taken for %+v", line, got)
		}
	}
}

// wordings are lines of many versions, and what each counts as: the names of
// the counts, with "ours" where the client's address makes it so.
var wordings = []struct{ text, counts string }{
	{"drop connection #10 from [192.0.2.9]:4000 on [10.0.0.1]:22 past MaxStartups", "StartupDrops StartupDropsOurs"},
	{"drop connection #10 from [192.0.2.9]:4000 on [10.0.0.1]:22 past Maxstartups", "StartupDrops StartupDropsOurs"},
	{"drop connection #10 from [192.0.2.9]:4000 on [10.0.0.1]:22 Maxstartups", "StartupDrops StartupDropsOurs"},
	{"drop connection #10 from [192.0.2.99]:4000 on [192.0.2.9]:22 Maxstartups", "StartupDrops"},
	{"error: beginning MaxStartups throttling", ""},
	{"error: in MaxStartups throttling for 00:05:00, 31 connections dropped", "StartupDrops"},
	{"exited MaxStartups throttling after 00:05:00, 31 connections dropped", "StartupDrops"},
	{"Maxstartups logging rate-limited: additional 9 connections dropped", "StartupDrops"},
	{"drop connection #0 from [192.0.2.9]:4000 on [10.0.0.1]:22 penalty: failed authentication", "Penalties PenaltiesOurs"},
	{"drop connection #0 from [::ffff:192.0.2.9]:4000 on [10.0.0.1]:22 penalty: caused crash", "Penalties PenaltiesOurs"},
	{"drop connection #0 from [2001:db8::1]:4000 on [10.0.0.1]:22 too many penalised addresses", "Penalties"},
	{"PerSourcePenalties logging rate-limited: additional 9 connections dropped", "Penalties"},
	{"srclimit_penalise: 192.0.2.9/32: activating ipv4 penalty of 15.012 seconds for penalty: failed authentication", "Penalties PenaltiesOurs"},
	{"srclimit_penalise: ipv4: new 192.0.2.9/32 active penalty of 90 seconds for penalty: caused crash", "Penalties PenaltiesOurs"},
	{"srclimit_penalise: ipv4: new 192.0.2.9/32 deferred penalty of 1 seconds for penalty: connections without attempting authentication", ""},
	{"refused connect from 192.0.2.9 (192.0.2.9)", "RefusedOurs"},
	{"refused connect from ptr.of (192.0.2.9) evil (198.51.100.1)", ""},
	{"fatal: Timeout before authentication for 192.0.2.9 port 4000", "GraceTimeouts GraceTimeoutsOurs"},
	{"fatal: Timeout before authentication for 192.0.2.9", "GraceTimeouts GraceTimeoutsOurs"},
	{"Timeout before authentication for connection from 192.0.2.9 to 10.0.0.1, pid = 7", "GraceTimeouts GraceTimeoutsOurs"},
	{"Timeout before authentication for connection from 10.0.0.2 to 192.0.2.9, pid = 7", "GraceTimeouts"},
	{"error: no more sessions", "NoMoreSessions"},
	{"error: maximum authentication attempts exceeded for invalid user a b from 192.0.2.9 port 4000 ssh2 [preauth]", "TooManyAuthOurs"},
	{"Timeout, client not responding from user deploy 192.0.2.9 port 4000", "ClientTimeoutsOurs"},
	{"Timeout, client not responding from 192.0.2.9 port 4000", "ClientTimeoutsOurs"},
	{"terminating inactive connection from user deploy 192.0.2.9 port 4000", "InactiveOurs"},
	{"Unable to negotiate with 192.0.2.9 port 4000: no matching key exchange method found. Their offer: x [preauth]", "NegotiationOurs"},
	{"fatal: Unable to negotiate with 192.0.2.9 port 4000: no matching cipher found. Their offer: x [preauth]", "NegotiationOurs"},
	{"ssh_dispatch_run_fatal: Connection from authenticating user deploy 192.0.2.9 port 4000: message authentication code incorrect [preauth]", "CorruptOurs"},
	{"error: ssh_dispatch_run_fatal: Connection from user deploy 192.0.2.9 port 4000: Connection corrupted", "CorruptOurs"},
	{"Connection reset by 192.0.2.9 port 4000 [preauth]", "ResetsOurs"},
	{"Connection reset by authenticating user deploy 192.0.2.9 port 4000 [preauth]", "ResetsOurs"},
	{"Read error from remote host 192.0.2.9 port 4000: Connection timed out", "ResetsOurs"},
	{"ssh_dispatch_run_fatal: Connection from user deploy 192.0.2.9 port 4000: Broken pipe", "ResetsOurs"},
	{"error: fork: Resource temporarily unavailable", "ForkFailures"},
	{"error: do_exec_no_pty: fork: Cannot allocate memory", "ForkFailures"},
	{"error: accept: Too many open files", "ForkFailures"},
	{"fatal: fork of unprivileged child failed", "ForkFailures"},
	{"error: session_pty_req: session 0 alloc failed", "ForkFailures"},
	{"fatal: permanently_set_uid: setresuid 1000: Resource temporarily unavailable", "ForkFailures"},
	{"lastlog_write_entry: Error writing to /var/log/lastlog: No space left on device", "DiskFull"},
	{"wtmp_write: problem writing /var/log/wtmp: No space left on device", "DiskFull"},
	{"error: Failed to write to /var/log/btmp: Disk quota exceeded", "DiskFull"},
	{"pam_lastlog(sshd:session): unable to write /var/log/lastlog: No space left on device", "DiskFull"},
	{"fatal: privsep_preauth: preauth child terminated by signal 31", "Crashes"},
	{"fatal: monitor_child_preauth: preauth child 123 terminated by signal 31", "Crashes"},
	{"error: session process 123 for connection from 192.0.2.9 to 10.0.0.1 killed by signal 9", "Crashes"},
	{"Session process 123 unpriv child crash for connection from 192.0.2.9 to 10.0.0.1", "Crashes"},
	{"sshd: no hostkeys available -- exiting.", "Broken"},
	{"fatal: Missing privilege separation directory: /run/sshd", "Broken"},
	{"fatal: /run/sshd must be owned by root and not group or world-writable.", "Broken"},
	{"error: Bind to port 22 on 0.0.0.0 failed: Address already in use.", "Broken"},
	{"fatal: Cannot bind any address.", "Broken"},
	{"fatal: rexec of /usr/sbin/sshd-session failed: No such file or directory", "Broken"},
	{"error: ssh_msg_recv: read header: Connection reset by peer", "Broken"},
	{"fatal: recv_rexec_state: ssh_msg_recv failed", "Broken"},
	{"fatal: -R not supported here", "Broken"},
	{"error: /etc/ssh/sshd_config: line 12: Bad configuration option: Foo", "Broken"},
	{"fatal: /etc/ssh/sshd_config: terminating, 1 bad configuration options", "Broken"},
	{"error: Could not load host key: /etc/ssh/ssh_host_rsa_key", ""},

	{"fatal: Access denied for user deploy by PAM account configuration [preauth]", "PAMOurs"},
	{"fatal: Access denied for user somebody by PAM account configuration [preauth]", ""},
	{"error: PAM: pam_open_session(): Permission denied", "PAMOurs"},
	{"fatal: bad ownership or modes for chroot directory component \"/srv/\"", "SessionFailuresOurs"},
	{"subsystem request for sftp by user deploy failed, subsystem not found", "SessionFailuresOurs"},
	{"User somebody not allowed because shell /bin/nothing does not exist", ""},

	// what attackers choose must not count
	{"Invalid user drop connection #1 from [192.0.2.9]:1 on [1.1.1.1]:22 Maxstartups from 198.51.100.1 port 5", ""},
	{"Connection reset by invalid user x 192.0.2.9 port 4000 198.51.100.1 port 5 [preauth]", ""},
	{"Invalid user x: No space left on device from 198.51.100.1 port 4", ""},
	{"Failed password for invalid user x: Disk quota exceeded from 198.51.100.1 port 4 ssh2", ""},
	{"Invalid user no more sessions from 198.51.100.1 port 4", ""},
	{"Failed password for invalid user \\nerror: fork: from 198.51.100.1 port 4 ssh2", ""},
	{"error: kex_exchange_identification: client sent invalid protocol identifier \"Connection reset by 192.0.2.9 port 1\"", ""},
	{"Accepted publickey for deploy from 192.0.2.9 port 4000 ssh2: ED25519 SHA256:x", ""},
}

func TestWordings(t *testing.T) {
	for _, w := range wordings {
		line := "Nov 21 00:15:33 web1 sshd[21597]: " + w.text
		if got := counted("deploy", line).nonZero(); got != w.counts {
			t.Errorf("%s\n counts as %q, want %q", w.text, got, w.counts)
		}
	}
}

// TestFilter: what a rule knows must pass the filter that runs on servers.
func TestFilter(t *testing.T) {
	filter := regexp.MustCompile(Filter)
	for _, w := range wordings {
		general := slices.ContainsFunc(strings.Fields(w.counts), func(c string) bool {
			return !strings.HasSuffix(c, "Ours") || c == "PAMOurs" || c == "SessionFailuresOurs"
		})
		if general && !filter.MatchString(w.text) {
			t.Errorf("the filter drops %q", w.text)
		} else if !general && w.counts != "" && !strings.Contains(w.text, "192.0.2.9") {
			t.Errorf("neither the filter nor the client's address selects %q", w.text)
		}
	}
	for _, text := range otherLines {
		if !filter.MatchString(text.line) {
			t.Errorf("the filter drops %q", text.line)
		}
	}
	if strings.ContainsAny(Filter, `\'"$!`+"`\n") {
		t.Error("the filter holds what a shell or awk would look at")
	}
}

var otherLines = []struct{ line, counts string }{
	{"Nov 21 00:15:33 web1 kernel: Out of memory: Killed process 4242 (postgres) total-vm:1kB", "OOM"},
	{"Nov 21 00:15:33 web1 kernel: [ 99.5] Memory cgroup out of memory: Kill process 4242 (java) score 1", "OOM"},
	{"Nov 21 00:15:33 web1 kernel: nf_conntrack: nf_conntrack: table full, dropping packet", "ConntrackFull"},
	{"[  12.000000] nf_conntrack: table full, dropping packet.", "ConntrackFull"},
	{"[  12.000000] IPv6: eth0: IPv6 duplicate address 2001:db8::10 used by 52:54:00:12:34:56 detected!", "Duplicates"},
	{"Nov 21 00:15:33 web1 kernel: arp: 52:54:00:12:34:56 is using my IP address 192.0.2.7 on em0!", "Duplicates"},
	{"[  12.000000] nf_conntrack: nf_conntrack: table full in netns 4026531840, dropping packet", "ConntrackFull"},
	{"Nov 21 00:15:33 web1 kernel: sshd[99]: segfault at 0 ip 00007f sp 00007f error 4 in libc.so.6", "Crashes"},
	{"Nov 21 00:15:33 web1 kernel: traps: sshd[99] general protection fault ip:7f sp:7f error:0", "Crashes"},
	{`Nov 21 00:15:33 web1 kernel: audit: type=1326 audit(1.2:3): auid=1 uid=100 gid=65534 ses=1 pid=9 comm="sshd" exe="/usr/sbin/sshd" sig=31 arch=c000003e`, "Crashes"},
	{"Nov 21 00:15:33 web1 kernel: cgroup: fork rejected by pids controller in /system.slice/ssh.service", "ForkFailures"},
	{"Nov 21 00:15:33 web1 systemd[1]: ssh.service: Start request repeated too quickly.", "Broken"},
	{"Nov 21 00:15:33 web1 systemd[1]: sshd.socket: Trigger limit hit, refusing further activation.", "Broken"},
	{"Nov 21 00:15:33 web1 systemd[1]: ssh.socket: Too many incoming connections (64) from source 192.0.2.9, dropping connection.", "StartupDrops StartupDropsOurs"},
	{"Nov 21 00:15:33 web1 systemd[1]: ssh.service: A process of this unit has been killed by the OOM killer.", "OOM"},
	{"Nov 21 00:15:33 web1 systemd-journald[99]: Failed to open runtime journal: No space left on device", "DiskFull"},
	{"Nov 21 00:15:33 web1 rsyslogd: file '/var/log/auth.log'[7] write error - see https://www.rsyslog.com/solving-rsyslog-write-errors/ for help OS error: No space left on device [v8.2302.0 try https://www.rsyslog.com/e/2027 ]", "DiskFull"},
	{"Nov 21 00:15:33 web1 kernel: EXT4-fs (vda1): Delayed block allocation failed for inode 12 at logical offset 0 with max blocks 2 with error 28", "DiskFull"},
	{"Nov 21 00:15:33 web1 kernel: BTRFS: error (device vda1: state A) in btrfs_run_delayed_refs:2150: errno=-28 No space left", "DiskFull"},
	{"Nov 21 00:15:33 web1 systemd[1]: run-docker.mount: Failed to add inotify watch: No space left on device", ""},
}

func TestKernelAndServiceLines(t *testing.T) {
	for _, l := range otherLines {
		if got := counted("", l.line).nonZero(); got != l.counts {
			t.Errorf("%s\n counts as %q, want %q", l.line, got, l.counts)
		}
	}
	elsewhere := counted("", "Nov 21 00:15:33 web1 nginx[1]: Out of memory: Killed process 1 (x)", "Nov 21 00:15:33 web1 login[1]: no more sessions")
	if got := elsewhere.nonZero(); got != "" {
		t.Errorf("lines of other programs count as %q", got)
	}
}

// TestRecordedLogs reads logs as sshd of three versions wrote them while the
// same things were done to it.
func TestRecordedLogs(t *testing.T) {
	for file, want := range map[string]string{
		"9.2.log":            "StartupDrops 2, StartupDropsOurs 1, ResetsOurs 2, NegotiationOurs 1, CorruptOurs 1",
		"9.8.log":            "StartupDrops 2, StartupDropsOurs 1, GraceTimeouts 1, GraceTimeoutsOurs 1, ResetsOurs 2, NegotiationOurs 1, CorruptOurs 1",
		"10.5.log":           "StartupDrops 2, StartupDropsOurs 2, GraceTimeouts 1, GraceTimeoutsOurs 1, ResetsOurs 2, NegotiationOurs 1, CorruptOurs 1",
		"9.2-hosts-deny.log": "RefusedOurs 1",
	} {
		s := &Server{Client: netip.MustParseAddr("127.0.0.1"), Now: now}
		for line := range strings.Lines(read(t, filepath.Join("testdata/server", file))) {
			s.Add(line)
		}
		var got []string
		for _, c := range s.named() {
			if c.N > 0 {
				got = append(got, fmt.Sprintf("%s %d", c.name, c.N))
			}
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: %s\nwant %s", file, strings.Join(got, ", "), want)
		}
		if s.ClientLines.N == 0 {
			t.Errorf("%s: no line names the client", file)
		}
	}
}

func TestOnlyTheLastDayCounts(t *testing.T) {
	s := counted("", "Nov 20 11:59:00 web1 sshd[1]: error: no more sessions", "Nov 20 12:01:00 web1 sshd[1]: error: no more sessions")
	if s.NoMoreSessions.N != 1 {
		t.Errorf("%d lines count", s.NoMoreSessions.N)
	}
}

// TestWithoutAClient nothing is ours.
func TestWithoutAClient(t *testing.T) {
	s := &Server{Now: now}
	for _, w := range wordings {
		s.Add("Nov 21 00:15:33 web1 sshd[21597]: " + w.text)
	}
	for _, c := range s.named() {
		if strings.HasSuffix(c.name, "Ours") && c.N > 0 && c.name != "PAMOurs" && c.name != "SessionFailuresOurs" {
			t.Errorf("%s = %d", c.name, c.N)
		}
	}
	if s.ClientLines.N != 0 {
		t.Errorf("%d lines name a client that there is not", s.ClientLines.N)
	}
}

func FuzzServer(f *testing.F) {
	for _, w := range wordings {
		f.Add("Nov 21 00:15:33 web1 sshd[21597]: " + w.text)
	}
	for _, l := range otherLines {
		f.Add(l.line)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := counted("deploy")
		lines := 0
		for line := range strings.Lines(text) {
			s.Add(line)
			lines++
		}
		for _, c := range append(s.named(), named{"ClientLines", &s.ClientLines}) {
			if c.N > lines || len(c.Last) > min(c.N, maxClientLines) {
				t.Errorf("%s = %+v of %d lines", c.name, c.Count, lines)
			}
		}
	})
}

type named struct {
	name string
	*Count
}

func (s *Server) named() []named {
	return []named{
		{"StartupDrops", &s.StartupDrops}, {"StartupDropsOurs", &s.StartupDropsOurs},
		{"Penalties", &s.Penalties}, {"PenaltiesOurs", &s.PenaltiesOurs}, {"RefusedOurs", &s.RefusedOurs},
		{"GraceTimeouts", &s.GraceTimeouts}, {"GraceTimeoutsOurs", &s.GraceTimeoutsOurs},
		{"NoMoreSessions", &s.NoMoreSessions}, {"TooManyAuthOurs", &s.TooManyAuthOurs},
		{"ClientTimeoutsOurs", &s.ClientTimeoutsOurs}, {"InactiveOurs", &s.InactiveOurs},
		{"ResetsOurs", &s.ResetsOurs}, {"NegotiationOurs", &s.NegotiationOurs}, {"CorruptOurs", &s.CorruptOurs},
		{"ForkFailures", &s.ForkFailures}, {"Crashes", &s.Crashes}, {"Broken", &s.Broken},
		{"OOM", &s.OOM}, {"DiskFull", &s.DiskFull}, {"ConntrackFull", &s.ConntrackFull}, {"Duplicates", &s.Duplicates}, {"PAMOurs", &s.PAMOurs}, {"SessionFailuresOurs", &s.SessionFailuresOurs},
	}
}

func (s *Server) nonZero() string {
	var names []string
	for _, c := range s.named() {
		if c.N > 0 {
			names = append(names, c.name)
		}
	}
	return strings.Join(names, " ")
}

// TestOtherNetworks: the kernel log of a machine with containers also tells of
// their networks, which are not the server's.
func TestOtherNetworks(t *testing.T) {
	for network, want := range map[string]int{"4026531840": 2, "4026531999": 1, "": 2} {
		s := Server{Network: network}
		s.Add("[  12.000000] nf_conntrack: nf_conntrack: table full in netns 4026531840, dropping packet")
		s.Add("[  13.000000] nf_conntrack: nf_conntrack: table full, dropping packet")
		if s.ConntrackFull.N != want {
			t.Errorf("in %q: %d lines, want %d", network, s.ConntrackFull.N, want)
		}
	}
}

// TestPenaltyUntil: when a penalty of ours ends, in the words of all versions.
func TestPenaltyUntil(t *testing.T) {
	const head = "Nov 21 00:15:33 web1 sshd[1]: srclimit_penalise: "
	for _, c := range []struct{ line, want string }{
		{head + "ipv4: new 192.0.2.9/32 active penalty of 90 seconds for penalty: caused crash", "00:17:03"},
		{head + "192.0.2.9/32: activating ipv4 penalty of 15.012 seconds for penalty: failed authentication", "00:15:48"},
		{head + "ipv4: new 192.0.2.9/32 deferred penalty of 1 seconds for penalty: failed authentication", ""},
		{head + "ipv4: new 192.0.2.8/32 active penalty of 90 seconds for penalty: caused crash", ""},
		{head + "ipv4: new 192.0.2.9/32 active penalty of 1e300 seconds for penalty: caused crash", ""},
		{head + "ipv4: new 192.0.2.9/32 active penalty of NaN seconds for penalty: caused crash", ""},
	} {
		s := Server{Client: netip.MustParseAddr("192.0.2.9"), Now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
		s.Add(c.line)
		got := ""
		if !s.PenaltyUntil.IsZero() {
			got = s.PenaltyUntil.Format(time.TimeOnly)
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.line, got, c.want)
		}
	}
}
