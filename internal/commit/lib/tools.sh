# ---- Small tools -----------------------------------------------------------
#
# Names used everywhere below:
#	$STATE	the folder of all changes of this user
#	$NAME	this change's folder in it, $ID, or $ID-2 when it was tried before
#	$DIR	$STATE/$NAME; the program is there, too, as "run"
#	$n	the effect that is looked at; effect_N sets what it is

say() { printf '%s\n' "$*" 2>/dev/null; }

have() { command -v "$1" >/dev/null 2>&1; }

# nap [N] waits a moment, or a second where sleep knows whole ones only. Who
# says that this is only his Nth one gets a short one: most things are soon so.
nap() {
	case ${1:-many} in
	[0-4]) sleep 0.02 2>/dev/null ;;
	*) sleep 0.1 2>/dev/null ;;
	esac || sleep 1
}

# settle puts files, or folders, onto the disk; where sync takes no names, all.
settle() { sync "$@" 2>/dev/null || sync; }

# now sets $now to the time in seconds, and $up to how long the machine runs,
# which nobody can set back; to nothing where it does not tell.
now() {
	up='' rest=''
	now=$(date +%s 2>/dev/null)
	case $now in '' | *[!0-9]*) now=0 ;; esac
	{ read -r up rest </proc/uptime; } 2>/dev/null
	up=${up%%.*}
}

# boot_id names this start of the machine, where that has a name.
boot_id() {
	id_of_boot=''
	{ read -r id_of_boot </proc/sys/kernel/random/boot_id; } 2>/dev/null
	printf '%s\n' "$id_of_boot"
}

# clock prints a time as people read it.
clock() {
	date -d "@$1" '+%H:%M:%S' 2>/dev/null || date -r "$1" '+%H:%M:%S' 2>/dev/null || printf '%s\n' "second $1"
}

# ---- The record ------------------------------------------------------------
#
# The file "record" says what was done and what became of it: lines KEY=VALUE,
# each on the disk before what it announces is begun. The last line with a key
# counts, but for begin, done, undone, made, already, reload and served, which
# are said of each effect or service.

note() { # note KEY VALUE [KEY VALUE ...]
	lines=''
	while [ "$#" -gt 1 ]; do
		lines="$lines$1=$2
"
		shift 2
	done
	printf %s "$lines" >>"$DIR/record" 2>/dev/null && settle "$DIR/record"
}

# noted KEY VALUE: whether the record has this line.
noted() {
	while IFS= read -r line || [ -n "$line" ]; do
		[ "$line" != "$1=$2" ] || return 0
	done 2>/dev/null <"$DIR/record"
	return 1
}

# words turns what a program said into one short line.
words() { tail -n 4 "$DIR/out" 2>/dev/null | tr -c ' -~' ' ' | cut -c 1-300; }

# part runs one piece of this program as a process of its own, in which the
# first command that fails is the end. What it says is in $DIR/out.
part() {
	if true >"$DIR/out"; then
		sh "$DIR/run" part "$1" </dev/null >"$DIR/out" 2>&1
	else
		sh "$DIR/run" part "$1" </dev/null >/dev/null 2>&1
	fi
} 2>/dev/null

# ---- Processes -------------------------------------------------------------

# runs PID: whether this process is alive, and one of this change; numbers are
# given again.
runs() {
	case ${1:-} in '' | *[!0-9]*) return 1 ;; esac
	kill -0 "$1" 2>/dev/null || return 1
	if [ -r /proc/self/cmdline ]; then
		tr '\0' '\n' <"/proc/$1/cmdline" 2>/dev/null | grep -qxF -e "$DIR/run"
	else
		ps -p "$1" -o args= 2>/dev/null | grep -qF -e "$DIR/run"
	fi
}

# apart runs this program with the words given in a session of its own, where
# the end of ours does not reach it, and gives its process as $!. What it says
# goes to $said. It takes no open file along: somebody may wait for its end.
apart() {
	if have setsid; then
		SSHTAY_WORK=$DIR setsid sh "$DIR/run" "$@" </dev/null >"$said" 2>&1 &
	elif have perl; then
		SSHTAY_WORK=$DIR perl -e 'use POSIX; POSIX::setsid(); exec @ARGV' sh "$DIR/run" "$@" </dev/null >"$said" 2>&1 &
	else
		(
			trap '' HUP
			SSHTAY_WORK=$DIR exec sh "$DIR/run" "$@"
		) </dev/null >"$said" 2>&1 &
	fi
} 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-

# alone does that and waits for it, shows what it said and returns its status.
alone() {
	said=$DIR/said.$$
	{ true >"$said"; } 2>/dev/null || said=/dev/null # a ":" that cannot write would end the shell
	apart "$@"
	wait "$!"
	status=$?
	if [ -s "$said" ]; then
		cat "$said"
	elif [ "$status" != 0 ] && [ "$said" != /dev/null ]; then
		say "It ended with status $status, and there was no room to say why in $DIR"
	fi
	[ "$said" = /dev/null ] || rm -f "$said"
	return "$status"
}

# slay FILE ends the process that FILE names (pid=, boot=) and all that it has
# started; without that, one of them could still do something after it was
# undone.
slay() {
	victim=$(value "$1" pid)
	[ -n "$victim" ] && [ "$victim" != "$$" ] && [ "$(value "$1" boot)" = "$(boot_id)" ] || return 0
	while runs "$victim"; do
		kill -9 "$victim" 2>/dev/null
		nap
	done
	while sweep "$victim"; do
		nap
	done
}

# sweep kills what is left of the session of that process, and says whether
# there was something.
sweep() {
	swept=1
	if [ ! -r /proc/self/stat ]; then
		ps -A -o pid= -o pgid= 2>/dev/null | grep -q "[[:space:]]$1\$" && kill -9 "-$1" 2>/dev/null
		return
	fi
	for process in /proc/[0-9]*; do
		line=''
		{ read -r line <"$process/stat"; } 2>/dev/null
		set -- "$1" ${line##*) } # then: state, parent, group, session
		[ "${5:-}" = "$1" ] && [ "${2:-}" != Z ] || continue
		tr '\0' '\n' <"$process/environ" 2>/dev/null | grep -qxF -e "SSHTAY_WORK=$DIR" || continue
		kill -9 "${process#/proc/}" 2>/dev/null
		swept=0
	done
	return "$swept"
}
