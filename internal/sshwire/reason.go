package sshwire

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// Reason is why a connection attempt ended before it was done: one word of a
// closed list, the same for every probe that opens a connection.
type Reason string

// The closed list. [Reasons] holds all of them.
const (
	ReasonNameNotFound      Reason = "name-not-found"      // the resolver says there is no such name or address
	ReasonNameFailed        Reason = "name-failed"         // the resolver itself gave no answer
	ReasonRefused           Reason = "refused"             // connection refused: a RST or an ICMP answer to the SYN
	ReasonUnreachable       Reason = "unreachable"         // a router or the local link says the host cannot be reached
	ReasonNoRoute           Reason = "no-route"            // this machine has no route to that network
	ReasonProxyFailed       Reason = "proxy-failed"        // the ProxyCommand or jump host ended or could not be started
	ReasonTimedOut          Reason = "timed-out"           // no answer in the time given
	ReasonClosed            Reason = "closed"              // the other side closed in order (FIN)
	ReasonReset             Reason = "reset"               // the connection was reset (RST)
	ReasonThrottled         Reason = "throttled"           // the server said that it refuses for now
	ReasonNotSSH            Reason = "not-ssh"             // something answers, and it is not SSH
	ReasonVersionMismatch   Reason = "version-mismatch"    // the peer speaks another major version of SSH
	ReasonNoCommonAlgorithm Reason = "no-common-algorithm" // the two KEXINITs share no algorithm for some purpose
	ReasonBadPacket         Reason = "bad-packet"          // bytes that cannot be an SSH packet
	ReasonProtocolError     Reason = "protocol-error"      // well-formed bytes that RFC 4253 forbids here
	ReasonBadSignature      Reason = "bad-signature"       // the host key did not sign what both sides saw
	ReasonDisconnected      Reason = "disconnected"        // the peer sent SSH_MSG_DISCONNECT
	ReasonCancelled         Reason = "cancelled"           // the caller gave up
	ReasonLocal             Reason = "local-error"         // this machine refused (permissions, descriptors, source address)
)

// Reasons is the closed list in the order in which a connection can meet them.
var Reasons = []Reason{
	ReasonNameNotFound, ReasonNameFailed, ReasonRefused, ReasonUnreachable, ReasonNoRoute,
	ReasonProxyFailed, ReasonTimedOut, ReasonClosed, ReasonReset, ReasonThrottled,
	ReasonNotSSH, ReasonVersionMismatch, ReasonNoCommonAlgorithm, ReasonBadPacket, ReasonProtocolError,
	ReasonBadSignature, ReasonDisconnected, ReasonCancelled, ReasonLocal,
}

// Stage is a part of the handshake. Each has its own clock.
type Stage string

// The stages in the order in which they run.
const (
	StageBanner     Stage = "banner"     // identification lines
	StageKexInit    Stage = "kexinit"    // both SSH_MSG_KEXINIT, and what follows from them
	StageKex        Stage = "kex"        // key exchange, up to the server's SSH_MSG_NEWKEYS
	StageDisconnect Stage = "disconnect" // our SSH_MSG_DISCONNECT, up to the server's close
	StageDone       Stage = "done"       // nothing is left to do
)

// reasoner is an error that knows its own reason.
type reasoner interface {
	error
	Reason() Reason
}

// ReasonOf puts an error from resolving, connecting, reading or writing into
// one word. An error that no rule knows is a local one.
func ReasonOf(err error) Reason {
	if err == nil {
		return ""
	}
	if errors.Is(err, context.Canceled) {
		return ReasonCancelled
	}
	if r, ok := errors.AsType[reasoner](err); ok {
		return r.Reason()
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsNotFound {
			return ReasonNameNotFound
		}
		return ReasonNameFailed
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return ReasonTimedOut
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe):
		return ReasonClosed
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		if r, ok := errnoReasons[errno]; ok {
			return r
		}
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return ReasonTimedOut
	}
	return ReasonLocal
}
