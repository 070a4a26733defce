package sshconf

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// serverValues are what the generator gives to the keywords of sshd_config.
var serverValues = values{
	"ClientAliveInterval":   "0|15|300|5m|1h30m|90|!|none|-1|1.5h|x|5 m",
	"ClientAliveCountMax":   "0|1|3|10|!|-1|x|3.5",
	"TCPKeepAlive":          "yes|no|YES|!|true|maybe",
	"KeepAlive":             "yes|no",
	"LoginGraceTime":        "0|30|2m|1m30s|600|!|none|x|-5",
	"MaxStartups":           "10|5:30:60|50:30:100|1|10:100:10|3:1:9x|20| 7:50:70|!|10:0:100|10:30:5|0|10:30|x|-1:3:4|5:101:10",
	"MaxSessions":           "0|1|10|100|!|-1|x",
	"MaxAuthTries":          "1|3|6|!|-1|few",
	"PerSourceMaxStartups":  "none|1|5|2147483647|!|-1|x",
	"PerSourceNetBlockSize": "32:128|24:64|0:0|16|!|33|24:129|-1|x:1",
	"PerSourcePenalties": "yes|no|crash:10|authfail:5m noauth:1|max:1h min:3|overflow:deny-all|overflow6:permissive max-sources4:10|" +
		"grace-exceeded:20 crash:7 authfail:0|!|no crash:1|bogus:1|crash:x|max-sources4:x|overflow:maybe|yes yes",
	"PerSourcePenaltyExemptList":      "10.0.0.0/8,::1|192.0.2.7|*|!|10.0.0.1/8|a,,b",
	"UseDNS":                          "yes|no|!|maybe",
	"Compression":                     "yes|no|delayed|!|true",
	"RekeyLimit":                      "1G|default|default none|64K 1h|0|1G none|2G 30m|1.5M|16|!|5|x|1G x|1G 1h extra",
	"IPQoS":                           "af21 cs1|lowdelay|ef none|0x10|cs0|none|16 8|le|!|nope|256|af21 x",
	"ChannelTimeout":                  "none|session:*=5m|direct-tcpip=1h x11-connection=30|*=0|!|session|=5|none x=1|a=b",
	"UnusedConnectionTimeout":         "none|NONE|30|5m|0|!|x|-1",
	"ForceCommand":                    "none|/bin/true|echo \"a b\" # not a comment|internal-sftp -l INFO|!|it's",
	"ChrootDirectory":                 "none|/srv/%u|NONE",
	"Port":                            "22|2222|ssh|!|0|70000|x",
	"ListenAddress":                   "127.0.0.1|0.0.0.0|::1|[::1]:2200|127.0.0.1:2201|::|127.1|!|1.2.3.4:0|[::1|127.0.0.1 extra",
	"AddressFamily":                   "any|any|any|inet|inet6|!|inet4",
	"Ciphers":                         "aes128-ctr|+3des-cbc|-*cbc*|^aes256-gcm@openssh.com|-aes*|!|foo|+foo",
	"MACs":                            "hmac-sha2-256|+hmac-md5|-*etm*|!|foo",
	"KexAlgorithms":                   "curve25519-sha256|+diffie-hellman-group1-sha1|-ecdh*|^ecdh-sha2-nistp256|!|foo",
	"HostKeyAlgorithms":               "ssh-ed25519|+ssh-rsa|-*cert*|!|nokey",
	"PubkeyAcceptedAlgorithms":        "+ssh-rsa|ssh-ed25519|-ecdsa*|!|nokey",
	"PubkeyAcceptedKeyTypes":          "+ssh-rsa",
	"HostbasedAcceptedAlgorithms":     "+ssh-rsa",
	"CASignatureAlgorithms":           "-rsa*|+ssh-rsa",
	"PermitRootLogin":                 "yes|no|prohibit-password|without-password|forced-commands-only|!|maybe",
	"PubkeyAuthentication":            "yes|no",
	"PasswordAuthentication":          "yes|no",
	"KbdInteractiveAuthentication":    "yes|no",
	"ChallengeResponseAuthentication": "yes|no",
	"DSAAuthentication":               "yes|no",
	"UsePAM":                          "yes|no",
	"X11Forwarding":                   "yes|no",
	"X11DisplayOffset":                "10|0|!|x",
	"AllowTcpForwarding":              "yes|no|all|local|remote|!|maybe",
	"AllowStreamLocalForwarding":      "yes|no|remote",
	"AllowAgentForwarding":            "yes|no",
	"DisableForwarding":               "yes|no",
	"GatewayPorts":                    "yes|no|clientspecified",
	"PermitTunnel":                    "yes|no|ethernet|point-to-point|!|YES|x",
	"PermitTTY":                       "yes|no",
	"PermitUserRC":                    "yes|no",
	"PermitOpen":                      "any|none|h:22 [::1]:80|h:*|!|h|h:x|h:0",
	"PermitListen":                    "any|8080|localhost:8080 *:9|!|h:x",
	"PermitUserEnvironment":           "yes|no|LANG,LC_*",
	"AllowUsers":                      "ann bob|*@10.0.0.0/8|a*|!|x@10.0.0.1/8",
	"DenyUsers":                       "eve|x@host",
	"AllowGroups":                     "wheel root",
	"DenyGroups":                      "nogroup",
	"AcceptEnv":                       "LANG LC_*|FOO|!|A=B",
	"SetEnv":                          "A=b|A=1 A=2 B=3|!|A",
	"AuthorizedKeysFile":              ".ssh/authorized_keys|none|/etc/keys/%u /k2|~/keys",
	"AuthorizedPrincipalsFile":        "none|/p/%u|NONE",
	"AuthorizedKeysCommandUser":       "nobody",
	"AuthenticationMethods":           "any|publickey|publickey,password keyboard-interactive|keyboard-interactive:pam|!|any publickey|foo|hostbased",
	"Subsystem":                       "sftp internal-sftp|sftp /usr/lib/sftp -l INFO|other \"/a b/c\" d|third /x|!|sftp",
	"Banner":                          "none|/etc/issue|NONE",
	"LogLevel":                        "INFO|VERBOSE|debug2|QUIET|!|x",
	"SyslogFacility":                  "AUTH|local0|!|x",
	"LogVerbose":                      "none|a.c:* b.c:2",
	"StrictModes":                     "yes|no",
	"PrintMotd":                       "yes|no",
	"PidFile":                         "none|/tmp/pid",
	"VersionAddendum":                 "none|hello|a # b",
	"StreamLocalBindMask":             "0177|022|!|999",
	"StreamLocalBindUnlink":           "yes|no",
	"FingerprintHash":                 "sha256|MD5|!|x",
	"RequiredRSASize":                 "1024|2048",
	"PubkeyAuthOptions":               "none|touch-required|verify-required touch-required|!|x",
	"ExposeAuthInfo":                  "yes|no",
	"TrustedUserCAKeys":               "none|/etc/ca.pub",
	"RevokedKeys":                     "none|/etc/revoked",
	"IgnoreRhosts":                    "yes|no|shosts-only",
	"GSSAPIAuthentication":            "yes|no",
	"RefuseConnection":                "yes|no",
	"PAMServiceName":                  "sshd|other",
	"DebianBanner":                    "yes|no",
	"WarnWeakCrypto":                  "yes|no",
	"Protocol":                        "2",
	"UsePrivilegeSeparation":          "sandbox|no",
	"RSAAuthentication":               "no",
	"KeyRegenerationInterval":         "3600",
}

