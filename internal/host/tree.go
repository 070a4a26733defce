package host

import (
	"io/fs"
	"os"
	"path/filepath"
)

// An Owner is a user and a group, by number.
type Owner struct{ UID, GID int }

// PutFile makes or replaces a file on a machine that is being built, with the
// folders above it. It is no way to change a file that matters: what was there
// is lost, and a crash may leave half of it.
func PutFile(name string, data []byte, mode fs.FileMode, owner Owner) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(name, data, mode); err != nil {
		return err
	}
	if err := os.Chmod(name, mode); err != nil {
		return err
	}
	return os.Chown(name, owner.UID, owner.GID)
}

// PutDir makes a folder on a machine that is being built, with the folders
// above it.
func PutDir(name string, mode fs.FileMode, owner Owner) error {
	if err := os.MkdirAll(name, 0o755); err != nil {
		return err
	}
	if err := os.Chmod(name, mode); err != nil {
		return err
	}
	return os.Chown(name, owner.UID, owner.GID)
}

// SetKernel writes a kernel setting, named by its path below /proc/sys.
func SetKernel(name, value string) error {
	f, err := os.OpenFile(filepath.Join("/proc/sys", name), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(value)
	return err
}

// AppendTo opens a log of a machine that is being built, to be written at its
// end.
func AppendTo(name string, mode fs.FileMode) (*os.File, error) {
	return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, mode)
}
