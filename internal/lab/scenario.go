package lab

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

//go:embed scenario/*.txtar
var embedded embed.FS

// A Scenario is one fault, or one healthy world that looks sick.
type Scenario struct {
	Name  string
	Title string // the first sentence of the story
	Story string // the whole comment, drawing included

	World  World // with the fault
	Mended World // without it; the same as World when there is no fault
	Truth  Truth
	Want   Want
	Fix    *Fix // nil: the scenario is not about mending
}

// A World is a network, and the files and scripts on its machines.
type World struct {
	Spec
	Files []File
}

// A File is put on a machine before anything starts there. Names without a
// slash mean a place, or a script and its time. Scripts are run in this order:
//
//	sshd_config, ssh_config   lines that come before the usual ones
//	boot                      root on any machine, before the server starts
//	early                     the client's user, once the server listens
//	after                     root on a server, then
//	before                    the client's user, before plain ssh or a check
type File struct {
	Side string // client, server, jump or second
	Name string // absolute, or begins with ~/ for the home of who logs in there
	Mode fs.FileMode
	Data []byte
}

// Truth is what plain ssh must be seen to do.
type Truth struct {
	Run        string        // for the shell of the client's user
	Ends       int           // exit status with the fault; without it 0
	Never      bool          // with the fault it does not end within the time
	Says       []pattern     // what it must print with the fault
	Within     time.Duration // how long to wait
	MendedSays []pattern     // what it must print without the fault, where the exit status does not tell
	Login      string        // a login that works in spite of the fault, and after the check too; "" when none does
}

// Want is what sshtay must make of it.
type Want struct {
	Check       string   // arguments of the check
	On          string   // where it is run: client, or server, as root there
	Capture     bool     // on the client it may watch packets (CAP_NET_RAW)
	First       string   // cause of the first finding, or "healthy"
	Status      string   // of that finding at least: likely or confirmed
	Says        string   // what its summary or its evidence must hold
	Beside      []string // causes that may be findings too
	Never       []string // causes that may not even be possible
	Exit        int
	Connections int // at most, as the network counts them
	Facts       []Range
}

// A Fix says how the fault is mended, and that it then is, until it is put back.
type Fix struct {
	Run      string   // arguments of sshtay fix
	Rollback []string // arguments of sshtay rollback, one line each
	On       string   // where both are run, and by whom: client, its user; root, on the client; server, as root there
	Mends    string   // what plain ssh must then be able to do; "" is the truth's command
	Left     []string // causes that may be findings of the check after it
	Returns  bool     // the fault is there again when all is put back: what a daemon has forgotten meanwhile does not

	// A fix that must not mend: it ends otherwise, and leaves every byte.
	Exit    int       // exit status of sshtay fix
	Says    []pattern // what it must say
	Nothing bool      // once it has ended, and whatever it armed has run, every byte is as it was
	History []pattern // what sshtay history must then say
}

// exitUndone is the exit status of a fix that put everything back.
const exitUndone = 4

// Healthy is what is wanted first where there is nothing to find.
const Healthy = "healthy"

// A Range says where a fact must lie.
type Range struct {
	Fact      string
	Low, High float64
	Text      string // for facts that are no numbers; "absent" means that there is no answer
	IsNumber  bool
}

type pattern struct{ *regexp.Regexp }

