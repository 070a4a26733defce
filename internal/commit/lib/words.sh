# ---- The words that are typed ----------------------------------------------

apply() {
	[ -f "$0" ] && [ "$(tail -n 1 "$0")" = 'main "$@"' ] || { say "This program has to be a file, and whole: sh FILE apply"; exit 64; }
	if through; then # done before, and put back: once more, under the next name
		[ "$(cat "$DIR/decision")" = confirmed ] && [ ! -e "$DIR/undo" ] || next_name
	fi
	[ ! -e "$DIR/worker" ] || again
	if ! { mkdir -p "$STATE" && chmod 700 "$STATE" && mkdir -p "$DIR" && cp "$0" "$DIR/run.$$" && mv -f "$DIR/run.$$" "$DIR/run"; }; then
		say "Nothing was changed: cannot write to $DIR"
		exit 12
	fi
	settle "$DIR/run" "$DIR" "$STATE"
	say "$TITLE"
	alone work
	status=$?
	if [ "$status" -gt 127 ]; then
		say "The program that did it was killed. All is put back."
		alone back "it was killed while it worked" || exit 21
		exit 20
	fi
	exit "$status"
}

# again: somebody has typed apply before.
again() {
	if [ -e "$DIR/decision" ] || noted state waiting; then
		status
		case $(cat "$DIR/decision" 2>/dev/null) in '' | confirmed) exit 0 ;; *) exit 30 ;; esac
	fi
	if runs "$(value "$DIR/worker" pid)"; then
		say "Somebody is doing this just now. To see how it goes:  sh $DIR/run status"
		exit 10
	fi
	say "It was begun before, and left unfinished. That is put back first."
	alone back "it was left unfinished" || exit 21
	exit 20
}

confirm() {
	[ -e "$DIR/worker" ] || { say "This was never applied."; exit 31; }
	if [ ! -e "$DIR/decision" ] && ! noted state waiting; then
		say "It is not through yet, or was left unfinished. To see:  sh $DIR/run status"
		exit 31
	fi
	if [ -e "$DIR/undo" ] || ! decide confirmed; then
		say "Too late: it was decided otherwise."
		status
		exit 30
	fi
	[ -e "$DIR/end" ] || finish confirmed ''
	say "Confirmed: it stays. To undo it nevertheless:  sh $DIR/run rollback"
}

rollback() {
	[ -e "$DIR/worker" ] || { say "This was never applied."; exit 31; }
	case $(cat "$DIR/decision" 2>/dev/null) in
	confirmed)
		[ -e "$DIR/end" ] || finish confirmed ''
		[ ! -e "$DIR/undo" ] || ! through || { say "This was undone already."; exit 0; }
		alone back "$1" asked
		;;
	rolled-back | refused) [ -e "$DIR/end" ] && say "All was put back already." || alone back "$1" asked ;;
	*) alone back "$1" asked ;;
	esac
}

# unmake undoes what was confirmed: if every file is still what this made of
# it, and not else. It is armed as well, in case it dies.
unmake() {
	if [ ! -e "$DIR/undo" ]; then
		each_file still_ours || { say "Nothing was undone: $why"; exit 32; }
		now
		over=over-$now-$$
		printf 'id=%s\nend=%s\npid=%s\nboot=%s\n' "$NAME" "$over" "$$" "$(boot_id)" >"$DIR/lock.$over" || { say "Nothing was undone: cannot write to $DIR"; exit 12; }
		lock "lock.$over"
		case $? in
		1) say "Nothing was undone: it is not our turn: $(turn_of)"; exit 10 ;;
		2) say "Nothing was undone: cannot write to $STATE"; exit 12 ;;
		esac
		if ! each_file still_ours; then
			ln "$DIR/lock.$over" "$DIR/$over"
			say "Nothing was undone: $why"
			exit 32
		fi
		ln "$DIR/lock.$over" "$DIR/undo"
		note state undoing
		arm || say "Not armed: $why. Should this be cut short:  sh $DIR/run rollback"
	fi
	END=$(value "$DIR/undo" end)
	put_back "$1" || exit 21
}

still_ours() {
	is "$path" "$new" && return
	why="somebody changed it since: $path"
	return 1
}

# give_back ends the turn of an unmake that died before it did anything.
give_back() {
	last "$STATE/turn"
	[ "$(value "$STATE/turn.$nth" id)" = "$NAME" ] && ! runs "$(value "$STATE/turn.$nth" pid)" || return 0
	ln "$STATE/turn.$nth" "$DIR/$(value "$STATE/turn.$nth" end)" 2>/dev/null
}

