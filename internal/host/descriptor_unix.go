//go:build unix

package host

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// Lend waits in the folder for one program that borrows the connection, and
// passes it the descriptor. The borrower names the socket by the path that is
// returned; stop ends the waiting. The connection stays ours, too.
func (d Dir) Lend(c *net.TCPConn) (path string, stop func(), err error) {
	path = d.Path("lend")
	for i := 2; ; i++ {
		if _, err := os.Lstat(path); err != nil {
			break
		}
		path = d.Path(fmt.Sprintf("lend%d", i))
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return "", nil, err
	}
	go func() {
		defer l.Close()
		to, err := l.AcceptUnix()
		if err != nil {
			return
		}
		defer to.Close()
		pass(to, c)
	}()
	return path, func() { l.Close() }, nil
}

// Borrow takes a connection from who lends it at the path.
func Borrow(path string, patience time.Duration) (net.Conn, error) {
	from, err := net.DialTimeout("unix", path, patience)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	from.SetDeadline(time.Now().Add(patience))
	return receive(from.(*net.UnixConn))
}

// ErrNotSocket is the error for a standard output that takes no descriptor.
var ErrNotSocket = errors.New("standard output is no socket that a connection can be passed through")

// CanPass says whether a connection can be passed through a file, without
// passing any.
func CanPass(out *os.File) error {
	conn, err := net.FileConn(out)
	if err != nil {
		return ErrNotSocket
	}
	defer conn.Close()
	if _, ok := conn.(*net.UnixConn); !ok {
		return ErrNotSocket
	}
	return nil
}

// Pass hands a connection to the program that started us, through our
// standard output, as ssh wants it with ProxyUseFdpass.
func Pass(out *os.File, c *net.TCPConn) error {
	// FileConn works on a duplicate: the caller's file stays as it is.
	conn, err := net.FileConn(out)
	if err != nil {
		return ErrNotSocket
	}
	defer conn.Close()
	to, ok := conn.(*net.UnixConn)
	if !ok {
		return ErrNotSocket
	}
	return pass(to, c)
}

// pass sends the descriptor with one byte. Who gets it gets a blocking one,
// as programs expect.
func pass(to *net.UnixConn, c *net.TCPConn) error {
	f, err := c.File()
	if err != nil {
		return err
	}
	defer f.Close()
	_, _, err = to.WriteMsgUnix([]byte{0}, syscall.UnixRights(int(f.Fd())), nil)
	return err
}

// receive takes one descriptor, which comes with one byte.
func receive(from *net.UnixConn) (net.Conn, error) {
	rights := make([]byte, syscall.CmsgSpace(4))
	n, have, _, _, err := from.ReadMsgUnix(make([]byte, 1), rights)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return nil, err
	case n == 0 || have == 0:
		return nil, ErrNoDescriptor
	}
	messages, err := syscall.ParseSocketControlMessage(rights[:have])
	if err != nil || len(messages) == 0 {
		return nil, ErrNoDescriptor
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil || len(fds) == 0 {
		return nil, ErrNoDescriptor
	}
	// Go turns keepalives on for every TCP connection that it is given, and so
	// for everybody who holds this one.
	keepalive, _ := syscall.GetsockoptInt(fds[0], syscall.SOL_SOCKET, syscall.SO_KEEPALIVE)
	f := os.NewFile(uintptr(fds[0]), "passed")
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoDescriptor, err)
	}
	if tcp, is := conn.(*net.TCPConn); is && keepalive == 0 {
		tcp.SetKeepAlive(false)
	}
	return conn, nil
}
