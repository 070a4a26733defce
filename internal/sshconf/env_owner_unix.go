//go:build unix

package sshconf

import (
	"io/fs"
	"syscall"
)

// owner returns the ids of a file's user and group.
func owner(info fs.FileInfo) (uid, gid int) {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(s.Uid), int(s.Gid)
	}
	return -1, -1
}
