package change

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"sshtay/internal/host"
	"sshtay/internal/remedy"
)

// The chains of ours that change a SYN: what comes in tells this machine how
// much it may send, what goes out tells the others, what passes tells both.
var clampHooks = []string{"input", "forward", "output"}

const clampRule = "tcp flags & (syn | rst) == syn tcp option maxseg size set "

// clampScript is what nft makes the chains of.
func clampScript(mss int) string {
	var b strings.Builder
	b.WriteString("add table inet sshtay\n")
	for _, hook := range clampHooks {
		fmt.Fprintf(&b, "add chain inet sshtay mss_%[1]s { type filter hook %[1]s priority -150; policy accept; }\nflush chain inet sshtay mss_%[1]s\nadd rule inet sshtay mss_%[1]s %[2]s%[3]d\n", hook, clampRule, mss)
	}
	return b.String()
}

// unclampScript takes the chains away, and leaves the table.
func unclampScript() string {
	var b strings.Builder
	for _, hook := range clampHooks {
		fmt.Fprintf(&b, "flush chain inet sshtay mss_%[1]s\ndelete chain inet sshtay mss_%[1]s\n", hook)
	}
	return b.String()
}

// nftables are the files from which a system loads its rules at a start.
var nftables = []string{"/etc/nftables.conf", "/etc/nftables.nft", "/etc/sysconfig/nftables.conf"}

// MSSClamp writes a smaller segment size into every SYN that this machine
// sends, gets or passes on, so that no segment of these connections is larger.
// It makes no segment larger than it would have been.
func MSSClamp(ctx context.Context, m host.Host, mss int) (Change, error) {
	c := Change{Kind: "mss_clamp", Title: fmt.Sprintf("let no connection have segments of more than %d bytes", mss), Risk: remedy.Harmless, Root: true}
	if mss < 536 || mss > 65495 {
		return c, fmt.Errorf("a segment size of %d bytes is out of bounds: it is from 536 to 65495", mss)
	}
	out, err := ask(ctx, m, `command -v nft >/dev/null || { echo "nft is not there" >&2; exit 1; }
if nft list table inet sshtay 2>/dev/null; then :; elif [ "$(id -u)" = 0 ]; then nft list tables >/dev/null; else echo user; fi`)
	if err != nil {
		return c, fmt.Errorf("the firewall's rules cannot be read: %w; by hand: iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss %d", err, mss)
	}
	if string(out) == "user\n" {
		return c, errors.New("only root can read the firewall's rules: run this as root")
	}
	table := string(out)
	size, whole := clampedTo(table)
	if !whole {
		return c, errors.New("the chains mss_* of the table inet sshtay are not as sshtay makes them; look at them, and take them away: nft list table inet sshtay")
	}
	if err := c.keepClamp(ctx, m, mss); err != nil {
		return c, err
	}
	set := fmt.Sprintf("' maxseg size set %d$'", mss)
	is := fmt.Sprintf(`[ "$(nft list table inet sshtay 2>/dev/null | grep -c %s)" = %d ]`, set, len(clampHooks))
	c.Verify = []Verification{{Title: fmt.Sprintf("the rules set a segment size of %d", mss), Run: is}}
	if size == mss {
		return c, nil
	}
	undo := here(unclampScript())
	switch {
	case size > 0:
		undo = here(clampScript(size))
	case table == "":
		undo += "\nnft list table inet sshtay | grep -q chain || nft delete table inet sshtay"
	}
	c.Effects = append(c.Effects, Effect{Title: "add rules to the table inet sshtay", Commands: &Commands{
		Done: is, Apply: here(clampScript(mss)), Undo: fmt.Sprintf("if %s; then\n%s\nfi", is, undo),
	}})
	return c, nil
}

// here gives nft a script, which holds nothing that a shell would read.
func here(script string) string { return "nft -f - <<'END'\n" + script + "END" }

var clampLine = regexp.MustCompile(`(?m)^\t\ttcp flags (?:& \(syn \| rst\) == syn|syn / syn,rst) tcp option maxseg size set (\d+)$`)

// clampedTo reads the segment size that our chains set, 0 if there are none. A
// table whose chains say anything else is not whole.
func clampedTo(table string) (size int, whole bool) {
	chains := strings.Count(table, "\tchain mss_")
	found := clampLine.FindAllStringSubmatch(table, -1)
	if chains == 0 && len(found) == 0 {
		return 0, true
	}
	for _, f := range found {
		if f[1] != found[0][1] {
			return 0, false
		}
		fmt.Sscan(f[1], &size)
	}
	return size, chains == len(clampHooks) && len(found) == len(clampHooks)
}

var nftInclude = regexp.MustCompile(`(?m)^[ \t]*include[ \t]+"(/[A-Za-z0-9_./-]+)/\*\.nft"`)

// keepClamp has the rules loaded at every start, where the system has a folder
// for such files.
func (c *Change) keepClamp(ctx context.Context, m host.Host, mss int) error {
	files, err := look(ctx, m, nftables...)
	if err != nil {
		return err
	}
	for _, f := range files {
		into := nftInclude.FindSubmatch(f.Data)
		if into == nil {
			continue
		}
		name := string(into[1]) + "/sshtay.nft"
		there, err := look(ctx, m, name)
		if err != nil {
			return err
		}
		own, err := find(there, name)
		if err != nil {
			return err
		}
		if text := "# Written by sshtay.\n" + clampScript(mss); string(own.Data) != text {
			c.Effects = append(c.Effects, write(own, []byte(text)))
		}
		return nil
	}
	c.Notes = append(c.Notes, "these rules are gone after a reboot: this system has no folder from which it loads more of them; to keep them add them to the file from which its firewall is loaded")
	return nil
}
