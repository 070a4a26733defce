package sshconf

import (
	"strings"
)

// dump puts everything into the form of `ssh -G`.
func (c *clientRun) dump() []Setting {
	defaults := c.defaults()
	all := []Setting{{Keyword: "Host", Values: []Value{{c.original, Origin{File: commandLine}}}}}
	for _, o := range clientTable {
		if !c.release.known(o) || o.only == vendor || o.name == "RefuseConnection" {
			continue
		}
		key := strings.ToLower(o.name)
		unset := o.unset
		if d, ok := defaults[key]; ok {
			unset = d
		}
		s := c.setting(o.name, unset)
		switch key {
		case "hostname":
			s = c.hostnameSetting(s)
		case "rekeylimit":
			s = c.rekeySetting(s)
		case "forwardagent":
			if path := c.slots[forwardAgentPath]; path != nil {
				s.Values = path.values
			}
		case "proxycommand":
			if _, jumps := c.text(jumpKey); jumps {
				s.Values = nil
			}
		case "identityfile":
			s = c.identities(s)
		case "dynamicforward", "localforward", "remoteforward":
			s.Values = c.forwardings(key)
		}
		all = append(all, s)
	}
	return all
}

// hostnameSetting shows the name connected to; the line that says HostName is
// its origin.
func (c *clientRun) hostnameSetting(s Setting) Setting {
	from := Origin{File: commandLine}
	if slot := c.slots["hostname"]; slot != nil {
		from = slot.values[0].From
	}
	s.Values = []Value{{c.host, from}}
	return s
}

// rekeySetting joins the two halves of RekeyLimit.
func (r *run) rekeySetting(s Setting) Setting {
	bytes, time := "0", "0"
	from := s.From()
	if text, ok := r.text("rekeylimit"); ok {
		bytes = text
	}
	if slot := r.slots[rekeyTime]; slot != nil {
		time = slot.values[0].Text
		if from.Default() {
			from = slot.values[0].From
		}
		s.Hides = append(s.Hides, slot.hides...)
	}
	s.Values = []Value{{bytes + " " + time, from}}
	return s
}

// identities are the default files if none is named.
func (c *clientRun) identities(s Setting) Setting {
	if len(s.Values) > 0 {
		return s
	}
	for _, name := range c.release.defaultIdentities() {
		s.Values = append(s.Values, Value{Text: "~/.ssh/" + name})
	}
	return s
}

func (r Release) defaultIdentities() []string {
	names := strings.Fields("id_rsa id_ecdsa id_ecdsa_sk id_ed25519 id_ed25519_sk id_xmss id_dsa")
	switch {
	case r.has(1006):
		return append(names[:5], "id_mldsa44_ed25519")
	case r.has(1004):
		return names[:5]
	case r.has(1000):
		return names[:6]
	case !r.has(805):
		return strings.Fields("id_rsa id_dsa id_ecdsa id_ecdsa_sk id_ed25519 id_ed25519_sk id_xmss")
	}
	return names
}

// forwardings are those of one keyword. A forwarding to a socket is printed
// among the dynamic ones too; that is how OpenSSH tells them apart.
func (c *clientRun) forwardings(key string) (values []Value) {
	for _, f := range c.forwards {
		switch {
		case f.remote != (key == "remoteforward"):
		case key == "dynamicforward" && !f.dynamic() && f.connect.named:
		case key == "localforward" && f.dynamic():
		case key == "dynamicforward":
			values = append(values, Value{f.listen.String(), f.from})
		default:
			values = append(values, Value{f.listen.String() + " " + f.connect.String(), f.from})
		}
	}
	return values
}
