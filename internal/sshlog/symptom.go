package sshlog

import "iter"

// A Symptom is what a message tells. Wordings of many programs and versions
// tell the same.
type Symptom uint8

// The stages at which a connection can end, in order; they are those of a
// report. A [Trace] names the same ones when they are completed.
const (
	atConfig  = "config"
	atResolve = "resolve"
	atConnect = Connect
	atBanner  = Banner
	atKex     = Kex
	atAuth    = Auth
	atSession = Session
	atBulk    = "bulk"
	atIdle    = "idle"
	atAny     = "" // the message alone does not tell
)

// The symptoms. Those that begin with Saw are no failures: they tell how far
// a connection came.
const (
	NoSymptom Symptom = iota

	// progress of a client
	SawStart
	SawProxy
	SawConnecting
	SawConnected
	SawBanner
	SawPreBanner
	SawKexInit
	SawKexRequest
	SawKexReply
	SawKex
	SawService
	SawMethods
	SawKeyAccepted
	SawAuth
	SawSession
	SawEnd
	SawNote // a line about a failure that decides nothing

	// progress of a server
	SawListen
	SawClient
	SawAccepted
	SawLogin
	SawGoodbye
	SawStop

	// before the connection
	ConfigError
	LocalError
	NameNotFound
	NameFailed
	Refused
	ConnectTimeout
	HostUnreachable
	NoRoute
	ConnectReset
	ProxyFailed
	ProxyDied

	// the banner
	BannerTimeout
	BannerPatience
	NotSSH
	OldProtocol
	ClosedAtBanner
	ResetAtBanner
	SaidThrottled
	SaidRefused

	// the key exchange
	NoCommonAlgorithm
	NotAllowedAlgorithm
	HostKeyChanged
	HostKeyRevoked
	HostKeyUnknown
	HostKeyUnfit
	BadPacket
	PlainInCipher
	CorruptMAC
	WrongMAC
	BadSignature
	ProtocolError
	StrictKex
	OpenSSLMismatch
	WaitingForKexInit
	WaitingForKexReply
	ClosedInKex
	ResetInKex
	TimeoutInKex
	HandshakeClosed
	HandshakeReset
	HandshakeTimeout

	// the authentication
	TooManyFailures
	PermissionDenied
	NoMutualSignature
	KeyTypeRefused
	ClosedInAuth
	ResetInAuth
	TimeoutInAuth
	Booting
	NoLogin

	// the session
	Disconnected
	OpenRefused
	ForwardRefused
	ForwardFailed
	RequestFailed
	OutputNoise
	AutoLogout
	MuxFailed
	ServerSilent
	ClosedInSession
	ResetInSession
	BrokenPipe
	TimeoutInSession
	NoWayInSession
	SessionAborted
	LostConnection
	RelayTimeout
	RekeyIgnored
	RekeyBroken
	EndedAtSameAge
	NetworkChanged

	// anywhere
	ClosedSomewhere
	ResetSomewhere
	TimeoutSomewhere

	// what a server tells of itself
	StartupDrop
	Penalty
	PenaltyNote
	TCPWrapped
	ConnectionDenied
	AddressBanned
	UserRefused
	GraceTimeout
	NoMoreSessions
	MaxAuthTries
	ClientSilent
	Inactive
	ChannelIdle
	ForkFailure
	OutOfMemory
	ConntrackFull
	DuplicateAddress
	DiskFull
	ChildCrash
	DaemonBroken
	HostKeyMissing
	AccountRefused
	SessionBroken
	SELinuxDenied
	NameMismatch

	// what a server tells of a client
	ClientSaidNothing
	ClientNotSSH
	ClientClosedEarly
	ClientResetEarly
	ClientNoCommon
	ClientFailedAuth
	ClientUnknownUser
	ClientLeft
	ClientReset
	ClientWrongMAC
	ClientTimedOut
	ClientDisconnected

	// what packets show, see package explain
	WireHole
	WireResetByBox
	WireResetByBoxIdle
	WireResetByServer
	WireResetByClient
	WireSilence
	WireSilenceIdle
	WireResent
	WireNoAnswer
	WireSynLost
	WireSynRefused

	symptoms // how many there are
)

// A symptomInfo is what is known of a symptom: the stage at which it shows,
// the word of login.reason for it, and how it reads.
type symptomInfo struct {
	id, stage, reason, says string
}

