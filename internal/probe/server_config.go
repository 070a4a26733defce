package probe

import (
	"maps"
	"slices"
	"strings"

	"sshtay/internal/fact"
	"sshtay/internal/sshconf"
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

// config reads sshd's effective configuration for us: as sshd itself resolves
// it, or as its files say where it cannot be asked. An option that this version
// of sshd does not have stays absent without a reason.
func (r *reading) config() {
	if name, ok := fact.SSHDImplementation.Get(r.facts); ok && name != "openssh" {
		r.miss("the server is not OpenSSH", serverOptionFacts()...)
		return
	}
	ours := r.resolveFiles()
	status, said, asked := r.named("sshd-T")
	switch {
	case asked && status == "0":
		r.putSSHD(said, ours)
	case ours != nil:
		r.putFiles(ours)
	case asked && (r.root || !strings.Contains(said, "host") && !strings.Contains(said, "Permission denied")):
		r.miss("sshd -T there says: "+visible.Line(strings.Join(strings.FieldsFunc(said, isLineEnd), "; "), 300), serverOptionFacts()...)
	case asked: // it may not read the host keys, or the file itself
		r.miss(r.needsRoot(), serverOptionFacts()...)
	default:
		r.miss("the server has no sshd program that would tell", serverOptionFacts()...)
	}
	if ours == nil {
		r.miss("no configuration file of sshd could be read: it "+r.needsRoot(), fact.MatchOptions)
		return
	}
	fact.MatchOptions.Put(r.facts, r.inMatch(ours), r.source("the files of sshd_config"))
}

// putSSHD takes the values from sshd -T, the authority, and their places from
// the files, where these could be read.
func (r *reading) putSSHD(said string, ours *sshconf.Server) {
	asked := "sshd -T -C " + visible.Line("user="+r.env["user"]+",addr="+r.address(), 100)
	fact.SSHDConfigSource.Put(r.facts, "sshd -T", r.source(asked))
	place := func(string) string { return "" }
	if dump, err := sshconf.ParseDump([]byte(said)); err == nil && ours != nil {
		explained := sshconf.Explain(dump, &ours.Resolved)
		place = func(option string) string { return origin(explained.Setting(option), asIs) }
	}
	r.putOptions(parseDump([]byte(said)), func(option string) string {
		if where := place(option); where != "" {
			return r.source(asked) + "; " + where
		}
		return r.source(asked)
	})
}

// putFiles takes the values from the files, and notes which of them could not
// be read: these may say otherwise.
func (r *reading) putFiles(ours *sshconf.Server) {
	from, short := "files", "the files of sshd_config"
	if hidden := r.unreadable(); len(hidden) > 0 {
		from += ", without " + strings.Join(hidden, ", ") + ", which " + r.needsRoot()
		short += " (one is unreadable)"
	}
	fact.SSHDConfigSource.Put(r.facts, from, r.source("the files, because sshd -T would not say"))
	r.putOptions(parseDump(ours.Dump()), func(option string) string {
		return r.source(short) + "; " + origin(ours.Setting(option), asIs)
	})
}

func (r *reading) putOptions(dump map[string][]string, source func(option string) string) {
	for _, o := range serverOptions {
		for _, value := range dump[o.name] {
			if !o.put(r.facts, visible.Line(value, 1000), source(o.name)) {
				r.miss("sshd says "+o.name+" "+visible.Line(value, 100)+", which is not understood", o.fact)
			}
		}
	}
}

// address is whom sshd's Match criteria see: us, or this machine.
func (r *reading) address() string {
	if client := r.env["client"]; client != "" {
		return client
	}
	return "127.0.0.1"
}

// unreadable are files of the configuration that only root may read.
func (r *reading) unreadable() []string {
	var names []string
	for _, section := range slices.Sorted(maps.Keys(r.sections)) {
		if name, ok := strings.CutPrefix(section, "unreadable "); ok {
			names = append(names, visible.Line(name, 100))
		}
	}
	return names
}

func serverOptionFacts() []fact.Any {
	keys := []fact.Any{fact.SSHDConfigSource, fact.MatchOptions}
	for _, o := range serverOptions {
		keys = append(keys, o.fact)
	}
	return keys
}
