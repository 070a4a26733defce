# What sshtay itself asks with. It is not part of the programs that it leaves
# on machines.

# report says all about the change in $DIR, between marks that nobody can know.
report() { # report MARK
	printf '\n=%s record\n' "$1"
	head -c 32768 "$DIR/record" 2>/dev/null
	printf '\n=%s marks\ndecision=%s\n' "$1" "$(head -c 100 "$DIR/decision" 2>/dev/null)"
	! through || printf 'through=yes\n'
	[ ! -e "$DIR/undo" ] || printf 'undo=yes\n'
	printf 'program=%s\n=%s end\n' "$DIR/run" "$1"
}

# bring stores a program that comes on the standard input, and applies it.
bring() { # bring ID CKSUM MARK
	umask 077
	in=$STATE/.in.$$
	why=$({ mkdir -p "$STATE" && cat >"$in"; } 2>&1)
	if [ ! -f "$in" ] || [ "$(cksum <"$in")" != "$2" ]; then
		rm -f "$in"
		printf '%s\n' "Nothing was changed: the program could not be stored in $STATE ($why)"
		exit 12
	fi
	sh "$in" apply
	status=$?
	rm -f "$in"
	report "$3"
	exit "$status"
}

# tell has the program of a change do what it is told.
tell() { # tell WORD WHY MARK
	[ -f "$DIR/run" ] || exit 65
	sh "$DIR/run" "$1" "$2"
	status=$?
	report "$3"
	exit "$status"
}

# history reports all changes, each once, in their order: the last 200 turns.
history_of_all() { # history_of_all MARK
	n=0
	while [ -e "$STATE/turn.$((n + 1))" ]; do n=$((n + 1)); done
	first=$((n > 200 ? n - 199 : 1)) seen=' '
	while [ "$first" -le "$n" ]; do
		id=$(value "$STATE/turn.$first" id)
		first=$((first + 1))
		case $id in '' | *[!a-z0-9-]*) continue ;; esac
		case $seen in *" $id "*) continue ;; esac
		seen="$seen$id " DIR=$STATE/$id
		[ ! -d "$DIR" ] || report "$1"
	done
}

STATE=$(state_folder)
[ -n "$STATE" ] || exit 66