var symptomTable = [symptoms]symptomInfo{
	SawStart:       {"saw-start", atAny, "", "ssh was started"},
	SawProxy:       {"saw-proxy", atConnect, "", "a proxy carries the connection"},
	SawConnecting:  {"saw-connecting", atConnect, "", "ssh connects"},
	SawConnected:   {"saw-connected", atBanner, "", "the connection was established"},
	SawBanner:      {"saw-banner", atKex, "", "the other side said which SSH it is"},
	SawPreBanner:   {"saw-pre-banner", atBanner, "", "text came before the SSH identification"},
	SawKexInit:     {"saw-kexinit", atKex, "", "the key exchange began"},
	SawKexRequest:  {"saw-kex-request", atKex, "", "ssh waits for the server's answer in the key exchange"},
	SawKexReply:    {"saw-kex-reply", atKex, "", "the server answered in the key exchange"},
	SawKex:         {"saw-kex", atAuth, "", "the key exchange was completed"},
	SawService:     {"saw-service", atAuth, "", "the authentication began"},
	SawMethods:     {"saw-methods", atAuth, "", "the server named the methods it accepts"},
	SawKeyAccepted: {"saw-key-accepted", atAuth, "", "the server would accept a key"},
	SawAuth:        {"saw-auth", atSession, "", "the login succeeded"},
	SawSession:     {"saw-session", atSession, "", "the session began"},
	SawEnd:         {"saw-end", atSession, "", "the session ended in order"},
	SawNote:        {"saw-note", atAny, "", "a remark"},
	SawListen:      {"saw-listen", atAny, "", "sshd began to listen"},
	SawClient:      {"saw-client", atBanner, "", "a client connected"},
	SawAccepted:    {"saw-accepted", atSession, "", "a login was accepted"},
	SawLogin:       {"saw-login", atSession, "", "a session was opened"},
	SawGoodbye:     {"saw-goodbye", atSession, "", "the client said goodbye"},
	SawStop:        {"saw-stop", atAny, "", "sshd was stopped or restarted"},

	ConfigError:     {"config-error", atConfig, "config-error", "ssh refuses its configuration"},
	LocalError:      {"local-error", atConfig, "local-error", "ssh could not do its work on this machine"},
	NameNotFound:    {"name-not-found", atResolve, "name-not-found", "the name is not known"},
	NameFailed:      {"name-failed", atResolve, "name-failed", "the name could not be looked up"},
	Refused:         {"refused", atConnect, "refused", "the connection was refused: nobody listens there, or a firewall says so"},
	ConnectTimeout:  {"connect-timeout", atConnect, "timed-out", "nothing answered the attempt to connect"},
	HostUnreachable: {"host-unreachable", atConnect, "unreachable", "the host cannot be reached"},
	NoRoute:         {"no-route", atConnect, "no-route", "there is no way to that network"},
	ConnectReset:    {"connect-reset", atConnect, "reset", "the attempt to connect was reset"},
	ProxyFailed:     {"proxy-failed", atConnect, "proxy-failed", "the jump host or proxy did not pass the connection on"},
	ProxyDied:       {"proxy-died", atConnect, "proxy-failed", "the proxy command ended, and the connection with it"},

	BannerTimeout:  {"banner-timeout", atBanner, "timed-out", "the connection stood, and no SSH banner came in time"},
	BannerPatience: {"banner-patience", atBanner, "timed-out", "the client program waited for the SSH banner and gave up"},
	NotSSH:         {"not-ssh", atBanner, "not-ssh", "what answered is not SSH"},
	OldProtocol:    {"old-protocol", atBanner, "version-mismatch", "the other side speaks another version of the protocol"},
	ClosedAtBanner: {"closed-at-banner", atBanner, "closed", "the other side closed the connection before its SSH banner"},
	ResetAtBanner:  {"reset-at-banner", atBanner, "reset", "the connection was reset before the SSH banner"},
	SaidThrottled:  {"said-throttled", atBanner, "throttled", "the server said that too many connections are logging in"},
	SaidRefused:    {"said-refused", atBanner, "throttled", "the server said that it does not let this address in at this time"},

	NoCommonAlgorithm:   {"no-common-algorithm", atKex, "no-common-algorithm", "the two sides have no algorithm in common"},
	NotAllowedAlgorithm: {"not-allowed-algorithm", atKex, "no-common-algorithm", "a side's policy forbids the algorithm that was chosen"},
	HostKeyChanged:      {"host-key-changed", atKex, "host-key-changed", "the host key is another one than before"},
	HostKeyRevoked:      {"host-key-revoked", atKex, "host-key-revoked", "the host key is revoked, or its certificate does not fit"},
	HostKeyUnknown:      {"host-key-unknown", atKex, "host-key-unknown", "the host key is not known, and strict checking refused it"},
	HostKeyUnfit:        {"host-key-unfit", atKex, "bad-signature", "the host key is of a kind or size that is not accepted"},
	BadPacket:           {"bad-packet", atAny, "bad-packet", "a packet arrived damaged, or was no SSH packet"},
	PlainInCipher:       {"plain-in-cipher", atAny, "bad-packet", "readable text came where an encrypted packet was due"},
	CorruptMAC:          {"corrupt-mac", atAny, "bad-packet", "a packet failed its check, with a cipher that has a MAC of its own"},
	WrongMAC:            {"wrong-mac", atAny, "bad-packet", "a packet failed its integrity check"},
	BadSignature:        {"bad-signature", atKex, "bad-signature", "a signature or a value of the key exchange is wrong"},
	ProtocolError:       {"protocol-error", atAny, "protocol-error", "a side broke the rules of the protocol"},
	StrictKex:           {"strict-kex", atKex, "protocol-error", "a side broke the rules of the strict key exchange"},
	OpenSSLMismatch:     {"openssl-mismatch", atConfig, "local-error", "the program was built for another OpenSSL than the one installed"},
	WaitingForKexInit:   {"waiting-for-kexinit", atKex, "", "the last thing seen is our KEXINIT; the server's never came"},
	WaitingForKexReply:  {"waiting-for-kex-reply", atKex, "", "the last thing seen is the wait for the server's large key exchange reply"},
	ClosedInKex:         {"closed-in-kex", atKex, "closed", "the other side closed the connection during the key exchange"},
	ResetInKex:          {"reset-in-kex", atKex, "reset", "the connection was reset during the key exchange"},
	TimeoutInKex:        {"timeout-in-kex", atKex, "timed-out", "the key exchange was not finished in time"},
	HandshakeClosed:     {"handshake-closed", atAny, "closed", "the connection was closed somewhere in the handshake"},
	HandshakeReset:      {"handshake-reset", atAny, "reset", "the connection was reset somewhere in the handshake"},
	HandshakeTimeout:    {"handshake-timeout", atAny, "timed-out", "the handshake was not finished in time"},

	TooManyFailures:   {"too-many-failures", atAuth, "too-many-failures", "the server counted too many failed attempts"},
	PermissionDenied:  {"permission-denied", atAuth, "permission-denied", "the server did not accept who we said we are"},
	NoMutualSignature: {"no-mutual-signature", atAuth, "", "no signature algorithm for the key suits both sides"},
	KeyTypeRefused:    {"key-type-refused", atAuth, "", "the server does not take keys or signatures of this kind"},
	ClosedInAuth:      {"closed-in-auth", atAuth, "closed", "the other side closed the connection during the login"},
	ResetInAuth:       {"reset-in-auth", atAuth, "reset", "the connection was reset during the login"},
	TimeoutInAuth:     {"timeout-in-auth", atAuth, "timed-out", "the login was not finished in time"},
	Booting:           {"booting", atAuth, "", "the server has not finished starting and lets only root in"},
	NoLogin:           {"nologin", atAuth, "", "the server lets nobody but root in for now"},

	Disconnected:     {"disconnected", atAny, "disconnected", "the other side said goodbye with a reason"},
	OpenRefused:      {"open-refused", atSession, "session-refused", "the server refused another session on a shared connection"},
	ForwardRefused:   {"forward-refused", atSession, "session-refused", "the server's rules forbid the forwarding"},
	ForwardFailed:    {"forward-failed", atSession, "session-refused", "the server could not reach what was to be forwarded to"},
	RequestFailed:    {"request-failed", atSession, "session-refused", "the server would not start the command, shell or subsystem"},
	OutputNoise:      {"output-noise", atSession, "", "text came where the file transfer protocol was due"},
	AutoLogout:       {"auto-logout", atIdle, "", "the server's shell ended the session for being idle"},
	MuxFailed:        {"mux-failed", atConnect, "", "the shared connection's master does not answer"},
	ServerSilent:     {"server-silent", atSession, "timed-out", "the server answered no keepalive"},
	ClosedInSession:  {"closed-in-session", atSession, "closed", "the other side closed the connection in the middle of the session, without a goodbye"},
	ResetInSession:   {"reset-in-session", atSession, "reset", "the connection was reset in the middle of the session"},
	BrokenPipe:       {"broken-pipe", atSession, "reset", "the connection was dead when ssh wanted to write"},
	TimeoutInSession: {"timeout-in-session", atSession, "timed-out", "the kernel gave the connection up: nothing was acknowledged any more"},
	NoWayInSession:   {"no-way-in-session", atSession, "reset", "the way to the other side went away in the middle of the session"},
	SessionAborted:   {"session-aborted", atSession, "reset", "the client's own system gave the connection up"},
	LostConnection:   {"lost-connection", atAny, "", "a program that uses ssh noticed that the connection was gone"},
	RelayTimeout:     {"relay-timeout", atIdle, "", "a relay or tunnel on the way waited for data and gave up"},
	RekeyIgnored:     {"rekey-ignored", atBulk, "protocol-error", "the other side does not answer the renewal of the keys"},
	RekeyBroken:      {"rekey-broken", atBulk, "", "the keys were being renewed when it broke"},
	EndedAtSameAge:   {"ended-at-same-age", atSession, "", "sessions ended at the same age to the second, without a goodbye"},
	NetworkChanged:   {"network-changed", atSession, "", "the client program noticed a change of network and ended the connection itself"},

	ClosedSomewhere:  {"closed", atAny, "closed", "the other side closed the connection; the line alone does not tell when"},
	ResetSomewhere:   {"reset", atAny, "reset", "the connection was reset; the line alone does not tell when"},
	TimeoutSomewhere: {"timeout", atAny, "timed-out", "nothing came back in time; the line alone does not tell when"},

	StartupDrop:      {"startup-drop", atBanner, "", "sshd dropped connections because too many were logging in"},
	Penalty:          {"penalty", atBanner, "", "sshd refuses an address that misbehaved (PerSourcePenalties)"},
	PenaltyNote:      {"penalty-note", atBanner, "", "sshd noted a misbehaviour that is not punished yet"},
	TCPWrapped:       {"tcp-wrapped", atBanner, "", "hosts.deny refuses the address"},
	ConnectionDenied: {"connection-denied", atAuth, "", "sshd's configuration refuses the connection (RefuseConnection)"},
	AddressBanned:    {"address-banned", atConnect, "", "an address was banned on the server"},
	UserRefused:      {"user-refused", atAuth, "", "the server's rules do not let this user in"},
	GraceTimeout:     {"grace-timeout", atAuth, "", "sshd ended a login that took too long (LoginGraceTime)"},
	NoMoreSessions:   {"no-more-sessions", atSession, "", "sshd refused another session on a shared connection (MaxSessions)"},
	MaxAuthTries:     {"max-auth-tries", atAuth, "", "sshd ended a login after too many attempts (MaxAuthTries)"},
	ClientSilent:     {"client-silent", atSession, "", "a client answered no keepalive, and sshd ended the session"},
	Inactive:         {"inactive", atIdle, "", "sshd ended a connection for being idle"},
	ChannelIdle:      {"channel-idle", atIdle, "", "sshd closed a channel for being idle (ChannelTimeout)"},
	ForkFailure:      {"fork-failure", atBanner, "", "the server could not start a process, or open a file"},
	OutOfMemory:      {"out-of-memory", atSession, "", "the server ran out of memory and killed processes"},
	ConntrackFull:    {"conntrack-full", atConnect, "", "the server's table of connections is full, and packets are dropped"},
	DuplicateAddress: {"duplicate-address", atAny, "", "another machine has an address of the server's"},
	DiskFull:         {"disk-full", atSession, "", "no space was left on the server's disk"},
	ChildCrash:       {"child-crash", atKex, "", "a process of sshd was killed"},
	DaemonBroken:     {"daemon-broken", atBanner, "", "sshd cannot do its work"},
	HostKeyMissing:   {"host-key-missing", atBanner, "", "sshd could not load a host key"},
	AccountRefused:   {"account-refused", atAuth, "", "the account is not let in by PAM"},
	SessionBroken:    {"session-broken", atSession, "", "what stands behind the login could not be started"},
	SELinuxDenied:    {"selinux", atSession, "", "SELinux stands in sshd's way"},
	NameMismatch:     {"name-mismatch", atAuth, "", "the name and the address of the client do not agree in the DNS"},

	ClientSaidNothing:  {"client-said-nothing", atBanner, "", "somebody connected and went away without a word, as health checks and scanners do"},
	ClientNotSSH:       {"client-not-ssh", atBanner, "", "somebody connected who does not speak SSH"},
	ClientClosedEarly:  {"client-closed-early", atAny, "", "a client closed the connection before it was logged in"},
	ClientResetEarly:   {"client-reset-early", atAny, "", "a connection was reset from the client's direction before the login"},
	ClientNoCommon:     {"client-no-common", atKex, "", "a client has no algorithm in common with the server"},
	ClientFailedAuth:   {"client-failed-auth", atAuth, "", "a login failed"},
	ClientUnknownUser:  {"client-unknown-user", atAuth, "", "somebody tried a user that does not exist"},
	ClientLeft:         {"client-left", atSession, "", "a session's connection was closed from the client's direction, without a goodbye"},
	ClientReset:        {"client-reset", atSession, "", "a session's connection was reset from the client's direction"},
	ClientWrongMAC:     {"client-wrong-mac", atAny, "", "a packet from a client failed its integrity check"},
	ClientTimedOut:     {"client-timed-out", atSession, "", "the kernel gave a session up: the client acknowledged nothing any more"},
	ClientDisconnected: {"client-disconnected", atAny, "", "a client said goodbye with an error"},

	WireHole:           {"wire-hole", atAny, "", "long packets of one direction never arrive, and shorter ones do"},
	WireResetByBox:     {"wire-reset-by-box", atAny, "", "something between the two ends reset the connection"},
	WireResetByBoxIdle: {"wire-reset-by-box-idle", atIdle, "", "something between the two ends reset the connection after it had been silent"},
	WireResetByServer:  {"wire-reset-by-server", atAny, "", "the server reset the connection"},
	WireResetByClient:  {"wire-reset-by-client", atAny, "", "the client reset the connection"},
	WireSilence:        {"wire-silence", atAny, "", "one side sent the same again and again, and nothing came back"},
	WireSilenceIdle:    {"wire-silence-idle", atIdle, "", "after a silence, what one side sent was never answered"},
	WireResent:         {"wire-resent", atAny, "", "packets were lost and sent again"},
	WireNoAnswer:       {"wire-no-answer", atAny, "", "the server's kernel took what was sent, and its program said nothing for long"},
	WireSynLost:        {"wire-syn-lost", atConnect, "", "nobody answered the attempt to connect"},
	WireSynRefused:     {"wire-syn-refused", atConnect, "", "the attempt to connect was refused"},
}

