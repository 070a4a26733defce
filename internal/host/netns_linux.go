package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// Namespaces are views of a machine that a program may have for its own:
// network, mounts, host name, process numbers. They live for as long as a
// process is in them or this value is open.
type Namespaces struct {
	files []*os.File
	kinds []int // CLONE_NEW*, in the order of files
}

// kindsByName lists the namespaces that a machine of its own has, the mounts
// last: who has entered them no longer sees our files.
var kindsByName = []struct {
	name string
	kind int
}{{"net", unix.CLONE_NEWNET}, {"uts", unix.CLONE_NEWUTS}, {"ipc", unix.CLONE_NEWIPC}, {"pid", unix.CLONE_NEWPID}, {"mnt", unix.CLONE_NEWNS}}

// NewNetwork makes an empty network namespace, in which nothing runs. It needs
// root, and is gone with all its devices when it is closed or we end.
func NewNetwork() (*Namespaces, error) {
	n := &Namespaces{kinds: []int{unix.CLONE_NEWNET}}
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("cannot make a network namespace (are you root?): %w", err)
		}
		f, err := os.Open("/proc/thread-self/ns/net")
		n.files = []*os.File{f}
		return err
	})
	if err != nil {
		return nil, err
	}
	return n, nil
}

// namespacesOf opens the namespaces of a running process.
func namespacesOf(pid int) (*Namespaces, error) {
	n := &Namespaces{}
	for _, k := range kindsByName {
		f, err := os.Open(filepath.Join("/proc", strconv.Itoa(pid), "ns", k.name))
		if err != nil {
			n.Close()
			return nil, err
		}
		n.files, n.kinds = append(n.files, f), append(n.kinds, k.kind)
	}
	return n, nil
}

// Close lets go of the namespaces.
func (n *Namespaces) Close() {
	for _, f := range n.files {
		f.Close()
	}
}

// Network returns the descriptor of the network namespace, valid until Close.
func (n *Namespaces) Network() int {
	for i, k := range n.kinds {
		if k == unix.CLONE_NEWNET {
			return int(n.files[i].Fd())
		}
	}
	return -1
}

// Do runs f on a thread that is inside the namespaces: the sockets and files
// it opens are theirs, and stay so wherever they are used later. Goroutines
// that f starts are not inside.
func (n *Namespaces) Do(f func() error) error {
	return onThread(func() error {
		for i, file := range n.files {
			if n.kinds[i] == unix.CLONE_NEWNS {
				// A thread shares its root and working directory with the others until it says no.
				if err := unix.Unshare(unix.CLONE_FS); err != nil {
					return fmt.Errorf("cannot leave the shared working directory: %w", err)
				}
				// The kernel's log is that of the machine beneath: a program in here must not take its lines for its own.
				if err := unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_SYSLOG, 0, 0, 0); err != nil {
					return fmt.Errorf("cannot keep programs from the kernel's log: %w", err)
				}
			}
			if err := unix.Setns(int(file.Fd()), n.kinds[i]); err != nil {
				return fmt.Errorf("cannot enter a namespace: %w", err)
			}
		}
		return f()
	})
}

// onThread runs f on a thread of its own. A thread that changed its namespaces
// cannot be given back: it ends with the goroutine, which never unlocks it.
func onThread(f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err := errors.New("the function did not return")
		defer func() { result <- err }()
		err = f()
	}()
	return <-result
}
