package probe

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"sshtay/internal/fact"
)

// How an attempt to connect ended is told in words that leave out what
// everybody knows, and a connection that was reset at once was made all the
// same.
func TestNoteOfAnAddress(t *testing.T) {
	failed := func(errno error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", errno)}
	}
	for _, c := range []struct {
		err                   error
		stage, reason, detail string
	}{
		{nil, "connect", "", ""},
		{failed(syscall.ECONNRESET), "connect", "reset", "connection reset by peer"},
		{failed(syscall.ECONNREFUSED), "resolve", "refused", "connection refused"},
		{failed(syscall.EHOSTUNREACH), "resolve", "unreachable", "no route to host"},
		{&net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}, "resolve", "timed-out", "nobody answered within 5s (i/o timeout)"},
		{errors.New("BindAddress x: no such host"), "resolve", "local-error", "BindAddress x: no such host"},
	} {
		var at fact.Address
		err := c.err
		if err != nil {
			err = plainly(err, 5*time.Second)
		}
		note(&at, 5*time.Second, err)
		if at.Stage != c.stage || at.Reason != c.reason || at.Detail != c.detail || at.Seconds != 5 {
			t.Errorf("%v: %+v, want %s, %s, %s", c.err, at, c.stage, c.reason, c.detail)
		}
	}
}
