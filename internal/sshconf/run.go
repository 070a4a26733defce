package sshconf

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// LineError is a line that OpenSSH refuses. Line 0 is the command line or the
// whole file.
type LineError struct {
	File string
	Line int
	Err  error
}

func (e *LineError) Error() string {
	return fmt.Sprintf("%s line %d: %v", printable(e.File), e.Line, e.Err)
}

// Unwrap is the reason without the place.
func (e *LineError) Unwrap() error { return e.Err }

// Bounds of one resolution, far above what people write.
const (
	maxDepth  = 16        // of Include, as in OpenSSH
	maxSource = 32 << 20  // bytes of distinct files
	maxWork   = 2_000_000 // see work
	maxValues = 10_000    // of one keyword
	maxErrors = 50        // told
	maxHides  = 16        // told of one setting
)

// run is the state that client and server resolutions share: what is set so
// far, and where reading stands.
type run struct {
	env      *Env
	release  Release
	slots    map[string]*slot
	at       Origin // the line being applied
	active   bool   // it applies: its block matched
	errs     []error
	warnings []string
	files    map[string]*File
	via      map[string]Origin // the Include line that first led to a file
	source   int               // bytes in files
	worked   int               // of maxWork
	globs    map[string][]string
	services map[string]int // of ports, once looked for

	userFile userFile           // ssh: whose file it is
	keyFiles map[keyFileID]bool // ssh: identities and certificates seen
	forwards []forward          // ssh: in the order read
	jumpUser string             // ssh: of the last hop
	jumpPort int
	noJump   bool     // ssh: ProxyJump none, as opposed to a host of that name
	listens  []listen // sshd: in the order read
}

// slot holds what is known of one keyword, or of one half of a keyword that
// sets two things.
type slot struct {
	values []Value
	hides  []Value
	none   bool // set to nothing: the default does not come back
}

func newRun(env *Env, release Release) *run {
	return &run{env: env, release: release.orNewest(), slots: map[string]*slot{}, files: map[string]*File{}, via: map[string]Origin{}}
}

// slot returns the slot of a keyword.
func (r *run) slot(key string) *slot {
	s := r.slots[key]
	if s == nil {
		s = &slot{}
		r.slots[key] = s
	}
	return s
}

// text is the first value of a slot.
func (r *run) text(key string) (string, bool) {
	s := r.slots[key]
	if s == nil || len(s.values) == 0 {
		return "", false
	}
	return s.values[0].Text, true
}

// first sets a slot that only its first line sets.
func (r *run) first(key string, texts ...string) {
	if !r.active || len(texts) == 0 {
		return
	}
	s := r.slot(key)
	if len(s.values) > 0 {
		s.hide(Value{strings.Join(texts, " "), r.at})
		return
	}
	for _, t := range texts {
		s.values = append(s.values, Value{t, r.at})
	}
}

// last sets a slot that its last line sets.
func (r *run) last(key, text string) {
	s := r.slot(key)
	before := s.values
	s.values = []Value{{text, r.at}}
	for _, v := range before {
		s.hide(v)
	}
}

// add appends to a slot that collects.
func (r *run) add(key, text string) {
	s := r.slot(key)
	if r.active && len(s.values) < maxValues {
		s.values = append(s.values, Value{text, r.at})
	}
}

// hide remembers a value that lost, once: files may be read twice.
func (s *slot) hide(v Value) {
	for _, seen := range append(s.hides, s.values[0]) {
		if seen.From == v.From {
			return
		}
	}
	if len(s.hides) < maxHides {
		s.hides = append(s.hides, v)
	}
}

// fail records an error of the line being applied.
func (r *run) fail(err error) {
	if len(r.errs) < maxErrors {
		r.errs = append(r.errs, &LineError{r.at.File, r.at.Line, err})
	}
}

// warn says what was decided without knowing.
func (r *run) warn(format string, args ...any) {
	if len(r.warnings) < maxErrors {
		r.warnings = append(r.warnings, r.at.String()+": "+fmt.Sprintf(format, args...))
	}
}

// reaches remembers that the line being applied leads to a file.
func (r *run) reaches(name string) {
	if _, known := r.via[name]; !known {
		r.via[name] = r.at
	}
}

// errStop ends the resolution; the reason is among the errors already.
var errStop = errors.New("stop")

// load reads a file once.
func (r *run) load(name string) (*File, error) {
	if f := r.files[name]; f != nil {
		return f, nil
	}
	if r.env.ReadFile == nil {
		return nil, errors.New("files cannot be read here")
	}
	src, err := r.env.ReadFile(name, MaxFileSize)
	if err != nil {
		return nil, err
	}
	if r.source += len(src); r.source > maxSource {
		return nil, fmt.Errorf("all files together have more than %d bytes", maxSource)
	}
	parse := Parse
	if r.env.parse != nil {
		parse = r.env.parse
	}
	f := parse(name, src)
	r.files[name] = f
	return f, nil
}

// work keeps files that include each other from taking forever: every line
// costs, and a long one more.
func (r *run) work(cost int) error {
	if r.worked += 1 + cost; r.worked > maxWork {
		r.fail(errors.New("reading ends here: includes lead to more lines than anybody writes"))
		return errStop
	}
	return nil
}

// costOf is what a line costs.
func costOf(l *Line) int { return len(l.Rest) / 16 }

// glob lists the files of a pattern, once.
func (r *run) glob(pattern string) ([]string, error) {
	if names, ok := r.globs[pattern]; ok {
		return names, nil
	}
	if r.env.Glob == nil {
		return nil, errors.New("files cannot be listed here")
	}
	const cost = 10_000 // a pattern can mean many directories
	if err := r.work(cost); err != nil {
		return nil, err
	}
	names, err := r.env.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("glob failed for %s: %w", printable(pattern), err)
	}
	names = slices.Clone(names)
	slices.Sort(names)
	if r.globs == nil {
		r.globs = map[string][]string{}
	}
	r.globs[pattern] = names
	return names, nil
}

// line is a directive being applied.
type line struct {
	keyword string // as written
	key     string // the keyword it stands for, in lower case
	rest    string
	args    []string
	command bool // it comes from the command line
}

// args are the arguments of a line. Before 8.7 they were cut like keywords, and
// a comment after them was an argument too.
func (r Release) args(l *Line) (args []string, err error) {
	if r.has(807) {
		if l.Problem != "" {
			return nil, errors.New(l.Problem)
		}
		return l.Args, nil
	}
	d := delimiter{rest: l.Rest}
	for word, ok := d.next(); ok && word != ""; word, ok = d.next() {
		args = append(args, word)
	}
	return args, nil
}

// next takes the next argument, which must not be empty.
func (l *line) next() (string, bool) {
	arg, ok := l.any()
	return arg, ok && arg != ""
}

// any takes the next argument.
func (l *line) any() (string, bool) {
	if len(l.args) == 0 {
		return "", false
	}
	arg := l.args[0]
	l.args = l.args[1:]
	return arg, true
}

// all takes every argument.
func (l *line) all() []string {
	args := l.args
	l.args = nil
	return args
}

// A directive applies a line. What it returns is the reason OpenSSH refuses
// the line; arguments it leaves are another.
type directive func(r *run, l *line) error

// extra is the error of arguments left over.
func (l *line) extra() error {
	if len(l.args) == 0 {
		return nil
	}
	return fmt.Errorf("keyword %s extra arguments at end of line", strings.ToLower(printable(l.keyword)))
}
