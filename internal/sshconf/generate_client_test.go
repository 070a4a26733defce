package sshconf

import (
	"maps"
	"slices"
	"strings"
)

// clientValues are what the generator gives to the keywords of ssh_config.
// Whatever bears on the life of a connection is here; so is much else.
var clientValues = values{
	"ServerAliveInterval":             "0|15|60|300|1m|1h30m|90s|none|1m30|2H|!|-1|1.5h|5 m|abc|99999999999|1x",
	"ServerAliveCountMax":             "0|1|3|10|+4|!|-1|3.5|0x10|many|99999999999",
	"TCPKeepAlive":                    "yes|no|true|false|YES|No|!|maybe|1",
	"KeepAlive":                       "yes|no",
	"ConnectTimeout":                  "0|5|30|1m|none|10s|!|soon|-3|1m-1",
	"ConnectionAttempts":              "1|2|5|!|0|x|-1",
	"ControlMaster":                   "yes|no|auto|ask|autoask|true|false|!|maybe",
	"ControlPath":                     "none|/tmp/cm-%r@%h:%p|~/.ssh/cm-%C|/run/%i/%u-%L-%n|/x/%%/%k/%l/%d|/v/${SSHCONF_A}|!|/x/%z|/x/${SSHCONF_UNSET}|/x/${|/x/%",
	"ControlPersist":                  "yes|no|true|false|0|60|10m|1h|!|never|-1",
	"ProxyCommand":                    "nc -X connect %h %p|none|NONE|ssh -W [%h]:%p gw # not a comment|exec \"a b\" 'c'|!|it's",
	"ProxyJump":                       "jump1|bob@jump1:2222|a,b,c|u@a:1,v@b:2|none|[::1]:22|10.0.0.9|ssh://x@gw:99|gw # why|!|a,,b|@x|gw:99999|:22|ssh://a/b",
	"ProxyUseFdpass":                  "yes|no",
	"HostName":                        "real.example.com|%h.example.net|10.1.2.3|UPPER.Example|%h|::1|web%%1|127.1|!|%x",
	"Port":                            "22|2222|65535|ssh|1|0022|!|0|65536|http2|-22",
	"User":                            "alice|bob|carol",
	"AddressFamily":                   "any|inet|inet6|INET|!|inet4|ipx",
	"BindAddress":                     "127.0.0.1|::1|any",
	"BindInterface":                   "eth0|lo",
	"CanonicalizeHostname":            "no|false|always|yes|!|sometimes",
	"CanonicalizeFallbackLocal":       "yes|no",
	"CanonicalizeMaxDots":             "0|1|2|!|-1|x",
	"CanonicalizePermittedCNAMEs":     "none",
	"CanonicalDomains":                "none",
	"RekeyLimit":                      "1G|default|500M|0|64K 1h|default none|1G none|2G 30m|1.5G|default 600|16|!|5|1X|1G 1x|G G|-16|1..5K",
	"IPQoS":                           "af21 cs1|lowdelay throughput|ef|none|cs0 none|16|0x10|AF11|le|0 255|reliability|0x08 0x10|010|!|nope|256|af21 xx|-1|af21 cs1 x",
	"Ciphers":                         "aes128-ctr|+3des-cbc|-*cbc*|^aes256-gcm@openssh.com|aes128-ctr,aes256-ctr|-chacha20*,aes128*|+aes128-ctr|!|foo|+foo|aes128-ctr,bar|aes*|+",
	"MACs":                            "hmac-sha2-256|+hmac-md5|-*etm*|^hmac-sha1|umac-64@openssh.com,hmac-sha1|!|hmac-foo|+x",
	"KexAlgorithms":                   "curve25519-sha256|+diffie-hellman-group1-sha1|-ecdh*|^ecdh-sha2-nistp256|!|x|curve*",
	"HostKeyAlgorithms":               "ssh-ed25519|+ssh-rsa|-*cert*|^rsa-sha2-512|ssh-*|ecdsa-sha2-nistp256,rsa-sha2-*|!|nokey|!ssh-rsa|ED25519|+x",
	"PubkeyAcceptedAlgorithms":        "+ssh-rsa|ssh-ed25519|-ecdsa*|rsa-sha2-256|!|nokey",
	"PubkeyAcceptedKeyTypes":          "+ssh-rsa|ssh-ed25519*",
	"HostbasedAcceptedAlgorithms":     "+ssh-rsa|ssh-ed25519",
	"CASignatureAlgorithms":           "ssh-ed25519|-rsa*|+ssh-rsa",
	"Compression":                     "yes|no|YES|!|true|delayed",
	"BatchMode":                       "yes|no|true",
	"ExitOnForwardFailure":            "yes|no",
	"ClearAllForwardings":             "yes|no|no",
	"SessionType":                     "none|subsystem|default|!|shell",
	"RequestTTY":                      "yes|no|force|auto|!|perhaps",
	"StdinNull":                       "yes|no",
	"ForkAfterAuthentication":         "no|!|yes",
	"IdentityFile":                    "~/.ssh/id_x|/etc/key|%d/.ssh/y|~/.ssh/id_x",
	"CertificateFile":                 "~/.ssh/id-cert.pub|/c",
	"IdentitiesOnly":                  "yes|no",
	"IdentityAgent":                   "none|SSH_AUTH_SOCK|$SSH_AUTH_SOCK|~/agent|%d/agent|${SSHCONF_A}/s|!|$BAD-NAME|${SSHCONF_UNSET}|%z",
	"ForwardAgent":                    "yes|no|/tmp|$SSH_AUTH_SOCK|~/a.%h|!|${SSHCONF_UNSET}",
	"AddKeysToAgent":                  "yes|no|ask|confirm|confirm 5m|1h|0|!|yes 5m|sure",
	"LocalForward":                    "8080 localhost:80|127.0.0.1:9000 db:5432|/tmp/l.sock /tmp/r.sock|8081 /var/run/x.sock|[::1]:7000 [::1]:7001|/tmp/%r web:80|!|8080|0 x:1|8080 x|a:b:c d:e:f",
	"RemoteForward":                   "8080 localhost:80|9000|0 localhost:22|/tmp/r.sock localhost:80|127.0.0.1:1080|!|x|99999 a:1",
	"DynamicForward":                  "1080|127.0.0.1:1081|[::1]:1082|localhost:1083|!|0|x:y",
	"GatewayPorts":                    "yes|no",
	"Tunnel":                          "yes|no|ethernet|point-to-point|!|tun",
	"TunnelDevice":                    "any|0:1|any:2|3|!|x|1:y",
	"SendEnv":                         "LANG LC_*|FOO|-LC_*|-*|!|A=B",
	"SetEnv":                          "A=b|A=1 A=2 C=3|D='e f'|!|A",
	"EscapeChar":                      "~|none|^A|%|^?|\\\\|!|ab|^",
	"LogLevel":                        "INFO|quiet|DEBUG1|debug3|VERBOSE|ERROR|FATAL|!|loud",
	"SyslogFacility":                  "AUTH|local3|USER|!|NOWHERE",
	"StrictHostKeyChecking":           "yes|no|ask|accept-new|off|!|maybe",
	"UserKnownHostsFile":              "none|/dev/null|~/.ssh/kh %d/kh2|/kh/%h|!|none /x|/x/%z",
	"GlobalKnownHostsFile":            "none|/dev/null|/a /b|!|/a none",
	"UpdateHostKeys":                  "yes|no|ask",
	"VerifyHostKeyDNS":                "yes|no|ask",
	"HostKeyAlias":                    "Alias1|other",
	"LocalCommand":                    "none|echo %h|ls # all",
	"RemoteCommand":                   "none|tmux attach %u|!|run %z",
	"PermitLocalCommand":              "yes|no",
	"KnownHostsCommand":               "none|/bin/kh %H",
	"PermitRemoteOpen":                "any|none|h:22 [::1]:*|!|any none|x",
	"StreamLocalBindMask":             "0177|022|0|!|999|8|x",
	"StreamLocalBindUnlink":           "yes|no",
	"FingerprintHash":                 "sha256|MD5|!|crc32",
	"LogVerbose":                      "none|a.c:* b.c:1|kex.c:*",
	"PubkeyAuthentication":            "yes|no|unbound|host-bound|!|maybe",
	"PasswordAuthentication":          "yes|no",
	"ChallengeResponseAuthentication": "yes|no",
	"PreferredAuthentications":        "publickey,password",
	"NumberOfPasswordPrompts":         "1|3|!|x",
	"GSSAPIAuthentication":            "yes|no",
	"RequiredRSASize":                 "1024|2048|!|-1",
	"VisualHostKey":                   "yes|no",
	"CheckHostIP":                     "yes|no",
	"HashKnownHosts":                  "yes|no",
	"RevokedHostKeys":                 "none|/etc/revoked",
	"EnableEscapeCommandline":         "yes|no",
	"ForwardX11":                      "yes|no",
	"ForwardX11Timeout":               "0|20m|!|x",
	"XAuthLocation":                   "/usr/bin/x",
	"IgnoreUnknown":                   "none|nonsense|Non*,UseKeychain|*",
	"Protocol":                        "2|1,2",
	"Cipher":                          "blowfish",
	"UseRoaming":                      "no",
	"RhostsRSAAuthentication":         "no",
	"ProtocolKeepAlives":              "7|1m",
	"SetupTimeOut":                    "9|2m",
	"ObscureKeystrokeTiming":          "yes|no|interval:50|interval:20|!|interval:0|fast|yes no",
	"ChannelTimeout":                  "none|session=5m direct-tcpip=1h|*=0|!|session|=5m|session=x|none x=1",
	"Tag":                             "red|blue",
	"VersionAddendum":                 "none|hello|at %h # x",
	"WarnWeakCrypto":                  "yes|no|no-pq-kex",
}