# back is what all that undoes comes to; a confirmed change is undone only when
# somebody asked for that.
back() { # back WHY [asked|early|late]
	if [ -e "$DIR/undo" ]; then
		through || unmake "$1"
	elif [ "$2" = asked ] && [ "$(cat "$DIR/decision" 2>/dev/null)" = confirmed ]; then
		unmake "$1"
	else
		[ -e "$DIR/end" ] && { give_back; disarm; exit 0; }
		[ -e "$DIR/worker" ] || exit 0
		put_back "$1"
		case $? in 0 | 2) ;; *) exit 21 ;; esac
	fi
}

status() {
	decided=$(cat "$DIR/decision" 2>/dev/null)
	until=$(value "$DIR/record" until)
	say "$TITLE"
	if [ ! -e "$DIR/worker" ]; then
		say "Not applied. To do so:  sh $0 apply"
	elif [ "$decided" = confirmed ] && [ -e "$DIR/undo" ] && through; then
		say "Confirmed, and undone later."
	elif [ "$decided" = confirmed ] && [ -e "$DIR/undo" ]; then
		say "Confirmed, and now being undone. To have it done now:  sh $DIR/run rollback"
	elif [ "$decided" = confirmed ]; then
		say "Confirmed. To undo it nevertheless:  sh $DIR/run rollback"
	elif [ "$decided" = refused ]; then
		say "Nothing was changed: $(value "$DIR/record" why)"
	elif [ "$decided" = rolled-back ] && [ -e "$DIR/end" ]; then
		say "All was put back: $(value "$DIR/record" why)"
	elif [ "$decided" = rolled-back ]; then
		say "It is being put back: $(value "$DIR/record" why). To have it done now:  sh $DIR/run rollback"
	elif noted state waiting; then
		now
		say "Applied. Unless it is confirmed by $(clock "$until") (in $((until - now)) s), all is put back."
		say "To keep it:  sh $DIR/run confirm"
		say "To put it back now:  sh $DIR/run rollback"
	elif runs "$(value "$DIR/worker" pid)"; then
		say "It is being applied just now."
	else
		say "It was left unfinished. To put it back now:  sh $DIR/run rollback"
	fi
	[ -n "$decided" ] || [ -z "$until" ] || say "It is put back by $(value "$DIR/record" armed); at the next start by: $(value "$DIR/record" boot_hook)"
	[ -z "$(value "$DIR/record" theirs)" ] || say "A version that somebody else made is in: $(value "$DIR/record" theirs)"
}

usage() {
	say "Type one word after the name of this program:"
	say "  apply     do it; all is put back after $PATIENCE s unless you confirm"
	say "  confirm   keep it"
	say "  rollback  put everything back"
	say "  status    what is so"
	exit 64
}

# next_name: $ID, or $ID-2, $ID-3 ... when it was tried before.
next_name() {
	try=$((${try:-1} + 1))
	set_name "$ID-$try"
}

set_name() { NAME=$1 DIR=$STATE/$1 UNIT=sshtay-boot-$1.service; }

main() {
	umask 077
	LC_ALL=C PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin" ROOT=${SSHTAY_ROOT:-} END=end EARLY='' RESTARTED=''
	export LC_ALL PATH
	WHO=$(id -u)
	unset CDPATH
	for SHA in sha256sum shasum sha256 ''; do
		[ -z "$SHA" ] || ! have "$SHA" || break
	done
	case $0 in
	/*/"$ID"/run | /*/"$ID"-[0-9]*/run)
		STATE=${0%/*/run}
		rest=${0%/run}
		set_name "${rest##*/}"
		;;
	*)
		STATE=$(state_folder)
		set_name "$ID"
		while [ -d "$STATE/$ID-$((${try:-1} + 1))" ]; do next_name; done
		;;
	esac
	case $STATE in
	/*[!-+._/a-zA-Z0-9@,:=~]* | [!/]* | '') say "Nothing can be done: no folder to keep a record in (set SSHTAY_STATE to one: plain letters, from /)"; exit 12 ;;
	esac
	word=${1:-}
	case $word in
	apply | confirm | status) "$word" ;;
	rollback) rollback "$(printf %s "${2:-it was asked for}" | tr -c ' -~' ' ' | cut -c 1-300)" ;;
	# The rest is for this program itself.
	work) work ;;
	back)
		[ "${3:-}" != early ] || EARLY=yes
		[ "${3:-}" != late ] || RESTARTED=yes
		back "$2" "${3:-}"
		;;
	expire) alone back 'nobody confirmed it in time' ;;
	boot)
		# "boot early" runs before the services start, "boot" after that.
		if ! alone back 'the machine was restarted before it was confirmed' "${2:-late}"; then
			PATIENCE=10 # not all could be undone that early: again, until it can
			arm_timer || arm_watchers
		fi
		;;
	watch) watch "$2" "$3" ;;
	overdue) overdue ;;
	part) set -e; "$2" ;;
	*) usage ;;
	esac
}
