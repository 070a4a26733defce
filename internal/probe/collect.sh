# What sshtay wants to know about a server. It reads, and changes nothing.
# POSIX sh, and of other programs only what busybox has; what is missing is
# left out. Given from outside: $N a nonce, $K the log lines that matter,
# $S this text. Each section begins with a mark; nothing else is promised.
exec 2>/dev/null
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin:/usr/local/sbin"
set -f

mark() { printf '\n=%s %s\n' "$N" "$*"; }
have() { command -v "$1" >/dev/null; }

# lim runs a program for so many seconds at most.
if timeout 1 true; then
	lim() { timeout "$@"; }
else
	lim() {
		s=$1; shift
		"$@" </dev/null & p=$!
		{ sleep "$s"; kill "$p"; } >/dev/null 2>&1 & k=$!
		wait "$p"; s=$?
		kill "$k"
		return "$s"
	}
fi

# together runs all the named parts at once, and prints them in order.
together() {
	part=$1; shift
	if [ $# -gt 0 ]; then
		together "$@" | { "$part" </dev/null; cat; }
	else
		"$part" </dev/null
	fi
}

# about: who asks, from where, and which process listens for sshd: the first
# of our ancestors. Where that is only a session that outlived its listener, or
# nothing, it is any listener that there is.
about() {
	UID_=$(id -u) U=$(id -un)
	set -- $SSH_CONNECTION
	A=$1 O=$2 X=$3 P=$4
	L= chain= p=$$ n=0
	while [ "${p:-0}" -gt 0 ] && [ $n -lt 30 ]; do
		pp= c=
		while read -r a b; do
			case $a in Name:) c=$b ;; PPid:) pp=$b; break ;; esac
		done <"/proc/$p/status"
		case $c in sshd* | dropbear | tinysshd) [ -n "$A" ] && L=$p ;; esac
		chain="$chain $c" p=$pp n=$((n + 1))
	done
	title=$(command_line "$L")
	case $title in
	*"[listener]"*) ;;
	"" | "sshd: "* | "sshd-session: "*)
		n=$(anylistener)
		[ -n "$n" ] && L=$n title=$(command_line "$n")
		;;
	esac
	program
	case "$F " in *" -p "*) n=${F##* -p }; P=${P:-${n%% *}} ;; esac
	if [ -z "$P" ]; then
		P=$(sed -n 's/^[[:space:]]*[Pp][Oo][Rr][Tt][[:space:]=]*\([0-9][0-9]*\).*/\1/p' "$M" | head -n 1)
		P=${P:-22}
	fi
}

command_line() { [ -n "$1" ] && tr '\0' ' ' <"/proc/$1/cmdline" | head -c 1000; }

# anylistener: an sshd that accepts, of this machine and not of a container,
# and not one that somebody runs beside it with a configuration of his own.
anylistener() {
	set +f
	grep -lx -e sshd -e dropbear /proc/[0-9]*/comm | head -n 100 | while read -r f; do
		d=${f%/comm}
		awk '/^PPid:/ { p = $2 } /^NSpid:/ { n = NF } END { exit !(p <= 1 && n < 3) }' "$d/status" || continue
		case $(command_line "${d#/proc/}") in *" -f /etc/"*) ;; *" -f "*) continue ;; esac
		printf '%s\n' "${d#/proc/}"
		break
	done
	set -f
}

