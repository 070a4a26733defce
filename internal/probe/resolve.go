package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sshtay/internal/host"
	"sshtay/internal/sshwire"
)

// Bounds for finding addresses. A resolver that needs longer fails most
// programs that ask it.
const (
	lookupTime    = 8 * time.Second
	lookupOpinion = 3 * time.Second // to tell "no such name" from "no answer"
	maxAddresses  = 64
)

// resolver is Go's own; tests put another in its place.
var resolver = net.DefaultResolver

// A lookup is what the name service says about a host.
type lookup struct {
	all    []netip.Addr // every address, in the order in which ssh would try them
	usable []netip.Addr // those that AddressFamily (-4, -6) allows
	took   time.Duration
	source string
	reason sshwire.Reason // empty when there is a usable address
	detail string
}

// lookupHost finds the addresses of the resolved host. It asks the system's own
// name service by getent, as ssh does in its own process: mDNS, LDAP and
// whatever else nsswitch.conf names count. Where there is no getent, Go asks.
func lookupHost(ctx context.Context, env *Env) lookup {
	name, start := env.Resolved.Host, time.Now()
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	var l lookup
	var err error
	l.all, l.source, err = Addresses(ctx, env.Local, name)
	l.took = time.Since(start)
	l.usable = slices.DeleteFunc(slices.Clone(l.all), func(a netip.Addr) bool { return !allowed(env, a) })
	switch {
	case err != nil:
		l.reason, l.detail = sshwire.ReasonOf(err), "the name "+name+" could not be resolved: "+err.Error()
	case len(l.usable) == 0:
		l.reason = sshwire.ReasonNameNotFound
		l.detail = fmt.Sprintf("%s has no address of the family that AddressFamily %s allows", name, env.value("addressfamily"))
	}
	return l
}

// getent asks the system's name service. It cannot tell a name that does not
// exist from a service that does not answer, and so Go's resolver is asked
// then: its error says which.
func getent(ctx context.Context, local host.Host, name string) ([]netip.Addr, error) {
	r, err := local.Run(ctx, host.Command{Argv: []string{"getent", "ahosts", name}, Limit: 64 << 10})
	if err != nil {
		return nil, err
	}
	if all := parseAddresses(string(r.Stdout)); len(all) > 0 {
		return all, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupOpinion)
	defer cancel()
	if _, err := resolver.LookupNetIP(ctx, "ip", name); err != nil {
		return nil, err
	}
	return nil, &net.DNSError{Err: "the system's name service does not find it, though DNS has it", Name: name, IsNotFound: true}
}

// parseAddresses reads lines of "address socktype name", where each address
// comes once for each kind of socket.
func parseAddresses(out string) []netip.Addr {
	var all []netip.Addr
	for line := range strings.Lines(out) {
		field, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if a, err := netip.ParseAddr(field); err == nil && !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all
}

// Addresses returns the addresses of a host in the order in which ssh tries
// them, and who named them.
func Addresses(ctx context.Context, local host.Host, name string) (all []netip.Addr, source string, err error) {
	if addr, literal := netip.ParseAddr(strings.Trim(name, "[]")); literal == nil {
		return []netip.Addr{addr.Unmap()}, "the address itself", nil
	}
	source, err = "getent ahosts", errors.New("no host is named")
	if name != "" && !strings.HasPrefix(name, "-") {
		all, err = getent(ctx, local, name)
	}
	if errors.Is(err, host.ErrNotFound) {
		source = "this program's resolver"
		all, err = resolver.LookupNetIP(ctx, "ip", name)
	}
	all = all[:min(len(all), maxAddresses)]
	for i, a := range all {
		all[i] = a.Unmap()
	}
	return all, source, err
}

// allowed says whether AddressFamily lets ssh use an address.
func allowed(env *Env, a netip.Addr) bool {
	switch env.value("addressfamily") {
	case "inet":
		return a.Is4()
	case "inet6":
		return a.Is6()
	}
	switch env.Target.Family { // without a configuration
	case 4:
		return a.Is4()
	case 6:
		return a.Is6()
	}
	return true
}

func family(a netip.Addr) string {
	if a.Is4() {
		return "IPv4"
	}
	return "IPv6"
}
