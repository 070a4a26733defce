package sshconf

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// clientEdit makes options effective for one host.
type clientEdit struct {
	request ClientRequest
	main    string // the file that is the user's own
	host    string // as typed, without a user
}

// EditClient makes options effective for the host of a request, and for no
// other: what the user's file says first, wins. A line of a block that is for
// this host alone is changed; else the option goes into such a block, or into
// a new one above whatever would win. It fails when that cannot be done, and
// says which line is in the way.
//
// An option of the request's command line that is to be set is left out of
// account.
func EditClient(env *Env, request ClientRequest, set []Assignment) (*Edits, error) {
	if err := checkAssignments(set); err != nil {
		return nil, err
	}
	request.Options = request.Without(set)
	e := &clientEdit{request: request, main: request.Config}
	if e.main == "" && env.Home != "" {
		e.main = env.Home + "/.ssh/config"
	}
	if e.main == "" || strings.EqualFold(e.main, "none") {
		return nil, errors.New("no configuration file of the user's is known to put options into")
	}
	w := newWorkspace(env)
	if _, there, _ := w.original(e.main); !there {
		w = w.with(e.main, nil)
	}
	before, err := e.resolve(w)
	if err != nil {
		return nil, fmt.Errorf("ssh refuses its configuration as it is: %w", err)
	}
	if e.host = before.Text("Host"); !plainHost(e.host) {
		return nil, fmt.Errorf("no Host line can name %s alone", printable(e.host))
	}
	return e.apply(w, before, set)
}

func (e *clientEdit) apply(w *workspace, before *Client, set []Assignment) (*Edits, error) {
	result := &Edits{Placed: make([]Placed, len(set)), Warnings: before.Warnings}
	for _, i := range e.order(w, before, set) {
		next, already, err := e.step(w, set[i])
		if err != nil {
			return nil, err
		}
		w = next
		result.Placed[i] = Placed{Assignment: set[i], Already: already, Before: before.Setting(e.request.Release.clientKey(set[i].Keyword))}
	}
	after, err := e.resolve(w)
	if err != nil {
		return nil, err
	}
	for i := range result.Placed {
		p := &result.Placed[i]
		p.After = after.Setting(p.Before.Keyword)
		if _, again, err := e.step(w, p.Assignment); err != nil || !again {
			return nil, fmt.Errorf("%s does not go together with the other options", printable(p.Assignment.String()))
		}
	}
	return w.edits(result, privateMode), nil
}

// clientKey is the keyword that another name may stand for, in lower case.
func (r Release) clientKey(keyword string) string {
	key, _, _ := r.orNewest().clientKeyword(asciiLower(keyword))
	return key
}

// Without are the options of the command line but for those that some
// assignments are about.
func (q ClientRequest) Without(set []Assignment) []Option {
	return slices.DeleteFunc(slices.Clone(q.Options), func(o Option) bool {
		return slices.ContainsFunc(set, func(a Assignment) bool { return o.sets(q.Release.clientKey(a.Keyword)) })
	})
}

// sets tells whether an option of the command line sets a keyword.
func (o Option) sets(key string) bool {
	switch o.Flag {
	case 'o':
		word, _ := (&delimiter{rest: strings.TrimLeft(o.Value, blanks)}).next()
		return asciiLower(word) == key
	case 'p':
		return key == "port"
	case 'J':
		return slices.Contains(proxies, key)
	}
	return strings.TrimPrefix(valued[o.Flag], "!") == key && o.Flag != 0
}

// proxies are the two keywords of which the first one read counts.
var proxies = []string{"proxycommand", jumpKey}

// plainHost tells whether a Host line can name a host and nothing else.
func plainHost(s string) bool {
	return s != "" && s[0] != '!' && safeHost(s) && !strings.ContainsAny(s, "*?")
}

// hostLineFor is the Host line for one host. A # or an = would be read as
// something else.
func hostLineFor(host string) string {
	if strings.ContainsAny(host, "#=") {
		host = `"` + host + `"`
	}
	return "Host " + host
}

// resolve is what ssh would do, with options on its command line.
func (e *clientEdit) resolve(w *workspace, set ...Assignment) (*Client, error) {
	request := e.request
	request.Options = nil
	for _, a := range set {
		request.Options = append(request.Options, Option{'o', a.String()})
	}
	request.Options = append(request.Options, e.request.Options...)
	return ResolveClient(w.env, request)
}

