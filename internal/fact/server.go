package fact

import "time"

// Facts about the server's side: its programs and sshd's effective
// configuration for this user from this address. What has no limit, or is not
// configured, is absent without a reason; what could not be seen has one.
//
// server.sshd_unit_state is systemd's "active/running" or "failed/failed
// (start-limit-hit)", or OpenRC's "started"; server.logind_idle is "no" or the
// settings with their file, such as "StopIdleSessionSec=900 (/etc/systemd/logind.conf)".
var (
	ServerVia            = define[string]("server.via", "", "how was the server's side read: login, shared connection or local?")
	ServerOS             = define[string]("server.os", "", "which system does the server run?")
	ServerKernel         = define[string]("server.kernel", "", "which kernel does the server run?")
	ServerInit           = define[string]("server.init", "", "what starts services there: systemd, openrc, sysvinit, or other?")
	ServerUser           = define[string]("server.user", "", "as whom was the server's side read?")
	SSHDVersion          = define[string]("server.sshd_version", "", "which version is the server's sshd program?")
	SSHDPackage          = define[string]("server.sshd_package", "", "which package is the server's sshd from?")
	SSHDImplementation   = define[string]("server.sshd_implementation", "", "which SSH server is it: openssh, dropbear, tinyssh or other?")
	SSHDConfigSource     = define[string]("server.sshd_config", "", "where does the server's configuration here come from: sshd -T, or files?")
	SSHDConfigError      = define[string]("server.sshd_config_error", "", "why does sshd -t refuse the configuration on disk?")
	SSHDRunning          = define[bool]("server.sshd_running", "", "does an sshd listen there?")
	SSHDActivation       = define[string]("server.sshd_activation", "", "who accepts connections: daemon, socket-unit, socket-unit-accept or inetd?")
	SocketConnections    = define[int]("server.socket_connections", "", "how many connections does a socket unit hold that starts one sshd for each?")
	SocketConnectionsMax = define[int]("server.socket_connections_max", "", "how many may it hold (MaxConnections)?")
	SSHDStale            = define[bool]("server.sshd_stale", "", "was sshd's program replaced after the listener was started?")
	SSHDNoPrivsepDir     = define[bool]("server.sshd_privsep_dir_missing", "", "is sshd's privilege separation directory missing?")
	SSHDHostKeys         = define[int]("server.sshd_host_keys", "", "how many host keys can sshd load?")
	SSHDEnabled          = define[bool]("server.sshd_enabled", "", "is the machine to start sshd by itself, by an init that runs? absent when it is not")
	SSHDUnitState        = define[string]("server.sshd_unit_state", "", "in what state is the unit that runs sshd?")

	ClientAliveInterval     = define[time.Duration]("server.client_alive_interval", "s", "after how much silence does sshd ask the client for a sign of life? 0 is never")
	ClientAliveCountMax     = define[int]("server.client_alive_count_max", "", "how many unanswered questions does sshd allow?")
	ServerTCPKeepAlive      = define[bool]("server.tcp_keep_alive", "", "does sshd ask its kernel for TCP keepalives?")
	LoginGraceTime          = define[time.Duration]("server.login_grace_time", "s", "how long may a client take to log in? 0 is for ever")
	MaxStartups             = define[string]("server.max_startups", "", "how many unauthenticated connections does sshd hold (start:rate:full)?")
	MaxSessions             = define[int]("server.max_sessions", "", "how many sessions does sshd allow on one connection?")
	MaxAuthTries            = define[int]("server.max_auth_tries", "", "how many failed tries does sshd allow on one connection?")
	PerSourceMaxStartups    = define[string]("server.per_source_max_startups", "", "how many unauthenticated connections may one source hold?")
	PerSourcePenalties      = define[string]("server.per_source_penalties", "", "how does sshd penalise sources?")
	PerSourceNetBlockSize   = define[string]("server.per_source_net_block_size", "", "which addresses count as one source?")
	UnusedConnectionTimeout = define[time.Duration]("server.unused_connection_timeout", "s", "after how long does sshd close a connection without channels? 0 is never")
	ChannelTimeout          = define[string]("server.channel_timeout", "", "which channels does sshd close for inactivity?")
	ServerRekeyLimit        = define[string]("server.rekey_limit", "", "after how many bytes and seconds does sshd change keys?")
	ServerIPQoS             = define[string]("server.ip_qos", "", "how does sshd mark its packets?")
	UseDNS                  = define[bool]("server.use_dns", "", "does sshd look up the client's name?")
	ForceCommand            = define[string]("server.force_command", "", "which command does sshd force on this user? absent when none")
	MatchOptions            = define[[]string]("server.match_options", "", "which options does a Match block of sshd_config set for this user from this address?")
	RefuseConnection        = define[bool]("server.refuse_connection", "", "does the configuration refuse this user's connection?")
	SFTPServer              = define[string]("server.sftp_subsystem", "", "which program is the sftp subsystem?")

	ServerTCPKeepaliveTime = define[time.Duration]("server.tcp_keepalive_time", "s", "after how much silence does the server's kernel ask for a sign of life?")
	ServerTCPKeepaliveIntv = define[time.Duration]("server.tcp_keepalive_intvl", "s", "how far apart are the server kernel's questions?")
	ServerTCPKeepaliveNum  = define[int]("server.tcp_keepalive_probes", "", "how many unanswered questions does the server's kernel allow?")
	ShellTMOUT             = define[time.Duration]("server.shell_tmout", "s", "after how much silence does the user's shell end (TMOUT)? absent when it never does")
	LogindIdle             = define[string]("server.logind_idle", "", "does logind stop idle sessions, and when?")
)
