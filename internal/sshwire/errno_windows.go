package sshwire

import "syscall"

// Winsock's numbers, which package syscall only partly names.
var errnoReasons = map[syscall.Errno]Reason{
	10061: ReasonRefused,     // WSAECONNREFUSED
	10054: ReasonReset,       // WSAECONNRESET
	10053: ReasonReset,       // WSAECONNABORTED
	10058: ReasonClosed,      // WSAESHUTDOWN
	10060: ReasonTimedOut,    // WSAETIMEDOUT
	10065: ReasonUnreachable, // WSAEHOSTUNREACH
	10064: ReasonUnreachable, // WSAEHOSTDOWN
	10051: ReasonNoRoute,     // WSAENETUNREACH
	10050: ReasonNoRoute,     // WSAENETDOWN
}
