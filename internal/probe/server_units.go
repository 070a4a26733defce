package probe

import (
	"strings"

	"sshtay/internal/fact"
	"sshtay/internal/visible"
)

// service says who accepts connections, and in what state its unit is.
func (r *reading) service() {
	var service, socket unit
	for _, u := range r.units() {
		switch {
		case u["LoadState"] != "loaded", u.template():
		case strings.HasSuffix(u["Id"], ".socket") && u["ActiveState"] != "inactive":
			socket = u
		case strings.HasSuffix(u["Id"], ".service") && service == nil:
			service = u
		}
	}
	r.activation(socket)
	r.socketUnit(socket)
	r.unitState(service, socket)
	r.enabled()
}

// enabled says whether the machine is to start sshd by itself: an init runs that
// does so, and nobody has told it not to. Where it is not, one that does not run may be
// off on purpose.
func (r *reading) enabled() {
	if _, off := r.line("off"); off {
		return
	}
	for _, u := range r.units() {
		if u["UnitFileState"] == "enabled" && !u.template() {
			fact.SSHDEnabled.Put(r.facts, true, r.source(u.shown()))
			return
		}
	}
	if l, ok := r.line("starts"); ok && strings.HasPrefix(l, "/etc/") {
		fact.SSHDEnabled.Put(r.facts, true, r.source(visible.Line(l, 100)))
	}
}

// makesFolder says that nothing of sshd runs because nobody is connected: systemd
// listens, and a unit makes the folder that sshd wants each time when it starts one.
func (r *reading) makesFolder() bool {
	socket, makes := false, false
	for _, u := range r.units() {
		if strings.HasSuffix(u["Id"], ".socket") {
			socket = socket || u["ActiveState"] == "active"
		} else {
			makes = makes || u["RuntimeDirectory"] != ""
		}
	}
	return socket && makes && !r.listens()
}

func (r *reading) activation(socket unit) {
	put := func(how, source string) { fact.SSHDActivation.Put(r.facts, how, r.source(source)) }
	switch {
	case socket["ActiveState"] == "active" && socket["Accept"] == "yes":
		put("socket-unit-accept", socket.shown())
	case socket["ActiveState"] == "active":
		put("socket-unit", socket.shown())
	case hasAny(strings.Fields(r.env["chain"]), "inetd", "xinetd", "tcpsvd", "tcpserver"):
		put("inetd", "the processes above the session")
	case r.listens():
		put("daemon", "the listener's process")
	default:
		r.miss(noListener, fact.SSHDActivation)
	}
}

// unitState prefers the unit that has to be up: a service that its socket
// starts may well be inactive.
func (r *reading) unitState(service, socket unit) {
	put := func(state, source string) {
		fact.SSHDUnitState.Put(r.facts, visible.Line(state, 200), r.source(source))
	}
	switch {
	case socket["ActiveState"] == "failed", socket != nil && service["ActiveState"] == "inactive":
		put(socket.state(), socket.shown())
	case service != nil:
		put(service.state(), service.shown())
	case strings.Contains(r.sections["openrc"], "/failed/"):
		put("failed", "/run/openrc/failed")
	case strings.Contains(r.sections["openrc"], "/started/"):
		put("started", "/run/openrc/started")
	case r.env["init"] != "other" && r.env["init"] != "sysvinit": // neither has a state of it
		r.miss("the service manager there knows of no sshd", fact.SSHDUnitState)
	}
}

// socketUnit reads how many connections a socket unit holds that starts one
// sshd for each, and how many it may.
func (r *reading) socketUnit(socket unit) {
	if socket["Accept"] != "yes" {
		return
	}
	for _, count := range []struct {
		fact fact.Key[int]
		name string
	}{{fact.SocketConnections, "NConnections"}, {fact.SocketConnectionsMax, "MaxConnections"}} {
		n, ok := atoi(socket[count.name])
		if !ok {
			r.miss("systemctl show there does not say "+count.name, count.fact)
			continue
		}
		count.fact.Put(r.facts, n, r.source(socket.shown()))
	}
}

// A unit is what systemctl show prints of one.
type unit map[string]string

func (r *reading) units() []unit {
	var all []unit
	for block := range strings.SplitSeq(r.sections["units"], "\n\n") {
		u := unit{}
		for l := range strings.Lines(block) {
			if k, v, ok := strings.Cut(strings.TrimRight(l, "\n"), "="); ok {
				u[k] = v
			}
		}
		if u["Id"] != "" && len(all) < 10 {
			all = append(all, u)
		}
	}
	return all
}

// template says that it stands for those that a socket starts for each connection.
func (u unit) template() bool { return strings.Contains(u["Id"], "@") }

// shown is the command that a unit was read with.
func (u unit) shown() string { return "systemctl show " + u["Id"] }

// state is "active/running", and why it is so when something went wrong.
func (u unit) state() string {
	s := u["ActiveState"] + "/" + u["SubState"]
	if result := u["Result"]; result != "" && result != "success" {
		s += " (" + result + ")"
	}
	return s
}
