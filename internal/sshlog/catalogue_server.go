package sshlog

// serverMessages are what sshd, sshd-session and sshd-auth log, after the
// "error: " or "fatal: " that syslog gets and a file does not, and without the
// "[preauth]" after it.
var serverMessages = []Message{
	// how many may log in
	{by: sshd, tells: StartupDrop, versions: "7.4-9.7", form: "drop connection #{n} from [{addr}]:{port} on [{word}]:{n} past MaxStartups"},
	{by: sshd, tells: StartupDrop, versions: "9.8-9.9", form: "drop connection #{n} from [{addr}]:{port} on [{word}]:{n} past Maxstartups"},
	{by: sshd, tells: StartupDrop, versions: "10.0+", form: "drop connection #{n} from [{addr}]:{port} on [{word}]:{n} Maxstartups"},
	{by: sshd, tells: StartupDrop, versions: "-7.3", form: "drop connection #{n}"},
	{by: sshd, tells: StartupDrop, versions: "8.4-9.9", form: "beginning MaxStartups throttling"},
	{by: sshd, tells: StartupDrop, versions: "8.4-9.9", form: "in MaxStartups throttling for {*}, {n} connections dropped"},
	{by: sshd, tells: StartupDrop, versions: "8.4-9.9", form: "exited MaxStartups throttling after {*}, {n} connections dropped"},
	{by: sshd, tells: StartupDrop, versions: "10.0+", form: "Maxstartups logging rate-limited: additional {n} connections dropped"},

	// who may
	{by: sshd, tells: Penalty, versions: "9.8+", form: "drop connection #{n} from [{addr}]:{port} on [{word}]:{n} penalty: {*}"},
	{by: sshd, tells: Penalty, versions: "9.8+", form: "drop connection #{n} from [{addr}]:{port} on [{word}]:{n} too many penalised addresses"},
	{by: sshd, tells: Penalty, versions: "10.0+", form: "PerSourcePenalties logging rate-limited: additional {n} connections dropped"},
	{by: sshd, tells: Penalty, versions: "9.8+", form: "srclimit_penalise: {addr}/{n}: activating {word} penalty of {*}"},
	{by: sshd, tells: Penalty, versions: "9.8+", form: "srclimit_penalise: {word} new {addr}/{n} active penalty of {*}"},
	{by: sshd, tells: PenaltyNote, versions: "9.8+", form: "srclimit_penalise: {word} new {addr}/{n} deferred penalty of {*}"},
	{by: sshd, tells: TCPWrapped, form: "refused connect from {*} ({addr})"},
	{by: sshd, tells: ConnectionDenied, versions: "9.9+", form: "administratively prohibited connection for {user} from {addr} port {port}{*}"},

	// the banner
	{by: sshd, tells: ClientSaidNothing, versions: "7.3-7.9", form: "Did not receive identification string from {addr} port {port}"},
	{by: sshd, tells: ClientSaidNothing, versions: "-7.2", form: "Did not receive identification string from {addr}"},
	{by: sshd, tells: ClientNotSSH, versions: "7.3-7.9", form: "Bad protocol version identification '{*}' from {addr} port {port}"},
	{by: sshd, tells: ClientNotSSH, versions: "-7.2", form: "Bad protocol version identification '{*}' from {addr}"},
	{by: sshd, tells: ClientNotSSH, versions: "8.0+", form: "kex_exchange_identification: client sent invalid protocol identifier {*}"},
	{by: sshd, tells: ClientNotSSH, versions: "8.3+", form: "banner exchange: Connection from {id}: invalid format"},
	{by: sshd, tells: ClientNotSSH, versions: "8.3+", form: "banner exchange: Connection from {id}: could not read protocol version"},
	{by: sshd, tells: ClientSaidNothing, versions: "8.3+", form: "banner exchange: Connection from {id}: {*}"},
	{by: sshd, tells: ClientSaidNothing, form: "probed from {addr} port {port} with {*}"},
	{by: sshd, tells: ClientSaidNothing, form: "scanned from {addr} port {port} with {*}"},

	// the key exchange
	{by: sshd, tells: ClientWrongMAC, versions: "6.8+", form: "ssh_dispatch_run_fatal: Connection from {id}: message authentication code incorrect"},
	{by: sshd, tells: ClientWrongMAC, versions: "6.8+", form: "ssh_dispatch_run_fatal: Connection from {id}: Connection corrupted"},
	{by: sshd, tells: ClientReset, versions: "6.8+", form: "ssh_dispatch_run_fatal: Connection from {id}: Connection reset{*}"},
	{by: sshd, tells: ClientReset, versions: "6.8+", form: "ssh_dispatch_run_fatal: Connection from {id}: Broken pipe{*}"},
	{by: sshd, tells: ClientTimedOut, versions: "6.8+", form: "ssh_dispatch_run_fatal: Connection from {id}: Connection timed out{*}"},
	{by: sshd, tells: ClientReset, versions: "6.8+", form: "ssh_dispatch_run_fatal: Connection from {id}: No route to host{*}"},
	{by: sshd, tells: ClientNoCommon, versions: "6.8+", form: "ssh_dispatch_run_fatal: Connection from {id}: no matching {*}"},
	{by: sshd, tells: ProtocolError, versions: "6.8+", form: "ssh_dispatch_run_fatal: Connection from {id}: {*}"},
	{by: sshd, tells: NotAllowedAlgorithm, form: "input_kex_gen_init: Key exchange type {word} is not allowed in FIPS mode{*}"},
	{by: sshd, tells: ProtocolError, versions: "10.4+", form: "Disconnecting {id}: multiple KEXINIT received from peer"},
	{by: sshd, tells: ProtocolError, versions: "10.3+", form: "RekeyLimit exceeded before authentication completed"},

	// the login
	{by: sshd, tells: GraceTimeout, versions: "7.3-9.7", form: "Timeout before authentication for {addr} port {port}"},
	{by: sshd, tells: GraceTimeout, versions: "-7.2", form: "Timeout before authentication for {addr}"},
	{by: sshd, tells: GraceTimeout, versions: "9.8+", form: "Timeout before authentication for connection from {addr} to {word}, pid = {n}"},
	{by: sshd, tells: MaxAuthTries, versions: "6.8+", form: "maximum authentication attempts exceeded for {user} from {addr} port {port} ssh2"},
	{by: sshd, tells: MaxAuthTries, form: "Disconnecting {id}: Too many authentication failures{*}"},
	{by: sshd, tells: MaxAuthTries, form: "Disconnecting: Too many authentication failures{*}"},
	{by: sshd, tells: ClientUnknownUser, versions: "7.3+", form: "Invalid user {user} from {addr} port {port}"},
	{by: sshd, tells: ClientUnknownUser, versions: "-7.2", form: "Invalid user {user} from {addr}"},
	{by: sshd, tells: ClientUnknownUser, versions: "-7.4", form: "input_userauth_request: invalid user {user}"},
	{by: sshd, tells: ClientFailedAuth, form: "Failed {word} for invalid user {user} from {addr} port {port} ssh2{*}"},
	{by: sshd, tells: ClientFailedAuth, form: "Failed {word} for {user} from {addr} port {port} ssh2{*}"},
	{by: sshd, tells: SawAccepted, form: "Accepted {word} for {user} from {addr} port {port} ssh2{*}"},
	{by: sshd, tells: SawNote, form: "Accepted key {*} found at {*}"},
	{by: sshd, tells: SawNote, form: "Postponed {word} for {user} from {addr} port {port} ssh2{*}"},
	{by: sshd, tells: SawNote, form: "Partial {word} for {user} from {addr} port {port} ssh2{*}"},
	{by: sshd, tells: AccountRefused, form: "Access denied for user {user} by PAM account configuration"},
	{by: sshd, tells: AccountRefused, form: "PAM: pam_open_session(): {*}"},
	{by: sshd, tells: AccountRefused, form: "PAM: pam_setcred(): {*}"},
	{by: sshd, tells: ClientFailedAuth, form: "PAM: {*} for {user} from {addr}"},
	{by: sshd, tells: NoLogin, form: "User {user} not allowed because {word} exists"},
	{by: sshd, tells: SessionBroken, form: "User {user} not allowed because shell {word} does not exist"},
	{by: sshd, tells: SessionBroken, form: "User {user} not allowed because shell {word} is not executable"},
	{by: sshd, tells: UserRefused, form: "User {user} from {addr} not allowed because {*}"},
	{by: sshd, tells: UserRefused, form: "User {user} not allowed because {*}"},
	{by: sshd, tells: UserRefused, form: "ROOT LOGIN REFUSED FROM {addr}{*}"},
	{by: sshd, tells: UserRefused, form: "Authentication refused: bad ownership or modes for {*}"},
	{by: sshd, tells: KeyTypeRefused, versions: "9.0+", form: "userauth_pubkey: signature algorithm {word} not in PubkeyAcceptedAlgorithms{*}"},
	{by: sshd, tells: KeyTypeRefused, versions: "-8.9", form: "userauth_pubkey: key type {word} not in PubkeyAccepted{word}"},
	{by: sshd, tells: KeyTypeRefused, versions: "9.1+", form: "refusing {word} key: Invalid key length{*}"},
	{by: sshd, tells: NameMismatch, form: "reverse mapping checking getaddrinfo for {word} [{addr}] failed."},
	{by: sshd, tells: NameMismatch, versions: "-7.2", form: "reverse mapping checking getaddrinfo for {word} [{addr}] failed - POSSIBLE BREAK-IN ATTEMPT!"},
	{by: sshd, tells: NameMismatch, form: "Address {addr} maps to {word} but this does not map back to the address.{*}"},
	{by: sshd, tells: NameMismatch, versions: "-7.2", form: "Address {addr} maps to {word} but this does not map back to the address - POSSIBLE BREAK-IN ATTEMPT!"},
	{by: sshd, tells: NameMismatch, form: "Nasty PTR record {*}"},

	// the session
	{by: sshd, tells: NoMoreSessions, form: "no more sessions"},
	{by: sshd, tells: ClientSilent, versions: "7.7+", form: "Timeout, client not responding from {id}"},
	{by: sshd, tells: ClientSilent, versions: "-7.6", form: "Timeout, client not responding."},
	{by: sshd, tells: ClientSilent, versions: "7.5+", form: "Connection from {id} timed out"},
	{by: sshd, tells: Inactive, versions: "9.2+", form: "terminating inactive connection from {id}"},
	{by: sshd, tells: ChannelIdle, versions: "9.2+", form: "channel {n}: closing after {n} seconds of inactivity"},
	{by: sshd, tells: ClientTimedOut, form: "Read error from remote host {addr} port {port}: {*}timed out"},
	{by: sshd, tells: ClientReset, form: "Read error from remote host {addr} port {port}: {*}"},
	{by: sshd, tells: ClientReset, form: "Read error from remote host {addr}: {*}"},
	{by: sshd, tells: ClientTimedOut, versions: "8.0+", form: "process_output: ssh_packet_write_poll: Connection from {id}: Connection timed out{*}"},
	{by: sshd, tells: ClientReset, versions: "8.0+", form: "process_output: ssh_packet_write_poll: Connection from {id}: Connection reset{*}"},
	{by: sshd, tells: ClientReset, versions: "8.0+", form: "process_output: ssh_packet_write_poll: Connection from {id}: Broken pipe{*}"},
	{by: sshd, tells: ClientReset, versions: "8.0+", form: "process_output: ssh_packet_write_poll: Connection from {id}: No route to host{*}"},
	{by: sshd, tells: ClientReset, versions: "-7.9", form: "packet_write_poll: Connection from {id}: {*}"},
	{by: sshd, tells: SawGoodbye, form: "Disconnected from {id}"},
	{by: sshd, tells: ClientDisconnected, form: "Disconnecting {id}: {*}"},
	{by: sshd, tells: SawLogin, form: "Starting session: {*} for {user} from {addr} port {port} id {n}"},
	{by: sshd, tells: SawNote, form: "Close session: user {user} from {addr} port {port} id {n}"},
	{by: sshd, tells: SawGoodbye, form: "Closing connection to {addr} port {port}"},
	{by: sshd, tells: SawNote, form: "Transferred: sent {*}"},
	{by: sshd, tells: SawNote, form: "User child is on pid {n}"},
	{by: sshd, tells: SessionBroken, form: "subsystem request for {*} by user {user} failed, {*}"},
	{by: sshd, tells: SawNote, form: "subsystem request for {word} by user {user}"},
	{by: sshd, tells: SessionBroken, form: "bad ownership or modes for chroot directory{*}"},
	{by: sshd, tells: SessionBroken, form: "chroot({*}"},
	{by: sshd, tells: ForwardRefused, form: "refused local port forward: {*}"},
	{by: sshd, tells: ForwardRefused, form: "refused streamlocal port forward: {*}"},
	{by: sshd, tells: ForwardRefused, form: "Received request from {addr} port {port} to connect to host {*}, but the request was denied."},
	{by: sshd, tells: ForwardFailed, form: "connect_to {*}: failed."},
	{by: sshd, tells: ForwardFailed, form: "connect_to {*} port {n}: failed."},
	{by: sshd, tells: ForwardFailed, form: "connect_to {*}: unknown host ({*})"},
	{by: sshd, tells: SELinuxDenied, form: "ssh_selinux_{word}: {*}"},

	// what the machine lacks
	{by: sshd, tells: ForkFailure, form: "fork: {*}"},
	{by: sshd, tells: ForkFailure, form: "{word}: fork: {*}"},
	{by: sshd, tells: ForkFailure, form: "fork of unprivileged child failed{*}"},
	{by: sshd, tells: ForkFailure, form: "accept: {*}"},
	{by: sshd, tells: ForkFailure, form: "reexec socketpair: {*}"},
	{by: sshd, tells: ForkFailure, form: "session_pty_req: session {n} alloc failed{*}"},
	{by: sshd, tells: ForkFailure, form: "openpty: {*}"},
	{by: sshd, tells: ForkFailure, form: "permanently_set_uid: {*}Resource temporarily unavailable{*}"},
	{by: sshd, tells: ForkFailure, form: "permanently_set_uid{*}: Resource temporarily unavailable{*}"},
	{by: sshd, tells: ForkFailure, form: "setresuid{*}: Resource temporarily unavailable{*}"},
	{by: sshd, tells: ForkFailure, form: "setreuid{*}: Resource temporarily unavailable{*}"},
	{by: sshd, tells: ForkFailure, form: "initgroups{*}: Resource temporarily unavailable{*}"},

	// sshd itself
	{by: sshd, tells: ChildCrash, versions: "5.9-10.0", form: "privsep_preauth: preauth child terminated by signal {n}"},
	{by: sshd, tells: ChildCrash, versions: "10.1+", form: "monitor_child_preauth: preauth child {n} terminated by signal {n}"},
	{by: sshd, tells: ChildCrash, versions: "9.8+", form: "Session process {n} unpriv child crash for {*}"},
	{by: sshd, tells: ChildCrash, versions: "9.8+", form: "session process {n} unpriv child crash for {*}"},
	{by: sshd, tells: ChildCrash, versions: "9.8+", form: "session process {n} for {*} killed by signal {*}"},
	{by: sshd, tells: DaemonBroken, form: "no hostkeys available{*}"},
	{by: sshd, tells: DaemonBroken, form: "sshd: no hostkeys available{*}"},
	{by: sshd, tells: HostKeyMissing, form: "Could not load host key: {*}"},
	{by: sshd, tells: HostKeyMissing, form: "Unable to load host key{*}"},
	{by: sshd, tells: DaemonBroken, form: "No supported key exchange algorithms{*}"}, // for want of any host key
	{by: sshd, tells: DaemonBroken, form: "Missing privilege separation directory: {*}"},
	{by: sshd, tells: DaemonBroken, form: "/{word} must be owned by root and not group or world-writable{*}"},
	{by: sshd, tells: DaemonBroken, form: "Privilege separation user {word} does not exist"},
	{by: sshd, tells: DaemonBroken, form: "Bind to port {word} on {word} failed: {*}"},
	{by: sshd, tells: DaemonBroken, form: "Cannot bind any address{*}"},
	{by: sshd, tells: DaemonBroken, form: "rexec of {word} failed: {*}"},
	{by: sshd, tells: DaemonBroken, form: "recv_rexec_state: {*}"},
	{by: sshd, tells: DaemonBroken, form: "ssh_msg_recv: read header: {*}"},
	{by: sshd, tells: DaemonBroken, form: "-R not supported here{*}"},
	{by: sshd, tells: DaemonBroken, versions: "9.8+", form: "/{word} does not exist or is not executable{*}"},
	{by: sshd, tells: DaemonBroken, form: "RESTART FAILED: {*}"},
	{by: sshd, tells: DaemonBroken, versions: "9.8+", form: "accepted connection when all {n} child {*}slots full{*}"},
	{by: sshd, tells: DaemonBroken, form: "/{word}: terminating, {n} bad configuration options{*}"},
	{by: sshd, tells: DaemonBroken, form: "/{word} line {n}: {*}"},
	{by: sshd, tells: DaemonBroken, form: "/etc/ssh/sshd_config{*} line {n}: {*}"},
	{by: sshd, tells: DaemonBroken, form: "/etc/ssh/sshd_config{*}: terminating, {n} bad configuration options{*}"},
	{by: sshd, tells: DaemonBroken, form: "Bad IPQoS value: {*}"},
	{by: sshd, tells: SawListen, form: "Server listening on {addr} port {port}."},
	{by: sshd, tells: SawStop, form: "Received signal {n}; terminating."},
	{by: sshd, tells: SawStop, form: "Received SIGHUP; restarting."},
	{by: sshd, tells: SawNote, form: "kex_exchange_identification: {*}"},

	// the modules of PAM, which log in sshd's name
	{by: pam, tells: AccountRefused, form: "pam_limits({word}: {*}oo many logins for '{user}'{*}"},
	{by: pam, tells: AccountRefused, form: "pam_limits({word}: {*}oo many logins for {user}"},
	{by: pam, tells: AccountRefused, form: "pam_limits({word}: {*}oo many system logins for '{user}'{*}"},
	{by: pam, tells: AccountRefused, form: "pam_limits({word}: {*}oo many system logins for {user}"},
	{by: pam, tells: ClientFailedAuth, form: "pam_unix(sshd:auth): authentication failure; {*}"},
	{by: pam, tells: ClientFailedAuth, form: "PAM {n} more authentication failure{*}"},
	{by: pam, tells: ClientUnknownUser, form: "pam_unix(sshd:auth): check pass; user unknown"},
	{by: pam, tells: SawLogin, form: "pam_unix(sshd:session): session opened for user {*}"},
	{by: pam, tells: DiskFull, form: "pam_{word} {*}: No space left on device"},
	{by: pam, tells: DiskFull, form: "pam_{word} {*}: Disk quota exceeded"},
	{by: pam, tells: SawNote, form: "pam_{word} {*}"},
	{by: sshd, tells: SawNote, form: "sshd_hostkey_sign: agent sign failed: {*}"}, // a login or a renewal of keys: the line does not tell
}

