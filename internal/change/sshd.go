package change

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sshtay/internal/host"
	"sshtay/internal/sshconf"
)

// listeners is a function of sh that prints "PID PROGRAM TITLE" of each sshd that
// accepts connections here, and not in a container. It is known by its title: the
// words "[listener]" in it since OpenSSH 8.2, which it may just be writing, before that
// the command line as it is. Those of sessions begin with "sshd: " and the user; one that
// has just begun has the title of its parent for a moment. PROGRAM is followed by
// "(deleted)" if it is no more the one on disk.
const listeners = `
listeners() {
	mine=$(readlink /proc/self/ns/net) || :
	for p in /proc/[0-9]*; do
		comm=; read -r comm 2>/dev/null <"$p/comm" || continue
		[ "$comm" = sshd ] || continue
		title=$(tr '\0\n' '  ' 2>/dev/null <"$p/cmdline" | head -c 2000) || continue
		case $title in *'[listener]'* | 'sshd: /'*) ;; 'sshd: '* | '' | *' -i '*) continue ;; esac
		parent=$(awk '/^PPid:/ { p = $2 } /^NSpid:/ { n = NF } END { print p; exit n > 2 }' "$p/status" 2>/dev/null) || continue
		net=$(readlink "$p/ns/net" 2>/dev/null) && [ -n "$net" ] && [ "$net" != "$mine" ] && continue
		exe=$(readlink "$p/exe" 2>/dev/null) || :
		printf '%s\n' "${p#/proc/} ${parent:-0} ${exe:-?} $title"
	done | awk '
		{ id[NR] = $1; parent[$1] = $2; sub(/^[0-9]+ [0-9]+ /, ""); rest[NR] = $0 }
		END { for (i = 1; i <= NR; i++) if (!(parent[id[i]] in parent)) print id[i], rest[i] }'
}
`

// sshdScript says what an sshd of a machine is and who keeps it: lines of a word
// and a value. Given is $1: the configuration that is meant, or nothing.
const sshdScript = listeners + `
export LC_ALL=C PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
echo "uid $(id -u)"
echo "kernel $(uname -s)"
program=$(command -v sshd)
p=$$ n=0
while [ "${p:-0}" -gt 1 ] && [ $n -lt 30 ]; do
	echo "above $p"
	p=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$p/status" 2>/dev/null) n=$((n + 1))
done
all=$(listeners)
printf '%s\n' "$all" | sed -n 's/^[0-9]/listener &/p'
exe=$(printf '%s\n' "$all" | awk '$2 ~ /^\// && $3 != "(deleted)" { exe = $2 } END { print exe }')
program=${exe:-$program}
echo "program $program"
[ -n "$program" ] && echo "version $("$program" -V 2>&1 </dev/null | grep -o 'OpenSSH_[^,]*' | head -n 1)"
sed -n 's/^ID=/system /p; s/^ID_LIKE=/system /p' /etc/os-release 2>/dev/null
[ -d /run/systemd/system ] && systemctl show -p Id -p LoadState -p ActiveState -p MainPID -p CanReload -p KillMode -p Accept \
	ssh.service sshd.service ssh.socket sshd.socket 2>/dev/null | sed 's/^/unit /; s/^unit $/unit-end/'
echo unit-end
for s in sshd ssh; do
	[ -e "/run/openrc/started/$s" ] && p= || continue
	read -r p <"$(cat "/run/openrc/options/$s/pidfile" 2>/dev/null || echo /run/sshd.pid)"
	[ "$(cat "/proc/$p/comm" 2>/dev/null)" = sshd ] || p=
	echo "openrc $s $p"
done 2>/dev/null
cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '$4 == "0A" { print "listens", $2, $10 }'
[ -n "$all" ] || "$program" -t 2>&1 </dev/null | tr -d '\r' | sed -n 's/^Missing privilege separation directory: /privsep /p'
exit 0`

// withFolder runs a program that wants the folder $0 as if that were there: only this
// program sees it. Units of systemd make it when they start sshd, and take it away when
// they stop it, which those with a socket do whenever nobody comes.
const withFolder = `mount -t tmpfs -o mode=755 none "${0%/*}" && mkdir -m 755 "$0" && exec "$@"`

// sshd is the one of a machine, as it was found.
type sshd struct {
	program string   // absolute
	config  string   // its file
	options []string // of its command line, as -o takes them
	root    bool     // we are
	release sshconf.Release

	pid     int    // of the listener; 0: there is none
	kernel  string // "Linux"
	openrc  string // its service there
	keeps   int    // the process that OpenRC has for it; 0: that is not known
	units   []map[string]string
	listens []listening
	privsep string // the folder that it needs and that is not there while nothing listens; "" if there is none to miss
}

// listening is a socket that waits for connections.
type listening struct {
	port  int
	inode string
}

// findSSHD looks for the sshd of a machine: the one that reads a configuration,
// or with none the one that we came through, or that serves.
func findSSHD(ctx context.Context, m host.Host, config string) (*sshd, error) {
	r, err := m.Run(ctx, host.Command{Argv: []string{"sh", "-c", sshdScript, "sh", config}})
	if err != nil {
		return nil, fmt.Errorf("looking for sshd: %w", err)
	}
	return parseSSHD(string(r.Stdout), config)
}

