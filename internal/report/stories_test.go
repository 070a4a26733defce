package report

import (
	"strings"
	"testing"
	"time"

	"sshtay/internal/cause"
	"sshtay/internal/fact"
	"sshtay/internal/remedy"
	"sshtay/internal/target"
)

// start is when every story's check began.
var start = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)

// stories are reports of checks that went the way their names say. Their
// causes are made by hand: a report knows nothing of the catalogue.
var stories = map[string]func(*testing.T) Input{
	"healthy":     healthy,
	"no-login":    noLogin,
	"local":       local,
	"history":     historyOfAServer,
	"broken":      brokenAtBanner,
	"auth":        auth,
	"at-risk":     atRisk,
	"unknown":     unknown,
	"hostile":     hostile,
	"many-unseen": manyUnseen,
}

var web1 = Input{
	Target:      target.Target{Given: "web1"},
	Resolved:    target.Resolved{User: "deploy", Host: "192.0.2.7", Port: 22, Jumps: []string{}},
	Version:     "0.1.0",
	At:          start,
	Took:        1900 * time.Millisecond,
	Connections: 2,
}

// facts reads the lines of a story and gives each its time.
func facts(t *testing.T, lines string) *fact.Set {
	t.Helper()
	told, err := fact.Parse(lines)
	if err != nil {
		t.Fatal(err)
	}
	s := &fact.Set{}
	for name, e := range told.Entries() {
		f, err := carry(name, e, start)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Decode(name, f.Value, "probe/story", start.Add(120*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
	}
	for name, reason := range told.Missing() {
		s.DecodeMissing(name, reason)
	}
	return s
}

// judged is a judgement without more to tell than its reason.
func judged(id string, s cause.Status, reason string) cause.Judgement {
	return cause.Judgement{
		Cause:   &cause.Cause{ID: id, Title: "the title of " + id},
		Verdict: cause.Verdict{Status: s, Reason: reason},
	}
}

// ruledOut are the judgements of causes that are none.
func ruledOut(ids string) []cause.Judgement {
	var out []cause.Judgement
	for id := range strings.FieldsSeq(ids) {
		out = append(out, judged(id, cause.RuledOut, "the facts exclude it"))
	}
	return out
}

const wholeWay = `
handshake.stage = kex
handshake.banner = SSH-2.0-OpenSSH_9.6p1 Ubuntu-3ubuntu13.5
handshake.resolve_time = 1.2ms
handshake.connect_time = 20.3ms
handshake.banner_time = 22.8ms
handshake.kexinit_time = 0.4ms
handshake.kex_time = 41ms
path.rtt = 20.3ms
`

const session = `
login.stage = session
login.auth_time = 187ms
session.shell_time = 24ms
client.server_alive_interval = 60s
server.client_alive_interval = 60s
server.load1 = 0.31
server.disks = [{"mount": "/", "used": 0.41, "inodes": 0.08, "read_only": false}]
`

const rest = "auth client-side keepalive login-grace max-sessions not-ssh server-idle-policy server-resources session-refused source-refused sshd-broken startup-throttle tcp-keepalive unreachable version"

// without leaves some of the causes out of a list of them.
func without(ids string, not ...string) string {
	var out []string
	for id := range strings.FieldsSeq(ids) {
		if !strings.Contains(" "+strings.Join(not, " ")+" ", " "+id+" ") {
			out = append(out, id)
		}
	}
	return strings.Join(out, " ")
}

func healthy(t *testing.T) Input {
	in := web1
	in.Facts = facts(t, wholeWay+session)
	in.Judgements = ruledOut(rest)
	return in
}

func noLogin(t *testing.T) Input {
	in := web1
	in.Target.Given, in.Resolved.Host = "deploy@2001:db8::7", "2001:db8::7"
	in.Resolved.Jumps = []string{"bastion", "ops@inner:2222"}
	in.NoLogin = true
	in.Facts = facts(t, wholeWay+`
login.stage ? no login was asked for
server.sshd_config ? no login was asked for
server.load1 ? no login was asked for`)
	in.Judgements = append(ruledOut("not-ssh unreachable version"), judged("max-sessions", cause.Unknown, "could not see"))
	return in
}

func local(t *testing.T) Input {
	in := web1
	in.Target, in.Resolved, in.Connections = target.Target{}, target.Resolved{}, 0
	in.Facts = facts(t, "client.server_alive_interval = 60s\nserver.sshd_running ? no sshd is installed here\n")
	in.Judgements = append(ruledOut("keepalive tcp-keepalive"), judged("startup-throttle", cause.Unknown, "no sshd is installed here"))
	return in
}

func brokenAtBanner(t *testing.T) Input {
	in := web1
	in.Took, in.Connections = 1340*time.Millisecond, 5
	in.Facts = facts(t, `
handshake.stage = connect
handshake.reason = closed
handshake.resolve_time = 1.2ms
handshake.connect_time = 20.3ms
handshake.tries = 5
handshake.failures = 4
path.rtt = 20.3ms
handshake.banner ? the server closed the connection first
server.sshd_config ? the login failed: allow one, or run sshtay check on the server
server.load1 ? the login failed: allow one, or run sshtay check on the server
log.source ? the login failed: allow one, or run sshtay check on the server
`)
	throttle := judged("startup-throttle", cause.Likely, "4 of 5 connections were closed before the banner")
	throttle.Title = "the server refuses new connections for a while"
	throttle.Impact = cause.Breaks
	throttle.Summary = "The server closes connections before its banner because MaxStartups is full. It refused 4 of 5."
	throttle.Why = "sshd counts the connections that have not logged in yet. From the first number of MaxStartups on it closes a part of the new ones, at the last number all of them, " +
		"and the client sees nothing but a reset."
	throttle.Evidence = []cause.Evidence{
		{Fact: "handshake.failures", Says: "4 of 5 connections were closed before the server's banner", Source: "probe/handshake"},
		{Fact: "handshake.refusal", Says: `the server said "Not allowed at this time" before it closed the third of them, and "Exceeded MaxStartups" before the fourth`, Source: "probe/handshake; 203.0.113.9:51022"},
	}
	throttle.Remedies = []remedy.Remedy{{
		ID: "more-startups", Side: remedy.Server, Risk: remedy.ReloadsSSHD, Summary: "Let more connections wait for their login.",
		Steps: []remedy.Step{
			{Text: "in /etc/ssh/sshd_config (or a file of sshd_config.d that it includes first): MaxStartups 50:30:100", Kind: remedy.SSHDConfig, With: map[string]string{"MaxStartups": "50:30:100"}},
			{Text: "sshd -t && systemctl reload ssh   (the unit is called sshd on RHEL, Fedora and SUSE)", Kind: remedy.Command, With: map[string]string{"run": "sshd -t && systemctl reload ssh"}},
		},
	}, {
		ID: "fewer-at-once", Side: remedy.Client, Risk: remedy.Harmless, Summary: "Open fewer connections at the same time.",
		Steps: []remedy.Step{{Text: "Share one connection, in ~/.ssh/config:\n    Host web1\n        ControlMaster auto\n        ControlPath ~/.ssh/%C\n        ControlPersist 10m", Kind: remedy.SSHConfig}},
	}}
	in.Judgements = append(ruledOut("client-side keepalive not-ssh tcp-keepalive unreachable version"), throttle,
		judged("server-resources", cause.Possible, "a server without memory closes connections in the same way, and its state could not be seen"),
		judged("source-refused", cause.Possible, "some connections passed, so it is no ban; a rate limit would look like this"),
		judged("login-grace", cause.Unknown, "could not see"), judged("max-sessions", cause.Unknown, "could not see"))
	return in
}

func auth(t *testing.T) Input {
	in := web1
	in.Facts = facts(t, wholeWay+"login.stage = kex\nlogin.reason = permission-denied\nlogin.methods = [\"publickey\"]\n")
	auth := judged("auth", cause.Confirmed, "ssh was refused")
	auth.Title, auth.Impact = "the server refuses the login", cause.Breaks
	auth.Summary = "The transport is clean; the server takes no key that ssh offers"
	in.Judgements = append(ruledOut(without(rest, "auth")), auth)
	return in
}

func atRisk(t *testing.T) Input {
	in := web1
	in.Facts = facts(t, wholeWay+strings.ReplaceAll(session, "= 60s", "= 0s"))
	keepalive := judged("keepalive", cause.Confirmed, "nobody speaks")
	keepalive.Title, keepalive.Impact = "nothing keeps a silent connection alive", cause.WillBreak
	keepalive.Summary = "Neither side speaks on a silent connection, so every device that forgets idle connections cuts it. A dead server would be noticed after 2 h 11 min."
	keepalive.Why = "NATs and firewalls forget a connection that is silent for 4 to 60 minutes, and reset or drop what comes after."
	keepalive.Evidence = []cause.Evidence{
		{Fact: "client.server_alive_interval", Says: "ServerAliveInterval 0: ssh never asks", Source: "ssh -G; ~/.ssh/config:14, which hides 60 in /etc/ssh/ssh_config:52"},
		{Fact: "server.client_alive_interval", Says: "ClientAliveInterval 0: sshd never asks", Source: "sshd -T"},
	}
	keepalive.Remedies = []remedy.Remedy{{
		ID: "client-keepalive", Side: remedy.Client, Risk: remedy.Harmless, Summary: "Let ssh ask the server every 60 seconds.",
		Steps: []remedy.Step{{Text: "In ~/.ssh/config, in place of line 14:\n    ServerAliveInterval 60\n    ServerAliveCountMax 3", Kind: remedy.SSHConfig}},
	}}
	tcp := judged("tcp-keepalive", cause.Likely, "the kernel waits for two hours")
	tcp.Title, tcp.Impact = "the kernel notices a dead peer after hours", cause.Risk
	tcp.Summary = "Each kernel asks only after 7200 s of silence."
	tcp.Evidence = []cause.Evidence{{Fact: "client.tcp_keepalive_time", Says: "net.ipv4.tcp_keepalive_time is 7200", Source: "/proc/sys"}}
	tcp.Remedies = []remedy.Remedy{{
		ID: "sysctl", Side: remedy.Server, Risk: remedy.CanLockOut, Summary: "Ask after ten minutes.",
		Steps: []remedy.Step{{
			Text: "on the server, in /etc/sysctl.d/60-ssh-keepalive.conf: net.ipv4.tcp_keepalive_time=600, net.ipv4.tcp_keepalive_intvl=60, net.ipv4.tcp_keepalive_probes=5; then: sysctl --system",
			Kind: remedy.Sysctl, With: map[string]string{"net.ipv4.tcp_keepalive_time": "600", "net.ipv4.tcp_keepalive_intvl": "60", "net.ipv4.tcp_keepalive_probes": "5"},
		}, {
			Text: "ss -Htn state established '( sport = :22 )' | awk '{print $4}' | sed 's/:[0-9]*$//' | sort | uniq -c | sort -rn | head",
			Kind: remedy.Command, With: map[string]string{"run": "ss -Htn state established '( sport = :22 )' | awk '{print $4}' | sed 's/:[0-9]*$//' | sort | uniq -c | sort -rn | head"},
		}, {Text: "stop jobs behind this address that fail to log in, or connect to the port without logging in; penalties then decay by themselves within 10 minutes", Kind: remedy.Advice}},
	}}
	in.Judgements = append(ruledOut(without(rest, "keepalive", "tcp-keepalive")), tcp, keepalive)
	return in
}

func unknown(t *testing.T) Input {
	in := web1
	in.Facts = facts(t, wholeWay+"login.stage = kex\nlogin.reason = closed\nlogin.error = Connection closed by 192.0.2.7 port 22\nserver.sshd_config ? the login did not succeed\nlog.source ? the login did not succeed\n")
	broken := judged("sshd-broken", cause.Possible, "it would close connections after the key exchange too")
	broken.Impact = cause.Breaks
	in.Judgements = append(ruledOut("not-ssh unreachable version"), broken,
		judged("keepalive", cause.Possible, "ssh itself never speaks"),
		judged("max-sessions", cause.Unknown, "could not see"))
	return in
}

// unseenNames are many, and do not grow with the vocabulary.
const unseenNames = `
log.broken log.client_lines log.client_timeouts_ours log.conntrack_full log.crashes log.fork_failures log.grace_timeouts log.grace_timeouts_ours
log.inactive_ours log.negotiation_ours log.no_more_sessions log.oom log.pam_ours log.penalties log.penalties_ours log.penalty_sample log.refused_ours
log.resets_ours log.session_failures log.source log.startup_drops log.startup_drops_ours log.startup_sample log.too_many_auth_ours server.banned_by
server.channel_timeout server.client_address server.client_alive_count_max server.client_alive_interval server.cpus server.disks server.files
server.files_max server.firewall_limits server.force_command server.hosts_deny server.init server.ip_qos server.kernel server.listen_overflows
server.listen_queue server.listen_queue_max server.load1 server.load5 server.login_grace_time server.logind_idle server.match_options
server.max_auth_tries server.max_sessions server.max_startups server.mem_available server.mem_total server.os server.per_source_max_startups
server.per_source_net_block_size server.per_source_penalties server.pressure_cpu server.pressure_io server.pressure_memory server.processes
server.processes_max server.ptys server.ptys_max server.refuse_connection server.rekey_limit server.sftp_subsystem server.shell_tmout
server.socket_connections server.socket_connections_max server.ssh_connections
`

func manyUnseen(t *testing.T) Input {
	in := web1
	in.Facts = facts(t, wholeWay+session)
	reasons := []string{"needs root on the server: allow sudo -n, or log in as root", "the server has no systemd", "ss is not installed on the server",
		"the log of sshd is not readable for deploy", "the kernel is older than 4.20", "r6", "r7", "r8", "r9"}
	for i, name := range strings.Fields(unseenNames) {
		in.Facts.DecodeMissing(name, reasons[i%(1+i/8)%len(reasons)])
	}
	in.Judgements = ruledOut("keepalive not-ssh")
	for id := range strings.FieldsSeq(without(rest, "keepalive", "not-ssh")) {
		in.Judgements = append(in.Judgements, judged(id, cause.Unknown, "could not see"))
	}
	return in
}

// nasty is what a hostile server would like to have printed.
const nasty = "\x1b[2J\x1b]0;owned\x07\u009b31m\r\nroot\u202elru\u2066\u2028</p><script>alert('x')</script><img src=https://evil.example/x onerror=x>" +
	" # heading *bold* _it_ [click](https://evil.example) ![x](//evil.example) `code` ``` ~~~ | cell | www.evil.example root@evil.example \\ &amp; &lt; $x$ \xff\xfe \U000e0041"

func hostile(t *testing.T) Input {
	in := web1
	in.Target.Given = "web1\x1b[31m<b>"
	in.Resolved = target.Resolved{User: "# de\u202eploy", Host: "<host>\x07", Port: 22, Jumps: []string{"[j](x)", nasty}}
	in.Version = "0.1.0\x1b[0m"
	in.Facts = facts(t, wholeWay)
	fact.HandshakeBanner.Put(in.Facts, "SSH-2.0-"+nasty, nasty)
	fact.LoginReason.Put(in.Facts, nasty, nasty)
	fact.LogClientLines.Put(in.Facts, []string{nasty, strings.Repeat("A", 5000)}, "journal")
	fact.Miss(in.Facts, nasty, fact.MaxStartups, fact.Load1)
	fact.Miss(in.Facts, strings.Repeat("long ", 2000), fact.MaxSessions)
	bad := judged("version", cause.Likely, nasty)
	bad.Title, bad.Impact = "1. "+nasty, cause.Breaks
	bad.Summary = "- " + nasty + ". " + nasty
	bad.Why = "# why\n\n> " + nasty + "\n\n" + strings.Repeat("長い", 900) + "\n\n1) one\n\n===\n\n    code"
	bad.Evidence = []cause.Evidence{
		{Fact: "handshake.banner", Says: nasty, Source: nasty},
		{Fact: "handshake.banner", Says: strings.Repeat("x", 4000), Source: strings.Repeat("y", 4000)},
		{Fact: "handshake.banner", Says: "accents pile up: a" + strings.Repeat("\u0301", 40), Source: ""},
	}
	bad.Remedies = []remedy.Remedy{{ID: nasty, Side: remedy.Client, Risk: remedy.Harmless, Summary: nasty,
		Steps: []remedy.Step{{Text: nasty + "\n```\n# not a heading\n````\n\tindented"}, {Text: ""}, {Text: "\n"}}}}
	in.Judgements = []cause.Judgement{bad, judged("auth", cause.RuledOut, nasty), judged("not-ssh", cause.Possible, nasty)}
	return in
}

// historyOfAServer is a check of a machine whose logs tell of a bad night.
func historyOfAServer(t *testing.T) Input {
	in := local(t)
	in.Facts = facts(t, strings.ReplaceAll(`log.history = {"since": "2026-11-13T10:00:00Z", "from": "2026-11-13T10:02:11Z", "to": "2026-11-20T09:59:58Z",
 "sources": [{"name": "/var/log/auth.log.1", "lines": 40211, "from": "2026-11-13T10:02:11Z", "to": "2026-11-15T00:00:03Z"}, {"name": "/var/log/auth.log", "lines": 12007}],
 "not_read": [{"name": "/var/log/fail2ban.log", "why": "this account may not read it", "do": "as root, or add the account to the group that the file is for"}],
 "connections": 9412, "logins": 812, "failures": 97, "failed_logins": 8123, "visits": 12, "forgotten": 3,
 "troubles": [
  {"symptom": "startup-drop", "kind": "throttle", "cause": "startup-throttle", "says": "sshd dropped connections because too many were logging in", "count": 90, "first": "2026-11-19T02:58:00Z", "last": "2026-11-19T03:12:40Z", "line": "x"},
  {"symptom": "client-reset", "kind": "reset", "says": "a session's connection was reset from the client's direction", "count": 7, "last": "2026-11-18T17:00:00Z"}],
 "networks": [
  {"network": "192.0.2.0/24", "connections": 410, "logins": 300, "failures": 92, "kinds": {"throttle": 85, "reset": 7}},
  {"network": "2001:db8:0:1::/64", "connections": 5, "logins": 0, "failures": 5, "kinds": {"throttle": 5}}],
 "hours": [
  {"at": "2026-11-13T10:00:00Z", "connections": 300, "logins": 10, "failures": 0},
  {"at": "2026-11-18T17:00:00Z", "connections": 30, "logins": 10, "failures": 7, "kinds": {"reset": 7}},
  {"at": "2026-11-19T02:00:00Z", "connections": 60, "logins": 1, "failures": 12, "kinds": {"throttle": 12}},
  {"at": "2026-11-19T03:00:00Z", "connections": 110, "logins": 1, "failures": 78, "kinds": {"throttle": 78}},
  {"at": "2026-11-20T09:00:00Z", "connections": 30, "logins": 10, "failures": 0}],
 "changes": [
  {"at": "2026-11-19T02:58:00Z", "kind": "file", "what": "/etc/ssh/sshd_config.d/50-hardening.conf was written", "source": "the files' own times", "failures_before": 7, "failures_after": 90},
  {"at": "2026-11-19T02:58:10Z", "kind": "restart", "what": "sshd was started", "source": "sshd's log", "failures_before": 7, "failures_after": 90}]}`, "\n", ""))
	return in
}
