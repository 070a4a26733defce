package sshconf

import "strings"

// serverOption is one keyword of sshd_config.
type serverOption struct {
	option
	match bool // it may stand in a Match block
}

var (
	plainYesNo     = states("yes", "no")
	rootLogins     = states("without-password", "prohibit-password without-password", "forced-commands-only", "yes", "no")
	ignoreRhosts   = states("yes", "no", "shosts-only")
	serverCompress = states("yes", "delayed yes", "no")
	gatewayPorts   = states("clientspecified", "yes", "no")
	forwardings    = states("yes", "all yes", "no", "remote", "local")
	serverKeepDead = states("true", "yes true", "transport true", "no false", "false", "all")
)

var serverOnOff = choice(plainYesNo)

// global and inMatch build the entries of the table.
func global(name string, apply directive, unset string, since since) serverOption {
	return serverOption{option: option{name: name, apply: apply, unset: unset, since: since}}
}

func inMatch(name string, apply directive, unset string, since since) serverOption {
	o := global(name, apply, unset, since)
	o.match = true
	return o
}

// serverTable is every keyword of sshd_config, in the order of `sshd -T`.
var serverTable = []serverOption{
	global("Port", serverPort, "22", 0),
	global("AddressFamily", choice(families), "any", 0),
	global("ListenAddress", listenAddress, "", 0),
	global("UsePAM", serverOnOff, "no", 0),
	inMatch("PAMServiceName", text, "sshd", 908),
	global("LoginGraceTime", seconds(false), "120", 0),
	inMatch("X11DisplayOffset", number, "10", 0),
	inMatch("MaxAuthTries", number, "6", 0),
	inMatch("MaxSessions", number, "10", 0),
	inMatch("ClientAliveInterval", seconds(false), "0", 0),
	inMatch("ClientAliveCountMax", number, "3", 0),
	inMatch("RequiredRSASize", number, "1024", 901),
	inMatch("StreamLocalBindMask", serverBindMask, "0177", 0),
	inMatch("UnusedConnectionTimeout", unusedTimeout, "none", 902),
	inMatch("PermitRootLogin", rootLogin, "without-password", 0),
	inMatch("IgnoreRhosts", choice(ignoreRhosts), "yes", 0),
	global("IgnoreUserKnownHosts", serverOnOff, "no", 0),
	inMatch("HostbasedAuthentication", serverOnOff, "no", 0),
	inMatch("HostbasedUsesNameFromPacketOnly", serverOnOff, "no", 0),
	inMatch("PubkeyAuthentication", serverOnOff, "yes", 0),
	inMatch("KerberosAuthentication", serverOnOff, "no", 0),
	global("KerberosOrLocalPasswd", serverOnOff, "yes", 0),
	global("KerberosTicketCleanup", serverOnOff, "yes", 0),
	inMatch("GSSAPIAuthentication", serverOnOff, "no", 0),
	global("GSSAPICleanupCredentials", serverOnOff, "yes", 0),
	global("GSSAPIKeyExchange", serverOnOff, "no", 0),
	global("GSSAPIDelegateCredentials", serverOnOff, "yes", 1003),
	global("GSSAPIStrictAcceptorCheck", serverOnOff, "yes", 0),
	global("GSSAPIStoreCredentialsOnRekey", serverOnOff, "no", 0),
	global("GSSAPIKexAlgorithms", gssKex, "", 0),
	inMatch("PasswordAuthentication", serverOnOff, "yes", 0),
	inMatch("KbdInteractiveAuthentication", serverOnOff, "yes", 0),
	global("PrintMotd", serverOnOff, "yes", 0),
	global("PrintLastLog", serverOnOff, "yes", 0),
	inMatch("X11Forwarding", serverOnOff, "no", 0),
	inMatch("X11UseLocalhost", serverOnOff, "yes", 0),
	inMatch("PermitTTY", serverOnOff, "yes", 0),
	inMatch("PermitUserRC", serverOnOff, "yes", 0),
	global("StrictModes", serverOnOff, "yes", 0),
	global("TCPKeepAlive", serverKeepAlive, "yes", 0),
	inMatch("PermitEmptyPasswords", serverOnOff, "no", 0),
	global("Compression", choice(serverCompress), "yes", 0),
	inMatch("GatewayPorts", choice(gatewayPorts), "no", 0),
	global("UseDNS", serverOnOff, "no", 0),
	inMatch("AllowTcpForwarding", choice(forwardings), "yes", 0),
	inMatch("AllowAgentForwarding", serverOnOff, "yes", 0),
	inMatch("DisableForwarding", serverOnOff, "no", 0),
	inMatch("AllowStreamLocalForwarding", choice(forwardings), "yes", 0),
	inMatch("StreamLocalBindUnlink", serverOnOff, "no", 0),
	global("FingerprintHash", fingerprintHash, "SHA256", 0),
	inMatch("ExposeAuthInfo", serverOnOff, "no", 0),
	global("WarnWeakCrypto", choice(states("true", "yes true", "false", "no false", "no-pq-kex false")), "true", 1006),
	inMatch("RefuseConnection", serverOnOff, "no", 909),
	{option: option{name: "DebianBanner", apply: serverOnOff, unset: "yes", only: debian}},
	global("PidFile", filename, "/run/sshd.pid", 0),
	global("ModuliFile", filename, "/etc/ssh/moduli", 806),
	global("XAuthLocation", filename, "/usr/bin/xauth", 0),
	global("Ciphers", algorithmList(cipherAlgorithms), "", 0),
	global("MACs", algorithmList(macAlgorithms), "", 0),
	inMatch("Banner", filename, "none", 0),
	inMatch("ForceCommand", forceCommand, "none", 0),
	inMatch("ChrootDirectory", text, "none", 0),
	inMatch("TrustedUserCAKeys", filename, "none", 0),
	inMatch("RevokedKeys", revokedFiles, "none", 0),
	global("SecurityKeyProvider", keyProvider, "internal", 802),
	inMatch("AuthorizedPrincipalsFile", principalsFile, "none", 0),
	global("VersionAddendum", serverAddendum, "none", 0),
	inMatch("AuthorizedKeysCommand", authCommand, "none", 0),
	inMatch("AuthorizedKeysCommandUser", text, "none", 0),
	inMatch("AuthorizedPrincipalsCommand", authCommand, "none", 0),
	inMatch("AuthorizedPrincipalsCommandUser", text, "none", 0),
	global("HostKeyAgent", hostKeyAgent, "none", 0),
	global("KexAlgorithms", algorithmList(kexAlgorithms), "", 0),
	inMatch("CASignatureAlgorithms", algorithmList(caAlgorithms), "", 0),
	inMatch("HostbasedAcceptedAlgorithms", algorithmList(keyAlgorithms), "", 805),
	global("HostKeyAlgorithms", algorithmList(keyAlgorithms), "", 0),
	inMatch("PubkeyAcceptedAlgorithms", algorithmList(keyAlgorithms), "", 805),
	inMatch("RDomain", text, "", 707),
	inMatch("LogLevel", logLevel, "INFO", 0),
	global("SyslogFacility", choice(facilities), "AUTH", 0),
	inMatch("AuthorizedKeysFile", keysFiles, ".ssh/authorized_keys .ssh/authorized_keys2", 0),
	global("HostKey", hostKey, "", 0),
	global("HostCertificate", hostKey, "", 0),
	inMatch("AllowUsers", userPatterns, "", 0),
	inMatch("DenyUsers", userPatterns, "", 0),
	inMatch("AllowGroups", groupPatterns, "", 0),
	inMatch("DenyGroups", groupPatterns, "", 0),
	inMatch("AcceptEnv", acceptEnv, "", 0),
	inMatch("SetEnv", serverSetEnv, "", 0),
	inMatch("AuthenticationMethods", authMethods, "any", 0),
	inMatch("LogVerbose", serverLogVerbose, "", 805),
	inMatch("ChannelTimeout", channelTimeout, "", 902),
	inMatch("Subsystem", subsystem, "", 0),
	global("MaxStartups", maxStartups, "10:30:100", 0),
	global("PerSourceMaxStartups", perSourceStartups, "none", 805),
	global("PerSourceNetBlockSize", netBlockSize, "32:128", 805),
	global("PerSourcePenalties", penalties, "", 908),
	global("PerSourcePenaltyExemptList", exemptList, "none", 908),
	inMatch("PermitTunnel", permitTunnel, "no", 0),
	inMatch("IPQoS", serverQoS, "", 0),
	inMatch("RekeyLimit", rekeyLimit(false), "0 0", 0),
	inMatch("PermitOpen", permitOpen, "any", 0),
	inMatch("PermitListen", permitOpen, "any", 708),
	global("PermitUserEnvironment", userEnvironment, "no", 0),
	inMatch("PubkeyAuthOptions", pubkeyOptions, "none", 802),
	global("SshdSessionPath", filename, "/usr/lib/openssh/sshd-session", 908),
	global("SshdAuthPath", filename, "/usr/lib/openssh/sshd-auth", 1000),
	global("AgentSocketPath", text, "user:.ssh/agent", 1006),
}

