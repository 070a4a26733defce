package change

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sshtay/internal/host"
	"sshtay/internal/remedy"
)

// A knob is a kernel setting that remedies use. Its value is a whole number.
type knob struct {
	least, most int64
	room        bool // it gives room: more than what is asked for is as good, and is never lowered
}

var knobs = map[string]knob{
	"net.ipv4.tcp_keepalive_time":                        {1, 32767, false},
	"net.ipv4.tcp_keepalive_intvl":                       {1, 32767, false},
	"net.ipv4.tcp_keepalive_probes":                      {1, 127, false},
	"net.ipv4.tcp_mtu_probing":                           {0, 2, false},
	"net.netfilter.nf_conntrack_tcp_timeout_established": {300, 1 << 30, false},
	"net.netfilter.nf_conntrack_max":                     {1024, 1 << 30, true},
	"net.netfilter.nf_conntrack_buckets":                 {1024, 1 << 30, true},
	"kernel.pid_max":                                     {1024, 1 << 22, true},
	"kernel.threads-max":                                 {1024, 1 << 30, true},
	"kernel.pty.max":                                     {64, 1 << 20, true},
	"fs.file-max":                                        {1024, 1 << 62, true},
}

// Where kernel settings are kept, in the order of precedence among files of
// one name. systemd reads these; procps reads sysctl.conf after them.
var sysctlFolders = []string{"/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d"}

const sysctlConf = "/etc/sysctl.conf"

// Sysctl sets kernel settings, now and at every start. The names are those
// that remedies use, and no other.
func Sysctl(ctx context.Context, m host.Host, values map[string]string) (Change, error) {
	c := Change{Kind: "sysctl", Risk: remedy.Harmless, Root: true}
	names := slices.Sorted(maps.Keys(values))
	var said []string
	for _, name := range names {
		if err := checkKnob(name, values[name]); err != nil {
			return c, err
		}
		said = append(said, name+" "+values[name])
	}
	c.Title = "set " + strings.Join(said, ", ")
	var patterns []string
	for _, folder := range sysctlFolders {
		patterns = append(patterns, folder+"/*.conf")
	}
	files, err := look(ctx, m, append(patterns, sysctlConf, "/etc/modules", "/etc/modules-load.d/*.conf", "/usr/lib/modules-load.d/*.conf")...)
	if err != nil {
		return c, err
	}
	if err := c.keepSysctls(files, values); err != nil {
		return c, err
	}
	if slices.ContainsFunc(names, isConntrack) {
		c.loadConntrack(files)
	}
	return c, c.setSysctls(ctx, m, names, values)
}

func checkKnob(name, value string) error {
	k, known := knobs[name]
	n, err := strconv.ParseInt(value, 10, 64)
	switch {
	case !known:
		return fmt.Errorf("%q is no kernel setting that sshtay changes", name)
	case err != nil || value != strconv.FormatInt(n, 10) || n < k.least || n > k.most:
		return fmt.Errorf("%s cannot be %q: it takes a whole number from %d to %d", name, value, k.least, k.most)
	}
	return nil
}

// does says whether a value is as good as the one that is wanted.
func (k knob) does(value, wanted string) bool {
	have, err := strconv.ParseInt(value, 10, 64)
	want, _ := strconv.ParseInt(wanted, 10, 64)
	return err == nil && (have == want || k.room && have > want)
}

// A sysctlLine is one setting in a file.
type sysctlLine struct {
	name, value string
	start, end  int // bytes of the value in the file
}

var sysctlSetting = regexp.MustCompile(`(?m)^[ \t]*-?[ \t]*([a-zA-Z0-9_./-]+)[ \t]*=[ \t]*(.*?)[ \t\r]*$`)

func sysctlLines(data []byte) []sysctlLine {
	var all []sysctlLine
	for _, at := range sysctlSetting.FindAllSubmatchIndex(data, -1) {
		l := sysctlLine{name: string(data[at[2]:at[3]]), value: string(data[at[4]:at[5]]), start: at[4], end: at[5]}
		if i := strings.IndexAny(l.name, "./"); i >= 0 && l.name[i] == '/' {
			l.name = strings.ReplaceAll(l.name, "/", ".")
		}
		all = append(all, l)
	}
	return all
}

// keepSysctls lets every start set the values: by a file of ours that is read
// last, and in sysctl.conf where that sets something else.
func (c *Change) keepSysctls(files []sighting, values map[string]string) error {
	conf, err := find(files, sysctlConf)
	if err != nil {
		return err
	}
	mended := setSysctlLines(conf.Data, values, false)
	settled, last := map[string]string{}, "" // what the folders say in the end; the last file that says otherwise
	for _, f := range readInOrder(files, sysctlFolders...) {
		data := f.Data
		if f.Path == conf.Path { // on Debian 12 it is linked among the others
			data = mended
		}
		for _, l := range sysctlLines(data) {
			if _, is := values[l.name]; !is {
				continue
			}
			settled[l.name] = l.value
			if !knobs[l.name].does(l.value, values[l.name]) && !slices.Contains(ourNames, path.Base(f.Name)) {
				last = max(last, path.Base(f.Name))
			}
		}
	}
	missing := map[string]string{}
	for name, value := range values {
		if !knobs[name].does(settled[name], value) {
			missing[name] = value
		}
	}
	if len(missing) > 0 {
		if err := c.ownSysctls(files, missing, last); err != nil {
			return err
		}
	}
	if !bytes.Equal(mended, conf.Data) {
		c.Effects = append(c.Effects, write(conf, mended))
		c.Notes = append(c.Notes, conf.Path+" sets other values and is read last: its lines are changed")
	}
	return nil
}

