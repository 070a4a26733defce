package change

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"sshtay/internal/host"
	"sshtay/internal/remedy"
)

// jailsScript prints a line "JAIL ADDRESS ADDRESS ..." for each jail. The words
// are the same in every version of fail2ban since 0.8.
const jailsScript = `
all=$(fail2ban-client status) || exit 1
for jail in $(printf '%s\n' "$all" | sed -n 's/.*Jail list:[[:space:]]*//p' | tr ',' ' '); do
	held=$(fail2ban-client status "$jail" | sed -n 's/.*Banned IP list:[[:space:]]*//p') || exit 1
	echo "$jail $held"
done`

var jailName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

// Unban lifts the bans by fail2ban of one address.
func Unban(ctx context.Context, m host.Host, address netip.Addr) (Change, error) {
	address = address.Unmap()
	c := Change{Kind: "ban", Title: fmt.Sprintf("lift the ban of %s", address), Risk: remedy.Harmless, Root: true}
	if !address.IsValid() || address.Zone() != "" {
		return c, fmt.Errorf("%q is no address that fail2ban knows", address)
	}
	out, err := ask(ctx, m, jailsScript)
	if err != nil {
		return c, fmt.Errorf("fail2ban does not answer: %w; by hand: fail2ban-client unban %s", err, address)
	}
	jails, err := holding(string(out), address)
	if err != nil || len(jails) == 0 {
		return c, err
	}
	slices.Sort(jails)
	var free, apply, undo []string
	for _, jail := range jails {
		holds := fmt.Sprintf(`fail2ban-client status %s | sed -n 's/.*Banned IP list://p' | tr -s ' \t' '\n\n' | grep -qxF %s`, jail, address)
		free = append(free, "! "+holds)
		apply = append(apply, fmt.Sprintf("fail2ban-client set %s unbanip %s >/dev/null", jail, address))
		undo = append(undo, fmt.Sprintf("%s || fail2ban-client set %s banip %s >/dev/null", holds, jail, address))
		c.Verify = append(c.Verify, Verification{Title: fmt.Sprintf("the jail %s does not hold %s", jail, address), Run: "! " + holds})
	}
	c.Title += " in " + strings.Join(jails, ", ")
	c.Notes = []string{"what earned the ban earns it again: mend that, too", "a ban that is given back begins anew, with its full time"}
	c.Effects = []Effect{{Title: c.Title, Commands: &Commands{
		Done: strings.Join(free, " && "), Apply: strings.Join(apply, "\n"), Undo: strings.Join(undo, "\n"),
	}}}
	return c, nil
}

// holding says which jails hold the address by itself. A ban of a whole net is
// for a person to lift: it holds others, too.
func holding(out string, address netip.Addr) ([]string, error) {
	var jails []string
	for line := range strings.Lines(out) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if !jailName.MatchString(words[0]) {
			return nil, fmt.Errorf("fail2ban has a jail with a name that sshtay does not use: %q; by hand: fail2ban-client unban %s", words[0], address)
		}
		for _, held := range words[1:] {
			net, err := netip.ParsePrefix(held)
			if one, notOne := netip.ParseAddr(held); notOne == nil {
				net, err = one.Prefix(one.BitLen())
			}
			switch {
			case err != nil || !net.Contains(address):
			case !net.IsSingleIP():
				return nil, fmt.Errorf("fail2ban has banned the whole net %s, of which %s is a part; by hand: fail2ban-client set %s unbanip %s", net, address, words[0], net)
			case held != address.String():
				return nil, fmt.Errorf("fail2ban writes the address as %q; by hand: fail2ban-client unban %s", held, held)
			default:
				jails = append(jails, words[0])
			}
		}
	}
	return jails, nil
}