// serverGone are keywords that are read and mean nothing; those after "/" may
// stand in a Match block.
var serverGone = strings.Fields(`pamauthenticationviakbdint serverkeybits keyregenerationinterval rhostsauthentication
	/rhostsrsaauthentication /rsaauthentication kerberostgtpassing afstokenpassing gssusesessionccache
	gssapiusesessioncredcache checkmail permitblacklistedkeys uselogin protocol verifyreversemapping reversemappingcheck
	/authorizedkeysfile2 useprivilegeseparation kerberosgetafstoken`)

// serverAliases are other names of keywords; some may not stand in a Match
// block although the keyword itself may.
var serverAliases = map[string]string{
	"hostdsakey": "hostkey", "hostbasedacceptedkeytypes": "hostbasedacceptedalgorithms",
	"pubkeyacceptedkeytypes": "pubkeyacceptedalgorithms", "dsaauthentication": "pubkeyauthentication",
	"challengeresponseauthentication": "kbdinteractiveauthentication", "skeyauthentication": "kbdinteractiveauthentication",
	"keepalive": "tcpkeepalive", "gssapicleanupcreds": "gssapicleanupcredentials",
}

var serverKeywords = func() map[string]serverOption {
	m := map[string]serverOption{}
	for _, o := range serverTable {
		m[strings.ToLower(o.name)] = o
	}
	return m
}()

// serverKeyword finds what a keyword is.
func (r Release) serverKeyword(name string) (key string, o serverOption, ok bool) {
	if other, alias := serverAliases[name]; alias {
		o = serverKeywords[other]
		o.match = o.match && name != "dsaauthentication"
		return other, o, true
	}
	for _, gone := range serverGone {
		if bareName := strings.TrimPrefix(gone, "/"); bareName == name {
			o = global(name, ignore, "", 0)
			o.match = gone != bareName
			return name, o, true
		}
	}
	o, ok = serverKeywords[name]
	if name == "subsystem" && !r.has(908) {
		o.match = false
	}
	return name, o, ok && r.known(o.option)
}
