// Package sshlog reads what OpenSSH prints: the debug output of one run of ssh
// ([Trace]), and the server's log ([Server]). It is pure: lines in, values out.
//
// Wordings of OpenSSH 7.0 to 10.5 are known. A line is matched from the start
// of sshd's own message on, never in its middle: names and texts in a line are
// chosen by whoever connects, and may look like other lines.
package sshlog
