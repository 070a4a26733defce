# ---- The order of things ---------------------------------------------------

# claim sees to it that a change is carried out once: one process is the worker.
claim() {
	printf 'pid=%s\nboot=%s\n' "$$" "$(boot_id)" >"$DIR/worker.$$" && ln "$DIR/worker.$$" "$DIR/worker"
} 2>/dev/null

# begin makes all that must not fail later for want of room.
begin() {
	for word in confirmed rolled-back refused; do
		printf '%s\n' "$word" >"$DIR/word.$word" || return 1
	done
	printf 'id=%s\nend=end\n' "$NAME" >"$DIR/lock" || return 1
	dd if=/dev/zero of="$DIR/spare" bs=1024 count=16 2>/dev/null || return 1 # given up when something is put back: the record needs room
	now
	note id "$NAME" title "$TITLE" by "${BY:-${SUDO_USER:-$(id -un)}}" started "$now" effects "$EFFECTS"
}

# work does it all. It runs in a session of its own: whatever becomes of the
# one that asked for it, this comes to its end, or is put back.
work() {
	if ! claim; then
		[ ! -e "$DIR/worker" ] || again
		say "Nothing was changed: cannot write to $DIR"
		exit 12
	fi
	if ! begin; then
		rm -rf "$DIR"
		say "Nothing was changed: cannot write to $DIR"
		exit 12
	fi
	lock lock
	case $? in
	1) refuse 10 "it is not our turn: $(turn_of)" ;;
	2) refuse 12 "cannot write to $STATE" ;;
	esac
	each_file unchanged || refuse 11 "$why"
	each_file keep_file || refuse 12 "$why"
	s=1
	while [ "$s" -le "$SERVICES" ]; do
		part "served_$s" && note served "$s"
		s=$((s + 1))
	done
	why="cannot write to $DIR"
	arm || refuse 13 "$why"
	note state applying || refuse 12 "$why"
	say "Armed: in $PATIENCE s, by $(value "$DIR/record" armed); at the next start by: $(value "$DIR/record" boot_hook)."
	n=1
	while [ "$n" -le "$EFFECTS" ]; do
		do_effect "$n" || fail "$why"
		n=$((n + 1))
	done
	services || fail "$why"
	s=1
	while [ "$s" -le "$CHECKS" ]; do
		"name_check_$s"
		part "check_$s" || fail "it is not so: $title"
		say "It is so: $title."
		s=$((s + 1))
	done
	note state waiting || fail "cannot write to $DIR"
	say "Done. Unless it is confirmed by $(clock "$(value "$DIR/record" until)"), all is put back."
	say "See that you can log in, in a new window; then type:  sh $DIR/run confirm"
}

turn_of() { # who has the turn
	theirs=$STATE/$holder/record
	printf '%s, "%s" by %s, is not through' "$holder" "$(value "$theirs" title)" "$(value "$theirs" by)"
	until=$(value "$theirs" until)
	[ -z "$until" ] || printf '; it ends at %s at the latest' "$(clock "$until")"
}

# each_file FUNCTION: for every effect that is a file, until it fails.
each_file() {
	m=1
	while [ "$m" -le "$EFFECTS" ]; do
		path=''
		look_up "$m"
		[ -z "$path" ] || "$1" || return 1
		m=$((m + 1))
	done
}

unchanged() {
	is "$path" "$old" && return
	why="it is not as it was when this was planned: $path"
	return 1
}

do_effect() { # do_effect N
	path=''
	look_up "$1"
	why="cannot write to $DIR"
	true >"$DIR/out" # what was said so far has nothing to do with this
	if [ -z "$path" ] && part "done_$1"; then
		note already "$1" && say "$1. Was so already: $title."
		return
	fi
	note begin "$1" || return 1
	if [ -n "$path" ]; then
		do_file || return 1
	else
		why="failed: $title"
		part "apply_$1" || return 1
		why="ran, and is still not so: $title"
		part "done_$1" || return 1
	fi
	why="cannot write to $DIR"
	note 'done' "$1" && say "$1. Did: $title."
}

# services has every service say that it will accept the files, and only then
# has them take notice.
services() {
	s=1
	while [ "$s" -le "$SERVICES" ]; do
		"name_service_$s"
		why="$service does not accept it"
		part "validate_$s" || return 1
		s=$((s + 1))
	done
	s=1
	while [ "$s" -le "$SERVICES" ]; do
		"name_service_$s"
		why="cannot write to $DIR"
		note reload "$s" || return 1
		why="$service could not be reloaded"
		part "reload_$s" || return 1
		why="$service serves no more after it was reloaded"
		serves || return 1
		say "$service took notice, and serves."
		s=$((s + 1))
	done
}

