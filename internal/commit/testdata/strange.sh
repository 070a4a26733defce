#!/bin/sh
# names and bytes\nthat \u00e4re \x1b[31modd'
#
# Run this with one word, as the user whose files it changes:
#
#	sh FILE apply      do it; after 5 s all is put back unless you confirm
#	sh FILE confirm    keep it
#	sh FILE rollback   put everything back, now or later
#	sh FILE status     what is so
#
# apply leaves a copy of this program with a record of what it did in
# /var/lib/sshtay/t1 (of root; of others in ~/.local/state/sshtay/changes).
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
#  1. a name with a line end
#  2. nothing is left in it
#  3. gone
#  4. long
#
set -u
ID='t1'
TITLE='names and bytes\nthat \u00e4re \x1b[31modd'\'''
BY=''
PATIENCE=5
EFFECTS=4
SERVICES=0
CHECKS=0

# 1. a name with a line end
#   @@ -1,2 +1,3 @@
#   -END\r
#   -\x00
#   \ No newline at end of file
#   +END
#   +end%s\\r
#   +'\x00\u00e4
#   \ No newline at end of file
effect_1() {
	title='a name with a line end'
	path='/home/o'\''neil/.ssh/a
b'
	old='641153655 6 8dec9060f3527510536fc2b1e103fb6b1f24101d9ac5c45d87134faabeed75a1'
	new='3170834541 16 b585da833b7902377f9f59a943a2a3af2b6a6164f7b10c72db02abab8688fdbd'
}
content_1() {
	cat <<'END_'
END
END_
	printf %b 'end%s\0134\0015\0012'
	printf %b '\0047\0000\0303\0244'
}

# 2. nothing is left in it
#   @@ -1,2 +0,0 @@
#   -a
#   -b
#   \ No newline at end of file
effect_2() {
	title='nothing is left in it'
	path='/tmp/x'
	old='3645402214 3 7e18f737311b2dc3b2f269dd78396b0351f14fb66efa879f768cb23181883c78'
	new='4294967295 0 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
}
content_2() {
	:
}

# 3. gone
#   @@ -0,0 +0,0 @@
effect_3() {
	title='gone'
	path='/tmp/y'
	old='4294967295 0 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
	new='none'
}

# 4. long
#   from line 1 on, 3 lines take the place of 100
effect_4() {
	title='long'
	path='/tmp/z'
	old='3191996517 200 416f095a6a48458096cf779fcc16878224087d948a734e1a98370cc1fa8142f1'
	new='2115719378 6 52b14881d4f68c53395c8c3db5ac0a7e37465ef5062a4f53abcfdab8f8a6fc3c'
}
content_4() {
	cat <<'END'
b
b
b
END
}
