package sshconf

import (
	"errors"
	"io/fs"
	"net/netip"
	"strings"
)

// Env is the machine as a resolution sees it. Every function may be nil: then
// what it would tell is unknown, and what depends on it is warned of.
type Env struct {
	// ReadFile returns a file of at most max bytes. It fails with
	// fs.ErrNotExist for what is not there and with ErrTooLarge for more.
	ReadFile func(name string, max int64) ([]byte, error)
	// Glob returns what a pattern of Include names, as glob(3) does.
	Glob func(pattern string) ([]string, error)
	// Stat returns owner and mode, for the files whose permissions ssh checks.
	Stat func(name string) (FileInfo, error)
	// PrivateGroup tells whether a group has nobody in it but the user.
	// Debian lets such a group write the user's configuration.
	PrivateGroup func(gid, uid int) bool
	// Getenv reads the environment.
	Getenv func(name string) (value string, ok bool)
	// UserHome is the home directory of another user, for ~NAME.
	UserHome func(user string) (dir string, ok bool)
	// Groups are the names of a user's groups, for Match group; false if
	// there is no such user.
	Groups func(user string) (names []string, ok bool)
	// Exec runs a command of Match exec in the user's shell and tells whether
	// it succeeded. Resolving a configuration then has whatever effects the
	// command has, as with ssh itself.
	Exec func(command string) (ok bool, err error)
	// LookupHost looks up a name for CanonicalizeHostname and ListenAddress.
	// Family is "any", "inet" or "inet6".
	LookupHost func(name, family string) (HostAddrs, error)
	// InterfaceAddrs are the addresses of this machine, for Match localnetwork.
	InterfaceAddrs func() ([]netip.Addr, error)

	Home     string // of the user as the password database says; "" reads no user file
	User     string // the local user
	UID      int
	Hostname string
	Dir      string // the working directory, for relative paths in sshd_config

	parse func(name string, src []byte) *File // instead of Parse, for who reads again and again
}

// FileInfo is what permission checks look at.
type FileInfo struct {
	UID, GID int
	Mode     fs.FileMode
}

// HostAddrs is the answer to a lookup.
type HostAddrs struct {
	Addrs     []netip.Addr
	Canonical string // where CNAMEs led, or ""
}

// ErrTooLarge is a file beyond the size asked for.
var ErrTooLarge = errors.New("the file is larger than configuration is read")

// getenv reads the environment, which may be unknown.
func (e *Env) getenv(name string) (string, bool) {
	if e.Getenv == nil {
		return "", false
	}
	return e.Getenv(name)
}

// tilde expands ~ and ~NAME at the start of a path.
func (e *Env) tilde(path string) (string, error) {
	if !strings.HasPrefix(path, "~") {
		return path, nil
	}
	user, rest, _ := strings.Cut(path[1:], "/")
	home := e.Home
	if user != "" {
		ok := false
		if e.UserHome != nil {
			home, ok = e.UserHome(user)
		}
		if !ok {
			return "", errors.New("no such user " + user)
		}
	}
	if !strings.HasSuffix(home, "/") {
		home += "/"
	}
	return home + strings.TrimLeft(rest, "/"), nil
}