# serves waits up to 5 s until the service answers, twice: the first answer may
# be of the one that is about to go.
serves() {
	now
	give_up=$((now + 5)) tries=0 answers=0
	while [ "$tries" -lt 50 ] && [ "$now" -le "$give_up" ]; do
		if part "alive_$s"; then
			answers=$((answers + 1))
			[ "$answers" -lt 2 ] || return 0
		fi
		nap "$tries"
		tries=$((tries + 1))
		now
	done
	return 1
}

# refuse ends it before anything was changed.
refuse() { # refuse STATUS WHY
	why=$2
	[ "$1" != 12 ] || [ ! -s "$DIR/out" ] || why="$2 ($(words))"
	say "Nothing was changed: $why"
	decide refused || exit 30
	finish refused "$why"
	exit "$1"
}

# fail puts back what was done so far.
fail() { # fail WHY
	why="$1$([ ! -s "$DIR/out" ] || printf ' (%s)' "$(words)")"
	say "Stopped: $why"
	put_back "$why" || exit 21
	exit 20
}

# finish ends it: only now it is another one's turn.
finish() { # finish STATE WHY
	rm -f "$DIR/spare"
	now
	note ${2:+why "$2"} state "$1" ended "$now"
	tidy
	[ "$1" = confirmed ] || rm -f "$DIR"/keep.* "$DIR"/new.* # nothing is left to undo
	ln "$DIR/lock" "$DIR/$END" 2>/dev/null
	settle "$DIR"
	disarm
}

# put_back undoes everything, in the other order. It may be begun again as
# often as it takes, by anybody. It returns 0 when all is as it was.
put_back() { # put_back WHY
	if [ "$END" = end ] && ! decide rolled-back; then
		if [ "$(cat "$DIR/decision")" = refused ]; then
			runs "$(value "$DIR/worker" pid)" || finish refused ''
			return 0
		fi
		[ -e "$DIR/end" ] || finish confirmed ''
		say "It was confirmed before it could be put back."
		return 2
	fi
	roll || return 0
	slay "$DIR/worker"
	k=$(value "$DIR/slain" upto)
	while [ "${k:-0}" -lt "$nth" ]; do
		k=$((${k:-0} + 1))
		slay "$DIR/roll.$k"
	done
	{ printf 'upto=%s\n' "$((nth - 1))" >"$DIR/slain"; } 2>/dev/null
	[ -n "$(value "$DIR/record" why)" ] || note why "$1"
	bad=''
	k=$EFFECTS
	while [ "$k" -gt 0 ]; do
		undo_effect "$k" || { bad=$why; say "Could not: $why ($(words))"; }
		k=$((k - 1))
	done
	[ -n "$bad" ] || services_back || bad=$why
	if [ -n "$bad" ]; then
		noted stuck "$bad" || note stuck "$bad"
		[ "$(value "$DIR/record" state)" = stuck ] || note state stuck
		say "Not all is as it was: $bad. It will be tried again; or type:  sh $DIR/run rollback"
		return 1
	fi
	[ "$END" = end ] && finish rolled-back '' || finish undone ''
	say "Everything is as it was."
}

undo_effect() { # undo_effect N
	path=''
	look_up "$1"
	noted begin "$1" || return 0
	if [ -n "$path" ]; then
		undo_file || return 1
	else
		why="failed: to undo: $title"
		part "undo_$1" || return 1
	fi
	noted undone "$1" || note undone "$1"
	say "$1. Undid: $title."
	return 0
}

# services_back has the services take notice of what was. After a start of the
# machine they have seen what this made, reloaded or not; early in a start only
# those count that serve already. What did not serve before need not now.
services_back() {
	boot=$(value "$DIR/record" boot)
	[ -z "$boot" ] || [ "$boot" = "$(boot_id)" ] || RESTARTED=yes
	s=1
	while [ "$s" -le "$SERVICES" ]; do
		if noted reload "$s" || [ -n "$RESTARTED" ]; then
			"name_service_$s"
			why="$service serves no more, and does not come up"
			if part "alive_$s"; then
				part "validate_$s" && part "reload_$s"
				serves || revive || return 1
			elif [ -z "$EARLY" ]; then
				revive || return 1
			fi
		fi
		s=$((s + 1))
	done
}

# revive starts it; one that lives and does not serve as it did has to take
# notice, for starting it does nothing.
revive() {
	part "start_$s" && serves && return
	part "validate_$s" && part "reload_$s" && serves && return
	! noted served "$s"
}
