package change

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"sshtay/internal/host"
	"sshtay/internal/remedy"
)

const afterReboot = "it is gone after a reboot: to keep it, set it in the configuration of the network or of the VPN"

// checkMTU refuses what would take IPv4 or IPv6 away.
func checkMTU(mtu int, six bool) error {
	least := 576
	if six {
		least = 1280
	}
	if mtu < least || mtu > 65535 {
		return fmt.Errorf("an MTU of %d bytes is out of bounds: it is from %d to 65535", mtu, least)
	}
	return nil
}

// RouteMTU lets packets to one address be at most mtu bytes long, by a route to
// that address alone which otherwise is the one that it has now.
func RouteMTU(ctx context.Context, m host.Host, to netip.Addr, mtu int) (Change, error) {
	to = to.Unmap()
	c := Change{Kind: "route_mtu", Title: fmt.Sprintf("send packets of at most %d bytes to %s", mtu, to), Risk: remedy.Harmless, Root: true, Notes: []string{afterReboot}}
	if !to.IsValid() || to.Zone() != "" {
		return c, fmt.Errorf("%q is no address to which a route can lead", to)
	}
	if err := checkMTU(mtu, to.Is6()); err != nil {
		return c, err
	}
	family, byHand := "-4", fmt.Sprintf("; by hand: ip route replace %s via GATEWAY dev DEVICE mtu %d", to, mtu)
	if to.Is6() {
		family = "-6"
	}
	out, err := ask(ctx, m, `ip "$1" -o route get fibmatch "$2"`, family, to.String())
	if err != nil {
		return c, fmt.Errorf("the route to %s cannot be read: %w%s", to, err, byHand)
	}
	old, err := parseRoute(string(out))
	if err != nil {
		return c, fmt.Errorf("%w%s", err, byHand)
	}
	holds := fmt.Sprintf(`ip %s -o route get fibmatch %s | grep -Eq ' mtu (lock )?%d( |$)'`, family, to, mtu)
	c.Verify = []Verification{{Title: fmt.Sprintf("the route to %s has an MTU of %d", to, mtu), Run: holds}}
	own := netip.PrefixFrom(to, to.BitLen())
	had := old.to == own
	if had && old.mtu > 0 && old.mtu <= mtu {
		c.Verify, c.Notes = nil, nil
		return c, nil
	}
	line := fmt.Sprintf("%s %s mtu %d", own, strings.Join(old.way(had), " "), mtu)
	undo := fmt.Sprintf("ip %s route del %s", family, line)
	if had {
		undo = fmt.Sprintf("ip %s route replace %s %s", family, own, strings.Join(old.words, " "))
	}
	c.Effects = []Effect{{Title: "set a route to " + to.String(), Commands: &Commands{
		Done: holds, Apply: fmt.Sprintf("ip %s route replace %s", family, line), Undo: fmt.Sprintf("if %s; then %s; fi", holds, undo),
	}}}
	return c, nil
}

// A route is one line of `ip route`.
type route struct {
	to    netip.Prefix
	mtu   int      // 0: that of its device
	words []string // all that stands behind the destination
}

var routeWord = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9:._/@-]*$`)

func parseRoute(line string) (route, error) {
	words := strings.Fields(line)
	if len(words) < 3 || strings.Contains(line, "nexthop") || strings.Contains(line, `\`) {
		return route{}, errors.New("the way there is not one plain route")
	}
	for _, w := range words {
		if !routeWord.MatchString(w) {
			return route{}, fmt.Errorf("the route has a word that is not understood: %q", w)
		}
	}
	var r route
	to := words[0]
	r.words = words[1:]
	switch to {
	case "local":
		return r, errors.New("the address is this machine's own")
	case "default":
		to = "0.0.0.0/0"
	}
	if !strings.Contains(to, "/") {
		if a, err := netip.ParseAddr(to); err == nil {
			to = netip.PrefixFrom(a, a.BitLen()).String()
		}
	}
	var err error
	if r.to, err = netip.ParsePrefix(to); err != nil {
		return r, fmt.Errorf("the way there is not one plain route, but %s", words[0])
	}
	for i, w := range r.words {
		if w == "mtu" {
			fmt.Sscan(strings.TrimPrefix(strings.Join(r.words[i+1:], " "), "lock "), &r.mtu)
		}
	}
	// What the kernel says of a route beside how to reach something.
	for _, word := range []string{"linkdown", "dead", "offload", "trap"} {
		r.words = slices.DeleteFunc(r.words, func(w string) bool { return w == word })
	}
	return r, nil
}

// way is how packets get there, without the MTU; a route that is not yet there
// does not take over who made the one that it follows, nor its preference.
func (r route) way(same bool) []string {
	drop := []string{"mtu"}
	if !same {
		drop = append(drop, "proto", "metric", "pref", "expires", "error", "advmss")
	}
	var out []string
	for i := 0; i < len(r.words); i++ {
		if !slices.Contains(drop, r.words[i]) {
			out = append(out, r.words[i])
			continue
		}
		if i++; i < len(r.words) && r.words[i] == "lock" {
			i++
		}
	}
	return out
}
