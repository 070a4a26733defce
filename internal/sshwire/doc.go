// Package sshwire speaks as much of the SSH transport protocol (RFC 4253) as
// it takes to say at which byte and at which stage a connection died, and why.
//
// [Handshake] drives a connection through identification lines, KEXINIT and
// key exchange, then takes leave with SSH_MSG_DISCONNECT before any key is
// used: nothing is ever encrypted, nobody logs in, and the server's log shows
// an ordinary disconnect. The pieces (identification line, packet, KEXINIT,
// DISCONNECT, negotiation) are usable and fuzzed one by one.
//
// Everything a peer sends is hostile: every size, count and time is bounded,
// and errors carry what was received as data, quoted where they print it.
package sshwire
