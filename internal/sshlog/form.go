package sshlog

import "strings"

// A form is one wording as a program prints it, with holes for what changes:
//
//	Connection reset by {id}
//	drop connection #{n} from [{addr}]:{port} on [{word}]:{n} Maxstartups
//
// A form matches a text from its start to its end. The holes:
//
//	{addr}  an address or a name      {n}          digits
//	{word}  anything without a space  {user}, {*}  anything
//	{port}  digits, or what people write in their place: XXXX, <port>, ***
//	{id}    how OpenSSH names a connection since 7.5: ADDR port N, and before
//	        it the user, who may be called whatever looks like a log
//
// Texts of a log are chosen by whoever connects: where a hole takes anything,
// the last place that lets the rest of the form match is its end.
type form struct {
	text string
	lead string // up to the first hole
	rest []hole
}

// A hole is a place for what changes, and the words that follow it.
type hole struct {
	kind  holeKind
	after string
}

type holeKind uint8

const (
	holeAny holeKind = iota
	holeUser
	holeAddr
	holePort
	holeNumber
	holeWord
	holeID
)

var holeNames = map[string]holeKind{
	"*": holeAny, "user": holeUser, "addr": holeAddr, "port": holePort, "n": holeNumber, "word": holeWord, "id": holeID,
}

// Captured is what stood in the holes of a form; absent parts are empty.
type Captured struct {
	Addr, Port, User string
	Detail           string // what stood in the first {*} or {word}
	Number           string // what stood in the first {n}

	tried int // places tried as the end of a hole: see maxTries
}

// compileForm panics on what is no form: forms are part of the program.
func compileForm(text string) form {
	lead, rest, _ := strings.Cut(text, "{")
	f := form{text: text, lead: lead}
	for rest != "" {
		name, after, closed := strings.Cut(rest, "}")
		kind, known := holeNames[name]
		if !closed || !known {
			panic("sshlog: no such hole in the form " + text)
		}
		words, next, _ := strings.Cut(after, "{")
		f.rest = append(f.rest, hole{kind, words})
		rest = next
	}
	return f
}

// match says whether s, which begins with the form's lead, has the form. Only then
// is anything captured.
func (f *form) match(s string, c *Captured) bool {
	c.tried = 0
	s = s[len(f.lead):]
	if len(f.rest) == 0 {
		return s == ""
	}
	return fill(f.rest, s, c)
}

// maxTries bounds the places that are tried as the end of some hole of a form:
// who makes up a name can make up one with many.
const maxTries = 256

// fill matches s against holes and the words after each.
func fill(holes []hole, s string, c *Captured) bool {
	if len(holes) == 0 {
		return s == ""
	}
	h := holes[0]
	switch h.kind {
	case holeID:
		return fillID(holes, s, c)
	case holeAny, holeUser:
		return fillAny(holes, s, c)
	}
	end, fit := 0, uint8(1)<<h.kind
	for end < len(s) && fits[s[end]]&fit != 0 {
		end++
	}
	for ; end > 0 && c.tried < maxTries; end-- {
		c.tried++
		if rest, ok := strings.CutPrefix(s[end:], h.after); ok && fill(holes[1:], rest, c) {
			c.put(h.kind, s[:end])
			return true
		}
		if h.kind == holePort || h.kind == holeNumber {
			break // part of a number is no number
		}
	}
	return false
}

func fillAny(holes []hole, s string, c *Captured) bool {
	h := holes[0]
	if len(holes) == 1 { // its words are the end of the form
		before, ok := strings.CutSuffix(s, h.after)
		if ok {
			c.put(h.kind, before)
		}
		return ok
	}
	if h.after == "" {
		return false
	}
	before := s
	for ; c.tried < maxTries; c.tried++ {
		i := lastIndex(before, h.after)
		if i < 0 {
			return false
		}
		if fill(holes[1:], s[i+len(h.after):], c) {
			c.put(h.kind, s[:i])
			return true
		}
		before = s[:i+len(h.after)-1]
	}
	return false
}

// lastIndex is [strings.LastIndex], which is slower where the place is near the
// end, as it mostly is here.
func lastIndex(s, words string) int {
	first, last := words[0], words[len(words)-1]
	for i := len(s) - len(words); i >= 0; i-- {
		if s[i] == first && s[i+len(words)-1] == last && s[i:i+len(words)] == words {
			return i
		}
	}
	return -1
}

// preambles are what OpenSSH puts between the words of a message and the
// address, with a user after it.
var preambles = [...]string{"user ", "authenticating user ", "invalid user "}

func fillID(holes []hole, s string, c *Captured) bool {
	const port = " port "
	before := s
	for ; c.tried < maxTries; c.tried++ {
		i := lastIndex(before, port)
		if i < 0 {
			return false
		}
		user, addr, ok := cutID(s[:i])
		digits := i + len(port)
		for digits < len(s) && fits[s[digits]]&(1<<holePort) != 0 {
			digits++
		}
		rest, follows := strings.CutPrefix(s[digits:], holes[0].after)
		if ok && follows && digits > i+len(port) && fill(holes[1:], rest, c) {
			c.Addr, c.Port = addr, s[i+len(port):digits]
			if user != "" {
				c.User = user
			}
			return true
		}
		before = s[:i+len(port)-1]
	}
	return false
}

// cutID takes "[PREAMBLE USER ]ADDR" apart.
func cutID(s string) (user, addr string, ok bool) {
	i := strings.LastIndexByte(s, ' ')
	addr = s[i+1:]
	if !isAddr(addr) {
		return "", "", false
	}
	if i < 0 {
		return "", addr, true
	}
	for _, p := range preambles {
		if strings.HasPrefix(s[:i], p) {
			return s[len(p):i], addr, true
		}
	}
	return "", "", false
}

func isAddr(s string) bool {
	for i := range len(s) {
		if fits[s[i]]&(1<<holeAddr) == 0 {
			return false
		}
	}
	return s != ""
}

func (c *Captured) put(kind holeKind, s string) {
	switch kind {
	case holeAddr:
		c.Addr = s
	case holePort:
		c.Port = s
	case holeUser:
		c.User = s
	case holeNumber:
		c.Number = s
	default:
		c.Detail = s
	}
}

// fits says which holes a byte may stand in, a bit for each kind.
var fits = func() (table [256]uint8) {
	for b := range table {
		c := byte(b)
		digit := c-'0' <= 9
		letter := c|0x20-'a' <= 'z'-'a'
		if c != ' ' && c != '\t' {
			table[b] |= 1 << holeWord
		}
		if digit {
			table[b] |= 1<<holePort | 1<<holeNumber
		}
		if letter || c == '<' || c == '>' || c == '*' || c == '#' {
			table[b] |= 1 << holePort
		}
		if digit || letter || strings.IndexByte(".:%_-/*<>?", c) >= 0 && c != 0 {
			table[b] |= 1 << holeAddr
		}
	}
	return table
}()