# program: which sshd that is ($D), its configuration ($M), and the arguments
# of its own that the configuration depends on ($F).
program() {
	D= F= M=
	set -- ${title#sshd: }
	case $1 in
	/*sshd) D=$1 ;;
	*dropbear) D=$(command -v dropbear); return ;;
	esac
	while [ -n "$D" ] && [ $# -gt 1 ]; do
		shift
		case $1 in
		"[listener]") break ;;
		-f) F="$F -f $2" M=$2; shift ;;
		-o | -p) F="$F $1 $2"; shift ;;
		-[fop]?*) F="$F $1" ;;
		esac
	done
	[ -x "$D" ] || D=$(command -v sshd)
	for f in "$M" /etc/ssh/sshd_config /usr/etc/ssh/sshd_config; do
		[ -f "$f" ] && M=$f && break
	done
}

machine() {
	mark env
	i=other
	sysvinit && i=sysvinit
	[ -d /run/systemd/system ] && i=systemd
	[ -d /run/openrc ] && i=openrc
	printf '%s\n' "uid $UID_" "user $U" "shell $SHELL" "tmout $TMOUT" "client $A" "from $O" "local $X" "port $P" \
		"listener $L" "sshd $D" "config $M" "arguments$F" "groups $(id -Gn)" "title $title" "chain$chain" "init $i" "date $(date '+%s %z')" "uname $(uname -srm)"
	mark release; head -c 2000 /etc/os-release
	# No read here: some shells read byte by byte, and sysctls give one only.
	mark proc; grep . /proc/uptime /proc/loadavg /proc/sys/kernel/threads-max /proc/sys/kernel/pid_max /proc/sys/fs/file-nr \
		/proc/sys/kernel/pty/nr /proc/sys/kernel/pty/max \
		/proc/sys/net/ipv4/tcp_keepalive_time /proc/sys/net/ipv4/tcp_keepalive_intvl /proc/sys/net/ipv4/tcp_keepalive_probes
	# For people who read a bundle.
	cd /proc/sys/net/ipv4 && mark sysctl && grep . tcp_retries2 tcp_syn_retries tcp_synack_retries tcp_mtu_probing tcp_timestamps tcp_sack tcp_max_syn_backlog \
		tcp_fin_timeout tcp_rmem tcp_wmem tcp_congestion_control ip_forward ip_no_pmtu_disc ../core/somaxconn ../netfilter/nf_conntrack_tcp_timeout_established
	cd /
	mark links; head -n 50 /proc/net/dev; head -n 50 /proc/net/route
	for f in /sys/fs/cgroup /sys/fs/cgroup/pids; do
		[ -f "$f/user.slice/user-$UID_.slice/pids.max" ] && read -r x <"$f/user.slice/user-$UID_.slice/pids.max" && mark userslice && printf '%s\n' "$x" && break
	done
	mark cpus; nproc || grep -c ^processor /proc/cpuinfo
	mark meminfo; grep -E '^(MemTotal|MemFree|MemAvailable|Buffers|Cached|SwapTotal|SwapFree):' /proc/meminfo
	mark pressure; grep . /proc/pressure/cpu /proc/pressure/memory /proc/pressure/io
	mark limits; grep -E '^Max (processes|open files)' /proc/self/limits
	mark netstat; grep '^TcpExt:' /proc/net/netstat; grep '^Tcp:' /proc/net/snmp
	set +f
	mark tasks; ls -ldn /proc/[0-9]*/task/[0-9]* | awk -v u="$UID_" '$3 == u { n++ } END { print n + 0 }'
	set -f
}

processes() {
	set +f
	p=$(grep -x -e sshd -e sshd-session -e sshd-auth -e dropbear -e tinysshd /proc/[0-9]*/comm | head -n 400)
	set -f
	mark comms; printf '%s\n' "$p"
	mark titles; head -n 1 $(printf '%s\n' "$p" | sed 's,comm:.*,cmdline,') /dev/null | tr '\0' ' ' | cut -c1-200
	mark hidden; grep -c 'hidepid=[1-9in]' /proc/mounts
	[ -n "$L" ] || return
	mark cgroup
	while IFS=: read -r a b c; do
		case $a:$b in 0:) d=/sys/fs/cgroup$c ;; *:pids) d=/sys/fs/cgroup/pids$c ;; *) continue ;; esac
		[ -f "$d/pids.current" ] && read -r x <"$d/pids.current" && read -r y <"$d/pids.max" && printf '%s %s %s\n' "$x" "$y" "$c"
	done <"/proc/$L/cgroup"
}