// step makes one option effective.
func (e *clientEdit) step(w *workspace, a Assignment) (next *workspace, already bool, err error) {
	key, _, known := e.request.Release.orNewest().clientKeyword(asciiLower(a.Keyword))
	if !known {
		return nil, false, fmt.Errorf("this release of ssh has no option %s", printable(a.Keyword))
	}
	before, err := e.resolve(w)
	if err != nil {
		return nil, false, err
	}
	asked, err := e.resolve(w, a)
	if err != nil {
		return nil, false, fmt.Errorf("ssh would refuse %s: %w", printable(a.String()), err)
	}
	is, wanted := before.Setting(key).texts(), asked.Setting(key).texts()
	if sameValues(key, is, wanted) {
		return w, true, nil
	}
	reason := "nothing was tried"
	for _, c := range e.candidates(w, before, key, a) {
		next := w.with(c.name, c.src)
		after, err := e.resolve(next)
		if err != nil {
			reason = "ssh would refuse the configuration: " + err.Error()
		} else if reason = differs(&after.Resolved, &before.Resolved, &asked.Resolved, key, wanted); reason == "" {
			reason = e.touches(w, next, before.Files, c)
		}
		if reason == "" {
			return next, false, nil
		}
	}
	return nil, false, fmt.Errorf("%s cannot be made effective for %s in %s: %s", printable(a.String()), printable(e.host), printable(e.main), reason)
}

// order is the order in which options are placed: first what is set earliest
// now, so that the block it needs is there for the others.
func (e *clientEdit) order(w *workspace, before *Client, set []Assignment) []int {
	var order []int
	place := make([]int, len(set))
	for i, a := range set {
		order = append(order, i)
		place[i] = math.MaxInt
		if at := e.anchor(before, e.winner(before, e.request.Release.clientKey(a.Keyword))); at > 0 {
			place[i] = at
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case place[a] < place[b]:
			return -1
		case place[a] > place[b]:
			return 1
		}
		return 0
	})
	return order
}

// winner is the line that decides an option now. Of the two proxies either
// decides both.
func (e *clientEdit) winner(c *Client, key string) Origin {
	from := c.Setting(key).From()
	if slices.Contains(proxies, key) {
		for _, other := range proxies {
			if from.Default() {
				from = c.Setting(other).From()
			}
		}
	}
	return from
}

// anchor is the line of the user's file that leads to a line, 0 if none does.
func (e *clientEdit) anchor(c *Client, at Origin) int {
	for range maxDepth + 1 {
		if at.File == e.main {
			return at.Line
		}
		at = c.via[at.File]
	}
	return 0
}

// candidates are the ways to make an option effective, the best first.
func (e *clientEdit) candidates(w *workspace, before *Client, key string, a Assignment) (all []candidate) {
	winner := e.winner(before, key)
	users := []string{e.main}
	for _, name := range before.Files {
		if name != e.main && e.anchor(before, Origin{name, 1}) > 0 {
			users = append(users, name)
		}
	}
	var inBlocks []candidate
	const maxBlocks = 8
	for _, f := range w.files(users) {
		for _, s := range f.sections() {
			if s.header < 0 || !e.alone(&f.Lines[s.header]) || len(inBlocks) > maxBlocks {
				continue
			}
			for i := s.start; i < s.end; i++ {
				if same := e.request.Release.clientKey(f.Lines[i].Keyword) == key; same && winner == (Origin{f.Name, f.Lines[i].Number}) && !gathers(key) {
					all = append(all, candidate{f.Name, f.replaceValue(i, a.Value)})
				}
			}
			line := f.blockStyle(s).line(a)
			inBlocks = append(inBlocks, candidate{f.Name, f.insert(f.Lines[s.end-1].End, line)})
			inBlocks = append(inBlocks, candidate{f.Name, f.insert(f.Lines[s.header].End, line)})
		}
	}
	all = append(all, inBlocks...)
	if f, err := w.file(e.main); err == nil {
		all = append(all, e.newBlock(f, e.place(f, e.anchor(before, winner)), a), e.newBlock(f, f.top(), a))
	}
	return all
}

// alone tells whether a line opens a block for this host and no other.
func (e *clientEdit) alone(l *Line) bool {
	if !strings.EqualFold(l.Keyword, "host") {
		return false
	}
	patterns, err := e.request.Release.orNewest().args(l)
	return err == nil && len(patterns) == 1 && patterns[0] == e.host
}

// place is where a new block goes in the user's file: above the block that
// decides now, or above the first that is for many.
func (e *clientEdit) place(f *File, anchor int) int {
	if i := f.index(anchor); i >= 0 {
		if s := f.sectionOf(i); s.header >= 0 {
			return f.above(s.header)
		}
		return f.top()
	}
	for _, s := range f.sections()[1:] {
		header := &f.Lines[s.header]
		if strings.EqualFold(header.Keyword, "match") || strings.ContainsAny(header.Rest, "*?") {
			return f.above(s.header)
		}
	}
	return len(f.src)
}

// newBlock writes a block for the host. What follows it and was in no block is
// given one for everybody.
func (e *clientEdit) newBlock(f *File, at int, a Assignment) candidate {
	lines := []string{hostLineFor(e.host), f.blockStyle(section{header: -1}).line(a)}
	next := slices.IndexFunc(f.Lines, func(l Line) bool { return l.Start >= at })
	if next >= 0 && !f.Lines[next].opens() {
		lines = append(lines, "", "Host *")
	}
	return candidate{f.Name, f.insertApart(at, lines...)}
}