// String is the symptom's fixed name.
func (s Symptom) String() string { return symptomTable[s].id }

// Stage is where a connection ends that shows the symptom, or "" when the
// message alone does not tell.
func (s Symptom) Stage() string { return symptomTable[s].stage }

// Says is the symptom in plain words.
func (s Symptom) Says() string { return symptomTable[s].says }

// IsProgress says that the symptom is no failure.
func (s Symptom) IsProgress() bool { return s <= SawStop }

// IsProgressOfClient says that it tells how far a client came.
func (s Symptom) IsProgressOfClient() bool { return s >= SawStart && s <= SawNote }

// IsEnding says that the symptom is the way in which a connection ended, which
// many causes share: closed, reset, dead.
func (s Symptom) IsEnding() bool {
	switch s {
	case ClosedAtBanner, ResetAtBanner, ClosedInKex, ResetInKex, ClosedInAuth, ResetInAuth, ClosedInSession, ResetInSession, BrokenPipe, SessionAborted,
		HandshakeClosed, HandshakeReset, LostConnection, ClosedSomewhere, ResetSomewhere, TimeoutSomewhere, ClientClosedEarly, ClientResetEarly, ClientLeft, ClientReset:
		return true
	}
	return false
}

// Symptoms are all there are, progress too.
func Symptoms() iter.Seq[Symptom] {
	return func(yield func(Symptom) bool) {
		for s := NoSymptom + 1; s < symptoms; s++ {
			if !yield(s) {
				return
			}
		}
	}
}
