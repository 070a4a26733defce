//go:build !windows

package sshwire

import "syscall"

// EPIPE stands for closed: the kernel gives it for writing after the peer's
// FIN, while a RST that comes first gives ECONNRESET.
var errnoReasons = map[syscall.Errno]Reason{
	syscall.ECONNREFUSED: ReasonRefused,
	syscall.ECONNRESET:   ReasonReset,
	syscall.ECONNABORTED: ReasonReset,
	syscall.EPIPE:        ReasonClosed,
	syscall.ETIMEDOUT:    ReasonTimedOut,
	syscall.EHOSTUNREACH: ReasonUnreachable,
	syscall.EHOSTDOWN:    ReasonUnreachable,
	syscall.ENETUNREACH:  ReasonNoRoute,
	syscall.ENETDOWN:     ReasonNoRoute,
}