var serverLife = strings.Fields(`ClientAliveInterval ClientAliveCountMax TCPKeepAlive LoginGraceTime MaxStartups MaxSessions MaxAuthTries
	PerSourceMaxStartups PerSourceNetBlockSize UseDNS Compression RekeyLimit IPQoS ChannelTimeout UnusedConnectionTimeout ForceCommand
	PermitTTY PerSourcePenalties`)

// serverKeysFor are the keywords a release has: all, and those that may stand
// in a Match block.
func serverKeysFor(r Release) (all, inMatch []string) {
	for _, key := range append(slices.Sorted(maps.Keys(serverValues)), slices.Concat(serverLife, serverLife, serverLife)...) {
		_, o, ok := r.serverKeyword(strings.ToLower(key))
		if !ok || r.has(1004) && strings.HasPrefix(key, "GSSAPI") { // Debian builds it apart
			continue
		}
		all = append(all, key)
		if o.match {
			inMatch = append(inMatch, key)
		}
	}
	return all, inMatch
}

// serverKeys keeps some of the keywords, at least one for Match blocks.
func (g *generator) serverKeys(r Release) (some, inMatch []string) {
	all, allowed := serverKeysFor(r)
	some = append(g.some(all), allowed[g.IntN(len(allowed))])
	for _, key := range some {
		if slices.Contains(allowed, key) {
			inMatch = append(inMatch, key)
		}
	}
	return some, inMatch
}

