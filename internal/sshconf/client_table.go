package sshconf

import "strings"

var (
	yesNo       = states("true yes", "false no", "yes", "no")
	trueAsk     = states("true", "false", "yes true", "no false", "ask")
	strictKeys  = states("true", "false", "yes true", "no false", "ask", "off false", "accept-new")
	families    = states("inet", "inet6", "any")
	masters     = states("true", "yes true", "false", "no false", "auto", "ask", "autoask")
	tunnels     = states("ethernet", "point-to-point", "true point-to-point", "yes point-to-point", "false", "no false")
	ttys        = states("true", "yes true", "false", "no false", "force", "auto")
	sessions    = states("none", "subsystem", "default")
	canonical   = states("true", "false", "yes true", "no false", "always")
	pubkeyAuth  = states("true", "false", "yes true", "no false", "unbound", "host-bound")
	weakCrypto  = states("true yes", "false no", "yes", "no", "no-pq-kex no")
	keepAlives  = states("true", "yes true", "transport true", "false", "no false", "all")
	compression = states("yes", "no")
)

var onOff = choice(yesNo)

// clientTable is every keyword of ssh_config, in the order of `ssh -G`. Host,
// Match and Include are not options and stand elsewhere.
var clientTable = []option{
	{name: "User", apply: text},
	{name: "HostName", apply: text},
	{name: "Port", apply: clientPort},
	{name: "AddressFamily", apply: choice(families), unset: "any"},
	{name: "BatchMode", apply: onOff, unset: "no"},
	{name: "CanonicalizeFallbackLocal", apply: onOff, unset: "yes"},
	{name: "CanonicalizeHostname", apply: choice(canonical), unset: "false"},
	{name: "CheckHostIP", apply: onOff, unset: "no"},
	{name: "Compression", apply: choice(compression), unset: "no"},
	{name: "ControlMaster", apply: choice(masters), unset: "false"},
	{name: "EnableSSHKeysign", apply: onOff, unset: "no"},
	{name: "ClearAllForwardings", apply: onOff, unset: "no"},
	{name: "ExitOnForwardFailure", apply: onOff, unset: "no"},
	{name: "FingerprintHash", apply: choice(hashes), unset: "SHA256"},
	{name: "ForwardX11", apply: onOff, unset: "no"},
	{name: "ForwardX11Trusted", apply: onOff, unset: "no"},
	{name: "GatewayPorts", apply: onOff, unset: "no"},
	{name: "GSSAPIAuthentication", apply: onOff, unset: "no"},
	{name: "GSSAPIKeyExchange", apply: onOff, unset: "no"},
	{name: "GSSAPIDelegateCredentials", apply: onOff, unset: "no"},
	{name: "GSSAPITrustDns", apply: onOff, unset: "no"},
	{name: "GSSAPIRenewalForcesRekey", apply: onOff, unset: "no"},
	{name: "GSSAPIClientIdentity", apply: text},
	{name: "GSSAPIServerIdentity", apply: text},
	{name: "GSSAPIKexAlgorithms", apply: gssKex},
	{name: "HashKnownHosts", apply: onOff, unset: "no"},
	{name: "HostbasedAuthentication", apply: onOff, unset: "no"},
	{name: "IdentitiesOnly", apply: onOff, unset: "no"},
	{name: "KbdInteractiveAuthentication", apply: onOff, unset: "yes"},
	{name: "NoHostAuthenticationForLocalhost", apply: onOff, unset: "no"},
	{name: "PasswordAuthentication", apply: onOff, unset: "yes"},
	{name: "PermitLocalCommand", apply: onOff, unset: "no"},
	{name: "ProxyUseFdpass", apply: onOff, unset: "no"},
	{name: "PubkeyAuthentication", apply: clientPubkeyAuth, unset: "true"},
	{name: "RequestTTY", apply: choice(ttys), unset: "auto"},
	{name: "SessionType", apply: choice(sessions), unset: "default", since: 807},
	{name: "StdinNull", apply: onOff, unset: "no", since: 807},
	{name: "ForkAfterAuthentication", apply: onOff, unset: "no", since: 807},
	{name: "StreamLocalBindUnlink", apply: onOff, unset: "no"},
	{name: "StrictHostKeyChecking", apply: choice(strictKeys), unset: "ask"},
	{name: "TCPKeepAlive", apply: clientKeepAlive, unset: "yes"},
	{name: "Tunnel", apply: choice(tunnels), unset: "false"},
	{name: "VerifyHostKeyDNS", apply: choice(trueAsk), unset: "false"},
	{name: "VisualHostKey", apply: onOff, unset: "no"},
	{name: "WarnWeakCrypto", apply: choice(weakCrypto), unset: "yes", since: 1001},
	{name: "UpdateHostKeys", apply: choice(trueAsk), unset: "true"},
	{name: "EnableEscapeCommandline", apply: onOff, unset: "no", since: 902},
	{name: "CanonicalizeMaxDots", apply: number, unset: "1"},
	{name: "ConnectionAttempts", apply: number, unset: "1"},
	{name: "ForwardX11Timeout", apply: seconds(true), unset: "1200"},
	{name: "NumberOfPasswordPrompts", apply: number, unset: "3"},
	{name: "ServerAliveCountMax", apply: number, unset: "3"},
	{name: "ServerAliveInterval", apply: seconds(true), unset: "0"},
	{name: "RequiredRSASize", apply: number, unset: "1024", since: 901},
	{name: "ObscureKeystrokeTiming", apply: keystrokes, unset: "yes", since: 905},
	{name: "BindAddress", apply: text},
	{name: "BindInterface", apply: text},
	{name: "Ciphers", apply: algorithmList(cipherAlgorithms)},
	{name: "ControlPath", apply: text},
	{name: "HostKeyAlgorithms", apply: algorithmList(keyAlgorithms)},
	{name: "HostKeyAlias", apply: text},
	{name: "HostbasedAcceptedAlgorithms", apply: algorithmList(keyAlgorithms), since: 807},
	{name: "IdentityAgent", apply: identityAgent},
	{name: "IgnoreUnknown", apply: text},
	{name: "KbdInteractiveDevices", apply: text},
	{name: "KexAlgorithms", apply: algorithmList(kexAlgorithms)},
	{name: "CASignatureAlgorithms", apply: algorithmList(caAlgorithms)},
	{name: "LocalCommand", apply: command},
	{name: "RemoteCommand", apply: command},
	{name: "LogLevel", apply: logLevel, unset: "INFO"},
	{name: "MACs", apply: algorithmList(macAlgorithms)},
	{name: "PKCS11Provider", apply: text},
	{name: "SecurityKeyProvider", apply: text, unset: "internal", since: 802},
	{name: "PreferredAuthentications", apply: text},
	{name: "PubkeyAcceptedAlgorithms", apply: algorithmList(keyAlgorithms), since: 805},
	{name: "XAuthLocation", apply: text, unset: "/usr/bin/xauth"},
	{name: "KnownHostsCommand", apply: command, since: 805},
	{name: "Tag", apply: text, since: 904},
	{name: "VersionAddendum", apply: versionAddendum, since: 1000},
	{name: "DynamicForward", apply: forwarding},
	{name: "LocalForward", apply: forwarding},
	{name: "RemoteForward", apply: forwarding},
	{name: "IdentityFile", apply: keyFile},
	{name: "CanonicalDomains", apply: canonicalDomains, unset: "none"},
	{name: "CertificateFile", apply: keyFile},
	{name: "RevokedHostKeys", apply: revokedKeys},
	{name: "GlobalKnownHostsFile", apply: wordList(maxHostFiles), unset: "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"},
	{name: "UserKnownHostsFile", apply: wordList(maxHostFiles)},
	{name: "SendEnv", apply: sendEnv},
	{name: "SetEnv", apply: setEnv},
	{name: "LogVerbose", apply: logVerbose, unset: "none", since: 805},
	{name: "ChannelTimeout", apply: channelTimeout, unset: "none", since: 906},
	{name: "PermitRemoteOpen", apply: permitRemoteOpen, unset: "any", since: 805},
	{name: "AddKeysToAgent", apply: addKeysToAgent, unset: "false"},
	{name: "ForwardAgent", apply: forwardAgent, unset: "no"},
	{name: "ConnectTimeout", apply: seconds(true), unset: "none"},
	{name: "TunnelDevice", apply: tunnelDevice, unset: "any:any"},
	{name: "CanonicalizePermittedCNAMEs", apply: permittedCNAMEs, unset: "none"},
	{name: "ControlPersist", apply: controlPersist, unset: "no"},
	{name: "EscapeChar", apply: escapeChar, unset: "~"},
	{name: "IPQoS", apply: clientQoS},
	{name: "RekeyLimit", apply: rekeyLimit(true), unset: "0 0"},
	{name: "StreamLocalBindMask", apply: clientBindMask, unset: "0177"},
	{name: "SyslogFacility", apply: clientFacility, unset: "USER"},
	{name: "ProxyCommand", apply: proxyCommand},
	{name: "ProxyJump", apply: proxyJump},
	{name: "RefuseConnection", apply: refuseConnection, since: 1001},

	{name: "UseKeychain", apply: ignore, only: vendor}, // Apple
	{name: "RSAMinSize", apply: ignore, only: vendor},  // Red Hat, before RequiredRSASize
}

