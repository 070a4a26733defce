package sshconf

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// ServerDropIn is the name of our own file where sshd_config includes a folder.
// It sorts before those that packages and people write, for what is read first
// wins.
const ServerDropIn = "00-sshtay.conf"

// dropInHead says whose file it is.
const dropInHead = "# Written by sshtay. `sshtay history` says when and why, `sshtay rollback` takes it back."

// serverEdit makes options effective for everybody.
type serverEdit struct {
	request ServerRequest
	matched bool // also in a Match block that decides for the request's connection
}

// serverWish is one option on its way.
type serverWish struct {
	Assignment
	key    string
	lines  []Assignment // what has to be added
	wanted []string
	before *Server // for nobody in particular
}

// EditServer makes options effective for everybody: in a drop-in where the
// file includes a folder of them, in place where another line would win, else
// in the file itself. Where a Match block says otherwise it stays so for those
// whom it matches, with a warning; with matched, the block that decides for the
// request's connection is edited too. A keyword of which every line counts
// (Port, AcceptEnv) is added to. It fails when an option cannot be made
// effective, and says which line is in the way.
func EditServer(env *Env, request ServerRequest, set []Assignment, matched bool) (*Edits, error) {
	if err := checkAssignments(set); err != nil {
		return nil, err
	}
	if request.Config == "" {
		request.Config = ServerConfig
	}
	e := &serverEdit{request, matched}
	w := newWorkspace(env)
	before, err := e.resolve(w, nil)
	if err != nil {
		return nil, fmt.Errorf("sshd refuses its configuration as it is: %w", err)
	}
	result := &Edits{Warnings: before.Warnings}
	for _, a := range set {
		wish, err := e.wish(w, a)
		if err != nil {
			return nil, err
		}
		next, err := e.step(w, wish)
		if err != nil {
			return nil, err
		}
		if next, err = e.stepMatched(next, wish); err != nil {
			return nil, err
		}
		result.Placed = append(result.Placed, Placed{Assignment: a, Already: next == w, Before: before.Setting(wish.key)})
		w = next
	}
	after, err := e.resolve(w, nil)
	if err != nil {
		return nil, err
	}
	for i := range result.Placed {
		p := &result.Placed[i]
		p.After = after.Setting(p.Before.Keyword)
		wish, err := e.wish(w, p.Assignment)
		if err != nil || !wish.fulfilled() {
			return nil, fmt.Errorf("%s does not go together with the other options", printable(p.Assignment.String()))
		}
		result.Warnings = append(result.Warnings, e.exceptions(w, after, wish)...)
	}
	return w.edits(result, sharedMode), nil
}

// resolve is what sshd would do for a connection, nil for nobody's, with
// options on its command line.
func (e *serverEdit) resolve(w *workspace, c *Connection, set ...Assignment) (*Server, error) {
	request := e.request
	request.Connection, request.Options = c, nil
	for _, a := range set {
		request.Options = append(request.Options, a.String())
	}
	request.Options = append(request.Options, e.request.Options...)
	return ResolveServer(w.env, request)
}

// shutting are keywords of which a first line takes away what holds without
// any.
var shutting = map[string]string{
	"listenaddress": "sshd listens on every address", "hostkey": "sshd uses its usual host keys",
	"allowusers": "every user may log in", "allowgroups": "every group may log in",
}

// wish finds out what an option asks for.
func (e *serverEdit) wish(w *workspace, a Assignment) (*serverWish, error) {
	key, _, known := e.request.Release.orNewest().serverKeyword(asciiLower(a.Keyword))
	if !known {
		return nil, fmt.Errorf("this release of sshd has no option %s", printable(a.Keyword))
	}
	wish := &serverWish{Assignment: a, key: key, lines: []Assignment{a}}
	var err error
	if wish.before, err = e.resolve(w, nil); err != nil {
		return nil, err
	}
	is := wish.before.Setting(key)
	if without, shuts := shutting[key]; shuts && is.From().Default() {
		return nil, fmt.Errorf("no line says %s, so %s: a first line would change that for all", a.Keyword, without)
	}
	alone := newWorkspace(Files(map[string][]byte{ServerConfig: []byte(a.String() + "\n")}))
	own, err := (&serverEdit{request: ServerRequest{Config: ServerConfig, Release: e.request.Release}}).resolve(alone, nil)
	if err != nil {
		return nil, fmt.Errorf("sshd would refuse %s: %w", printable(a.String()), err)
	}
	wish.wanted = own.Setting(key).texts()
	if gathers(key) {
		if is.From().Default() && !holds(is.texts(), wish.wanted) {
			for _, v := range slices.Backward(is.Values) { // a default that a line takes away
				wish.lines = append([]Assignment{{a.Keyword, v.Text}}, wish.lines...)
			}
		}
		wish.wanted = slices.Compact(slices.Sorted(slices.Values(append(is.texts(), wish.wanted...))))
		return wish, nil
	}
	// What lines before or after it add to it shows when it is said first.
	if asked, err := e.resolve(w, nil, a); err == nil && asked.Setting(key).From().CommandLine() {
		wish.wanted = asked.Setting(key).texts()
	}
	return wish, nil
}

