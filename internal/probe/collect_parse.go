package probe

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"sshtay/internal/fact"
	"sshtay/internal/visible"
)

// sections are the parts of what the script printed, by name. Of two with the
// same name the first counts.
type sections map[string]string

// maxSections bounds what a server can make us keep.
const maxSections = 500

// parseSections cuts the output at the marks. Whatever comes is taken: a
// server may be cut in the middle, or lie.
func parseSections(out, nonce string) sections {
	s := sections{}
	for part := range strings.SplitSeq(out, "\n="+nonce+" ") {
		name, text, ok := strings.Cut(part, "\n")
		if _, seen := s[name]; ok && !seen && len(s) < maxSections {
			s[name] = text
		}
	}
	return s
}

// keep hands on each section under the place it was read in.
func (s sections) keep(env *Env) sections {
	for name, text := range s {
		where := strings.ReplaceAll(strings.ReplaceAll(name, " /", "/"), " ", "-")
		env.keep("server/"+where, text)
	}
	return s
}

// line returns the first line of a section, and whether there is one that says
// something.
func (s sections) line(name string) (string, bool) {
	l, _, _ := strings.Cut(strings.TrimLeft(s[name], "\n"), "\n")
	l = strings.TrimSpace(l)
	return l, l != ""
}

// lines returns the lines of a section that say something.
func (s sections) lines(name string) []string {
	var all []string
	for l := range strings.Lines(s[name]) {
		if l = strings.TrimRight(l, "\r\n"); strings.TrimSpace(l) != "" {
			all = append(all, l)
		}
	}
	return all
}

// number returns the first line of a section as a number that is not negative.
func (s sections) number(name string) (int, bool) {
	l, _ := s.line(name)
	return atoi(l)
}

// atoi reads a number that is not negative; what is none is 0 and false.
func atoi(s string) (int, bool) {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil || n < 0 {
		return 0, false
	}
	return n, true
}

// named returns the section whose name is prefix and something more, that, fit
// to print, and whether there is such a section. Of several the first by name
// counts.
func (s sections) named(prefix string) (more, text string, ok bool) {
	for _, name := range slices.Sorted(maps.Keys(s)) {
		if more, ok := strings.CutPrefix(name, prefix+" "); ok {
			return visible.Line(more, 100), s[name], true
		}
	}
	return "", "", false
}

// A reading turns the sections into facts.
type reading struct {
	sections
	facts *fact.Set
	via   string            // "login", viaShared or "local"
	env   map[string]string // the section "env"
	root  bool              // what needs root was read as root
	whole bool              // the script came to its end
}

// putServer turns what the script printed into facts, and says why where it
// cannot. It returns the port of its sshd.
func putServer(facts *fact.Set, s sections, via string) (port int) {
	_, whole := s["end"]
	r := &reading{sections: s, facts: facts, via: via, env: map[string]string{}, whole: whole}
	for _, l := range s.lines("env") {
		key, value, _ := strings.Cut(l, " ")
		r.env[key] = value
	}
	for _, l := range s.lines("proc") { // as if each file were a section
		if file, value, ok := strings.Cut(l, ":"); ok && strings.HasPrefix(file, "/proc/") {
			s[file] = value
		}
	}
	deep, _ := s.line("deep")
	r.root = deep == "0"
	fact.ServerVia.Put(facts, via, "this program")
	r.machine()
	r.program()
	r.config()
	r.kernel()
	r.resources()
	r.disks()
	r.connections()
	r.network()
	r.flows()
	r.session()
	r.refusals()
	r.logs()
	port, _ = atoi(r.port())
	return port
}

// source says where something was read.
func (r *reading) source(what string) string {
	what = visible.Line(what, 300)
	if r.via != "local" {
		return what + " on the server"
	}
	return what
}

// Why something on the server could not be seen.
const (
	wasCut     = "the server's answer was cut: it took too long or was too long"
	notThere   = "the server does not have what would tell"
	noListener = "no listener was found among the processes that the account may see"
)

// needsRoot says how to let it be seen.
func (r *reading) needsRoot() string {
	if r.via == "local" {
		return "needs root: run sshtay with sudo"
	}
	return "needs root on the server: allow `sudo -n` there, or check as root"
}

// miss says why a fact is absent; an answer that was cut explains everything.
func (r *reading) miss(why string, open ...fact.Any) {
	if !r.whole {
		why = wasCut
	}
	fact.Miss(r.facts, why, open...)
}

// missDeep is miss for what only root sees.
func (r *reading) missDeep(open ...fact.Any) {
	if r.root {
		r.miss(notThere, open...)
		return
	}
	r.miss(r.needsRoot(), open...)
}

// putNumber puts a number that a section holds alone.
func (r *reading) putNumber(k fact.Key[int], section string) {
	if n, ok := r.number(section); ok {
		k.Put(r.facts, n, r.source(section))
		return
	}
	r.miss(notThere, k)
}

// hasAny says whether one of the words is in the list.
func hasAny(list []string, words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(list, w) })
}
