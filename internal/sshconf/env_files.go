package sshconf

import (
	"io/fs"
	"path"
	"strings"
)

// Files is a machine of which only some files are known, by absolute path: a
// remote one, for instance. Everything else about it is unknown.
func Files(files map[string][]byte) *Env {
	names := globber{
		list: func(dir string) (names []string) {
			seen := map[string]bool{}
			for name := range files {
				rest, ok := strings.CutPrefix(name, strings.TrimSuffix(dir, "/")+"/")
				first, _, _ := strings.Cut(rest, "/")
				if ok && first != "" && !seen[first] {
					seen[first] = true
					names = append(names, first)
				}
			}
			return names
		},
	}
	names.exists = func(name string) bool {
		_, ok := files[name]
		return ok || len(names.list(name)) > 0
	}
	return &Env{
		ReadFile: func(name string, max int64) ([]byte, error) {
			src, ok := files[path.Clean(name)]
			switch {
			case !ok:
				return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
			case int64(len(src)) > max:
				return nil, &fs.PathError{Op: "read", Path: name, Err: ErrTooLarge}
			}
			return src, nil
		},
		Glob: func(pattern string) ([]string, error) { return names.glob(pattern), nil },
	}
}
