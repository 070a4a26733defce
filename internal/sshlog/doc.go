// Package sshlog reads what programs print about SSH connections: the debug
// output of one run of ssh ([Trace]), the part of a server's log that a probe
// brings ([Server]), and whole logs of either side in any frame ([Read], whose
// events a [Story] gathers). Lines in, values out: it opens no file.
//
// All of them share one catalogue of messages (the files catalogue_*.go): who
// prints it, which versions of OpenSSH, in which words, and what it tells. A
// line goes this way:
//
//	bytes -> Decoded -> lines -> framer -> text -> catalogue -> Event -> Story
//
// A message of sshd is matched from its start to its end, never in the middle:
// names and texts in a line are chosen by whoever connects, and may look like
// other lines.
package sshlog
