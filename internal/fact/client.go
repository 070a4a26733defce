package fact

import "time"

// Facts about the client: its programs, its effective configuration for this
// target, its kernel. client.control_master is "none" when no socket is
// configured or none is there, "alive" when its ssh answers, "dead" when nobody
// listens on it, and "mute" when somebody does and does not answer.
var (
	ClientOS          = define[string]("client.os", "", "which operating system does the client run?")
	ClientSSHVersion  = define[string]("client.ssh_version", "", "which version does the user's ssh say it is?")
	ClientConfigError = define[string]("client.config_error", "", "why does ssh refuse the client's configuration?")
	ClientConfigTime  = define[time.Duration]("client.config_time", "s", "how long does ssh take to read its configuration? cut after 5 s")

	ServerAliveInterval    = define[time.Duration]("client.server_alive_interval", "s", "after how much silence does ssh ask the server for a sign of life? 0 is never")
	ServerAliveCountMax    = define[int]("client.server_alive_count_max", "", "how many unanswered questions does ssh allow?")
	ClientTCPKeepAlive     = define[bool]("client.tcp_keep_alive", "", "does ssh ask its kernel for TCP keepalives?")
	ConnectTimeout         = define[time.Duration]("client.connect_timeout", "s", "how long does ssh wait for the connection and the banner? absent when it waits for the kernel")
	ClientIPQoS            = define[string]("client.ip_qos", "", "how does ssh mark its packets (interactive, bulk)?")
	ClientRekeyLimit       = define[string]("client.rekey_limit", "", "after how many bytes and seconds does ssh change keys? 0 0 is the cipher's default")
	ClientChannelTimeout   = define[string]("client.channel_timeout", "", "which channels does ssh close for inactivity?")
	ProxyCommand           = define[string]("client.proxy_command", "", "which command carries the connection? absent when none")
	ProxyJump              = define[[]string]("client.proxy_jump", "", "through which hosts does ssh jump? absent when none")
	ControlPath            = define[string]("client.control_path", "", "where is the socket of a shared connection? absent when none")
	ControlPathError       = define[string]("client.control_path_error", "", "why can ssh not make the socket of a shared connection? absent when it can, or need not")
	ControlMaster          = define[string]("client.control_master", "", "is there a shared connection: none, alive, dead, or mute?")
	ExitOnForwardFailure   = define[bool]("client.exit_on_forward_failure", "", "does ssh end when a forwarding cannot be made?")
	ForwardsTaken          = define[[]string]("client.forwards_taken", "", "from which local ports or sockets can ssh not forward as it is told, and why? absent when it need not")
	RemoteForwards         = define[[]string]("client.remote_forwards", "", "from which ports of the server shall ssh forward? absent when none")
	ClientKex              = define[[]string]("client.kex_algorithms", "", "which key exchange methods does ssh offer?")
	ClientHostKey          = define[[]string]("client.host_key_algorithms", "", "which host key algorithms does ssh accept?")
	ClientCiphers          = define[[]string]("client.ciphers", "", "which ciphers does ssh offer?")
	ClientMACs             = define[[]string]("client.macs", "", "which MACs does ssh offer?")
	IdentitiesOnly         = define[bool]("client.identities_only", "", "does ssh offer only the keys that are configured?")
	ClientTCPKeepaliveTime = define[time.Duration]("client.tcp_keepalive_time", "s", "after how much silence does the client's kernel ask for a sign of life?")
	ClientTCPKeepaliveIntv = define[time.Duration]("client.tcp_keepalive_intvl", "s", "how far apart are the client kernel's questions?")
	ClientTCPKeepaliveNum  = define[int]("client.tcp_keepalive_probes", "", "how many unanswered questions does the client's kernel allow?")
)
