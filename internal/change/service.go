package change

import (
	"fmt"
	"strconv"
	"strings"

	"sshtay/internal/host"
)

// service says how sshd takes notice of its files without cutting a session: it is
// started anew only where that cuts none, and where a reload would end it. Ports are
// those that it must listen on afterwards. Where one is begun for each connection there
// is nothing to do.
func (s *sshd) service(ports []int) Service {
	v := Service{Name: "sshd", Validate: s.command("-t")}
	service, socket := s.unit(".service"), s.unit(".socket")
	plain := s.pid > 0 && s.kernel == "Linux"
	if service != nil && s.pid > 0 && service["MainPID"] != strconv.Itoa(s.pid) {
		service = nil // another one is meant
	}
	openrc := s.openrc
	if s.keeps > 0 && s.keeps != s.pid || !plain {
		openrc = ""
	}
	switch {
	case s.triggered() != nil:
		// What systemd listens on for it sshd loses on SIGHUP, and ends. It may run only
		// later, and then has to take notice of a rollback. What is started five times in
		// ten seconds systemd starts no more, unless the count begins anew.
		name := host.Quote(s.triggered()["Id"])
		v.Reload = guarded("systemctl is-active -q "+name, "systemctl reset-failed "+name+" 2>/dev/null || :; systemctl restart "+name)
	case service != nil && service["CanReload"] == "no":
		v.Reload = guarded("systemctl is-active -q "+host.Quote(service["Id"]), "systemctl kill -s HUP --kill-who=main "+host.Quote(service["Id"]))
	case service != nil:
		v.Reload = guarded("systemctl is-active -q "+host.Quote(service["Id"]), "systemctl reload "+host.Quote(service["Id"]))
	case openrc != "":
		v.Reload = guarded("rc-service "+host.Quote(openrc)+" status >/dev/null 2>&1", "rc-service "+host.Quote(openrc)+" reload")
	case plain:
		v.Reload = hangUp(s.pid)
	}
	// Where a reload ended sshd, it is begun again as it was.
	switch {
	case socket != nil:
		v.Start = "systemctl reset-failed " + host.Quote(socket["Id"]) + " 2>/dev/null || :\nsystemctl start " + host.Quote(socket["Id"])
	case service != nil:
		v.Start = "systemctl reset-failed " + host.Quote(service["Id"]) + " 2>/dev/null || :\nsystemctl start " + host.Quote(service["Id"])
	case openrc != "":
		// OpenRC starts nothing that it takes for started, and goes on doing so
		// when that has died.
		v.Start = fmt.Sprintf(`[ "$(cat /proc/%d/comm 2>/dev/null)" = sshd ] || `, s.pid) + "rc-service " + host.Quote(openrc) + " zap || :\nrc-service " + host.Quote(openrc) + " start"
	case plain:
		v.Start = s.command()
	}
	switch {
	case socket != nil:
		v.Alive = "systemctl is-active -q " + host.Quote(socket["Id"])
	case v.Reload != "":
		v.Serves, v.Alive = s.listening(ports, false), s.listening(ports, true)
	}
	return v
}

// hangUp has a listener that nobody keeps take notice: this one, or where it is there no
// more the only one that there is. A machine's start may have begun it before a rollback.
// Its number may be that of a session by now, which is not to be ended.
func hangUp(pid int) string {
	const script = `%[2]s
case $(cat /proc/%[1]d/comm 2>/dev/null),$(tr '\0' ' ' 2>/dev/null </proc/%[1]d/cmdline) in
sshd,*'[listener]'*) p=%[1]d ;;
*) p=$(listeners | awk -v was=%[1]d '{ n++; p = $1 } $1 == was { is = 1 } END { if (is) print was; else if (n == 1) print p }') ;;
esac
[ -z "$p" ] || kill -HUP "$p"`
	return fmt.Sprintf(script, pid, strings.TrimSpace(listeners))
}

// cuts says why sshd cannot take notice of its files without cutting sessions; "" if
// it can.
func (s *sshd) cuts() string {
	service := s.triggered()
	if service == nil || service["KillMode"] == "process" {
		return ""
	}
	return fmt.Sprintf("systemd listens for sshd (%s), so that %s has to be started anew, and with KillMode=%s that would end every session: set KillMode=process there, or do it by hand when nobody is logged in",
		s.unit(".socket")["Id"], service["Id"], service["KillMode"])
}

// triggered is the service that systemd starts when somebody connects, and that then
// serves all; nil where there is none, or one for each connection.
func (s *sshd) triggered() map[string]string {
	socket := s.unit(".socket")
	if socket == nil || socket["Accept"] == "yes" {
		return nil
	}
	for _, u := range s.units {
		if u["LoadState"] == "loaded" && u["Id"] == strings.TrimSuffix(socket["Id"], ".socket")+".service" {
			return u
		}
	}
	return nil
}

// words makes a command line of words.
func words(all ...string) string {
	quoted := make([]string, len(all))
	for i, w := range all {
		quoted[i] = host.Quote(w)
	}
	return strings.Join(quoted, " ")
}

// guarded runs a line only where a condition holds.
func guarded(condition, line string) string {
	return "if " + condition + "; then " + line + "; fi"
}

// listening asks whether something listens on every port where it did when we
// looked; again: by a socket that was not there then, for on SIGHUP sshd closes its
// own and begins anew.
func (s *sshd) listening(ports []int, again bool) string {
	var all []string
	for _, port := range ports {
		var before []string
		for _, l := range s.listens {
			if l.port == port {
				before = append(before, l.inode)
			}
		}
		if len(before) == 0 {
			continue // it did not listen there
		}
		if !again {
			before = nil
		}
		all = append(all, fmt.Sprintf(`cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk -v was=%s '$4 == "0A" && $2 ~ /:%04X$/ && index(was, " " $10 " ") == 0 { n++ } END { exit n == 0 }'`,
			host.Quote(" "+strings.Join(before, " ")+" "), port))
	}
	return strings.Join(all, " &&\n")
}
