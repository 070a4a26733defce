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

// socketSettings are the limits of a socket unit that remedies raise, and the
// property by which systemd tells them again, where it is written in the same
// way.
var socketSettings = map[string]string{
	"MaxConnections":          "MaxConnections",
	"MaxConnectionsPerSource": "MaxConnectionsPerSource",
	"TriggerLimitBurst":       "TriggerLimitBurst",
	"TriggerLimitIntervalSec": "",
}

// Folders of a unit's additions, in the order of precedence.
var unitFolders = []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}

const socketScript = `
[ -d /run/systemd/system ] || { echo "systemd does not run here" >&2; exit 1; }
for u in ssh.socket sshd.socket; do
	if [ "$(systemctl show -p LoadState "$u")" = LoadState=loaded ] && { systemctl is-enabled -q "$u" || systemctl is-active -q "$u"; } 2>/dev/null; then echo "$u"; exit; fi
done
echo "no socket unit of sshd is in use" >&2; exit 1`

// SocketLimits raises limits of the socket unit that starts sshd for each
// connection. The values are whole numbers.
func SocketLimits(ctx context.Context, m host.Host, values map[string]string) (Change, error) {
	c := Change{Kind: "socket_limits", Risk: remedy.CanLockOut, Root: true}
	names := slices.Sorted(maps.Keys(values))
	var said []string
	for _, name := range names {
		n, err := strconv.Atoi(values[name])
		if _, known := socketSettings[name]; !known || err != nil || n < 0 || n > 1<<20 {
			return c, fmt.Errorf("%q cannot be set to %q in a socket unit", name, values[name])
		}
		said = append(said, name+"="+values[name])
	}
	out, err := ask(ctx, m, socketScript)
	if err != nil {
		return c, err
	}
	unit := strings.TrimSpace(string(out))
	if unit != "ssh.socket" && unit != "sshd.socket" {
		return c, errors.New("the socket unit of sshd cannot be seen")
	}
	c.Title = fmt.Sprintf("set %s in %s", strings.Join(said, ", "), unit)
	if err := c.addToUnit(ctx, m, unit, "Socket", values); err != nil {
		return c, err
	}
	for _, name := range names {
		if property := socketSettings[name]; property != "" {
			line := property + "=" + values[name]
			c.Verify = append(c.Verify, Verification{Title: "systemd says " + line, Run: fmt.Sprintf("systemctl show -p %s %s | grep -qx %s", property, unit, line)})
		}
	}
	if len(c.Effects) > 0 {
		// systemd takes limits from a unit that is active when it reads it anew. One that gave up has to be started.
		c.Services = []Service{{
			Name: unit, Validate: ":",
			Reload: fmt.Sprintf("systemctl daemon-reload\nsystemctl is-active -q %[1]s || { systemctl reset-failed %[1]s 2>/dev/null || :; systemctl start %[1]s; }", unit),
			Alive:  "systemctl is-active -q " + unit,
		}}
	}
	return c, nil
}

var unitLine = regexp.MustCompile(`(?m)^[ \t]*([A-Za-z]+)[ \t]*=[ \t]*(.*?)[ \t\r]*$`)

// addToUnit writes settings of a unit into a file of ours that is read last.
func (c *Change) addToUnit(ctx context.Context, m host.Host, unit, section string, values map[string]string) error {
	var patterns, folders []string
	for _, folder := range unitFolders {
		patterns = append(patterns, folder+"/"+unit)
	}
	for _, folder := range unitFolders {
		folders = append(folders, folder+"/"+unit+".d")
		patterns = append(patterns, folder+"/"+unit+".d/*.conf")
	}
	files, err := look(ctx, m, patterns...)
	if err != nil {
		return err
	}
	var read []sighting
	for _, f := range files { // the unit itself: the first one that there is
		if path.Base(f.Name) == unit && !f.Odd {
			read = append(read, f)
			break
		}
	}
	settled, last := map[string]string{}, ""
	for _, f := range append(read, readInOrder(files, folders...)...) {
		for _, l := range unitLine.FindAllSubmatch(f.Data, -1) {
			name, value := string(l[1]), string(l[2])
			wanted, is := values[name]
			if !is {
				continue
			}
			settled[name] = value
			if value != wanted && path.Base(f.Name) != unit && !slices.Contains(ourNames, path.Base(f.Name)) {
				last = max(last, path.Base(f.Name))
			}
		}
	}
	if maps.Equal(settled, values) {
		return nil
	}
	name := nameAfter(last)
	if name == "" {
		return fmt.Errorf("%s of %s is read after every file that sshtay may write, and sets another value: change it there", last, unit)
	}
	own, err := find(files, path.Join(folders[0], name))
	if err != nil {
		return err
	}
	c.Effects = append(c.Effects, write(own, addUnitLines(own.Data, section, values)))
	if name != ourNames[0] {
		c.Notes = append(c.Notes, fmt.Sprintf("the file is called %s, because %s sets other values and is read after %s", name, last, ourNames[0]))
	}
	return nil
}

// addUnitLines puts settings at the end of a file, in a section of their own,
// in place of lines that set them.
func addUnitLines(data []byte, section string, values map[string]string) []byte {
	var out bytes.Buffer
	for line := range bytes.Lines(data) {
		if l := unitLine.FindSubmatch(line); l == nil || values[string(l[1])] == "" {
			out.Write(line)
		}
	}
	if text := out.Bytes(); len(text) == 0 {
		out.WriteString("# Written by sshtay.\n")
	} else if !bytes.HasSuffix(text, []byte("\n")) {
		out.WriteByte('\n')
	}
	fmt.Fprintf(&out, "[%s]\n", section)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(&out, "%s=%s\n", name, values[name])
	}
	return out.Bytes()
}
