package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"sshtay/internal/fact"
	"sshtay/internal/host"
	"sshtay/internal/sock"
	"sshtay/internal/visible"
)

// mostForwards are tried; who has more of them is told of these.
const mostForwards = 50

// forwards says which local ends of the forwardings that ssh is to make are
// not to be had. Our own login makes none.
func forwards(ctx context.Context, env *Env, facts *fact.Set) {
	if env.Target.Local() || env.Config == nil || env.value("clearallforwardings") == "yes" {
		return
	}
	const source = "ssh -G"
	listens := func(option string) (all []string) {
		for _, v := range env.Config[option] {
			at, _, _ := strings.Cut(v, " ")
			if !slices.Contains(all, at) && len(all) < mostForwards {
				all = append(all, visible.Line(at, 200))
			}
		}
		return all
	}
	if remote := listens("remoteforward"); remote != nil {
		fact.RemoteForwards.Put(facts, remote, source)
	}
	local := listens("localforward")
	for _, at := range listens("dynamicforward") {
		if !slices.Contains(local, at) { // ssh -G shows some twice
			local = append(local, at)
		}
	}
	if state, _ := fact.ControlMaster.Get(facts); state == "alive" || len(local) == 0 {
		return // through a shared connection its ssh makes them, or has made them
	}
	taken, unsure := []string{}, error(nil)
	for _, at := range local {
		switch err := listenError(ctx, env, at); {
		case errors.Is(err, errors.ErrUnsupported) || errors.Is(err, errNotTried):
			unsure = err
		case err != nil:
			taken = append(taken, fmt.Sprintf("%s: %v", at, err))
		}
	}
	if unsure != nil && len(taken) == 0 {
		fact.Miss(facts, "whether the ports to forward from are free was not tried: "+unsure.Error(), fact.ForwardsTaken)
		return
	}
	fact.ForwardsTaken.Put(facts, taken, "bind, tried at each local end that ssh -G names")
}

var errNotTried = errors.New("its address could not be found")

// listenError says why ssh could not listen at the local end of a forwarding,
// such as "8080", "[127.0.0.1]:8080", "[*]:8080" or "/run/x.sock". Of several
// addresses one is enough for ssh.
func listenError(ctx context.Context, env *Env, at string) error {
	if strings.HasPrefix(at, "/") {
		return socketError(ctx, env, at)
	}
	name, digits := "", at
	if rest, ok := strings.CutPrefix(at, "["); ok {
		name, digits, _ = strings.Cut(rest, "]:")
	}
	port, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || port == 0 {
		return errNotTried
	}
	addresses := listenAddresses(ctx, env, name)
	if len(addresses) == 0 {
		return errNotTried
	}
	for _, a := range addresses {
		one := sock.TryBind(netip.AddrPortFrom(a.Unmap(), uint16(port)))
		if one == nil {
			return nil
		}
		if err == nil || !errors.Is(one, syscall.EADDRNOTAVAIL) { // no IPv6 here is the lesser reason
			err = one
		}
	}
	return err
}

// socketError is listenError for a socket in the file system.
func socketError(ctx context.Context, env *Env, path string) error {
	if env.value("streamlocalbindunlink") == "yes" {
		return nil
	}
	r, err := env.Local.Run(ctx, host.Command{Argv: []string{"test", "-e", path}, Limit: 1 << 10})
	switch {
	case err != nil:
		return errNotTried
	case r.Exit == 0:
		return errors.New("there is a file of that name already, and StreamLocalBindUnlink is no")
	}
	return nil
}

// listenAddresses are those on which ssh listens for a forwarding from a name:
// all for "*", and for none unless GatewayPorts is on loopback.
func listenAddresses(ctx context.Context, env *Env, name string) []netip.Addr {
	var all []netip.Addr
	switch {
	case name == "*" || name == "" && env.value("gatewayports") == "yes":
		all = []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}
	case name == "" || name == "localhost":
		all = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	default:
		all, _ = net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	}
	return slices.DeleteFunc(all, func(a netip.Addr) bool {
		switch env.value("addressfamily") {
		case "inet":
			return !a.Unmap().Is4()
		case "inet6":
			return a.Unmap().Is4()
		}
		return false
	})
}