// Scenarios returns the scenarios that come with the program, by name.
func Scenarios() ([]Scenario, error) {
	names, err := fs.Glob(embedded, "scenario/*.txtar")
	if err != nil {
		return nil, err
	}
	var all []Scenario
	for _, name := range names {
		text, err := embedded.ReadFile(name)
		if err != nil {
			return nil, err
		}
		s, err := Parse(strings.TrimSuffix(path.Base(name), ".txtar"), text)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// Parse reads a scenario. What it does not know it refuses.
func Parse(name string, text []byte) (Scenario, error) {
	// The reader of txtar cannot bear a marker without a name.
	for line := range strings.Lines(string(text)) {
		if strings.TrimRight(line, "\r\n") == "-- --" {
			return Scenario{}, fmt.Errorf("scenario %s: a section has no name", name)
		}
	}
	a := txtar.Parse(text)
	s := Scenario{Name: name, Story: strings.TrimSpace(string(a.Comment))}
	paragraph, _, _ := strings.Cut(s.Story, "\n\n")
	if s.Title, _, _ = strings.Cut(strings.Join(strings.Fields(paragraph), " "), ". "); s.Title != "" {
		s.Title = strings.TrimSuffix(s.Title, ".") + "."
	}
	s.World.Spec = usual()
	s.Truth = Truth{Within: 15 * time.Second, Login: "ssh web1 true", Run: "ssh web1 true"}
	s.Want = Want{Check: "web1", On: "client", Connections: 5, Status: "likely"}
	var mended []txtar.File
	for _, f := range a.Files {
		rest, isMended := strings.CutPrefix(f.Name, "mended")
		if isMended {
			mended = append(mended, txtar.File{Name: strings.TrimSpace(rest), Data: f.Data})
			continue
		}
		if err := s.section(f); err != nil {
			return s, fmt.Errorf("scenario %s: section %q: %w", name, f.Name, err)
		}
	}
	s.Mended = World{Spec: s.World.Spec, Files: slices.Clone(s.World.Files)}
	for _, f := range mended {
		if err := s.Mended.section(f, true); err != nil {
			return s, fmt.Errorf("scenario %s: section \"mended %s\": %w", name, f.Name, err)
		}
	}
	if err := s.complete(len(mended) > 0); err != nil {
		return s, fmt.Errorf("scenario %s: %w", name, err)
	}
	return s, nil
}

// complete refuses scenarios that could not fail.
func (s *Scenario) complete(mended bool) error {
	faulty := s.Truth.Ends != 0 || s.Truth.Never
	switch {
	case s.Title == "":
		return errors.New("has no story")
	case s.Want.First == "":
		return errors.New(`section "want": says not what must be found first`)
	case s.Want.First == Healthy && faulty:
		return errors.New("is called healthy, but ssh shall fail")
	case s.Want.First != Healthy && !mended:
		return errors.New("has a fault, but does not say how the world is without it")
	case s.Want.First != Healthy && !faulty:
		return errors.New("has a fault, but ssh ends well with it: let it run something that does not")
	case s.Want.First == Healthy && s.Fix != nil && !s.Fix.Nothing:
		return errors.New("is called healthy, and has nothing to be mended: say `changes = nothing`")
	case s.World.Init != "" && s.World.Server.Kind != "system", s.Mended.Init != "" && s.Mended.Server.Kind != "system":
		return errors.New("an init starts the system's own sshd, and no other server")
	case s.Fix != nil && !s.Fix.Nothing && s.Fix.Exit == exitUndone:
		return errors.New("the fix undoes what it did: say `changes = nothing`")
	case s.Fix != nil && s.Fix.Nothing && len(s.Fix.Says) == 0:
		return errors.New("the fix changes nothing, and does not say why")
	}
	return nil
}

func (s *Scenario) section(f txtar.File) error {
	text := string(f.Data)
	switch f.Name {
	case "truth":
		return s.Truth.apply(text)
	case "want":
		return s.Want.apply(text)
	case "fix":
		s.Fix = &Fix{Run: "--yes web1", On: "client", Returns: true}
		return s.Fix.apply(text)
	}
	return s.World.section(f, false)
}

// section reads "world", or a file "SIDE:NAME" or "SIDE:NAME MODE", which
// takes the place of one with the same name; when mended, an empty one takes
// it away.
func (w *World) section(f txtar.File, mended bool) error {
	if f.Name == "world" || f.Name == "" {
		return w.Spec.apply(string(f.Data))
	}
	side, rest, ok := strings.Cut(f.Name, ":")
	if !ok || !slices.Contains([]string{"client", "server", "jump", "second"}, side) {
		return errors.New(`want world, truth, want, or a file such as "server:/etc/motd"`)
	}
	name, mode, hasMode := strings.Cut(rest, " ")
	file := File{Side: side, Name: name, Mode: 0o644, Data: f.Data}
	if hasMode {
		m, err := strconv.ParseUint(mode, 8, 12)
		if err != nil {
			return fmt.Errorf("%q is not a file mode", mode)
		}
		file.Mode = fs.FileMode(m)
	}
	if !strings.HasPrefix(name, "/") && !strings.HasPrefix(name, "~/") && !slices.Contains([]string{"sshd_config", "ssh_config", "boot", "early", "after", "before"}, name) {
		return fmt.Errorf("%q is neither a path nor sshd_config, ssh_config, boot, early, after or before", name)
	}
	w.Files = slices.DeleteFunc(w.Files, func(o File) bool { return o.Side == side && o.Name == name })
	if !mended || len(f.Data) > 0 {
		w.Files = append(w.Files, file)
	}
	return nil
}

// file returns the named file of a side, or nothing.
func (w *World) file(side, name string) []byte {
	for _, f := range w.Files {
		if f.Side == side && f.Name == name {
			return f.Data
		}
	}
	return nil
}

func (t *Truth) apply(text string) error {
	return eachSetting(text, func(key, value string) error {
		switch key {
		case "run":
			t.Run = value
		case "login":
			if t.Login = value; value == "no" {
				t.Login = ""
			}
		case "says":
			return match(&t.Says, value)
		case "within":
			return duration(&t.Within, value)
		case "ends":
			if t.Never = value == "never"; t.Never {
				return nil
			}
			return number(&t.Ends, value)
		default:
			return errors.New("no such key; there are ends, login, run, says, within")
		}
		return nil
	})
}

// match adds a pattern.
func match(to *[]pattern, value string) error {
	p, err := regexp.Compile(value)
	*to = append(*to, pattern{p})
	return err
}

func (w *Want) apply(text string) error {
	exit := false
	err := eachSetting(text, func(key, value string) error {
		if fact, ok := strings.CutPrefix(key, "fact "); ok {
			r, err := parseRange(fact, value)
			w.Facts = append(w.Facts, r)
			return err
		}
		switch key {
		case "check":
			w.Check = value
		case "on":
			return oneOf(&w.On, value, "client", "server")
		case "capture":
			return yesNo(&w.Capture, value)
		case "first":
			w.First = value
		case "status":
			return oneOf(&w.Status, value, "likely", "confirmed")
		case "says":
			w.Says = value
		case "beside":
			w.Beside = strings.Fields(value)
		case "never":
			w.Never = strings.Fields(value)
		case "exit":
			exit = true
			return number(&w.Exit, value)
		case "connections":
			return number(&w.Connections, value)
		default:
			return errors.New("no such key; there are beside, capture, check, connections, exit, fact NAME, first, never, on, says, status")
		}
		return nil
	})
	if !exit && w.First != Healthy {
		w.Exit = 1
	}
	return err
}

func (f *Fix) apply(text string) error {
	err := eachSetting(text, func(key, value string) error {
		switch key {
		case "run":
			f.Run = value
		case "rollback":
			f.Rollback = append(f.Rollback, value)
		case "on":
			return oneOf(&f.On, value, "client", "root", "server")
		case "mends":
			f.Mends = value
		case "left":
			f.Left = strings.Fields(value)
		case "returns":
			return yesNo(&f.Returns, value)
		case "exit":
			return number(&f.Exit, value)
		case "says":
			return match(&f.Says, value)
		case "history":
			return match(&f.History, value)
		case "changes":
			f.Nothing = true
			return oneOf(&value, value, "nothing")
		default:
			return errors.New("no such key; there are changes, exit, history, left, mends, on, returns, rollback, run, says")
		}
		return nil
	})
	if len(f.Rollback) == 0 && f.On != "server" {
		f.Rollback = []string{"web1"}
	} else if len(f.Rollback) == 0 {
		f.Rollback = []string{""} // what was changed is on that machine
	}
	return err
}

// parseRange reads "0.038..0.080", a single number, or a text.
func parseRange(fact, value string) (Range, error) {
	r := Range{Fact: fact, Text: value}
	low, high, isRange := strings.Cut(value, "..")
	if !isRange {
		high = low
	}
	var err1, err2 error
	r.Low, err1 = strconv.ParseFloat(low, 64)
	r.High, err2 = strconv.ParseFloat(high, 64)
	r.IsNumber = err1 == nil && err2 == nil
	if isRange && (!r.IsNumber || r.Low > r.High) {
		return r, errors.New("want low..high")
	}
	return r, nil
}

// Silence is how long the check leaves connections silent, 0 where it does not.
func (s Scenario) Silence() time.Duration {
	words := strings.Fields(s.Want.Check)
	if i := slices.Index(words, "--idle"); i >= 0 && i+1 < len(words) {
		d, _ := time.ParseDuration(words[i+1])
		return d
	}
	return 0
}
