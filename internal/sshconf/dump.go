package sshconf

import (
	"fmt"
	"strings"
)

// Dump is what `ssh -G` or `sshd -T` printed.
type Dump struct {
	keys   []string
	values map[string][]string
}

// maxDump is how much of a dump is read.
const maxDump = 4 << 20

// ParseDump reads the output of `ssh -G`, `sshd -T` or `sshd -G`. Keywords are
// the same in any case (10.4 changed it), and repeat for every value.
func ParseDump(out []byte) (*Dump, error) {
	if len(out) > maxDump {
		return nil, fmt.Errorf("the dump has %d bytes; it is read up to %d", len(out), maxDump)
	}
	d := &Dump{values: map[string][]string{}}
	for l := range strings.Lines(string(out)) {
		l = strings.TrimRight(l, "\r\n")
		key, value, _ := strings.Cut(l, " ")
		if key == "" {
			continue
		}
		key = asciiLower(key)
		if d.values[key] == nil {
			d.keys = append(d.keys, key)
		}
		d.values[key] = append(d.values[key], value)
	}
	return d, nil
}

// Keys are the keywords there are, in lower case, in their order.
func (d *Dump) Keys() []string { return d.keys }

// Values are those of a keyword, whatever its case; nil if it is not there.
func (d *Dump) Values(keyword string) []string { return d.values[asciiLower(keyword)] }

// Text is the first value of a keyword; false if it is not there.
func (d *Dump) Text(keyword string) (string, bool) {
	v := d.Values(keyword)
	if len(v) == 0 {
		return "", false
	}
	return v[0], true
}