// life are the keywords that matter most; they are picked more often.
var clientLife = strings.Fields(`ServerAliveInterval ServerAliveCountMax TCPKeepAlive ConnectTimeout ConnectionAttempts
	ControlMaster ControlPath ControlPersist ProxyCommand ProxyJump ProxyUseFdpass HostName Port User AddressFamily
	BindAddress CanonicalizeHostname RekeyLimit IPQoS Ciphers MACs KexAlgorithms Compression BatchMode`)

// clientKeysFor are the keywords a release has, with those of clientLife four
// times as likely.
func clientKeysFor(r Release) (keys []string) {
	for _, key := range slices.Sorted(maps.Keys(clientValues)) {
		_, _, ok := r.clientKeyword(strings.ToLower(key))
		ok = ok && !(r.has(1004) && strings.HasPrefix(key, "GSSAPI")) // Debian builds it apart
		if ok || slices.Contains(clientGone, strings.ToLower(key)) {
			keys = append(keys, key)
		}
	}
	return append(keys, slices.Concat(clientLife, clientLife, clientLife)...)
}

// clientCase is one generated use of ssh.
type clientCase struct {
	request ClientRequest
	files   map[string]string
}

func (g *generator) clientCase(r Release) clientCase {
	keys := g.some(clientKeysFor(r))
	main := g.name("config")
	g.files[main] = "" // first, so that includes get other names
	g.files[main] = g.clientFile(r, keys, 0)
	c := clientCase{files: g.files}
	c.request = ClientRequest{Config: main, Release: r, Host: g.pick("web1", "web1", "db.example.com", "WEB1", "a", "10.0.0.1",
		"carol@web1", "ssh://dave@web1:2200", "::1", "127.1", "a.b.c.d.example.org", "fe80::1%lo", "0x7f.1", "::1.2.3.4")}
	if g.chance(0.02) {
		c.request.Host = g.pick("-x", "a;b", "@web1", "ssh://", "ssh://web1/path", "we b", "evil`@web1")
	}
	for g.chance(0.25) {
		c.request.Options = append(c.request.Options, g.clientOption(keys))
	}
	return c
}