// fulfilled tells whether the option is effective already.
func (s *serverWish) fulfilled() bool {
	is := s.before.Setting(s.key).texts()
	return sameValues(s.key, is, s.wanted) || gathers(s.key) && holds(is, s.wanted)
}

// step makes one option effective.
func (e *serverEdit) step(w *workspace, wish *serverWish) (*workspace, error) {
	if wish.fulfilled() {
		return w, nil
	}
	from := wish.before.Setting(wish.key).From()
	if from.CommandLine() {
		return nil, fmt.Errorf("%s is on sshd's own command line, which wins over every file", printable(wish.Keyword))
	}
	reason := "nothing was tried"
	for _, c := range e.candidates(w, wish) {
		next := w.with(c.name, c.src)
		if reason = e.judge(w, next, wish); reason == "" {
			return next, nil
		}
	}
	where := ""
	if !from.Default() {
		where = fmt.Sprintf(" (now set by %s)", from)
	}
	return nil, fmt.Errorf("%s cannot be made effective in %s%s: %s", printable(wish.String()), printable(e.request.Config), where, reason)
}

// judge tells why an edit is not good, "" if it is.
func (e *serverEdit) judge(before, after *workspace, wish *serverWish) string {
	is, err := e.resolve(after, nil)
	if err != nil {
		return "sshd would refuse the configuration: " + err.Error()
	}
	asked, err := e.resolve(before, nil, wish.lines...)
	if err != nil {
		return "sshd would refuse it: " + err.Error()
	}
	if reason := differs(&is.Resolved, &wish.before.Resolved, &asked.Resolved, wish.key, wish.wanted); reason != "" {
		return reason
	}
	for _, c := range e.others(before, wish.before.Files) {
		was, err := e.resolve(before, &c)
		if err != nil {
			continue
		}
		is, err := e.resolve(after, &c)
		if err != nil {
			return fmt.Sprintf("for the user %s sshd would say: %v", printable(c.User), err)
		}
		asked, err := e.resolve(before, &c, wish.lines...)
		if err != nil {
			asked = was
		}
		wanted := wish.wanted
		for _, other := range []*Server{was, asked} { // a Match block decides, or half of it
			if texts := other.Setting(wish.key).texts(); sameValues(wish.key, is.Setting(wish.key).texts(), texts) {
				wanted = texts
			}
		}
		if reason := differs(&is.Resolved, &was.Resolved, &asked.Resolved, wish.key, wanted); reason != "" {
			return fmt.Sprintf("for the user %s from %s %s", printable(c.User), printable(c.Addr), reason)
		}
	}
	return ""
}

// stepMatched edits the line of a Match block that decides for the request's
// connection, if that is wanted and there is one.
func (e *serverEdit) stepMatched(w *workspace, wish *serverWish) (*workspace, error) {
	if !e.matched || e.request.Connection == nil || gathers(wish.key) {
		return w, nil
	}
	is, err := e.resolve(w, e.request.Connection)
	if err != nil {
		return nil, err
	}
	setting := is.Setting(wish.key)
	if slices.Equal(setting.texts(), wish.wanted) {
		return w, nil
	}
	f, err := w.file(setting.From().File)
	if err != nil {
		return nil, err
	}
	if i := f.index(setting.From().Line); i >= 0 {
		next := w.with(f.Name, f.replaceValue(i, wish.Value))
		after, err := e.resolve(next, e.request.Connection)
		if err == nil && differs(&after.Resolved, &is.Resolved, &is.Resolved, wish.key, wish.wanted) == "" {
			return next, nil
		}
	}
	return nil, fmt.Errorf("%s cannot be made effective where %s decides", printable(wish.String()), setting.From())
}

// exceptions are the Match blocks that go on saying otherwise.
func (e *serverEdit) exceptions(w *workspace, after *Server, wish *serverWish) (warnings []string) {
	all := after.Setting(wish.key).texts()
	for _, c := range e.others(w, after.Files) {
		s, err := e.resolve(w, &c)
		if err != nil {
			continue
		}
		is := s.Setting(wish.key)
		if sameValues(wish.key, is.texts(), all) || gathers(wish.key) && holds(is.texts(), all) {
			continue
		}
		warning := fmt.Sprintf("for those whom its Match line matches, %s goes on saying %s %s", is.From(), is.Keyword, printable(strings.Join(is.texts(), " ")))
		if e.request.Connection != nil && c == *e.request.Connection {
			warning += ", and that is so for " + printable(c.User) + " from " + printable(c.Addr)
		}
		if !slices.ContainsFunc(warnings, func(s string) bool { return strings.HasPrefix(s, warning) || strings.HasPrefix(warning, s) }) {
			warnings = append(warnings, warning)
		}
	}
	return warnings
}

