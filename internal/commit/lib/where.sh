# state_folder prints the folder that holds all changes of this user, one
# folder each.
state_folder() {
	if [ -n "${SSHTAY_STATE:-}" ]; then
		printf '%s\n' "$SSHTAY_STATE"
	elif [ "$(id -u)" = 0 ]; then
		printf '%s\n' "${SSHTAY_ROOT:-}/var/lib/sshtay"
	elif [ -n "${XDG_STATE_HOME:-}" ]; then
		printf '%s\n' "$XDG_STATE_HOME/sshtay/changes"
	elif [ -n "${HOME:-}" ]; then
		printf '%s\n' "$HOME/.local/state/sshtay/changes"
	fi
}

# value FILE KEY prints the last value that the file has for the key. It is asked
# for so often that it starts no program.
value() {
	found=''
	while IFS= read -r line || [ -n "$line" ]; do
		case $line in "$2="*) found=${line#*=} ;; esac
	done 2>/dev/null <"$1"
	printf '%s\n' "$found"
}

# through: whether the change in $DIR came to its end, and its undoing, too, if
# that was begun.
through() {
	[ -e "$DIR/end" ] && { [ ! -e "$DIR/undo" ] || [ -e "$DIR/$(value "$DIR/undo" end)" ]; }
}
