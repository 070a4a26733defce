//go:build !unix

package sshconf

import "io/fs"

// owner cannot be told here; root stands for "nothing to complain about".
func owner(fs.FileInfo) (uid, gid int) { return 0, 0 }