// candidates are the ways to make an option effective, the best first.
func (e *serverEdit) candidates(w *workspace, wish *serverWish) (all []candidate) {
	from := wish.before.Setting(wish.key).From()
	main, err := w.file(e.request.Config)
	if err != nil {
		return nil
	}
	var inPlace, beside []candidate
	if f, err := w.file(from.File); err == nil {
		if i := f.index(from.Line); i >= 0 {
			if same, _, _ := e.request.Release.orNewest().serverKeyword(asciiLower(f.Lines[i].Keyword)); same == wish.key && !gathers(wish.key) {
				inPlace = append(inPlace, candidate{f.Name, f.replaceValue(i, wish.Value)})
			}
			lines := wish.text(f.styleOf(i))
			beside = []candidate{{f.Name, f.insert(f.Lines[i].Start, lines...)}, {f.Name, f.insert(f.Lines[i].End, lines...)}}
			if gathers(wish.key) {
				slices.Reverse(beside)
			}
		}
	}
	own, there, err := e.dropIn(w, main)
	if err == nil && own != nil && there && from.File == own.Name {
		all = append(all, inPlace...) // said there before: not twice
	}
	if err == nil && own != nil {
		all = append(all, e.endOfGlobal(own, wish))
	}
	all = append(all, inPlace...)
	all = append(all, beside...)
	if at := e.commentedOut(main, wish.key); at >= 0 {
		all = append(all, candidate{main.Name, main.insert(at, wish.text(style{"", " "})...)})
	}
	return append(all, e.endOfGlobal(main, wish), candidate{main.Name, main.insert(main.top(), wish.text(style{"", " "})...)})
}

// text are the lines of a wish in a style.
func (s *serverWish) text(st style) (lines []string) {
	for _, a := range s.lines {
		lines = append(lines, st.line(a))
	}
	return lines
}

// dropIn is our own file, where the main file includes one of its name for
// everybody; nil where it does not.
func (e *serverEdit) dropIn(w *workspace, main *File) (own *File, there bool, err error) {
	global := main.sections()[0]
	for i := range global.end {
		l := &main.Lines[i]
		if !strings.EqualFold(l.Keyword, "include") {
			continue
		}
		patterns, err := e.request.Release.orNewest().args(l)
		if err != nil {
			continue
		}
		for _, pattern := range patterns {
			if !strings.HasPrefix(pattern, "/") {
				pattern = systemDir + "/" + pattern
			}
			name := path.Join(path.Dir(pattern), ServerDropIn)
			if !strings.ContainsAny(path.Base(pattern), "*?[") || strings.ContainsAny(path.Dir(pattern), "*?[\\~") || !namedBy(name, pattern) {
				continue
			}
			src, err := w.env.ReadFile(name, MaxFileSize)
			if err == nil {
				return Parse(name, src), true, nil
			}
			if _, there, err := w.original(name); there || err != nil {
				return nil, there, errors.Join(err, errors.New(name+" cannot be read"))
			}
			return Parse(name, []byte(dropInHead+"\n")), false, nil
		}
	}
	return nil, false, nil
}

// endOfGlobal adds lines below the last that holds for everybody. That may be
// above comments at the end of a file, for these often show a Match block.
func (e *serverEdit) endOfGlobal(f *File, wish *serverWish) candidate {
	s := f.sections()[0]
	switch {
	case s.end > s.start:
		return candidate{f.Name, f.insert(f.Lines[s.end-1].End, wish.text(f.styleOf(s.end-1))...)}
	case len(f.Lines) > 0:
		return candidate{f.Name, f.insertApart(f.above(0), wish.text(style{"", " "})...)}
	}
	return candidate{f.Name, f.insert(len(f.src), wish.text(style{"", " "})...)}
}

// commentedOut is the place below the line that shows a keyword's default in a
// comment, as shipped files do, if it is above every Match line; -1 without.
func (e *serverEdit) commentedOut(f *File, key string) int {
	limit := len(f.src)
	if s := f.sections()[0]; s.end < len(f.Lines) {
		limit = f.Lines[s.end].Start
	}
	at := 0
	for l := range strings.Lines(string(f.src[:limit])) {
		at += len(l)
		text, comment := strings.CutPrefix(strings.TrimSpace(l), "#")
		words := strings.Fields(text)
		if comment && len(words) == 2 && asciiLower(words[0]) == key {
			return at
		}
	}
	return -1
}
