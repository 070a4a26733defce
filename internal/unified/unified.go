// Package unified shows what changes in a file, as `diff -u` does.
package unified

import (
	"bytes"

	"github.com/rogpeppe/go-internal/diff"
)

// nowhere is the name of a file that is not there, as patch(1) knows it.
const nowhere = "/dev/null"

// Diff returns the unified diff of a file: nil for old is a file that is made,
// nil for new one that is removed. It is "" where nothing changes. The text is
// fit for patch(1), and as hostile as the file: what is shown on a terminal has
// to be made printable line by line.
func Diff(path string, old, new []byte) string {
	oldName, newName := path, path
	if old == nil {
		oldName = nowhere
	}
	if new == nil {
		newName = nowhere
	}
	_, text, _ := bytes.Cut(diff.Diff(oldName, old, newName, new), []byte("\n")) // its first line is git's
	return string(text)
}
