package fact

import "time"

// An Address is one address of the server and what came of connecting to it.
type Address struct {
	Address string  `json:"address"`
	Family  string  `json:"family"`           // "IPv4" or "IPv6"
	Stage   string  `json:"stage"`            // the last stage reached, or "" when not tried
	Reason  string  `json:"reason,omitempty"` // why it went no further, from the closed list of handshake.reason
	Detail  string  `json:"detail,omitempty"` // the same in the operating system's words
	Seconds float64 `json:"seconds"`          // how long the connect took
}

// An Identity is what one connection of this run saw of the server.
type Identity struct {
	By      string `json:"by"` // handshake or login
	Address string `json:"address"`
	HostKey string `json:"host_key"` // type and fingerprint
}

// Unheard is what the kernel counted of a connection on which nothing came:
// segments that came, those of them with data, and what of ours was sent again
// and is not acknowledged.
type Unheard struct {
	In             int `json:"in"`
	DataIn         int `json:"data_in"`
	SentAgain      int `json:"sent_again"`
	Unacknowledged int `json:"unacknowledged"`
}

// Facts about our own unauthenticated connection to the server, which ends
// with a DISCONNECT before NEWKEYS. The stages are those of the report:
// resolve, connect, banner, kex (auth and what follows are the login's).
var (
	HandshakeVia       = define[string]("handshake.via", "", "how was the server reached: direct, proxy-command or proxy-jump?")
	HandshakeAddresses = define[[]Address]("handshake.addresses", "", "which addresses has the host, and which of them answered?")
	HandshakeStage     = define[string]("handshake.stage", "", "which stage was completed last: none, resolve, connect, banner or kex?")
	HandshakeReason    = define[string]("handshake.reason", "", "why did the handshake go no further? absent when it was completed")
	HandshakeDetail    = define[string]("handshake.detail", "", "what was seen when the handshake ended?")
	HandshakeBanner    = define[string]("handshake.banner", "", "how does the server identify itself?")
	PreBanner          = define[[]string]("handshake.pre_banner", "", "which lines came before the identification?")
	FirstBytes         = define[string]("handshake.first_bytes", "", "what came instead of an SSH identification? made visible, at most 256 bytes")
	LooksLike          = define[string]("handshake.looks_like", "", "which protocol is that?")
	Refusal            = define[string]("handshake.refusal", "", "which refusal of its own did the server print before closing?")
	Complaint          = define[string]("handshake.complaint", "", "in which words did the server reject our identification after sending its own?")
	HandshakeTries     = define[int]("handshake.tries", "", "how many connections were tried one after the other?")
	HandshakeFailures  = define[int]("handshake.failures", "", "how many of these failed before the server's banner?")

	ServerKex         = define[[]string]("handshake.server_kex", "", "which key exchange methods does the server offer?")
	ServerHostKey     = define[[]string]("handshake.server_host_key", "", "which host key algorithms does the server offer?")
	ServerCiphers     = define[[]string]("handshake.server_ciphers", "", "which ciphers does the server offer, from the server to us?")
	ServerMACs        = define[[]string]("handshake.server_macs", "", "which MACs does the server offer, from the server to us?")
	NoCommon          = define[string]("handshake.no_common", "", "for what have the two sides no algorithm in common: kex, host-key, cipher, mac or compression?")
	KexUsed           = define[string]("handshake.kex_used", "", "which key exchange was carried out?")
	HandshakeHostKey  = define[string]("handshake.host_key", "", "which host key did the server prove to have (type and fingerprint)?")
	Identities        = define[[]Identity]("handshake.identities", "", "which host key did each connection of this run to one address see, where they were compared?")
	HandshakeUnheard  = define[Unheard]("handshake.unheard", "", "what did the kernel count of a connection that was made and then stayed silent?")
	HandshakeSent     = define[int]("handshake.sent", "B", "how many bytes were sent until the handshake ended?")
	HandshakeReceived = define[int]("handshake.received", "B", "how many bytes came until the handshake ended?")
	ProxyStderr       = define[string]("handshake.proxy_stderr", "", "what did the proxy command print on standard error?")
	ProxyExit         = define[int]("handshake.proxy_exit", "", "with which status did the proxy command end?")
	ResolveTime       = define[time.Duration]("handshake.resolve_time", "s", "how long did it take to find the host's addresses?")
	ConnectTime       = define[time.Duration]("handshake.connect_time", "s", "how long did the TCP connection take?")
	BannerTime        = define[time.Duration]("handshake.banner_time", "s", "how long after that did the server's identification come?")
	KexInitTime       = define[time.Duration]("handshake.kexinit_time", "s", "how long after that did the server's KEXINIT come?")
	KexTime           = define[time.Duration]("handshake.kex_time", "s", "how long did the key exchange take?")
	RTT               = define[time.Duration]("path.rtt", "s", "how long is a round trip to the server?")
	HandshakeTTL      = define[int]("handshake.ttl", "", "with which hop limit do the server's packets arrive?")
	HandshakeFrozen   = define[bool]("handshake.frozen", "", "was the connection silent, but open, when the time was up?")
)