// clientGone are keywords that are read and mean nothing.
var clientGone = strings.Fields(`protocol cipher fallbacktorsh globalknownhostsfile2 rhostsauthentication
	userknownhostsfile2 useroaming usersh useprivilegedport afstokenpassing kerberosauthentication
	kerberostgtpassing rsaauthentication rhostsrsaauthentication compressionlevel useblacklistedkeys`)

// clientAliases are other names of keywords.
var clientAliases = map[string]string{
	"challengeresponseauthentication": "kbdinteractiveauthentication",
	"skeyauthentication":              "kbdinteractiveauthentication",
	"tisauthentication":               "kbdinteractiveauthentication",
	"dsaauthentication":               "pubkeyauthentication",
	"identityfile2":                   "identityfile",
	"keepalive":                       "tcpkeepalive",
	"smartcarddevice":                 "pkcs11provider",
	"hostbasedkeytypes":               "hostbasedacceptedalgorithms",
	"pubkeyacceptedkeytypes":          "pubkeyacceptedalgorithms",
}

// keywords is a table by name in lower case.
func keywords(table []option) map[string]option {
	m := map[string]option{}
	for _, o := range table {
		m[strings.ToLower(o.name)] = o
	}
	return m
}

var clientKeywords = keywords(clientTable)

// clientKeyword finds what a keyword is. Debian's own names for a time go to
// another option since 9.9.
func (r Release) clientKeyword(name string) (key string, o option, ok bool) {
	key = name
	if other, ok := clientAliases[name]; ok {
		return other, clientKeywords[other], true
	}
	if r.Debian && (name == "protocolkeepalives" || name == "setuptimeout") {
		key = "serveraliveinterval"
		if name == "setuptimeout" && r.has(909) {
			key = "connecttimeout"
		}
	}
	o, ok = clientKeywords[key]
	return key, o, ok && r.known(o)
}
