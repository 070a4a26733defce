package sshlog

import "sshtay/internal/pattern"

// A kind is what a line of a server's log tells.
type kind int

const (
	startupDrop kind = iota
	penalty
	refused
	graceTimeout
	noMoreSessions
	tooManyAuth
	clientTimeout
	inactive
	reset
	negotiation
	forkFailure
	crash
	broken
	pam
	sessionFailure
	oom
	conntrackFull
)

// A rule knows one wording. Where the line names the client, the group "addr"
// holds the address, where it names the user, "user" does, and where it names a
// network namespace, "net".
type rule struct {
	kind  kind
	match *pattern.Pattern
}

// id is how OpenSSH names a connection since 7.5: the user may be chosen to
// look like anything, so the address is the last thing before the port.
const (
	addr = `(?P<addr>[0-9a-fA-F.:%\w]+)`
	id   = `(?:(?:(?:authenticating|invalid) )?user .* )?` + addr + ` port \d+`
	tail = `(?: \[(?:pre|post)auth\])?$`
)

// sshdRules are for lines of sshd, sshd-session and sshd-auth, after the
// "error: " or "fatal: " that syslog gets and a file does not.
var sshdRules = rules([]wording{
	{startupDrop, `^drop connection #\d+ from \[` + addr + `\]:\d+ on \[.*\]:\d+ (?:past )?Max[Ss]tartups$`},
	{startupDrop, `^beginning MaxStartups throttling$`},
	{startupDrop, `^(?:in MaxStartups throttling for|exited MaxStartups throttling after) .*, \d+ connections dropped$`},
	{startupDrop, `^Maxstartups logging rate-limited: additional \d+ connections dropped$`},

	{penalty, `^drop connection #\d+ from \[` + addr + `\]:\d+ on \[.*\]:\d+ (?:penalty: .*|too many penalised addresses)$`},
	{penalty, `^PerSourcePenalties logging rate-limited: additional \d+ connections dropped$`},
	{penalty, `^srclimit_penalise: ` + addr + `/\d+: activating ipv[46] penalty of `},
	{penalty, `^srclimit_penalise: ipv[46]: new ` + addr + `/\d+ active penalty of `},

	{refused, `^refused connect from .* \(` + addr + `\)$`},
	{graceTimeout, `^Timeout before authentication for ` + addr + `(?: port \d+)?$`},
	{graceTimeout, `^Timeout before authentication for connection from ` + addr + ` to \S+, pid = \d+$`},
	{noMoreSessions, `^no more sessions$`},
	{tooManyAuth, `^maximum authentication attempts exceeded for .* from ` + addr + ` port \d+ ssh2` + tail},
	{clientTimeout, `^Timeout, client not responding from ` + id + tail},
	{clientTimeout, `^Connection from ` + id + ` timed out` + tail},
	{inactive, `^terminating inactive connection from ` + id + tail},
	{negotiation, `^Unable to negotiate with ` + id + `: no matching .*$`},

	{reset, `^Connection reset by ` + id + tail},
	{reset, `^Read error from remote host ` + addr + ` port \d+: .*$`},
	{reset, `^(?:process_output: ssh_packet_write_poll|ssh_dispatch_run_fatal|packet_write_poll): Connection from ` + id + `: (?:Connection reset|Broken pipe|Connection timed out|No route to host).*$`},

	{forkFailure, `^(?:\w+: )?fork: `},
	{forkFailure, `^fork of unprivileged child failed`},
	{forkFailure, `^accept: `},
	{forkFailure, `^reexec socketpair: `},
	{forkFailure, `^session_pty_req: session \d+ alloc failed`},
	{forkFailure, `^openpty: `},
	{forkFailure, `^(?:permanently_set_uid|setresuid|setreuid|initgroups)\b.*: Resource temporarily unavailable`},

	{crash, `^(?:privsep_preauth|monitor_child_preauth): preauth child (?:\d+ )?terminated by signal \d+`},
	{crash, `^[Ss]ession process \d+ unpriv child crash for `},
	{crash, `^session process \d+ for .* killed by signal \d+`},

	{broken, `^(?:sshd: )?no hostkeys available`},
	{broken, `^Missing privilege separation directory: `},
	{broken, `^\S+ must be owned by root and not group or world-writable`},
	{broken, `^Privilege separation user \S+ does not exist`},
	{broken, `^Bind to port \S+ on \S+ failed: `},
	{broken, `^Cannot bind any address`},
	{broken, `^rexec of \S+ failed: `},
	{broken, `^recv_rexec_state: `},
	{broken, `^ssh_msg_recv: read header: `},
	{broken, `^-R not supported here`},
	{broken, `^\S+ does not exist or is not executable`},
	{broken, `^RESTART FAILED: `},
	{broken, `^accepted connection when all \d+ child +slots full`},
	{broken, `^/\S+: terminating, \d+ bad configuration options`},
	{broken, `^/\S+:? line \d+: `},
	{broken, `^Bad IPQoS value: `},
	{broken, `^OpenSSL version mismatch`},

	{pam, `^Access denied for user (?P<user>.*) by PAM account configuration` + tail},
	{pam, `^PAM: (?:pam_open_session|pam_setcred)\(\): `},
	{pam, `^User (?P<user>.*) not allowed because \S+ exists`},
	{pam, `^pam_limits\(\S+\): .*[Tt]oo many (?:system )?logins for '?(?P<user>[^']*)'?`},
	{sessionFailure, `^bad ownership or modes for chroot directory`},
	{sessionFailure, `^chroot\(`},
	{sessionFailure, `^subsystem request for .* by user (?P<user>.*) failed, `},
	{sessionFailure, `^User (?P<user>.*) not allowed because shell \S+ (?:does not exist|is not executable)`},
})

