# ---- The rollback that waits -----------------------------------------------
#
# It is armed before anything changes, and armed is what answers. With systemd:
# a timer. Elsewhere: two processes that watch the time and each other. Besides,
# what this system has for its next start.

arm() {
	now
	boot=$(boot_id)
	set -- boot "$boot" until "$((now + PATIENCE))"
	[ -z "$up" ] || set -- "$@" until_up "$((up + PATIENCE))"
	note "$@" || return 1
	if arm_timer; then
		note armed "systemd timer sshtay-$NAME.timer"
	elif arm_watchers; then
		note armed "two processes that watch each other ($(value "$DIR/watch.1" pid) and $(value "$DIR/watch.2" pid))"
	else
		why="the rollback could not be armed: neither a systemd timer nor a process of our own stays"
		return 1
	fi || return 1
	arm_boot
	note boot_hook "${hook:-none: after a restart of this machine, run  sh $DIR/run rollback}"
}

arm_timer() {
	[ "$WHO" = 0 ] && [ -d "$ROOT/run/systemd/system" ] && have systemd-run || return 1
	set -- --quiet --unit="sshtay-$NAME" --description="sshtay: put back $NAME unless it is confirmed" \
		--on-active="${PATIENCE}s" --timer-property=AccuracySec=1s
	systemd-run "$@" -p Restart=on-failure -p RestartSec=2 -p StartLimitIntervalSec=0 /bin/sh "$DIR/run" expire ||
		systemd-run "$@" /bin/sh "$DIR/run" expire || return 1
	systemctl is-active --quiet "sshtay-$NAME.timer"
} >/dev/null 2>&1

arm_watchers() {
	said=/dev/null
	for each in 1 2; do
		apart watch "$each" 0
	done
	tries=0
	until runs "$(value "$DIR/watch.1" pid)" && runs "$(value "$DIR/watch.2" pid)"; do
		[ "$tries" -lt 50 ] || return 1
		nap "$tries"
		tries=$((tries + 1))
	done
}

# watch is one of the two processes: it counts the seconds itself as well, in
# case the clock is set back.
watch() { # watch 1|2 SECONDS-ALREADY-COUNTED
	other=$((3 - $1)) slept=$2 seen=0
	printf 'pid=%s\nboot=%s\n' "$$" "$(boot_id)" >"$DIR/watch.$1.$$" && mv -f "$DIR/watch.$1.$$" "$DIR/watch.$1" || exit 1
	while ! through; do
		[ "$(value "$DIR/watch.$1" pid)" = "$$" ] || exit 0 # another took our place
		if [ "$slept" -ge "$PATIENCE" ] || due; then
			alone back 'nobody confirmed it in time' >/dev/null || sleep 5
		fi
		if [ "$seen" -ge 2 ] && ! runs "$(value "$DIR/watch.$other" pid)"; then
			said=/dev/null seen=0
			apart watch "$other" "$slept"
		fi
		sleep 1
		slept=$((slept + 1)) seen=$((seen + 1))
	done
}

# arm_boot leaves what puts this back at the next start, and sets $hook to
# what that is.
arm_boot() {
	hook=''
	[ "$WHO" = 0 ] || return 0
	if [ -d "$ROOT/run/systemd/system" ]; then
		boot_unit >"$ROOT/etc/systemd/system/$UNIT" && mkdir -p "$ROOT/etc/systemd/system/multi-user.target.wants" &&
			ln -s "../$UNIT" "$ROOT/etc/systemd/system/multi-user.target.wants/$UNIT" && hook="systemd unit $UNIT" &&
			settle "$ROOT/etc/systemd/system/$UNIT" "$ROOT/etc/systemd/system/multi-user.target.wants"
	elif [ -d "$ROOT/etc/local.d" ] && [ -n "$(find "$ROOT/etc/runlevels" -name local 2>/dev/null)" ]; then
		printf '#!/bin/sh\n%s\n' "exec sh $DIR/run boot" >"$ROOT/etc/local.d/sshtay-$NAME.start" &&
			chmod 755 "$ROOT/etc/local.d/sshtay-$NAME.start" && hook="OpenRC script /etc/local.d/sshtay-$NAME.start"
	elif [ -d "$ROOT/Library/LaunchDaemons" ] && have launchctl; then
		boot_plist >"$ROOT/Library/LaunchDaemons/sshtay.$NAME.plist" && hook="launchd job sshtay.$NAME"
	elif [ -d "$ROOT/etc/cron.d" ] && cron_runs; then
		printf '@reboot root sh %s/run boot\n' "$DIR" >"$ROOT/etc/cron.d/sshtay-$NAME" && hook="cron job /etc/cron.d/sshtay-$NAME"
	fi
	settle "$ROOT/etc" 2>/dev/null
} 2>/dev/null

cron_runs() {
	if [ -r /proc/self/comm ]; then
		cat /proc/[0-9]*/comm 2>/dev/null | grep -qxE 'crond?'
	else
		ps -A -o comm= 2>/dev/null | grep -qE '(^|/)crond?$'
	fi
}

# The unit runs before sshd is there, so that sshd starts with what was.
boot_unit() {
	cat <<END
[Unit]
Description=sshtay: put back $NAME, which nobody confirmed
DefaultDependencies=no
After=local-fs.target systemd-sysctl.service
Before=ssh.service sshd.service ssh.socket sshd.socket shutdown.target
Conflicts=shutdown.target
RequiresMountsFor=$DIR

[Service]
Type=oneshot
ExecStart=/bin/sh $DIR/run boot early

[Install]
WantedBy=multi-user.target
END
}

boot_plist() {
	cat <<END
<?xml version="1.0" encoding="UTF-8"?>
<plist version="1.0"><dict>
<key>Label</key><string>sshtay.$NAME</string>
<key>ProgramArguments</key><array><string>/bin/sh</string><string>$DIR/run</string><string>boot</string></array>
<key>RunAtLoad</key><true/>
</dict></plist>
END
}

# disarm takes all of that away. The watchers see the end by themselves.
disarm() {
	rm -f "$ROOT/etc/systemd/system/multi-user.target.wants/$UNIT" "$ROOT/etc/systemd/system/$UNIT" \
		"$ROOT/etc/local.d/sshtay-$NAME.start" "$ROOT/Library/LaunchDaemons/sshtay.$NAME.plist" "$ROOT/etc/cron.d/sshtay-$NAME"
	[ "$WHO" != 0 ] || [ ! -d "$ROOT/run/systemd/system" ] || systemctl stop "sshtay-$NAME.timer"
} >/dev/null 2>&1