sockets() {
	if have ss; then
		mark sockets ss
		lim 2 ss -tan "sport = :$P" | awk 'NR > 1 { print $1, $2, $3, $4, $5 }' | head -n 3000
		case $A in *:*) a="[$A]" ;; *) a=$A ;; esac
		[ -n "$A" ] && mark flows && lim 2 ss -tin "sport = :$P and dst $a" | cut -c1-900 | head -n 200
	elif [ -r /proc/net/tcp ]; then
		mark sockets proc
		awk -v p=":$(printf %04X "$P")" 'substr($2, length($2) - 4) == p { print $4, $5, $2, $3 }' /proc/net/tcp /proc/net/tcp6 | head -n 3000
	fi
}

# network: what the kernel remembers of connections. A table of numbers has a
# line for each processor.
network() {
	mark network; readlink /proc/self/ns/net
	mark conntrack; grep . /proc/sys/net/netfilter/nf_conntrack_count /proc/sys/net/netfilter/nf_conntrack_max
	mark inet6; head -n 500 /proc/net/if_inet6
	mark conntrack-stat; head -n 300 /proc/net/stat/nf_conntrack
}

# sysvinit: process 1 is the init of System V.
sysvinit() {
	c=; read -r c </proc/1/comm
	[ "$c" = init ] && { [ -p /run/initctl ] || [ -p /dev/initctl ]; }
}

# starts: what an init other than systemd is to start, if one runs here: not in a
# container without, and not in a chroot. An empty softlevel is one that people
# make by hand where OpenRC has started nothing.
starts() {
	mark starts
	[ /proc/1/root/. -ef /. ] || return
	if [ -s /run/openrc/softlevel ]; then
		ls -d /etc/runlevels/boot/ssh /etc/runlevels/boot/sshd /etc/runlevels/default/ssh /etc/runlevels/default/sshd
	elif sysvinit; then
		set +f
		ls -d /etc/rc[2-5].d/S*ssh /etc/rc[2-5].d/S*sshd
		set -f
	fi
}

services() {
	if have systemctl && [ -d /run/systemd/system ]; then
		mark units
		lim 2 systemctl show -p Id -p LoadState -p ActiveState -p SubState -p Result -p MainPID -p Accept -p NConnections -p MaxConnections -p UnitFileState -p RuntimeDirectory \
			ssh.service sshd.service ssh.socket sshd.socket ssh@0.service sshd@0.service
	else
		starts
	fi
	mark off; ls -d /etc/ssh/sshd_not_to_be_run # Debian's way to say so
	[ -d /run/openrc ] && mark openrc && ls -d /run/openrc/started/ssh /run/openrc/started/sshd /run/openrc/failed/ssh /run/openrc/failed/sshd /run/openrc/started/dropbear
}

packages() {
	mark version; lim 2 "$D" -V 2>&1 | head -n 5
	mark package
	if have dpkg-query; then
		lim 2 dpkg-query -W -f='${db:Status-Abbrev} ${Package} ${Version}\n' openssh-server dropbear-bin tinysshd | sed -n 's/^ii *//p'
	elif have rpm; then
		lim 2 rpm -q --qf '%{NAME} %{VERSION}-%{RELEASE}\n' openssh-server dropbear | grep -v 'not installed'
	elif [ -r /lib/apk/db/installed ]; then
		awk -F: '$1 == "P" { p = $2 } $1 == "V" && (p == "openssh-server" || p == "dropbear" || p == "tinyssh") { print p, $2 }' /lib/apk/db/installed
	elif have pacman; then
		lim 2 pacman -Q openssh
	elif have opkg; then
		lim 2 opkg list-installed dropbear
	fi
}

