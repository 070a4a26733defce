package change

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"sshtay/internal/host"
)

// A sighting is a file as it was seen.
type sighting struct {
	Name string // as it was looked for
	Path string // the file itself, links followed
	Data []byte
	Odd  bool // there is something, and it is no file: a folder, a device, a link to nowhere
}

// lookScript prints what it sees of each pattern: F or O, the name, and for a
// file its path, its size in bytes and its content. Names with a newline in
// them are passed over: no program reads such a file for its configuration.
const lookScript = `
nl='
'
IFS=
for pattern; do
	for f in $pattern; do
		case $f in *"$nl"*) continue ;; esac
		if [ -f "$f" ]; then
			p=$(readlink -f "$f") || { echo "cannot follow $f" >&2; exit 1; }
			n=$(wc -c <"$f") || exit 1
			printf 'F%s\n%s\n%d\n' "$f" "$p" "$n"
			cat "$f" || exit 1
			echo
		elif [ -e "$f" ] || [ -L "$f" ]; then
			printf 'O%s\n' "$f"
		fi
	done
done`

// mostSeen bounds what is read of all files together, in bytes.
const mostSeen = 8 << 20

// look reads the files that match patterns of sh, all in one go, in the order
// of the patterns and by name within each. What is not there is left out.
func look(ctx context.Context, m host.Host, patterns ...string) ([]sighting, error) {
	out, err := ask(ctx, m, lookScript, patterns...)
	if err != nil {
		return nil, err
	}
	return parseSightings(out)
}

func parseSightings(out []byte) ([]sighting, error) {
	var all []sighting
	broken := errors.New("the machine's list of files cannot be read: the files changed while they were read; try again")
	for len(out) > 0 {
		name, rest, ok := bytes.Cut(out, []byte("\n"))
		if !ok || len(name) < 2 {
			return nil, broken
		}
		s := sighting{Name: string(name[1:]), Odd: name[0] == 'O'}
		if !s.Odd {
			where, after, _ := bytes.Cut(rest, []byte("\n"))
			size, after, _ := bytes.Cut(after, []byte("\n"))
			n, err := strconv.Atoi(string(size))
			if err != nil || name[0] != 'F' || n < 0 || n >= len(after) || after[n] != '\n' {
				return nil, broken
			}
			s.Path, s.Data, rest = string(where), after[:n:n], after[n+1:]
		}
		all, out = append(all, s), rest
	}
	return all, nil
}

// sbin is where programs for root are, which a user's PATH often lacks.
const sbin = "PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin\n"

// ask runs a script of sh that only looks, and returns what it printed. The
// words reach it as $1, $2 and so on: nothing of them is read by the shell.
func ask(ctx context.Context, m host.Host, script string, words ...string) ([]byte, error) {
	r, err := m.Run(ctx, host.Command{Argv: append([]string{"sh", "-c", sbin + script, "sh"}, words...), Limit: mostSeen})
	switch {
	case err != nil:
		return nil, err
	case r.Exit != 0:
		return nil, errors.New(cmp.Or(strings.TrimSpace(string(r.Stderr)), fmt.Sprintf("a look at the machine ended with status %d", r.Exit)))
	case r.Truncated:
		return nil, errors.New("the machine has more to read than fits")
	}
	return r.Stdout, nil
}

// find is the sighting of one name; one that has no Path if it was not seen.
func find(all []sighting, name string) (sighting, error) {
	for _, s := range all {
		if s.Name != name {
			continue
		}
		if s.Odd {
			return s, fmt.Errorf("%s is there and is no file: move it away", name)
		}
		return s, nil
	}
	return sighting{Name: name}, nil
}

// readInOrder leaves of files in several folders those that count, in the
// order in which they are read: by name, and of those with one name that in the
// folder that comes first. Something that is no file, such as a link to
// /dev/null, takes all of its name away.
func readInOrder(all []sighting, folders ...string) []sighting {
	rank := func(s sighting) int { return slices.Index(folders, path.Dir(s.Name)) }
	var in []sighting
	for _, s := range all {
		if rank(s) >= 0 {
			in = append(in, s)
		}
	}
	slices.SortStableFunc(in, func(a, b sighting) int {
		return cmp.Or(cmp.Compare(path.Base(a.Name), path.Base(b.Name)), cmp.Compare(rank(a), rank(b)))
	})
	in = slices.CompactFunc(in, func(a, b sighting) bool { return path.Base(a.Name) == path.Base(b.Name) })
	return slices.DeleteFunc(in, func(s sighting) bool { return s.Odd })
}

// ourNames are those that a file of ours may have in a folder whose files are
// read by name. The first is usual; the others are for where a file with a
// later name would win over it.
var ourNames = []string{"60-sshtay.conf", "99-zz-sshtay.conf", "zz-sshtay.conf"}

// nameAfter is the first of our names that is read after a file of that name;
// "" if there is none.
func nameAfter(last string) string {
	for _, name := range ourNames {
		if name > last {
			return name
		}
	}
	return ""
}

// write is the effect that gives a file its new content, whole.
func write(s sighting, content []byte) Effect {
	f := &File{Path: cmp.Or(s.Path, s.Name), Old: s.Data, New: content, Mode: 0o644}
	if s.Path != "" && f.Old == nil {
		f.Old = []byte{}
	}
	return Effect{Title: "write " + f.Path, File: f}
}
