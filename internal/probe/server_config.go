package probe

import (
	"strings"

	"sshtay/internal/fact"
	"sshtay/internal/visible"
)

// A serverOption carries one effective option of sshd into its fact.
type serverOption struct {
	name string // as sshd -T prints it, in lower case
	fact fact.Any
	put  setter
}

var serverOptions = []serverOption{
	{"clientaliveinterval", fact.ClientAliveInterval, seconds(fact.ClientAliveInterval)},
	{"clientalivecountmax", fact.ClientAliveCountMax, number(fact.ClientAliveCountMax)},
	{"tcpkeepalive", fact.ServerTCPKeepAlive, yesNo(fact.ServerTCPKeepAlive)},
	{"logingracetime", fact.LoginGraceTime, seconds(fact.LoginGraceTime)},
	{"maxstartups", fact.MaxStartups, text(fact.MaxStartups)},
	{"maxsessions", fact.MaxSessions, number(fact.MaxSessions)},
	{"maxauthtries", fact.MaxAuthTries, number(fact.MaxAuthTries)},
	{"persourcemaxstartups", fact.PerSourceMaxStartups, text(fact.PerSourceMaxStartups)},
	{"persourcepenalties", fact.PerSourcePenalties, text(fact.PerSourcePenalties)},
	{"persourcenetblocksize", fact.PerSourceNetBlockSize, text(fact.PerSourceNetBlockSize)},
	{"unusedconnectiontimeout", fact.UnusedConnectionTimeout, noneIsZero(seconds(fact.UnusedConnectionTimeout))},
	{"channeltimeout", fact.ChannelTimeout, orNone(text(fact.ChannelTimeout))},
	{"rekeylimit", fact.ServerRekeyLimit, text(fact.ServerRekeyLimit)},
	{"ipqos", fact.ServerIPQoS, text(fact.ServerIPQoS)},
	{"usedns", fact.UseDNS, yesNo(fact.UseDNS)},
	{"forcecommand", fact.ForceCommand, orNone(text(fact.ForceCommand))},
	{"refuseconnection", fact.RefuseConnection, yesNo(fact.RefuseConnection)},
	{"subsystem", fact.SFTPServer, sftp},
}

// sftp takes the program of the subsystem of that name.
func sftp(s *fact.Set, value, source string) bool {
	name, program, ok := strings.Cut(value, " ")
	if ok && name == "sftp" {
		fact.SFTPServer.Put(s, program, source)
	}
	return ok
}

// noneIsZero reads "none" as 0.
func noneIsZero(put setter) setter {
	return func(s *fact.Set, value, source string) bool {
		if value == "none" {
			value = "0"
		}
		return put(s, value, source)
	}
}

// config reads sshd's effective configuration for us. An option that this
// version of sshd does not have stays absent without a reason.
func (r *reading) config() {
	if name, ok := fact.SSHDImplementation.Get(r.facts); ok && name != "openssh" {
		r.miss("the server is not OpenSSH", serverOptionFacts()...)
		return
	}
	status, said, asked := r.named("sshd-T")
	if !asked || status != "0" {
		why := "the server has no sshd program that would tell"
		if asked {
			why = "sshd -T there says: " + visible.Line(strings.Join(strings.FieldsFunc(said, isLineEnd), "; "), 300)
			if !r.root && (strings.Contains(said, "host") || strings.Contains(said, "Permission denied")) {
				why = r.needsRoot() // it may not read the host keys, or the file itself
			}
		}
		r.miss(why, serverOptionFacts()...)
		return
	}
	of := r.env["client"]
	if of == "" {
		of = "127.0.0.1"
	}
	source := r.source("sshd -T -C " + visible.Line("user="+r.env["user"]+",addr="+of, 100))
	fact.SSHDConfigSource.Put(r.facts, "sshd -T", source)
	dump := parseDump(said)
	for _, o := range serverOptions {
		for _, value := range dump[o.name] {
			if !o.put(r.facts, visible.Line(value, 1000), source) {
				r.miss("sshd -T says "+o.name+" "+visible.Line(value, 100)+", which is not understood", o.fact)
			}
		}
	}
}

func serverOptionFacts() []fact.Any {
	keys := []fact.Any{fact.SSHDConfigSource}
	for _, o := range serverOptions {
		keys = append(keys, o.fact)
	}
	return keys
}