func (g *generator) clientOption(keys []string) Option {
	switch g.IntN(9) {
	case 0:
		return Option{'p', g.pick("22", "2200", "2201", "http")}
	case 1:
		return Option{'l', g.pick("erin", "frank")}
	case 2:
		return Option{g.pick("4", "6")[0], ""}
	case 3:
		return Option{'J', g.pick("gate", "x@gate:24", "a,b", "none")}
	case 4:
		return Option{'i', g.pick("/dev/null", "/nonexistent/key")}
	}
	key, value := g.choose(clientValues, keys)
	for key == "ProxyCommand" && strings.Contains(value, "it's") {
		key, value = g.choose(clientValues, keys)
	}
	return Option{'o', key + g.pick("=", " ") + value}
}

// clientFile is a tree of blocks.
func (g *generator) clientFile(r Release, keys []string, depth int) string {
	var b strings.Builder
	body := func(depth int) string { return g.clientFile(r, keys, depth) }
	for block := range 1 + g.IntN(5) {
		if block > 0 || g.chance(0.3) {
			b.WriteString(g.clientBlock(r))
		}
		for range g.IntN(6) {
			switch n := g.IntN(20); {
			case n == 0:
				b.WriteString(g.noise())
			case n == 1 && g.chance(0.2): // tokens in paths are new in 9.9
				b.WriteString(g.directive("Include", g.pick("/none/%h/%%x", "/none/${SSHCONF_A}", "/none/${SSHCONF_UNSET}/x")))
			case n == 1 && g.chance(g.wrong*2):
				b.WriteString(g.directive("Include", g.pick("/none/%z", "/none/${", "''")))
			case n == 1 && depth < 3 && g.includes < 4:
				b.WriteString(g.include(depth, body))
			default:
				b.WriteString(g.directive(g.choose(clientValues, keys)))
			}
		}
	}
	return b.String()
}

