# ---- Files -----------------------------------------------------------------
#
# effect_N sets $path, $old and $new (checksum, length, SHA-256; "none" is no
# file) and the $mode of a file that is new. Beside the file stand, until it
# is over, STAGE.new, which takes its place by a rename, and STAGE.old: the old
# file itself, by a second name. So neither way needs room on the disk.

look_up() { # look_up N
	n=$1
	"effect_$n"
	folder=${path%/*}
	STAGE=${folder}/.sshtay-$NAME-$n
}

# is FILE SUM: whether FILE is a plain file with these sums: by the better of
# them, where this system has a program for that.
is() {
	if [ "$2" = none ]; then
		[ ! -e "$1" ] && [ ! -L "$1" ]
		return
	fi
	[ -f "$1" ] && [ ! -L "$1" ] || return 1
	set -- "$1" $2
	case $SHA in
	sha256sum) set -- "$4" "$(sha256sum <"$1")" ;;
	shasum) set -- "$4" "$(shasum -a 256 <"$1")" ;;
	sha256) set -- "$4" "$(sha256 <"$1")" ;;
	*)
		set -- "$2 $3" $(cksum <"$1")
		[ "$1" = "${2:-} ${3:-}" ]
		return
		;;
	esac 2>/dev/null
	[ "$1" = "${2%% *}" ]
}

# copy makes a file with the content and all the attributes of another, as far
# as this system's cp can.
copy() { cp -a "$1" "$2" 2>"$DIR/out" || cp -p "$1" "$2" 2>"$DIR/out"; }

# looks prints the mode, with the signs of an ACL and a label, and the owners.
looks() { ls -ldn "$1" 2>/dev/null | { read -r a b c d rest && printf '%s\n' "$a $c $d"; }; }

# keep_file makes the copy that stays, and what is needed beside the file. It
# sets $why when that cannot be.
keep_file() {
	why="cannot prepare $title"
	if [ "$old" = none ]; then
		{ "content_$n" >"$DIR/new.$n"; } 2>"$DIR/out" && is "$DIR/new.$n" "$new" && settle "$DIR/new.$n"
		return
	fi
	for file in "$STAGE.old" "$STAGE.new"; do
		is "$file" none || { why="there is a $file already"; return 1; }
	done
	{ ln "$path" "$DIR/keep.$n" 2>/dev/null || copy "$path" "$DIR/keep.$n"; } && is "$DIR/keep.$n" "$old" || return 1
	copy "$path" "$STAGE.new" || return 1
	if ! ln "$path" "$STAGE.old" 2>"$DIR/out"; then
		# Either this file system knows no second names, or this file may not be touched.
		if ln "$STAGE.new" "$STAGE.try" 2>/dev/null; then
			rm -f "$STAGE.try"
			return 1
		fi
		copy "$path" "$STAGE.old" || return 1
	fi
	is "$STAGE.old" "$old" || return 1
	if [ "$new" = none ]; then
		rm -f "$STAGE.new"
	else
		shut=''
		[ -w "$STAGE.new" ] || { chmod u+w "$STAGE.new" && shut=yes; }
		{ "content_$n" "$DIR/keep.$n" >"$STAGE.new"; } 2>"$DIR/out" || return 1
		[ -z "$shut" ] || chmod u-w "$STAGE.new"
		is "$STAGE.new" "$new" || { why="the new content of $title did not come out as planned"; return 1; }
		[ "$(looks "$STAGE.new")" = "$(looks "$path")" ] || { why="cannot give a copy the owner and mode of the file: $title"; return 1; }
		settle "$STAGE.new"
	fi
	settle "$DIR/keep.$n" "$folder"
}

do_file() {
	why="somebody changed it meanwhile: $title"
	is "$path" "$old" || return 1
	why="failed: $title"
	if [ "$old" = none ]; then
		make_file || return 1
	elif [ "$new" = none ]; then
		rm -f "$path" 2>"$DIR/out" || return 1
	else
		mv -f "$STAGE.new" "$path" 2>"$DIR/out" || return 1
	fi
	settle "${folder:-/}"
	is "$path" "$new" || return 1
	why="somebody changed it meanwhile: $title"
	[ "$old" = none ] || is "$STAGE.old" "$old"
}

# make_file puts a file where there was none: linked, so that it never takes
# the place of one that came meanwhile.
make_file() {
	levels=0
	missing "$folder"
	if [ "$levels" -gt 0 ]; then
		note made "$n $levels" || return 1
		make_folder "$folder" || return 1
	fi
	{ cat "$DIR/new.$n" >"$STAGE.new" && chmod "$mode" "$STAGE.new"; } 2>"$DIR/out" || return 1
	settle "$STAGE.new"
	ln "$STAGE.new" "$path" 2>"$DIR/out" || { is "$path" none && mv "$STAGE.new" "$path" 2>"$DIR/out"; } || return 1
	rm -f "$STAGE.new"
	! have restorecon || restorecon "$path" >/dev/null 2>&1 || :
}

missing() { # counts the folders that are not there, from the bottom up
	[ -z "$1" ] || [ -d "$1" ] && return
	levels=$((levels + 1))
	missing "${1%/*}"
}

# make_folder makes a folder and those above it: as closed as the file in it.
make_folder() {
	[ -z "$1" ] || [ -d "$1" ] && return
	make_folder "${1%/*}" || return 1
	mkdir "$1" 2>"$DIR/out" || [ -d "$1" ] || return 1
	case $mode in *00) chmod 700 "$1" ;; *) chmod 755 "$1" ;; esac
}

# undo_file gives back what was. A file that somebody changed since is kept
# in $DIR/theirs.N, and told.
undo_file() {
	why="cannot put back what was before: $title"
	rm -f "$STAGE.new" 2>/dev/null
	if { [ "$path" -ef "$STAGE.old" ] || [ "$path" -ef "$DIR/keep.$n" ]; } 2>/dev/null; then
		is "$path" "$old" || stays # this is the old file, never replaced or put back already, and what somebody wrote into it
		return 0
	fi
	is "$path" "$old" || theirs "$path" || return 1
	if [ "$old" = none ]; then
		[ ! -e "$path" ] || mv -f "$path" "$STAGE.new" 2>"$DIR/out"
		is "$path" none || return 1
		theirs "$STAGE.new" && rm -f "$STAGE.new"
		settle "${folder:-/}" 2>/dev/null
		levels=$(sed -n "s/^made=$n //p" "$DIR/record" 2>/dev/null | tail -n 1)
		gone=$folder
		while [ "${levels:-0}" -gt 0 ]; do
			# One that somebody has put something into stays.
			rmdir "$gone" 2>/dev/null || [ ! -d "$gone" ] || [ -n "$(ls -A "$gone" 2>/dev/null)" ] || return 1
			gone=${gone%/*} levels=$((levels - 1))
		done
		return 0
	fi
	is "$path" "$old" && return 0
	if [ ! -e "$STAGE.old" ]; then
		rm -f "$STAGE.try"
		copy "$DIR/keep.$n" "$STAGE.try" && is "$STAGE.try" "$old" && mv -f "$STAGE.try" "$STAGE.old" || return 1
	fi
	is "$STAGE.old" "$old" && changed='' || changed=yes # written to in the moment before it was replaced
	ln "$path" "$STAGE.new" 2>/dev/null # in case somebody writes into it in this moment
	mv -f "$STAGE.old" "$path" 2>"$DIR/out" || return 1
	settle "${folder:-/}"
	theirs "$STAGE.new" && rm -f "$STAGE.new"
	if [ -n "$changed" ]; then
		stays
		return 0
	fi
	is "$path" "$old"
}

# theirs keeps a file that is not what this made of it, and tells.
theirs() {
	[ -e "$1" ] && ! is "$1" "$new" || return 0
	copy "$1" "$DIR/theirs.$n" || return 1
	noted theirs "$DIR/theirs.$n" || note theirs "$DIR/theirs.$n"
	say "Somebody changed it meanwhile: $title. That version is in $DIR/theirs.$n."
}

stays() {
	theirs=$(printf %s "$path" | tr '\n' ' ')
	noted theirs "$theirs" || note theirs "$theirs"
	say "Somebody changed it meanwhile, and that stays: $path"
}

# tidy takes away what stood beside the files.
tidy() {
	m=1
	while [ "$m" -le "$EFFECTS" ]; do
		path=''
		look_up "$m"
		[ -z "$path" ] || rm -f "$STAGE.old" "$STAGE.new" "$STAGE.try" 2>/dev/null
		m=$((m + 1))
	done
}