// kernelMessages are lines of the kernel.
var kernelMessages = []Message{
	{by: kernel, tells: OutOfMemory, form: "Memory cgroup out of memory: {*}"},
	{by: kernel, tells: OutOfMemory, form: "Out of memory: {*}"},
	{by: kernel, tells: ConntrackFull, form: "nf_conntrack: table full, dropping packet{*}"},
	{by: kernel, tells: ConntrackFull, form: "nf_conntrack: nf_conntrack: table full, dropping packet{*}"},
	{by: kernel, tells: ConntrackFull, form: "nf_conntrack: nf_conntrack: table full in netns {n}, dropping packet{*}"},
	{by: kernel, tells: ConntrackFull, form: "ip_conntrack: table full, dropping packet{*}"},
	{by: kernel, tells: DuplicateAddress, form: "IPv6: {word}: IPv6 duplicate address {addr} used by {word} detected!"},
	{by: kernel, tells: DuplicateAddress, form: "IPv6: {word}: IPv6 duplicate address {addr} detected!"},
	{by: kernel, tells: DuplicateAddress, form: "arp: {word} is using my IP address {addr} on {word}!"},
	{by: kernel, tells: ForkFailure, form: "cgroup: fork rejected by pids controller in {*}/ssh.service"},
	{by: kernel, tells: ForkFailure, form: "cgroup: fork rejected by pids controller in {*}/sshd.service"},
	{by: kernel, tells: ForkFailure, form: "VFS: file-max limit {n} reached"},
	{by: kernel, tells: DiskFull, form: "EXT4-fs ({word}): Delayed block allocation failed for inode {*} with error 28"},
	{by: kernel, tells: DiskFull, form: "BTRFS{*} errno=-28 No space left"},
	{by: kernel, tells: ChildCrash, form: "sshd[{n}]: segfault at {*}"},
	{by: kernel, tells: ChildCrash, form: "sshd[{n}] general protection {*}"},
	{by: kernel, tells: ChildCrash, form: "sshd-session[{n}]: segfault at {*}"},
	{by: kernel, tells: ChildCrash, form: "sshd-auth[{n}]: segfault at {*}"},
	{by: kernel, tells: ChildCrash, form: "traps: sshd[{n}] {*}"},
	{by: kernel, tells: ChildCrash, form: "traps: sshd-session[{n}] {*}"},
	{by: kernel, tells: ChildCrash, form: "traps: sshd-auth[{n}] {*}"},
	{by: kernel, tells: ChildCrash, form: "audit: type=1326 {*} comm=\"sshd\" {*} sig=31 {*}"},
	{by: kernel, tells: ChildCrash, form: "audit: type=1326 {*} comm=\"sshd-session\" {*} sig=31 {*}"},
	{by: kernel, tells: ChildCrash, form: "audit: type=1326 {*} comm=\"sshd-auth\" {*} sig=31 {*}"},
}