// ownSysctls puts values into a file of ours that is read after the last one
// that says otherwise.
func (c *Change) ownSysctls(files []sighting, missing map[string]string, last string) error {
	name := nameAfter(last)
	if name == "" {
		return fmt.Errorf("%s is read after every file that sshtay may write, and sets another value: change it there, then run: sysctl --system", last)
	}
	own, err := find(files, path.Join(sysctlFolders[0], name))
	if err != nil {
		return err
	}
	c.Effects = append(c.Effects, write(own, setSysctlLines(own.Data, missing, true)))
	if name != ourNames[0] {
		c.Notes = append(c.Notes, fmt.Sprintf("the file is called %s, because %s sets other values and is read after %s", name, last, ourNames[0]))
	}
	return nil
}

// setSysctlLines changes the lines that set one of the values, and with add
// adds those that no line sets.
func setSysctlLines(data []byte, values map[string]string, add bool) []byte {
	var out bytes.Buffer
	done, from := map[string]bool{}, 0
	for _, l := range sysctlLines(data) {
		value, is := values[l.name]
		if is && !knobs[l.name].does(l.value, value) {
			out.Write(data[from:l.start])
			out.WriteString(value)
			from = l.end
		}
		done[l.name] = is
	}
	out.Write(data[from:])
	if !add {
		return out.Bytes()
	}
	if out.Len() == 0 {
		out.WriteString("# Written by sshtay.\n")
	} else if !bytes.HasSuffix(out.Bytes(), []byte("\n")) {
		out.WriteByte('\n')
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !done[name] {
			fmt.Fprintf(&out, "%s = %s\n", name, values[name])
		}
	}
	return out.Bytes()
}

func isConntrack(name string) bool { return strings.HasPrefix(name, "net.netfilter.nf_conntrack_") }

// loadConntrack has the module loaded before the settings are made: they do
// not exist, and are passed over in silence, until it is.
func (c *Change) loadConntrack(files []sighting) {
	named := regexp.MustCompile(`(?m)^[ \t]*nf_conntrack[ \t\r]*$`)
	const name = "/etc/modules-load.d/60-sshtay.conf"
	for _, f := range files {
		folder := path.Dir(f.Name)
		if (path.Base(folder) == "modules-load.d" || f.Name == "/etc/modules") && named.Match(f.Data) {
			return
		}
	}
	own, err := find(files, name)
	if err != nil {
		c.Notes = append(c.Notes, err.Error()+"; until then a start may set these values too early, before nf_conntrack is loaded")
		return
	}
	text := own.Data
	if len(text) == 0 {
		text = []byte("# Written by sshtay: the settings of connection tracking exist once this is loaded.\n")
	}
	c.Effects = append(c.Effects, write(own, append(bytes.Clone(text), "nf_conntrack\n"...)))
}

// liveScript prints for each name whether it can be written (w), cannot (r) or
// is not there (-), and its value.
const liveScript = `
[ "$(id -u)" = 0 ] || echo user
for name; do
	f=/proc/sys/$(printf %s "$name" | tr . /)
	if [ ! -f "$f" ]; then echo "$name - -"
	elif [ -w "$f" ]; then echo "$name w $(cat "$f")"
	else echo "$name r $(cat "$f")"; fi
done`

// setSysctls sets the values that the kernel does not have yet.
func (c *Change) setSysctls(ctx context.Context, m host.Host, names []string, values map[string]string) error {
	out, err := ask(ctx, m, liveScript, names...)
	if err != nil {
		return err
	}
	text, asUser := strings.CutPrefix(string(out), "user\n")
	var done, apply, undo []string
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) != 3 || values[f[0]] == "" {
			return fmt.Errorf("the kernel's setting cannot be read: %s", strings.TrimSpace(line))
		}
		name, old, wanted := f[0], f[2], values[f[0]]
		file, test := "/proc/sys/"+strings.ReplaceAll(name, ".", "/"), "="
		if knobs[name].room {
			test = "-ge"
		}
		is := fmt.Sprintf(`[ "$(cat %s)" %s %s ]`, file, test, wanted)
		c.Verify = append(c.Verify, Verification{Title: "the kernel has " + name + " " + wanted, Run: is})
		_, err := strconv.ParseUint(old, 10, 63)
		switch {
		case f[1] == "-" && isConntrack(name):
			return errors.New("this kernel does not track connections: the module nf_conntrack is not loaded")
		case f[1] == "-" || err != nil:
			return fmt.Errorf("this kernel has no number for %s", name)
		case knobs[name].does(old, wanted):
			continue
		case f[1] == "r" && !asUser:
			return fmt.Errorf("%s can only be changed on the machine outside, not from inside this container; there run: sysctl -w %s=%s", name, name, wanted)
		}
		done = append(done, is)
		apply = append(apply, fmt.Sprintf("echo %s > %s", wanted, file))
		undo = append(undo, fmt.Sprintf("if %s; then echo %s > %s; fi", is, old, file))
	}
	if len(done) > 0 {
		slices.Reverse(undo)
		c.Effects = append(c.Effects, Effect{Title: "set the running kernel's " + strings.Join(names, ", "), Commands: &Commands{
			Done: strings.Join(done, " && "), Apply: strings.Join(apply, "\n"), Undo: strings.Join(undo, "\n"),
		}})
	}
	return nil
}