// clientBlock opens a Host or Match block.
func (g *generator) clientBlock(r Release) string {
	if g.chance(0.5) {
		patterns := g.pick("*", "web1", "web*", "web? db.*", "!web1 *", "* !web1", "other", "10.0.0.*", "real.example.com", `"web1"`,
			"'web1' x", "WEB1", "?", "!*", "*.example.* a", "::1", "127.0.0.1 0x7f*")
		return g.directive("Host", patterns)
	}
	criteria := []string{"host web1", "host web*,!web2", "originalhost web1", "user alice", "user bob,carol,root", "localuser root",
		"localuser nobody", "final", "canonical", "exec true", "exec false", `exec "test %n = web1"`, "host real.example.com", "!host web1",
		"!user alice", "!exec true", `host "web1"`, "host=web1", "Host WEB1", `host "web1,a"`, "!final", "exec 'true'"}
	if r.has(904) {
		criteria = append(criteria, "tagged red", "!tagged red", "localnetwork 127.0.0.0/8", "localnetwork 203.0.113.0/24")
	}
	if r.has(1000) {
		criteria = append(criteria, "version OpenSSH_*", "sessiontype shell", "sessiontype exec,none", `command ""`, `tagged ""`)
	}
	if g.chance(0.2) {
		return g.directive("Match", g.pick("all", "all", "ALL", "final all", "canonical all", "all # x", "host web1 all", "!all"))
	}
	var some []string
	for range 1 + g.IntN(3) {
		some = append(some, criteria[g.IntN(len(criteria))])
	}
	if g.chance(g.wrong) {
		some = append(some, g.pick("all", "host", "color red", "user", "host web1 all x", "exec %z", "user ''"))
	}
	return "Match " + strings.Join(some, g.pick(" ", "  ", "\t")) + g.pick("", "", " # c") + g.newline()
}
