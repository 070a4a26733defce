#!/bin/sh
# keep idle sessions of everybody alive
#
# Run this with one word, as the user whose files it changes:
#
#	sh FILE apply      do it; after 120 s all is put back unless you confirm
#	sh FILE confirm    keep it
#	sh FILE rollback   put everything back, now or later
#	sh FILE status     what is so
#
# apply leaves a copy of this program with a record of what it did in
# /var/lib/sshtay/20261128-104500-7f3a (of root; of others in ~/.local/state/sshtay/changes).
#
# It ends with the status
#	0   done
#	10  refused: somebody else's change is not through
#	11  refused: a file is not as it was when this was planned
#	12  refused: no room, no permission, a file that must not be touched
#	13  refused: the rollback could not be armed
#	20  failed, and everything is as it was
#	21  failed, and not everything could be put back; that is tried again
#	30  too late: it was decided otherwise
#	31  not applied, or not through
#	32  not undone: somebody changed a file since
#	64  wrong use
# With 10 to 13, nothing was changed.
#
# What it does:
#  1. write /etc/ssh/sshd_config.d/00-sshtay.conf
#  2. take ClientAliveInterval out of /etc/ssh/sshd_config
#  3. set net.ipv4.tcp_keepalive_time to 600 now
#  Then sshd is asked whether it accepts that, and takes notice.
#  It is kept only if sshd -T says clientaliveinterval 60.
#
set -u
ID='20261128-104500-7f3a'
TITLE='keep idle sessions of everybody alive'
BY='anna@laptop'
PATIENCE=120
EFFECTS=3
SERVICES=1
CHECKS=1

# 1. write /etc/ssh/sshd_config.d/00-sshtay.conf
#   @@ -0,0 +1,3 @@
#   +# by sshtay
#   +ClientAliveInterval 60
#   +ClientAliveCountMax 3
effect_1() {
	title='write /etc/ssh/sshd_config.d/00-sshtay.conf'
	path='/etc/ssh/sshd_config.d/00-sshtay.conf'
	old='none'
	new='513952228 57 eea6bd3d88b5714cdfbaea42461f475d4612c32c11fb63672a10f2d66611dd0a'
	mode=644
}
content_1() {
	cat <<'END'
# by sshtay
ClientAliveInterval 60
ClientAliveCountMax 3
END
}

# 2. take ClientAliveInterval out of /etc/ssh/sshd_config
#   @@ -1,5 +1,4 @@
#    Port 22
#    Include /etc/ssh/sshd_config.d/*.conf
#    UsePAM yes
#   -ClientAliveInterval 0
#    X11Forwarding no
effect_2() {
	title='take ClientAliveInterval out of /etc/ssh/sshd_config'
	path='/etc/ssh/sshd_config'
	old='1011225484 96 78cd4a00d267519be0e5a7e4011a19bdf285598a908f5c1dd1fb05755015bd60'
	new='704124227 74 e28841c05a1cf9bbc3389cba70e83c319dc6e4a5f880b2d8a0d0a24eef4c2723'
}
content_2() {
	head -n 3 "$1"
	tail -n +5 "$1"
}

# 3. set net.ipv4.tcp_keepalive_time to 600 now
effect_3() { title='set net.ipv4.tcp_keepalive_time to 600 now'; }
done_3() {
	[ "$(sysctl -n net.ipv4.tcp_keepalive_time)" = 600 ]
}
apply_3() {
	sysctl -q -w net.ipv4.tcp_keepalive_time=600
}
undo_3() {
	sysctl -q -w net.ipv4.tcp_keepalive_time=7200
}

# sshd takes notice.
name_service_1() { service='sshd'; }
validate_1() {
	sshd -t
}
reload_1() {
	systemctl reload ssh.service
}
served_1() {
	systemctl is-active --quiet ssh.service
}
alive_1() {
	systemctl is-active --quiet ssh.service
}
start_1() {
	systemctl start ssh.service
}

# Afterwards sshd -T says clientaliveinterval 60.
name_check_1() { title='sshd -T says clientaliveinterval 60'; }
check_1() {
	sshd -T | grep -qx 'clientaliveinterval 60'
}
