package change

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sshtay/internal/host"
	"sshtay/internal/remedy"
)

const hostsAllow = "/etc/hosts.allow"

// HostsAllow lets one address in where TCP wrappers refuse it. They read
// hosts.allow before hosts.deny, and the first line that fits decides.
func HostsAllow(ctx context.Context, m host.Host, address netip.Addr) (Change, error) {
	address = address.Unmap()
	c := Change{Kind: "hosts_deny", Title: fmt.Sprintf("let %s in by %s", address, hostsAllow), Risk: remedy.CanLockOut, Root: true}
	if !address.IsValid() || address.Zone() != "" {
		return c, fmt.Errorf("%q is no address that %s takes", address, hostsAllow)
	}
	files, err := look(ctx, m, hostsAllow)
	if err != nil {
		return c, err
	}
	file, err := find(files, hostsAllow)
	if err != nil {
		return c, err
	}
	line := "sshd: " + address.String()
	if address.Is6() {
		line = "sshd: [" + address.String() + "]"
	}
	c.Verify = []Verification{{Title: hostsAllow + " has the line " + line, Run: fmt.Sprintf("grep -qxF '%s' %s", line, hostsAllow)}}
	rules := wrapperRules(file.Data)
	at := slices.IndexFunc(rules, wrapperRule.decides)
	if i := slices.IndexFunc(rules, func(r wrapperRule) bool { return r.text == line }); i >= 0 && (at < 0 || i < at) {
		return c, nil
	}
	before, after := file.Data, []byte(nil)
	if at >= 0 {
		before, after = file.Data[:rules[at].start], file.Data[rules[at].start:]
		c.Notes = append(c.Notes, fmt.Sprintf("the line stands before %q, which may turn the address away", rules[at].text))
	}
	content := bytes.Clone(before)
	if len(content) > 0 && !bytes.HasSuffix(content, []byte("\n")) {
		content = append(content, '\n')
	}
	content = append(append(content, line+"\n"...), after...)
	c.Effects = []Effect{write(file, content)}
	return c, nil
}

// A wrapperRule is a line of hosts.allow, with those that continue it.
type wrapperRule struct {
	start int
	text  string
}

func wrapperRules(data []byte) []wrapperRule {
	var all []wrapperRule
	begin := 0
	for at := 0; at < len(data); {
		end := len(data)
		if i := bytes.IndexByte(data[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		whole := end == len(data) || !bytes.HasSuffix(data[at:end], []byte("\\\n"))
		if at = end; !whole {
			continue
		}
		text := strings.TrimSpace(strings.ReplaceAll(string(data[begin:end]), "\\\n", ""))
		if text != "" && text[0] != '#' {
			all = append(all, wrapperRule{begin, text})
		}
		begin = end
	}
	return all
}

// decides says that the rule may turn a client of sshd away: it is about sshd,
// and has options beside who is let in.
func (r wrapperRule) decides() bool {
	daemons, rest, _ := strings.Cut(r.text, ":")
	about := slices.ContainsFunc(strings.FieldsFunc(daemons, func(c rune) bool { return c == ',' || c == ' ' || c == '\t' }), func(d string) bool {
		name, _, _ := strings.Cut(d, "@")
		return name == "sshd" || name == "ALL"
	})
	// Colons inside brackets are those of IPv6 addresses.
	depth, options := 0, false
	for _, b := range rest {
		switch b {
		case '[':
			depth++
		case ']':
			depth--
		case ':':
			options = options || depth == 0
		}
	}
	return about && options
}
