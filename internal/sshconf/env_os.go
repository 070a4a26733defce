package sshconf

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
)

// OS is this machine, only ever read. It looks up no names and runs no
// commands: give it LookupHost and Exec if that is wanted.
func OS() *Env {
	env := &Env{
		ReadFile:       readFile,
		Glob:           func(pattern string) ([]string, error) { return disk.glob(pattern), nil },
		Stat:           statFile,
		PrivateGroup:   privateGroup,
		Getenv:         os.LookupEnv,
		UserHome:       userHome,
		Groups:         groupsOf,
		InterfaceAddrs: interfaceAddrs,
		UID:            os.Getuid(),
	}
	env.Hostname, _ = os.Hostname()
	env.Dir, _ = os.Getwd()
	if u, err := user.Current(); err == nil {
		env.User, env.Home = u.Username, u.HomeDir
	}
	return env
}

// disk is the real file system, for patterns.
var disk = globber{
	list: func(dir string) (names []string) {
		if dir == "" {
			dir = "."
		}
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	},
	exists: func(name string) bool {
		_, err := os.Lstat(name)
		return err == nil
	},
}

// readFile reads at most max bytes. A directory is an empty file, as it is for
// OpenSSH; a device or a pipe is refused, for it may never end.
func readFile(name string, max int64) ([]byte, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, nil
	case !info.Mode().IsRegular() && name != os.DevNull:
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("not a regular file")}
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, max+1))
	if err == nil && int64(len(src)) > max {
		err = &fs.PathError{Op: "read", Path: name, Err: ErrTooLarge}
	}
	return src, err
}

func statFile(name string) (FileInfo, error) {
	info, err := os.Stat(name)
	if err != nil {
		return FileInfo{}, err
	}
	uid, gid := owner(info)
	return FileInfo{uid, gid, info.Mode()}, nil
}

// maxAccounts bounds what is read of the account databases.
const maxAccounts = 8 << 20

// accounts are the fields of the lines of a file like /etc/passwd.
func accounts(name string, fields int) (all [][]string) {
	src, err := readFile(name, maxAccounts)
	if err != nil {
		return nil
	}
	for l := range strings.Lines(string(src)) {
		if f := strings.Split(strings.TrimSpace(l), ":"); len(f) >= fields {
			all = append(all, f)
		}
	}
	return all
}

// privateGroup tells whether the user is the one member of a group.
func privateGroup(gid, uid int) bool {
	id, member := strconv.Itoa(gid), strconv.Itoa(uid)
	name, members := "", 0
	for _, u := range accounts("/etc/passwd", 4) {
		if u[2] == member {
			name = u[0]
		}
		if u[3] != id {
			continue
		}
		if members++; u[2] != member {
			return false
		}
	}
	for _, g := range accounts("/etc/group", 4) {
		if g[2] != id || g[3] == "" {
			continue
		}
		if members++; g[3] != name {
			return false
		}
	}
	return members > 0
}

func userHome(name string) (string, bool) {
	u, err := user.Lookup(name)
	if err != nil {
		return "", false
	}
	return u.HomeDir, true
}

func groupsOf(name string) ([]string, bool) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, false
	}
	ids, _ := u.GroupIds()
	var names []string
	for _, id := range append([]string{u.Gid}, ids...) {
		if g, err := user.LookupGroupId(id); err == nil && !slices.Contains(names, g.Name) {
			names = append(names, g.Name)
		}
	}
	return names, true
}

func interfaceAddrs() (all []netip.Addr, err error) {
	addrs, err := net.InterfaceAddrs()
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			all = append(all, p.Addr())
		}
	}
	return all, err
}
