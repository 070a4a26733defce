package explain

import "sshtay/internal/sshlog"

// A row says how often each cause shows a symptom, as a share of the times that
// it breaks a connection. Causes that a row does not name show it as often as
// "else" says.
//
// The shares are estimates. What they rest on stands beside them where it is
// not plain; what matters is only how they compare within a row.
type row map[string]float64

// other is the key of a row for the causes it does not name.
const other = "else"

// Symptoms that name their cause: nothing else makes a program say so.
func names(cause string) row { return row{cause: 0.2, other: 0.0005} }

// shows is what is known of each symptom.
var shows = map[sshlog.Symptom]row{
	// What packets show is seen, not said: it names few causes, and strongly.
	sshlog.WireHole:           names("path-mtu"),
	sshlog.WireResetByBox:     {"reset-injected": 0.4, "source-refused": 0.02, "asymmetric-route": 0.03, other: 0.0005},
	sshlog.WireResetByBoxIdle: {"idle-timeout": 0.4, "reset-injected": 0.05, "address-changed": 0.01, other: 0.0005},
	sshlog.WireResetByServer: {"startup-throttle": 0.2, "source-refused": 0.2, "sshd-broken": 0.2, "server-resources": 0.2, "not-ssh": 0.1, "version": 0.05,
		"corruption": 0.2, "duplicate-address": 0.2, "server-idle-policy": 0.03, "unreachable": 0.05, other: 0.01},
	sshlog.WireResetByClient: {"client-side": 0.1, "corruption": 0.2, "address-changed": 0.05, other: 0.02},
	sshlog.WireSilence:       {"path-loss": 0.2, "traffic-class": 0.3, "path-mtu": 0.1, "address-changed": 0.2, "asymmetric-route": 0.3, "conntrack-full": 0.1, "idle-timeout": 0.02, other: 0.002},
	sshlog.WireSilenceIdle:   {"idle-timeout": 0.3, "address-changed": 0.3, "tcp-keepalive": 0.1, "path-loss": 0.03, other: 0.001},
	sshlog.WireResent:        {"path-loss": 0.5, "path-mtu": 0.01, "conntrack-full": 0.1, "traffic-class": 0.02, other: 0.002},
	sshlog.WireNoAnswer:      {"server-resources": 0.3, "login-grace": 0.3, "not-ssh": 0.1, "sshd-broken": 0.05, "startup-throttle": 0.03, "unreachable": 0.05, other: 0.002},
	sshlog.WireSynLost:       {"unreachable": 0.3, "source-refused": 0.15, "conntrack-full": 0.4, "asymmetric-route": 0.05, "path-loss": 0.05, other: 0.001},
	sshlog.WireSynRefused:    {"unreachable": 0.3, "source-refused": 0.05, "sshd-broken": 0.1, "reset-injected": 0.03, other: 0.001},

	// Before there is a connection.
	sshlog.ConfigError:     names("client-side"),
	sshlog.LocalError:      {"client-side": 0.1, "unreachable": 0.02, other: 0.0005},
	sshlog.NameNotFound:    names("unreachable"),
	sshlog.NameFailed:      names("unreachable"),
	sshlog.Refused:         {"unreachable": 0.3, "source-refused": 0.05, "sshd-broken": 0.05, "startup-throttle": 0.005, other: 0.001},
	sshlog.ConnectTimeout:  {"unreachable": 0.3, "source-refused": 0.12, "asymmetric-route": 0.3, "conntrack-full": 0.4, "path-loss": 0.05, "duplicate-address": 0.05, other: 0.002},
	sshlog.HostUnreachable: {"unreachable": 0.2, "source-refused": 0.03, "duplicate-address": 0.02, other: 0.0005},
	sshlog.NoRoute:         names("unreachable"),
	sshlog.ConnectReset:    {"reset-injected": 0.2, "unreachable": 0.05, "source-refused": 0.03, "asymmetric-route": 0.05, other: 0.001},
	sshlog.ProxyFailed:     {"client-side": 0.15, "unreachable": 0.1, "session-refused": 0.05, other: 0.001},
	sshlog.ProxyDied:       {"client-side": 0.2, "unreachable": 0.1, "not-ssh": 0.03, "auth": 0.1, "source-refused": 0.03, other: 0.004},
	sshlog.MuxFailed:       {"client-side": 0.15, "keepalive": 0.1, "idle-timeout": 0.03, other: 0.001},

	// The banner. Whoever refuses at once, before the client has said who it is,
	// closes in order: a listener that throttles or punishes. Whoever refuses a
	// moment later leaves the client's words unread, and the kernel then resets:
	// a child that dies or looks into hosts.deny, a forwarder that finds nobody
	// behind it.
	sshlog.ClosedAtBanner: {"startup-throttle": 0.55, "source-refused": 0.4, "not-ssh": 0.2, "unreachable": 0.2, "sshd-broken": 0.08,
		"reset-injected": 0.15, "server-resources": 0.1, "login-grace": 0.05, "conntrack-full": 0.01, "version": 0.01, "client-side": 0.03, other: 0.005},
	sshlog.ResetAtBanner: {"not-ssh": 0.45, "source-refused": 0.3, "sshd-broken": 0.16, "startup-throttle": 0.25, "unreachable": 0.25,
		"reset-injected": 0.4, "server-resources": 0.12, "version": 0.03, "client-side": 0.02, "traffic-class": 0.03, other: 0.005},
	sshlog.BannerTimeout: {"unreachable": 0.2, "server-resources": 0.3, "login-grace": 0.1, "not-ssh": 0.12, "startup-throttle": 0.05, "path-mtu": 0.01,
		"traffic-class": 0.1, "path-loss": 0.15, "conntrack-full": 0.1, "asymmetric-route": 0.2, "sshd-broken": 0.03, "source-refused": 0.03, other: 0.005},
	// A program's own patience, which is shorter than a slow server's answer.
	sshlog.BannerPatience: {"client-side": 0.35, "startup-throttle": 0.08, "source-refused": 0.08, "server-resources": 0.1, "not-ssh": 0.08,
		"login-grace": 0.1, "unreachable": 0.08, "sshd-broken": 0.02, "path-loss": 0.05, other: 0.005},
	sshlog.NotSSH:        {"not-ssh": 0.4, "unreachable": 0.01, "client-side": 0.02, other: 0.001},
	sshlog.OldProtocol:   {"version": 0.05, "not-ssh": 0.01, other: 0.0005},
	sshlog.SaidThrottled: names("startup-throttle"),
	// The words of 9.8 and later for a penalty and for MaxStartups alike.
	sshlog.SaidRefused: {"source-refused": 0.2, "startup-throttle": 0.1, other: 0.0005},

	// The key exchange.
	sshlog.NoCommonAlgorithm:   names("version"),
	sshlog.NotAllowedAlgorithm: names("version"),
	sshlog.HostKeyChanged:      {"auth": 0.2, "duplicate-address": 0.4, "not-ssh": 0.05, "reset-injected": 0.03, other: 0.001},
	sshlog.HostKeyRevoked:      {"auth": 0.2, other: 0.001},
	sshlog.HostKeyUnknown:      {"auth": 0.3, "client-side": 0.05, "duplicate-address": 0.02, other: 0.001},
	sshlog.HostKeyUnfit:        {"version": 0.05, "auth": 0.05, other: 0.0005},
	sshlog.BadPacket:           {"corruption": 0.3, "version": 0.05, "not-ssh": 0.08, "session-refused": 0.02, other: 0.001},
	sshlog.PlainInCipher:       {"not-ssh": 0.2, "session-refused": 0.02, "corruption": 0.01, other: 0.001},
	// Said with old ciphers only, of which few are in use; a mistake in a MAC's
	// code shows with them, and damage on the way mostly with the others.
	sshlog.CorruptMAC:   {"version": 0.1, "corruption": 0.15, other: 0.001},
	sshlog.WrongMAC:     {"corruption": 0.5, "version": 0.05, other: 0.001},
	sshlog.BadSignature: {"version": 0.1, "corruption": 0.1, "auth": 0.02, other: 0.001},
	sshlog.ProtocolError: {"version": 0.1, "corruption": 0.08, "not-ssh": 0.02, "rekey": 0.1,
		"reset-injected": 0.01, other: 0.001},
	sshlog.StrictKex:         {"version": 0.2, "rekey": 0.1, "corruption": 0.003, other: 0.0005},
	sshlog.OpenSSLMismatch:   {"version": 0.1, "sshd-broken": 0.02, "client-side": 0.02, other: 0.0005},
	sshlog.WaitingForKexInit: {"path-mtu": 0.2, "version": 0.05, "traffic-class": 0.1, "path-loss": 0.1, "corruption": 0.08, "reset-injected": 0.1, "server-resources": 0.02, "unreachable": 0.02, other: 0.003},
	// The server's answer is the first packet that can fill a segment. A link
	// that damages large packets loses them as a narrow one does.
	sshlog.WaitingForKexReply: {"path-mtu": 0.6, "corruption": 0.15, "version": 0.05, "traffic-class": 0.1, "path-loss": 0.15, "reset-injected": 0.1, "unreachable": 0.03, other: 0.003},
	sshlog.ClosedInKex: {"sshd-broken": 0.08, "version": 0.1, "source-refused": 0.05, "login-grace": 0.2, "path-mtu": 0.12, "corruption": 0.03, "server-resources": 0.05,
		"not-ssh": 0.05, "reset-injected": 0.05, "startup-throttle": 0.02, other: 0.01},
	sshlog.ResetInKex: {"reset-injected": 0.4, "sshd-broken": 0.05, "version": 0.07, "path-mtu": 0.05, "source-refused": 0.04, "corruption": 0.03, "server-resources": 0.05,
		"asymmetric-route": 0.05, "traffic-class": 0.05, other: 0.01},
	sshlog.TimeoutInKex: {"path-mtu": 0.5, "path-loss": 0.2, "server-resources": 0.08, "traffic-class": 0.15, "reset-injected": 0.05, "corruption": 0.1, "version": 0.03,
		"client-side": 0.03, other: 0.005},
	// Programs that tell a failed handshake without the stage: mostly the banner.
	sshlog.HandshakeClosed: {"startup-throttle": 0.4, "source-refused": 0.3, "not-ssh": 0.2, "unreachable": 0.15, "sshd-broken": 0.08, "version": 0.08, "auth": 0.1,
		"reset-injected": 0.1, "server-resources": 0.08, "login-grace": 0.1, other: 0.008},
	sshlog.HandshakeReset: {"not-ssh": 0.4, "source-refused": 0.3, "startup-throttle": 0.2, "sshd-broken": 0.12, "unreachable": 0.2, "reset-injected": 0.4, "version": 0.05,
		"server-resources": 0.1, "path-mtu": 0.02, other: 0.008},
	sshlog.HandshakeTimeout: {"path-mtu": 0.25, "unreachable": 0.1, "not-ssh": 0.08, "server-resources": 0.2, "startup-throttle": 0.03, "source-refused": 0.04,
		"path-loss": 0.2, "traffic-class": 0.1, "client-side": 0.06, "login-grace": 0.05, other: 0.005},

	// The login.
	sshlog.TooManyFailures:   {"auth": 0.3, "source-refused": 0.005, other: 0.0005},
	sshlog.PermissionDenied:  {"auth": 0.5, "version": 0.01, "source-refused": 0.005, "sshd-broken": 0.005, "client-side": 0.01, other: 0.001},
	sshlog.NoMutualSignature: {"version": 0.1, "auth": 0.1, other: 0.001},
	// Failed logins are what bans and penalties are made of.
	sshlog.KeyTypeRefused: {"version": 0.1, "auth": 0.15, "source-refused": 0.03, other: 0.001},
	sshlog.ClosedInAuth:   {"login-grace": 0.4, "auth": 0.15, "sshd-broken": 0.08, "source-refused": 0.06, "server-resources": 0.05, "idle-timeout": 0.03, "session-refused": 0.06, other: 0.01},
	sshlog.ResetInAuth:    {"reset-injected": 0.15, "sshd-broken": 0.06, "source-refused": 0.05, "server-resources": 0.05, "traffic-class": 0.1, "login-grace": 0.05, "path-mtu": 0.03, other: 0.01},
	sshlog.TimeoutInAuth:  {"login-grace": 0.3, "server-resources": 0.15, "path-mtu": 0.1, "traffic-class": 0.15, "path-loss": 0.15, other: 0.005},
	sshlog.Booting:        {"sshd-broken": 0.05, "auth": 0.05, "session-refused": 0.02, other: 0.0005},
	sshlog.NoLogin:        {"auth": 0.1, "session-refused": 0.05, "sshd-broken": 0.01, other: 0.0005},

	// The session.
	sshlog.Disconnected:   {"version": 0.05, "auth": 0.1, "server-idle-policy": 0.05, "source-refused": 0.03, "server-resources": 0.03, "startup-throttle": 0.02, other: 0.01},
	sshlog.OpenRefused:    {"max-sessions": 0.4, "session-refused": 0.01, other: 0.0005},
	sshlog.ForwardRefused: {"session-refused": 0.2, other: 0.001},
	sshlog.ForwardFailed:  {"session-refused": 0.05, "unreachable": 0.05, "max-sessions": 0.03, other: 0.001},
	sshlog.RequestFailed:  {"session-refused": 0.2, "max-sessions": 0.05, "server-resources": 0.05, "client-side": 0.02, other: 0.001},
	sshlog.OutputNoise:    names("session-refused"),
	sshlog.AutoLogout:     names("server-idle-policy"),
	sshlog.ServerSilent: {"idle-timeout": 0.1, "path-loss": 0.3, "address-changed": 0.3, "keepalive": 0.4, "traffic-class": 0.2, "path-mtu": 0.1, "server-resources": 0.15,
		"duplicate-address": 0.1, "asymmetric-route": 0.1, "unreachable": 0.05, other: 0.005},
	sshlog.ClosedInSession: {"server-idle-policy": 0.4, "idle-timeout": 0.12, "server-resources": 0.2, "session-refused": 0.15, "sshd-broken": 0.06, "corruption": 0.15,
		"reset-injected": 0.05, "version": 0.02, "keepalive": 0.1, "rekey": 0.2, other: 0.01},
	sshlog.ResetInSession: {"idle-timeout": 0.35, "reset-injected": 0.4, "address-changed": 0.15, "traffic-class": 0.2, "server-resources": 0.1, "duplicate-address": 0.3,
		"sshd-broken": 0.03, "session-refused": 0.05, "corruption": 0.08, "asymmetric-route": 0.15, "rekey": 0.1, "keepalive": 0.2, "server-idle-policy": 0.05, other: 0.01},
	// The connection had died before anybody noticed: ssh met it when it wrote.
	sshlog.BrokenPipe: {"idle-timeout": 0.5, "address-changed": 0.35, "traffic-class": 0.4, "session-refused": 0.2, "server-resources": 0.15, "path-loss": 0.2, "reset-injected": 0.25,
		"path-mtu": 0.06, "keepalive": 0.4, "tcp-keepalive": 0.3, "corruption": 0.1, "duplicate-address": 0.15, "server-idle-policy": 0.08, "sshd-broken": 0.03, "rekey": 0.1, other: 0.01},
	// The kernel's own error: it had probed, or sent again, and given up.
	sshlog.TimeoutInSession: {"tcp-keepalive": 0.7, "idle-timeout": 0.08, "path-loss": 0.3, "address-changed": 0.2, "asymmetric-route": 0.1, "path-mtu": 0.06, "traffic-class": 0.08,
		"server-resources": 0.05, "unreachable": 0.05, other: 0.005},
	sshlog.NoWayInSession: {"address-changed": 0.4, "unreachable": 0.1, "path-loss": 0.05, "duplicate-address": 0.05, other: 0.002},
	sshlog.SessionAborted: {"address-changed": 0.4, "idle-timeout": 0.15, "path-loss": 0.3, "client-side": 0.1, "traffic-class": 0.05, other: 0.01},
	sshlog.LostConnection: {"idle-timeout": 0.3, "path-loss": 0.3, "startup-throttle": 0.2, "source-refused": 0.2, "address-changed": 0.2, "traffic-class": 0.2, "auth": 0.2,
		"server-resources": 0.2, "path-mtu": 0.15, "unreachable": 0.15, "not-ssh": 0.1, "session-refused": 0.1, "corruption": 0.1, "reset-injected": 0.2, other: 0.04},
	sshlog.RelayTimeout: {"idle-timeout": 0.1, "unreachable": 0.01, "path-loss": 0.01, "client-side": 0.01, other: 0.001},
	sshlog.RekeyIgnored: {"version": 0.1, "rekey": 0.4, other: 0.0005},
	// An hour is what RekeyLimit says in hardening guides. Sessions that do
	// nothing after their login also share an age with an idle timeout.
	sshlog.EndedAtSameAge: {"rekey": 0.4, "server-idle-policy": 0.1, "idle-timeout": 0.02, "keepalive": 0.02, "reset-injected": 0.05, other: 0.002},
	sshlog.RekeyBroken:    {"version": 0.1, "rekey": 0.6, "path-mtu": 0.02, other: 0.004},
	sshlog.NetworkChanged: {"client-side": 0.2, "address-changed": 0.1, other: 0.0005},

	// Where the line alone does not tell the stage: a mixture of the above.
	sshlog.ClosedSomewhere: {"startup-throttle": 0.3, "source-refused": 0.25, "not-ssh": 0.12, "unreachable": 0.12, "sshd-broken": 0.1, "login-grace": 0.4, "auth": 0.15,
		"server-resources": 0.1, "version": 0.04, "reset-injected": 0.1, "path-mtu": 0.05, "idle-timeout": 0.04, "server-idle-policy": 0.05, other: 0.01},
	sshlog.ResetSomewhere: {"reset-injected": 0.4, "not-ssh": 0.25, "source-refused": 0.22, "sshd-broken": 0.1, "startup-throttle": 0.15, "unreachable": 0.12, "idle-timeout": 0.15,
		"server-resources": 0.08, "version": 0.04, "path-mtu": 0.04, "address-changed": 0.05, "traffic-class": 0.08, "asymmetric-route": 0.1, other: 0.01},
	sshlog.TimeoutSomewhere: {"path-mtu": 0.25, "path-loss": 0.25, "unreachable": 0.15, "server-resources": 0.12, "traffic-class": 0.12, "conntrack-full": 0.2, "asymmetric-route": 0.2,
		"source-refused": 0.03, "keepalive": 0.1, "address-changed": 0.08, "idle-timeout": 0.04, other: 0.005},

	// What a server tells of itself.
	sshlog.StartupDrop:      names("startup-throttle"),
	sshlog.Penalty:          names("source-refused"),
	sshlog.PenaltyNote:      {"source-refused": 0.1, other: 0.02},
	sshlog.TCPWrapped:       names("source-refused"),
	sshlog.ConnectionDenied: names("source-refused"),
	sshlog.AddressBanned:    {"source-refused": 0.3, other: 0.01}, // bans of strangers are a server's daily bread
	sshlog.UserRefused:      {"auth": 0.2, "source-refused": 0.01, other: 0.002},
	sshlog.GraceTimeout:     {"login-grace": 0.4, "startup-throttle": 0.05, "path-mtu": 0.02, "server-resources": 0.02, other: 0.004},
	sshlog.NoMoreSessions:   names("max-sessions"),
	sshlog.MaxAuthTries:     {"auth": 0.3, "source-refused": 0.02, other: 0.01},
	sshlog.ClientSilent: {"path-loss": 0.3, "idle-timeout": 0.08, "address-changed": 0.3, "server-idle-policy": 0.3, "keepalive": 0.3, "path-mtu": 0.05, "traffic-class": 0.1,
		"duplicate-address": 0.1, other: 0.004},
	sshlog.Inactive:         names("server-idle-policy"),
	sshlog.ChannelIdle:      names("server-idle-policy"),
	sshlog.ForkFailure:      names("server-resources"),
	sshlog.OutOfMemory:      names("server-resources"),
	sshlog.DiskFull:         names("server-resources"),
	sshlog.ConntrackFull:    {"conntrack-full": 0.6, other: 0.0005},
	sshlog.DuplicateAddress: {"duplicate-address": 0.3, other: 0.0005},
	sshlog.ChildCrash:       {"sshd-broken": 0.1, "version": 0.02, "server-resources": 0.01, other: 0.0005},
	sshlog.DaemonBroken:     names("sshd-broken"),
	sshlog.HostKeyMissing:   {"sshd-broken": 0.1, other: 0.004}, // one of several may be missing in peace
	sshlog.AccountRefused:   {"auth": 0.2, "session-refused": 0.15, "sshd-broken": 0.005, other: 0.001},
	sshlog.SessionBroken:    names("session-refused"),
	sshlog.SELinuxDenied:    names("sshd-broken"),
	// Harmless by itself. Lookups that fail are slow, and an address that has two
	// owners has two names.
	sshlog.NameMismatch: {"login-grace": 0.4, "duplicate-address": 0.3, "address-changed": 0.1, other: 0.04},

	// What a server tells of clients. Strangers fill every server's log with it.
	sshlog.ClientSaidNothing: {"not-ssh": 0.4, "startup-throttle": 0.2, "unreachable": 0.15, "client-side": 0.2, other: 0.1},
	sshlog.ClientNotSSH:      {"not-ssh": 0.5, other: 0.1},
	sshlog.ClientClosedEarly: {"login-grace": 0.25, "auth": 0.35, "client-side": 0.3, "path-mtu": 0.25, "version": 0.2, "not-ssh": 0.15, "source-refused": 0.15, other: 0.1},
	sshlog.ClientResetEarly: {"reset-injected": 0.5, "client-side": 0.3, "path-mtu": 0.25, "asymmetric-route": 0.2, "login-grace": 0.15, "not-ssh": 0.12,
		"startup-throttle": 0.1, other: 0.06},
	sshlog.ClientNoCommon:    {"version": 0.3, other: 0.06},
	sshlog.ClientFailedAuth:  {"auth": 0.5, "source-refused": 0.35, other: 0.25},
	sshlog.ClientUnknownUser: {"auth": 0.3, "source-refused": 0.3, other: 0.25},
	sshlog.ClientLeft: {"idle-timeout": 0.15, "address-changed": 0.15, "client-side": 0.2, "corruption": 0.1, "reset-injected": 0.05,
		"keepalive": 0.15, other: 0.02},
	sshlog.ClientReset: {"idle-timeout": 0.3, "reset-injected": 0.4, "address-changed": 0.25, "traffic-class": 0.15, "client-side": 0.1, "duplicate-address": 0.3,
		"asymmetric-route": 0.15, "keepalive": 0.2, "tcp-keepalive": 0.1, other: 0.02},
	sshlog.ClientWrongMAC: {"corruption": 0.5, "version": 0.06, "not-ssh": 0.05, other: 0.02},
	sshlog.ClientTimedOut: {"tcp-keepalive": 0.5, "path-loss": 0.3, "idle-timeout": 0.15, "address-changed": 0.3, "path-mtu": 0.05, "traffic-class": 0.1,
		"asymmetric-route": 0.1, "keepalive": 0.2, other: 0.005},
	sshlog.ClientDisconnected: {"auth": 0.2, "version": 0.1, "client-side": 0.1, other: 0.05},
}
