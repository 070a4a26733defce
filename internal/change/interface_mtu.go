package change

import (
	"context"
	"fmt"
	"regexp"
	"strconv"

	"sshtay/internal/host"
	"sshtay/internal/remedy"
)

var (
	deviceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:-]{0,14}$`)
	deviceMTU  = regexp.MustCompile(` mtu (\d{2,6}) `)
)

// InterfaceMTU lets everything that leaves by an interface be at most mtu bytes
// long.
func InterfaceMTU(ctx context.Context, m host.Host, device string, mtu int) (Change, error) {
	c := Change{Kind: "interface_mtu", Title: fmt.Sprintf("send packets of at most %d bytes by %s", mtu, device), Risk: remedy.CanLockOut, Root: true, Notes: []string{afterReboot}}
	if !deviceName.MatchString(device) {
		return c, fmt.Errorf("%q is no name of an interface that sshtay changes", device)
	}
	// Below 1280 an interface loses its IPv6 addresses, and does not get them back.
	if err := checkMTU(mtu, true); err != nil {
		return c, err
	}
	out, err := ask(ctx, m, `ip -o link show dev "$1"`, device)
	if err != nil {
		return c, fmt.Errorf("%w; see the names with: ip link", err)
	}
	is := deviceMTU.FindStringSubmatch(string(out))
	if is == nil {
		return c, fmt.Errorf("the MTU of %s cannot be read; by hand: ip link set dev %s mtu %d", device, device, mtu)
	}
	if old, _ := strconv.Atoi(is[1]); old <= mtu {
		c.Notes = nil
		return c, nil
	}
	holds := fmt.Sprintf("ip -o link show dev %s | grep -q ' mtu %d '", device, mtu)
	c.Verify = []Verification{{Title: fmt.Sprintf("%s has an MTU of %d", device, mtu), Run: holds}}
	c.Effects = []Effect{{Title: "set the MTU of " + device, Commands: &Commands{
		Done: holds, Apply: fmt.Sprintf("ip link set dev %s mtu %d", device, mtu),
		Undo: fmt.Sprintf("if %s; then ip link set dev %s mtu %s; fi", holds, device, is[1]),
	}}}
	return c, nil
}
