package sock

import (
	"context"
	"net"
)

// WriteSegments sends data in TCP segments of exactly these sizes, none of
// which may be longer than the connection's segments are; what is left of data
// is not sent. The kernel does not wait to fill a segment and joins none, also
// when it sends them again. It returns when all were handed to the kernel.
func WriteSegments(ctx context.Context, c *net.TCPConn, data []byte, sizes []int) error {
	stop := context.AfterFunc(ctx, func() { c.SetWriteDeadline(past) })
	defer stop()
	for _, n := range sizes {
		if err := writeSegment(c, data[:n]); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// Abort closes a connection with a reset. It is for one on which data is stuck:
// closed in order, it would hold its place on the server for minutes.
func Abort(c *net.TCPConn) {
	c.SetLinger(0)
	c.Close()
}
