package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteFile writes a file of this machine, as the shell's > does: an existing
// one keeps its owner and mode.
func (Local) WriteFile(name string, data []byte, perm fs.FileMode) error {
	return os.WriteFile(name, data, perm)
}

// A Dir is a folder of our own for things that shall not outlive us.
type Dir struct{ path string }

// TempDir makes such a folder, for our user only.
func (Local) TempDir() (Dir, error) {
	path, err := os.MkdirTemp("", "sshtay-")
	return Dir{path}, err
}

// Path returns the folder's path, or that of something in it.
func (d Dir) Path(elem ...string) string {
	return filepath.Join(append([]string{d.path}, elem...)...)
}

// Write puts a file into the folder, with the folders above it.
func (d Dir) Write(name string, data []byte, perm fs.FileMode) (string, error) {
	path := d.Path(name)
	if !filepath.IsLocal(name) {
		return "", errors.New(name + " is outside the folder")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	return path, os.WriteFile(path, data, perm)
}

// Remove removes the folder and all that is in it.
func (d Dir) Remove() error {
	if d.path == "" {
		return nil
	}
	return os.RemoveAll(d.path)
}