// loggerMessages are lines of those who write the logs, about themselves.
var loggerMessages = []Message{
	{by: logger, tells: DiskFull, form: "Failed to {*}: No space left on device"},
	{by: logger, tells: DiskFull, form: "Failed to {*}: Disk quota exceeded"},
	{by: logger, tells: DiskFull, form: "file '{*}'[{n}] write error - {*}: No space left on device{*}"},
	{by: logger, tells: DiskFull, form: "file '{*}'[{n}] write error - {*}: Disk quota exceeded{*}"},
}

// unitMessages are lines of systemd about the units of sshd.
var unitMessages = append(ofUnits([]Message{
	{tells: DaemonBroken, form: ": Failed with result {*}"},
	{tells: OutOfMemory, form: ": Failed with result 'oom-kill'{*}"},
	{tells: DaemonBroken, form: ": Start request repeated too quickly{*}"},
	{tells: DaemonBroken, form: ": Trigger limit hit{*}"},
	{tells: StartupDrop, form: ": Too many incoming connections ({n}) from source {addr}, {word} connection{*}"},
	{tells: StartupDrop, form: ": Too many incoming connections ({n}), {word} connection{*}"},
	{tells: OutOfMemory, form: ": A process of this unit has been killed by the OOM killer{*}"},
}), Message{by: unit, tells: OutOfMemory, form: "Killed /{word} due to memory {*}"})

// ofUnits puts the names of sshd's units before messages.
func ofUnits(about []Message) []Message {
	var all []Message
	for _, name := range []string{"ssh.service", "sshd.service", "ssh@{word}.service", "sshd@{word}.service", "ssh.socket", "sshd.socket"} {
		for _, m := range about {
			all = append(all, Message{by: unit, tells: m.tells, form: name + m.form})
		}
	}
	return all
}

// guardMessages are lines of programs that ban addresses.
var guardMessages = []Message{
	{by: guard, tells: AddressBanned, form: "[{word}] Ban {addr}"},
	{by: guard, tells: AddressBanned, form: "NOTICE {*}[{word}] Ban {addr}"},
	{by: guard, tells: AddressBanned, form: "Blocked {addr}{*}"},
	{by: guard, tells: AddressBanned, form: "Blocking \"{addr}\" for {*}"},
}
