package sshconf

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// end is one end of a forwarding: a port, perhaps at a host, or a socket path.
type end struct {
	host  string
	named bool // there is a host, perhaps an empty one
	port  int
	path  string
	unix  bool
}

func (e end) String() string {
	switch {
	case e.unix:
		return e.path
	case e.named:
		return fmt.Sprintf("[%s]:%d", e.host, e.port)
	}
	return strconv.Itoa(e.port)
}

// forward is one LocalForward, RemoteForward or DynamicForward.
type forward struct {
	remote          bool
	listen, connect end
	from            Origin
}

// socks is where OpenSSH says a dynamic forwarding leads.
const socks = "socks"

func (f forward) dynamic() bool { return f.connect.named && f.connect.host == socks }

var errForward = errors.New("bad forwarding specification")

// forwarding takes LISTEN CONNECT, or LISTEN alone.
func forwarding(r *run, l *line) error {
	spec, ok := l.next()
	if !ok {
		return errMissing
	}
	f := forward{remote: l.key == "remoteforward", from: r.at}
	dynamic := l.key == "dynamicforward"
	if !dynamic {
		target, ok := l.any()
		switch {
		case ok && target != "":
			spec += ":" + target
		case f.remote:
			dynamic = true
		default:
			return errors.New("missing target argument")
		}
	}
	if len(spec) > 255 {
		spec = spec[:255]
	}
	if err := r.parseForward(&f, spec, dynamic); err != nil {
		return err
	}
	if !r.active {
		return nil
	}
	if err := r.work(len(r.forwards)); err != nil {
		return err
	}
	for _, g := range r.forwards {
		if g.from = f.from; g == f {
			return nil
		}
	}
	if len(r.forwards) >= maxForwards {
		return fmt.Errorf("more than %d forwardings", maxForwards)
	}
	r.forwards = append(r.forwards, f)
	return nil
}

// maxForwards is ours: every new one is compared with all before.
const maxForwards = 1000

// parseForward reads the fields between the colons.
func (r *run) parseForward(f *forward, spec string, dynamic bool) error {
	spec, err := expand(spec, nil, r.env.getenv)
	if err != nil {
		return errForward
	}
	fields, ok := forwardFields(strings.TrimLeft(spec, spaces))
	if !ok {
		return errForward
	}
	n := len(fields)
	one := func(i int) { f.listen = r.portEnd("", false, fields[i].text) }
	switch {
	case n == 1 && fields[0].path:
		f.listen, f.connect = unixEnd(fields[0].text), end{host: socks, named: true}
	case n == 1:
		one(0)
		f.connect = end{host: socks, named: true}
	case n == 2 && fields[0].path && fields[1].path:
		f.listen, f.connect = unixEnd(fields[0].text), unixEnd(fields[1].text)
	case n == 2 && fields[1].path:
		one(0)
		f.connect = unixEnd(fields[1].text)
	case n == 2:
		f.listen = r.portEnd(fields[0].text, true, fields[1].text)
		f.connect = end{host: socks, named: true}
	case n == 3 && fields[0].path:
		f.listen, f.connect = unixEnd(fields[0].text), r.portEnd(fields[1].text, true, fields[2].text)
	case n == 3 && fields[2].path:
		f.listen, f.connect = r.portEnd(fields[0].text, true, fields[1].text), unixEnd(fields[2].text)
	case n == 3:
		one(0)
		f.connect = r.portEnd(fields[1].text, true, fields[2].text)
	case n == 4:
		f.listen = r.portEnd(fields[0].text, true, fields[1].text)
		f.connect = r.portEnd(fields[2].text, true, fields[3].text)
	}
	return f.check(n, dynamic)
}

// check refuses what the number of fields does not go with.
func (f *forward) check(n int, dynamic bool) error {
	const maxHost, maxPath = 1025, 108 // NI_MAXHOST, sun_path
	bad := f.connect.port < 0 || f.listen.port < 0 || !f.remote && !f.listen.unix && f.listen.port == 0
	if dynamic {
		bad = bad || n > 2
	} else {
		bad = bad || n < 3 && !f.connect.unix && !f.listen.unix || !f.connect.unix && f.connect.port == 0
	}
	for _, e := range []end{f.listen, f.connect} {
		bad = bad || len(e.host) >= maxHost || len(e.path) >= maxPath
	}
	if bad {
		return errForward
	}
	return nil
}

func unixEnd(path string) end { return end{path: path, unix: true} }

func (r *run) portEnd(host string, named bool, port string) end {
	n, ok := r.port(port)
	if !ok {
		n = -1
	}
	return end{host: host, named: named, port: n}
}

// forwardField is one field; one with a slash is a socket path.
type forwardField struct {
	text string
	path bool
}

// forwardFields splits at colons; brackets protect a field, a backslash a
// character. There are one to four.
func forwardFields(s string) (fields []forwardField, ok bool) {
	for s != "" {
		if len(fields) == 4 {
			return nil, false
		}
		var f forwardField
		if s[0] == '[' {
			closing := strings.IndexByte(s, ']')
			if closing < 0 || closing+1 < len(s) && s[closing+1] != ':' {
				return nil, false
			}
			f.text, s = s[1:closing], strings.TrimPrefix(s[closing+1:], ":")
			f.path = strings.Contains(f.text, "/")
			fields = append(fields, f)
			continue
		}
		var b strings.Builder
		i := 0
		for ; i < len(s) && s[i] != ':'; i++ {
			if s[i] == '\\' {
				if i++; i == len(s) {
					return nil, false
				}
			} else {
				f.path = f.path || s[i] == '/'
			}
			b.WriteByte(s[i])
		}
		f.text, s = b.String(), s[min(i+1, len(s)):]
		fields = append(fields, f)
	}
	return fields, len(fields) > 0
}
