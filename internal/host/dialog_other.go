//go:build !unix

package host

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"time"
)

func inOwnSession(*exec.Cmd) {}

func deaf(path string, argv []string) (string, []string) { return path, argv }

func killSession(*exec.Cmd) {}

// ErrNoDescriptor is the error for a program that did not pass a connection.
var ErrNoDescriptor = errors.New("the program did not pass back a connection")

// PassedConn fails: this system has no descriptors to pass.
func (Local) PassedConn(Command, time.Time) (*Dialog, error) { return nil, errors.ErrUnsupported }

// ErrNotSocket is the error for a standard output that takes no descriptor.
var ErrNotSocket = errors.New("standard output is no socket that a connection can be passed through")

// Lend fails: this system has no descriptors to pass.
func (Dir) Lend(*net.TCPConn) (string, func(), error) { return "", nil, errors.ErrUnsupported }

// Borrow fails: this system has no descriptors to pass.
func Borrow(string, time.Duration) (net.Conn, error) { return nil, errors.ErrUnsupported }

// Pass fails: this system has no descriptors to pass.
func Pass(*os.File, *net.TCPConn) error { return errors.ErrUnsupported }

// CanPass fails: this system has no descriptors to pass.
func CanPass(*os.File) error { return errors.ErrUnsupported }