sessions() {
	set +f
	mark tmout
	grep -n -E '(^|[^A-Za-z_$])TMOUT=' /dev/null /etc/environment /etc/profile /etc/profile.d/*.sh /etc/bash.bashrc /etc/bashrc /etc/zsh/z* /etc/zshrc \
		"$HOME/.profile" "$HOME/.bash_profile" "$HOME/.bash_login" "$HOME/.bashrc" "$HOME/.zshenv" "$HOME/.zprofile" "$HOME/.zshrc" | head -n 20 | cut -c1-300
	if [ -d /run/systemd/system ]; then
		mark logind
		grep -E '^[[:space:]]*(StopIdleSessionSec|IdleAction|IdleActionSec)=' /dev/null /usr/lib/systemd/logind.conf /usr/lib/systemd/logind.conf.d/*.conf \
			/etc/systemd/logind.conf /run/systemd/logind.conf.d/*.conf /etc/systemd/logind.conf.d/*.conf | head -n 20 | cut -c1-300
	fi
	set -f
	mark wrappers; grep -c libwrap "$D"
	mark hosts.allow; grep -n -v -E '^[[:space:]]*(#|$)' /etc/hosts.allow | head -n 200 | cut -c1-300
	mark hosts.deny; grep -n -v -E '^[[:space:]]*(#|$)' /etc/hosts.deny | grep -E "ALL|KNOWN|${A%%[.:]*}[.:]" | head -n 200 | cut -c1-300
}

disks() {
	mark mounts; grep -E '^[^ ]+ (/|/var|/tmp|/run|/home|/var/log) ' /proc/mounts | cut -c1-300
	mark df; lim 1 df -P -k / /var /var/log /tmp /run
	mark df-i; lim 1 df -P -i / /var /var/log /tmp /run
	mark df home; lim 1 df -P -k "$HOME" /home
	mark df-i home; lim 1 df -P -i "$HOME" /home
}

# From here on: what root sees more of.

# config: what sshd says its configuration is for us, and the files.
config() {
	mark deep; printf '%s\n' "$(id -u)"
	a=${A:-127.0.0.1} d=
	spec="user=$U,host=$a,addr=$a,laddr=${X:-127.0.0.1},lport=$P"
	case $D in *sshd)
		t=$(lim 3 "$D" -T $F -C "$spec" 2>&1); r=$?
		# Since 9.3 sshd resolves without its keys, so without root.
		[ $r = 0 ] || { d=$(lim 3 "$D" -G -T $F -C "$spec" 2>&1) && t=$d r=0; }
		mark "sshd-T $r"; printf '%s\n' "$t" | head -c 40000
		if [ "$(id -u)" = 0 ]; then
			d=$(lim 3 "$D" -t $F 2>&1); r=$?
			mark "sshd-t $r"; printf '%s\n' "$d" | head -c 2000
		fi
		;;
	esac
	set +f
	k=$(printf '%s\n' "$t" | sed -n 's/^[Hh]ost[Kk]ey //p')
	[ -n "$k" ] || [ "$(id -u)" = 0 ] && mark hostkeys && ls -lnL ${k:-/etc/ssh/ssh_host_*_key}
	mark privsep; ls -d /run/sshd /var/run/sshd /var/empty /var/empty/sshd /usr/share/empty.sshd /var/lib/empty
	files "$M"
	set -f
}

# files sends a configuration, and what it includes.
files() {
	todo=$1 n=0
	while [ -n "$todo" ] && [ $n -lt 30 ]; do
		set -- $todo
		f=$1 n=$((n + 1)); shift; todo=$*
		if [ -r "$f" ]; then
			mark "file $f"; head -c 65536 "$f" | sed 's/^[[:space:]]*#.*//'
			for g in $(sed -n 's/^[[:space:]]*[Ii][Nn][Cc][Ll][Uu][Dd][Ee][[:space:]=]*//p' "$f" | tr -d '"'); do
				case $g in /*) ;; *) g=/etc/ssh/$g ;; esac
				for h in $g; do [ -e "$h" ] && todo="$todo $h"; done
			done
		elif [ -e "$f" ]; then
			mark "unreadable $f"
		fi
	done
}

listener() {
	[ -n "$L" ] || return
	mark exe; ls -l "/proc/$L/exe"
	mark fds; ls "/proc/$L/fd" | grep -c .
	mark listener-limits; grep -E '^Max open files' "/proc/$L/limits"
	mark started; cat "/proc/$L/stat"; grep ^btime /proc/stat; getconf CLK_TCK
	mark binaries
	for f in "$D" /usr/lib/openssh/sshd-session /usr/libexec/openssh/sshd-session /usr/lib/ssh/sshd-session /usr/libexec/sshd-session; do
		[ -f "$f" ] && stat -c '%Z %n' "$f"
	done
}

# matter keeps the newest lines that matter, and the newest that name us.
matter() {
	awk 'BEGIN { k = ENVIRON["K"]; a = ENVIRON["A"] }
		$0 ~ k { g[i++ % 400] = substr($0, 1, 600); next }
		a != "" && index($0, a) { o[j++ % 200] = substr($0, 1, 600) }
		END {
			for (n = i > 400 ? i - 400 : 0; n < i; n++) print g[n % 400]
			for (n = j > 200 ? j - 200 : 0; n < j; n++) print o[n % 200]
		}'
}

journal() {
	set +f
	for f in /var/log/journal/*/system.journal /run/log/journal/*/system.journal; do
		[ -r "$f" ] && set -f && return 0
	done
	set -f
	return 1
}

logs() {
	if have journalctl && journal; then
		mark "log journal"
		t=$(lim 4 journalctl --no-pager -q -o short-iso -S -24h -n 10000 SYSLOG_IDENTIFIER=sshd SYSLOG_IDENTIFIER=sshd-session SYSLOG_IDENTIFIER=sshd-auth \
			+ UNIT=ssh.service UNIT=sshd.service UNIT=ssh.socket UNIT=sshd.socket + SYSLOG_IDENTIFIER=systemd-oomd SYSLOG_IDENTIFIER=systemd-journald SYSLOG_IDENTIFIER=rsyslogd | matter)
		printf '%s\n' "$t"
		[ -n "$t" ] && return
	fi
	for f in /var/log/auth.log /var/log/secure /var/log/messages /var/log/syslog; do
		[ -f "$f" ] || continue
		if [ -r "$f" ]; then
			mark "log $f"
			{ tail -n 5000 "$f.1"; tail -n 20000 "$f"; } | grep -E '[ /](sshd|sshd-session|sshd-auth|systemd|systemd-oomd|systemd-journald|rsyslogd)(\[[0-9]+\])?: ' | matter
			return
		fi
		mark "log-unreadable $f"
	done
	have logread && mark "log logread" && lim 2 logread | grep -F sshd | matter
	have journalctl && ! journal && [ "$(id -u)" != 0 ] && { [ -d /var/log/journal ] || [ -d /run/log/journal ]; } && mark "log-unreadable journal"
}

kernel() {
	if have journalctl && journal; then
		mark "kernel journal"
		lim 4 journalctl --no-pager -q -o short-iso -k -S -24h -n 5000 | A= matter
	elif dmesg >/dev/null; then
		mark "kernel dmesg"
		dmesg | tail -n 5000 | A= matter
	else
		for f in /var/log/kern.log /var/log/messages; do
			[ -r "$f" ] && mark "kernel $f" && tail -n 10000 "$f" | grep -F ' kernel: ' | A= matter && break
		done
	fi
}

bans() {
	[ -e /run/fail2ban/fail2ban.sock ] && [ "$(id -u)" = 0 ] || return
	[ -n "$A" ] || { bannedusers; return; }
	mark fail2ban
	lim 3 fail2ban-client banned "$A" | head -c 1000 || lim 3 fail2ban-client status sshd | head -c 20000
	mark fail2ban-until
	for j in $(lim 3 fail2ban-client banned "$A" | head -c 1000 | tr -c 'A-Za-z0-9_.-' ' '); do
		lim 3 fail2ban-client get "$j" banip --with-time | grep -F "$A" | head -n 3
	done
}

# bannedusers are the addresses that fail2ban keeps from sshd although they have
# logged in here.
bannedusers() {
	held=$({ lim 3 fail2ban-client banned || lim 3 fail2ban-client status sshd; } | tr '}' '\n' | grep -e ssh -e recidive -e 'IP list' | head -c 20000 | tr -c '0-9a-fA-F.:' ' ')
	mark fail2ban-users
	{
		if have journalctl && journal; then
			lim 4 journalctl --no-pager -q -o cat -S -7d -n 20000 SYSLOG_IDENTIFIER=sshd SYSLOG_IDENTIFIER=sshd-session
		fi
		for f in /var/log/auth.log /var/log/secure; do tail -n 5000 "$f.1"; tail -n 20000 "$f"; done
	} | awk -v held="$held" '
		/Accepted [a-z/-]+ for .* from [0-9a-fA-F.:]+ port / { sub(/.* from /, ""); in_[$1] }
		END { n = split(held, h, " "); for (i = 1; i <= n && i <= 1000; i++) if (h[i] in in_ && !(h[i] in out)) { out[h[i]]; print h[i] } }' | head -n 20
}

# nftables: asking nft could load the module, unless it is there or the kernel
# has no modules.
nftables() { [ -d /sys/module/nf_tables ] || [ ! -e /proc/modules ]; }

firewall() {
	[ "$(id -u)" = 0 ] || return
	mark firewall
	if have nft && nftables; then
		lim 3 nft list ruleset | awk -v p="$P" -v a="${A:-none}" '
			/^table/ { t = $2 " " $3 }
			/^\t(set|map|chain) / { s = $2 }
			index($0, a) { print "holds", t, s, substr($0, 1, 300); next }
			/dport/ && ($0 ~ "[ {,]" p "([ ,}]|$)" || /ssh/) || /saddr @[^ ]+ .*(drop|reject)/ && !/dport/ { sub(/^[ \t]+/, ""); print "rule", t, s, substr($0, 1, 300) }' | head -n 100
	fi
	for i in iptables ip6tables; do
		if have $i-save && { [ -s "/proc/net/${i%tables}_tables_names" ] || { nftables && $i -V | grep -q nf_tables; }; }; then
			lim 3 $i-save | awk -v i=$i -v p="$P" -v a="${A:-none}" '
				/^\*/ { t = substr($1, 2) }
				index($0, a) { print "holds", i, t, substr($0, 1, 300); next }
				/^-A/ && ($0 ~ "dports? ([0-9:,]*,)?" p "([ ,]|$)" || /ssh/) { print "rule", i, t, substr($0, 1, 300) }' | head -n 100
		fi
	done
}

deep() { together config listener logs kernel bans firewall; }

# asroot: with root's eyes where that needs no password. sudo writes a line to
# its log each time, and may mail it when it refuses: it is asked once, and
# only where the account looks as if it were allowed.
asroot() {
	if [ "$UID_" != 0 ] && have sudo; then
		case " $(id -Gn) " in
		*" sudo "* | *" wheel "* | *" admin "*) s=yes ;;
		*) s=$(ls /etc/sudoers.d | grep -F -e "$U") ;;
		esac
		[ -n "$s" ] && lim 8 sudo -n sh -c "$S" sshtay "$A" "$X" "$P" "$U" "$L" "$D" "$M" "$F" && return
	fi
	deep
}

export A K
if [ $# -gt 0 ]; then
	A=$1 X=$2 P=$3 U=$4 L=$5 D=$6 M=$7 F=$8
	deep
	exit 0
fi
mark begin
about
together machine processes sockets network services packages sessions asroot disks
mark end
