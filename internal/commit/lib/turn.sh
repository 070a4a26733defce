# ---- Whose turn it is ------------------------------------------------------
#
# A turn is a file with a number: who links the next number has it, and no
# number is ever given back, so none can be taken by mistake for another one.
# A turn is over when the folder that it names holds the file that it names.

# last sets $nth to the number of the last turn of this kind.
last() {
	nth=0
	while [ -e "$1.$((nth + 1))" ]; do nth=$((nth + 1)); done
}

# lock takes the turn to change something with the ticket in $DIR/$1. Who is
# not through with his own, and has died or run out of time, is put back first.
# It returns 1 when it is somebody else's turn, and 2 when the disk refuses.
lock() {
	while :; do
		last "$STATE/turn"
		if [ "$nth" -gt 0 ]; then
			holder=$(value "$STATE/turn.$nth" id) end=$(value "$STATE/turn.$nth" end)
			case $holder$end in *[!a-z0-9-]*) holder='' ;; esac
			if [ -n "$holder" ] && [ -d "$STATE/$holder" ] && [ ! -e "$STATE/$holder/$end" ]; then
				sh "$STATE/$holder/run" overdue || return 1
				say "$holder was left unfinished: it is put back first."
				sh "$STATE/$holder/run" expire >/dev/null 2>&1
				[ -e "$STATE/$holder/$end" ] || return 1
			fi
		fi
		ln "$DIR/$1" "$STATE/turn.$((nth + 1))" 2>"$DIR/out" && return 0
		[ -e "$STATE/turn.$((nth + 1))" ] || return 2
	done
}

# overdue: whether nobody will bring this to an end by himself, or should have.
overdue() {
	[ -e "$DIR/worker" ] || return 0
	[ ! -e "$DIR/decision" ] || busy || return 0
	runs "$(value "$DIR/worker" pid)" && return 1
	noted state waiting || return 0
	due
}

# busy: whether somebody is putting this back.
busy() {
	last "$DIR/roll"
	[ "$nth" -gt 0 ] && runs "$(value "$DIR/roll.$nth" pid)"
}

# due: whether the time to confirm is over. A clock that was set back does not
# make it longer, nor does a restart of the machine.
due() {
	now
	[ -n "${until:-}" ] || until=$(value "$DIR/record" until) until_up=$(value "$DIR/record" until_up) boot=$(value "$DIR/record" boot)
	[ "$now" -ge "${until:-0}" ] && return 0
	[ -n "$until_up" ] && [ -n "$up" ] && [ "$up" -ge "$until_up" ] && return 0
	[ "$boot" != "$(boot_id)" ]
}

# decide WORD: whether WORD is what was decided, now or before. The file
# "decision" is linked into place: there is one, whoever comes first.
decide() {
	ln "$DIR/word.$1" "$DIR/decision" 2>/dev/null && settle "$DIR"
	[ "$(cat "$DIR/decision" 2>/dev/null)" = "$1" ]
}

# roll takes the turn to put this change back. Who has it and has died has it
# no more; who has had it for a minute and does not come on is ended.
# It returns 1 when the end came first.
roll() {
	rm -f "$DIR/spare" # what follows needs room
	printf 'pid=%s\nboot=%s\n' "$$" "$(boot_id)" >"$DIR/roller.$$" 2>/dev/null
	waited=0
	while [ ! -e "$DIR/$END" ]; do
		last "$DIR/roll"
		if [ "$nth" -gt 0 ] && [ "$waited" -lt 600 ] && runs "$(value "$DIR/roll.$nth" pid)"; then
			nap
			waited=$((waited + 1))
			continue
		fi
		[ "$nth" -gt 0 ] && slay "$DIR/roll.$nth"
		waited=0
		if ln "$DIR/roller.$$" "$DIR/roll.$((nth + 1))" 2>/dev/null; then
			rm -f "$DIR/roller.$$"
			return 0
		fi
		[ -e "$DIR/roll.$((nth + 1))" ] || return 0 # no room for a file: rather two at once than nobody
	done
	rm -f "$DIR/roller.$$"
	return 1
}