// serverCase is one generated sshd_config and a connection to it.
type serverCase struct {
	request ServerRequest
	spec    string
	files   map[string]string
}

func (g *generator) serverCase(r Release) (serverCase, error) {
	main := g.name("sshd_config")
	all, inMatch := g.serverKeys(r)
	g.files[main] = g.serverFile(r, all, inMatch, 0, false)
	fields := []string{"lport=" + g.pick("22", "2222")}
	for key, value := range map[string]string{
		"user": g.pick("ann", "bob", "root", "nosuchuser"), "host": g.pick("web.example.com", "HOST.example.org"),
		"addr": g.pick("10.0.0.7", "192.0.2.7", "::1", "2001:db8::5"), "laddr": g.pick("127.0.0.1", "::1"),
	} {
		if n := len(value) + g.IntN(7); n%7 != 0 {
			fields = append(fields, key+"="+value)
		}
	}
	if r.has(909) && g.chance(0.2) {
		fields = append(fields, "invalid-user")
	}
	slices.Sort(fields)
	spec := strings.Join(fields, ",")
	connection, err := ParseConnection(spec)
	c := serverCase{request: ServerRequest{Config: main, Connection: &connection, Release: r}, spec: spec, files: g.files}
	for g.chance(0.15) {
		key, value := g.choose(serverValues, all)
		c.request.Options = append(c.request.Options, fmt.Sprintf("%s%s%s", key, g.pick("=", " "), value))
	}
	return c, err
}

// serverFile is a file of global lines and Match blocks, or a piece of one to
// be included.
func (g *generator) serverFile(r Release, all, inMatch []string, depth int, inside bool) string {
	var b strings.Builder
	keys, everybody := all, false
	if inside {
		keys = inMatch
	}
	for block := range 1 + g.IntN(4) {
		if block > 0 || g.chance(0.1) {
			line := g.serverBlock(r)
			b.WriteString(line)
			inside, keys = true, inMatch
			everybody = strings.Contains(strings.ToLower(line), "all")
		}
		for range g.IntN(7) {
			switch n := g.IntN(20); {
			case n == 0:
				b.WriteString(g.noise())
			case n < 3 && depth < 3 && g.includes < 4:
				within := inside
				b.WriteString(g.include(depth, func(d int) string { return g.serverFile(r, all, inMatch, d, within) }))
			case inside && (g.chance(g.wrong/2) || everybody && g.chance(0.3)): // in "Match all" every keyword may stand
				b.WriteString(g.directive(g.choose(serverValues, all)))
			default:
				b.WriteString(g.directive(g.choose(serverValues, keys)))
			}
		}
	}
	return b.String()
}

func (g *generator) serverBlock(r Release) string {
	if g.chance(0.15) {
		return g.directive("Match", g.pick("all", "ALL", "all # x"))
	}
	criteria := []string{"User ann", "User bob,r*", "User !bob,*", "Group root", "Group wheel,!root", "Host *.example.com", "host WEB.example.com",
		"Address 10.0.0.0/8", "Address 10.*,!10.0.0.7", "Address ::1,192.0.2.0/24", "Address *,!2001:db8::/32", "LocalAddress 127.0.0.1",
		"LocalPort 22", "LocalPort ssh", "LocalPort 2222", "User=ann", `User "ann"`, "RDomain x", "address 127.1,10.0.0.7"}
	if r.has(909) {
		criteria = append(criteria, "invalid-user")
	}
	if r.has(1000) {
		criteria = append(criteria, "version OpenSSH_*", "version OpenSSH_1.*")
	}
	var some []string
	for range 1 + g.IntN(2) {
		some = append(some, criteria[g.IntN(len(criteria))])
	}
	if g.chance(g.wrong) {
		some = append(some, g.pick("all", "User", "colour red", "Address 10.0.0.1/8", "LocalPort x", "Address ,", "User ''"))
	}
	return "Match " + strings.Join(some, g.pick(" ", "\t")) + g.pick("", "", " # c") + g.newline()
}
