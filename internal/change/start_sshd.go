package change

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"sshtay/internal/host"
	"sshtay/internal/remedy"
)

// listener finds the sshd that accepts connections. It sets pid, "" if there is
// none, and stale, which is not empty if its program is no more the one on disk.
const listener = listeners + `found=$(listeners | head -n 1)
pid=${found%% *} stale=
case $found in *' (deleted) '*) stale=yes ;; esac
`

// servesScript tells who starts sshd here, and whether it serves: a line
// "KIND NAME" and one of "serves", "stale" and "dead".
const servesScript = `
if [ -d /run/systemd/system ]; then
	unit=
	for u in ssh.socket sshd.socket; do
		if [ -z "$unit" ] && systemctl is-enabled -q "$u" 2>/dev/null; then unit=$u; fi
	done
	for u in ssh.service sshd.service; do
		if [ -z "$unit" ] && [ "$(systemctl show -p LoadState "$u")" = LoadState=loaded ]; then unit=$u; fi
	done
	if [ -n "$unit" ]; then
		echo "systemd $unit"
		if ! systemctl is-active -q "$unit"; then echo dead; exit; fi
		case $unit in *.socket) echo serves; exit ;; esac
	fi
fi
kind=script
[ ! -s /run/openrc/softlevel ] || ! command -v rc-service >/dev/null || kind=openrc
[ -n "$unit" ] || for s in sshd ssh; do
	if [ -x /etc/init.d/$s ]; then unit=$s; echo "$kind $s"; break; fi
done
[ -n "$unit" ] || { p=$(command -v sshd) && echo "program $p"; } || { echo "there is no sshd on this machine" >&2; exit 1; }
` + listener + `
if [ -z "$pid" ]; then echo dead; elif [ -n "$stale" ]; then echo stale; else echo serves; fi`

var starter = regexp.MustCompile(`^(?:(systemd) (sshd?\.(?:service|socket))|(script|openrc) (sshd?)|(program) (/[A-Za-z0-9_./-]+))\n(serves|stale|dead)\n$`)

// StartSSHD starts an sshd that does not run, and lets one whose program was
// replaced become the new one. Sessions live on. One that serves is left alone.
func StartSSHD(ctx context.Context, m host.Host) (Change, error) {
	c := Change{Kind: "start_sshd", Title: "start sshd", Risk: remedy.ReloadsSSHD, Root: true}
	out, err := ask(ctx, m, servesScript)
	if err != nil {
		return c, err
	}
	is := starter.FindStringSubmatch(string(out))
	if is == nil {
		return c, errors.New("it cannot be seen what starts sshd here; by hand: sshd -t && systemctl restart ssh")
	}
	by, name, state := is[1]+is[3]+is[5], is[2]+is[4]+is[6], is[7]
	if state == "serves" {
		return c, nil
	}
	how := starters[by]
	fill := func(line string) string { return strings.ReplaceAll(line, "NAME", name) }
	done := fill(how.done)
	// One that has just begun may not be seen yet, or be seen as the process that it
	// leaves behind.
	stop := fmt.Sprintf("n=0\nwhile %s && [ $n -lt 20 ]; do\n%s || :\nn=$((n+1)); sleep 0.1 || sleep 1\ndone\n! %s", inOne(done), inOne(fill(how.stop)), inOne(done))
	start, undo := how.start, fmt.Sprintf("if %s; then\n%s\nelse %s; fi", inOne(done), stop, fill(cmp.Or(how.forget, ":")))
	if state == "stale" {
		c.Title, start, undo = "let sshd become the program that is installed now", how.renew, ":" // the old program is gone
		c.Notes = append(c.Notes, "a rollback leaves the new program running: the old one is no longer there")
		done = listener + `[ -n "$pid" ] && [ -z "$stale" ]`
	}
	c.Verify = []Verification{{Title: "sshd runs", Run: "n=0\nuntil " + inOne(done) + "; do n=$((n+1)); [ $n -lt 5 ] || exit 1; sleep 1; done"}}
	c.Effects = []Effect{{Title: c.Title, Commands: &Commands{Done: done, Apply: tested + fill(start), Undo: undo}}}
	return c, nil
}

// tested lets nothing be started that does not take its configuration. What is
// started makes the folder that sshd wants, if it is not there all the time.
const tested = `said=$(sshd -t 2>&1) || case $said in 'Missing privilege separation directory: /'*/*) ` +
	`unshare -m sh -c '` + withFolder + `' "$(printf %s "${said#*: }" | tr -d '\r')" sshd -t ;; *) printf '%s\n' "$said" >&2; exit 1 ;; esac
`

// inOne makes lines one command, whose status is that of the last one.
func inOne(lines string) string { return "{ " + strings.TrimSpace(lines) + "\n}" }

// stopTriggered stops the sshd that a socket has started since: it would go on
// listening. Those that serve one connection each are sessions, and live on; where
// stopping it would end sessions, it is not done.
const stopTriggered = `for u in $(systemctl show -p Triggers NAME | sed 's/^Triggers=//'); do
	case $u,$(systemctl show -p KillMode "$u") in *@*) ;; *=process) systemctl stop "$u" ;; esac
done`

// starters are the ways in which an sshd is started. systemd and the scripts
// end the listener alone; so does a signal to it.
var starters = map[string]struct{ done, start, renew, stop, forget string }{
	"systemd": {
		done: "systemctl is-active -q NAME", start: "systemctl reset-failed NAME 2>/dev/null || :\nsystemctl start NAME",
		renew: "systemctl restart NAME", stop: "systemctl stop NAME\n" + stopTriggered,
	},
	"script": {
		done: listener + `[ -n "$pid" ]`, start: "/etc/init.d/NAME start >/dev/null 2>&1",
		renew: listener + `kill -HUP "$pid"`, stop: `kill "$pid"`,
	},
	// OpenRC takes for started what has died since, or as it was started, and starts
	// nothing that it takes for started: zap has it forget. A script of the other kind knows
	// no zap, and needs none. A stop ends the listener, and services that need it.
	"openrc": {
		done: listener + `[ -n "$pid" ]`, start: "[ ! -e /run/openrc/started/NAME ] || rc-service NAME zap >/dev/null 2>&1 || :\nrc-service NAME start >/dev/null 2>&1",
		renew: listener + `kill -HUP "$pid"`, stop: `rc-service NAME stop >/dev/null 2>&1 || kill "$pid"`, forget: "rc-service NAME zap >/dev/null 2>&1 || :",
	},
	"program": {
		done: listener + `[ -n "$pid" ]`, start: "NAME >/dev/null 2>&1",
		renew: listener + `kill -HUP "$pid"`, stop: `kill "$pid"`,
	},
}