// kernelRules are for lines of the kernel.
var kernelRules = rules([]wording{
	{oom, `^(?:Memory cgroup out of memory|Out of memory): Kill(?:ed)? process \d+ `},
	{oom, `^(?:Memory cgroup out of memory|Out of memory): `},
	{conntrackFull, `^(?:nf|ip)_conntrack: (?:nf_conntrack: )?table full(?: in netns (?P<net>\d+))?, dropping packet`},
	{forkFailure, `^cgroup: fork rejected by pids controller in \S*/sshd?\.service`},
	{forkFailure, `^VFS: file-max limit \d+ reached`},
	{crash, `^(?:traps: )?sshd(?:-session|-auth)?\[\d+\](?::|) (?:segfault at|general protection|trap )`},
	{crash, `^audit: type=1326 .* comm="sshd(?:-session|-auth)?" .* sig=31 `},
})

// serviceRules are for lines of systemd about the units of sshd.
var serviceRules = rules([]wording{
	{broken, `^sshd?(?:@\S*)?\.(?:service|socket): (?:Failed with result|Start request repeated too quickly|Trigger limit hit)`},
	{startupDrop, `^sshd?\.socket: Too many incoming connections \(\d+\)(?: from source ` + addr + `)?, (?:dropping|refusing) connection`},
	{oom, `^sshd?(?:@\S*)?\.service: (?:A process of this unit has been killed by the OOM killer|Failed with result 'oom-kill')`},
	{oom, `^Killed /\S+ due to memory (?:pressure|used)`},
})

type wording struct {
	kind kind
	text string
}

func rules(table []wording) []rule {
	var all []rule
	for _, w := range table {
		all = append(all, rule{w.kind, pattern.New(w.text)})
	}
	return all
}

// Filter is a POSIX extended regular expression, of plain words only, that
// every line matches which some rule counts whoever it is about. What counts
// only when it is ours names our address. A server can select lines with it
// before it sends them.
const Filter = `axStartups|axstartups|enalties |penalty: |penalised|activating|active penalty|Too many incoming|Timeout before|no more sessions|` +
	`fork: |fork of|fork rejected|accept: |socketpair|openpty|pty_req|temporarily unavailable|terminated by signal|child crash|killed by|Killed /|by the OOM|oom-kill|` +
	`no hostkeys|rivilege separation|must be owned|Bind to port|Cannot bind|rexec|ssh_msg_recv|not supported here|not executable|RESTART FAILED|slots full|` +
	`bad configuration| line [0-9]|IPQoS|OpenSSL version|Access denied|PAM: pam_|because /|because shell|oo many |chroot|subsystem not found|execution failed|` +
	`ut of memory|table full|file-max|segfault|general protection|trap |type=1326|Failed with result|repeated too quickly|Trigger limit`