// candidate is a process that may be the sshd that is meant.
type process struct {
	pid    int
	exe    string
	args   []string
	rank   int // the best has the highest
	config string
}

func parseSSHD(out, config string) (*sshd, error) {
	s := &sshd{}
	unit := map[string]string{}
	above := map[int]bool{}
	var all []process
	var version string
	debian := false
	for l := range strings.Lines(out) {
		word, rest, _ := strings.Cut(strings.TrimRight(l, "\n"), " ")
		switch word {
		case "uid":
			s.root = rest == "0"
		case "kernel":
			s.kernel = rest
		case "program":
			s.program = rest
		case "version":
			version = rest
		case "system":
			debian = debian || strings.Contains(rest, "debian") || strings.Contains(rest, "ubuntu") || strings.Contains(rest, "raspbian")
		case "above":
			pid, _ := strconv.Atoi(rest)
			above[pid] = true
		case "listener":
			if p, ok := parseProcess(rest); ok && len(all) < 100 {
				all = append(all, p)
			}
		case "unit":
			name, value, _ := strings.Cut(rest, "=")
			unit[name] = value
		case "unit-end":
			if unit["Id"] != "" {
				s.units = append(s.units, unit)
			}
			unit = map[string]string{}
		case "openrc":
			name, pid, _ := strings.Cut(rest, " ")
			s.openrc = name
			s.keeps, _ = strconv.Atoi(pid)
		case "privsep":
			s.privsep = rest
		case "listens":
			s.listens = append(s.listens, parseListening(rest)...)
		}
	}
	if s.program == "" {
		return nil, errors.New("there is no sshd on this machine: install openssh-server, or run this on the machine that is logged in to")
	}
	s.release, _ = sshconf.ParseRelease(version)
	s.release.Debian = s.release.Debian || debian
	s.choose(all, above, config)
	return s, nil
}

// parseProcess reads "PID EXE TITLE".
func parseProcess(line string) (p process, ok bool) {
	pid, rest, _ := strings.Cut(line, " ")
	exe, title, _ := strings.Cut(rest, " ")
	p.pid, _ = strconv.Atoi(pid)
	p.exe = exe
	title, _, _ = strings.Cut(strings.TrimPrefix(title, "sshd: "), " [listener]")
	if p.args = strings.Fields(title); len(p.args) > 0 {
		p.args = p.args[1:]
	}
	return p, p.pid > 1
}

// parseListening reads "ADDRESS:PORT INODE", the port in hexadecimal.
func parseListening(line string) []listening {
	addr, inode, _ := strings.Cut(line, " ")
	_, hex, _ := strings.Cut(addr, ":")
	port, err := strconv.ParseUint(hex, 16, 16)
	if err != nil {
		return nil
	}
	return []listening{{int(port), inode}}
}

// choose takes of the processes that listen the one that is meant.
func (s *sshd) choose(all []process, above map[int]bool, config string) {
	s.config = config
	for i := range all {
		p := &all[i]
		p.config = sshconf.ServerConfig
		_, file := serverArguments(p.args)
		if file != "" {
			p.config = file
		}
		switch {
		case config != "" && p.config == config:
			p.rank = 4
		case config != "":
			p.rank = 0
		case above[p.pid]:
			p.rank = 3
		case file == "":
			p.rank = 2
		case strings.HasPrefix(file, "/etc/"):
			p.rank = 1
		}
	}
	best := slices.MaxFunc(append(all, process{}), func(a, b process) int { return a.rank - b.rank })
	if best.rank > 0 {
		s.pid, s.config = best.pid, best.config
		s.options, _ = serverArguments(best.args)
		if strings.HasPrefix(best.exe, "/") {
			s.program = best.exe
		}
	}
	if s.config == "" {
		s.config = sshconf.ServerConfig
	}
}

// serverArguments are the options and the file of a command line of sshd.
func serverArguments(args []string) (options []string, config string) {
	for i := 0; i < len(args); i++ {
		flag, value := args[i], ""
		if len(flag) < 2 || flag[0] != '-' || !strings.Contains("fopCcEghku", flag[1:2]) {
			continue
		}
		if value = flag[2:]; value == "" && i+1 < len(args) {
			i++
			value = args[i]
		}
		switch flag[1] {
		case 'f':
			config = value
		case 'o':
			options = append(options, value)
		case 'p':
			options = append(options, "Port="+value)
		}
	}
	return options, config
}

// folder is the name of one that a program can be shown.
var folder = regexp.MustCompile(`^(/[A-Za-z0-9_.-]+){2,}$`)

// command is sshd with its own configuration and options.
func (s *sshd) command(flags ...string) string {
	all := append([]string{s.program}, flags...)
	if s.config != sshconf.ServerConfig {
		all = append(all, "-f", s.config)
	}
	for _, o := range s.options {
		all = append(all, "-o", o)
	}
	if len(s.units) > 0 && folder.MatchString(s.privsep) {
		all = append([]string{"unshare", "-m", "sh", "-c", withFolder, s.privsep}, all...)
	}
	return words(all...)
}

// unit finds a unit that is active, by the end of its name.
func (s *sshd) unit(kind string) map[string]string {
	for _, u := range s.units {
		if u["LoadState"] == "loaded" && u["ActiveState"] == "active" && strings.HasSuffix(u["Id"], kind) {
			return u
		}
	}
	return nil
}
