// Package sshconf reads ssh_config and sshd_config as OpenSSH reads them, and
// says for every value which line of which file set it and what that line
// hides.
//
// [Parse] turns one file into lines without losing a byte.
package sshconf
