package sshconf

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// workspace is a machine with some files changed, of which nothing reaches the
// machine. Whatever is asked of the machine is asked once.
type workspace struct {
	env     *Env
	read    func(name string) ([]byte, error) // the machine's own
	changed map[string][]byte
}

// newWorkspace has nothing changed yet.
func newWorkspace(env *Env) *workspace {
	asked := *env
	w := &workspace{env: &asked}
	if env.ReadFile != nil {
		w.read = once(func(name string) ([]byte, error) { return env.ReadFile(name, MaxFileSize) })
	} else {
		w.read = func(string) ([]byte, error) { return nil, errors.New("files cannot be read here") }
	}
	if env.Glob != nil {
		asked.Glob = once(env.Glob)
	}
	if env.Stat != nil {
		asked.Stat = once(env.Stat)
	}
	if env.Exec != nil {
		asked.Exec = once(env.Exec)
	}
	if env.LookupHost != nil {
		lookup := once(func(both string) (HostAddrs, error) {
			family, name, _ := strings.Cut(both, " ")
			return env.LookupHost(name, family)
		})
		asked.LookupHost = func(name, family string) (HostAddrs, error) { return lookup(family + " " + name) }
	}
	asked.parse = parseOnce()
	return w.with("", nil)
}

// parseOnce is Parse for texts that come again.
func parseOnce() func(name string, src []byte) *File {
	type text struct {
		name  string
		first *byte
		size  int
	}
	known := map[text]*File{}
	return func(name string, src []byte) *File {
		if len(src) == 0 {
			return Parse(name, src)
		}
		t := text{name, &src[0], len(src)}
		f := known[t]
		if f == nil {
			f = Parse(name, src)
			known[t] = f
		}
		return f
	}
}

// once remembers the answers of a function.
func once[T any](f func(string) (T, error)) func(string) (T, error) {
	type answer struct {
		value T
		err   error
	}
	known := map[string]answer{}
	return func(s string) (T, error) {
		a, ok := known[s]
		if !ok {
			a.value, a.err = f(s)
			known[s] = a
		}
		return a.value, a.err
	}
}

// with is the same machine with one more file changed; "" changes none.
func (w *workspace) with(name string, src []byte) *workspace {
	next := &workspace{read: w.read, changed: maps.Clone(w.changed)}
	if next.changed == nil {
		next.changed = map[string][]byte{}
	}
	if name != "" {
		next.changed[name] = src
	}
	env := *w.env
	next.env = &env
	env.ReadFile = func(name string, max int64) ([]byte, error) {
		src, ok := next.changed[name]
		if ok {
			return src, nil
		}
		return w.read(name)
	}
	if glob := w.env.Glob; glob != nil && name != "" {
		env.Glob = func(pattern string) ([]string, error) {
			names, err := glob(pattern)
			if err == nil && !slices.Contains(names, name) && namedBy(name, pattern) {
				names = append(slices.Clone(names), name)
			}
			return names, err
		}
	}
	return next
}

// namedBy tells whether a pattern of glob(3) names a path.
func namedBy(name, pattern string) bool {
	parts, patterns := strings.Split(name, "/"), strings.Split(path.Clean(pattern), "/")
	if len(parts) != len(patterns) {
		return false
	}
	for i, p := range parts {
		hidden := strings.HasPrefix(p, ".") && !strings.HasPrefix(patterns[i], ".")
		if hidden || !fnmatch(p, patterns[i]) {
			return false
		}
	}
	return true
}

// original is a file of the machine itself.
func (w *workspace) original(name string) (src []byte, there bool, err error) {
	src, err = w.read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	return src, err == nil, err
}

// file reads and parses a file as it is now; one that is not there is empty.
func (w *workspace) file(name string) (*File, error) {
	src, err := w.env.ReadFile(name, MaxFileSize)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	return w.env.parse(name, src), nil
}

// files are those of a resolution that can be read.
func (w *workspace) files(names []string) (all []*File) {
	for _, name := range names {
		if f, err := w.file(name); err == nil {
			all = append(all, f)
		}
	}
	return all
}

// candidate is one way to change a file. It counts when it was proven.
type candidate struct {
	name string
	src  []byte
}

// GlobOf makes a function for [Env] out of one that lists the names in a
// folder, "." and ".." or not.
func GlobOf(list func(dir string) []string) func(pattern string) ([]string, error) {
	names := globber{list: func(dir string) []string {
		return slices.DeleteFunc(list(dir), func(name string) bool { return name == "" || name == "." || name == ".." })
	}}
	names.exists = func(name string) bool { return slices.Contains(names.list(path.Dir(name)), path.Base(name)) }
	return func(pattern string) ([]string, error) { return names.glob(pattern), nil }
}
