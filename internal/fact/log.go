package fact

// Facts that the server's log and state hold about this client and about sshd,
// over the last day where the log goes back so far. A count is of lines; sshd
// limits how often it writes, so the events may be more. Sample lines are made
// visible and at most 500 bytes.
var (
	LogSource           = define[string]("log.source", "", "which log of sshd was read?")
	LogClientLines      = define[[]string]("log.client_lines", "", "which of the last lines name our address?")
	LogStartupDrops     = define[int]("log.startup_drops", "", "how many lines tell of connections dropped for MaxStartups?")
	LogStartupSample    = define[string]("log.startup_sample", "", "what does the last of these say?")
	LogStartupsOurs     = define[int]("log.startup_drops_ours", "", "how many of these name our address?")
	LogPenalties        = define[int]("log.penalties", "", "how many lines tell of connections refused for a penalty?")
	LogPenaltiesOurs    = define[int]("log.penalties_ours", "", "how many of these name our address?")
	LogPenaltySample    = define[string]("log.penalty_sample", "", "what does the last of these say?")
	LogPenaltyUntil     = define[string]("log.penalty_until", "", "when does the last penalty of our address end that the log tells of, by the server's clock? absent when it tells of none")
	LogRefusedOurs      = define[int]("log.refused_ours", "", "how many lines tell that TCP wrappers refused our address?")
	LogGraceTimeouts    = define[int]("log.grace_timeouts", "", "how many lines tell that LoginGraceTime ran out?")
	LogGraceOurs        = define[int]("log.grace_timeouts_ours", "", "how many of these name our address?")
	LogNoMoreSessions   = define[int]("log.no_more_sessions", "", "how many lines tell that MaxSessions was reached?")
	LogTooManyAuth      = define[int]("log.too_many_auth_ours", "", "how many lines tell of too many failed tries from our address?")
	LogClientTimeouts   = define[int]("log.client_timeouts_ours", "", "how many lines tell that ClientAlive gave our address up?")
	LogInactive         = define[int]("log.inactive_ours", "", "how many lines tell that our unused connection was ended?")
	LogOOM              = define[[]string]("log.oom", "", "which lines tell that the kernel killed a process for lack of memory?")
	LogForkFailures     = define[[]string]("log.fork_failures", "", "which lines tell that sshd could not start a process or open a file?")
	LogDiskFull         = define[[]string]("log.disk_full", "", "which lines tell that a disk was full, or a quota used up?")
	LogCrashes          = define[[]string]("log.crashes", "", "which lines tell that a process of sshd died by a signal?")
	LogBroken           = define[[]string]("log.broken", "", "which lines tell that sshd itself is broken?")
	LogPAM              = define[[]string]("log.pam_ours", "", "which lines tell that PAM or a module refused us after the login?")
	LogChroot           = define[[]string]("log.session_failures", "", "which lines tell that a session of ours could not be started?")
	LogConntrackFull    = define[[]string]("log.conntrack_full", "", "which kernel lines tell that the connection table is full?")
	LogDuplicates       = define[[]string]("log.duplicate_addresses", "", "which kernel lines tell that another machine uses an address of the server's?")
	LogResets           = define[int]("log.resets_ours", "", "how many lines tell that a connection of ours was reset or cut?")
	LogNegotiation      = define[[]string]("log.negotiation_ours", "", "which lines tell that sshd and a client of our address had no algorithm in common?")
	BannedBy            = define[string]("server.banned_by", "", "what bans our address there? absent when nothing that could be read does")
	FirewallLimits      = define[[]string]("server.firewall_limits", "", "which firewall rules limit or refuse connections to sshd?")
	HostsDeny           = define[string]("server.hosts_deny", "", "which line of hosts.deny refuses our address? absent when none")
	ServerClientAddress = define[string]("server.client_address", "", "from which address does the server see us?")
)
