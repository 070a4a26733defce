package change

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"sshtay/internal/host"
	"sshtay/internal/remedy"
	"sshtay/internal/sshconf"
)

// kinds are the functions of this package, in the order in which their changes
// are made. Those with options are asked once for all options together.
var kinds = []struct {
	kind    remedy.Kind
	options bool
	make    func(context.Context, host.Host, Request, map[string]string) (Change, error)
}{
	{remedy.SSHConfig, true, func(ctx context.Context, m host.Host, r Request, with map[string]string) (Change, error) {
		return SSHConfig(ctx, m, r.Client, assignments(with))
	}},
	{remedy.SSHDConfig, true, func(ctx context.Context, m host.Host, r Request, with map[string]string) (Change, error) {
		with, err := keepExempt(ctx, m, with)
		if err != nil {
			return Change{}, err
		}
		return SSHDConfig(ctx, m, r.Server, assignments(with), true)
	}},
	{remedy.Sysctl, true, func(ctx context.Context, m host.Host, _ Request, with map[string]string) (Change, error) {
		return Sysctl(ctx, m, with)
	}},
	{remedy.RouteMTU, false, func(ctx context.Context, m host.Host, _ Request, with map[string]string) (Change, error) {
		to, err := netip.ParseAddr(with["to"])
		mtu, err2 := strconv.Atoi(with["mtu"])
		if err := errors.Join(err, err2); err != nil {
			return Change{}, err
		}
		return RouteMTU(ctx, m, to, mtu)
	}},
	{remedy.InterfaceMTU, false, func(ctx context.Context, m host.Host, _ Request, with map[string]string) (Change, error) {
		mtu, err := strconv.Atoi(with["mtu"])
		if err != nil {
			return Change{}, err
		}
		return InterfaceMTU(ctx, m, with["device"], mtu)
	}},
	{remedy.MSSClamp, false, func(ctx context.Context, m host.Host, _ Request, with map[string]string) (Change, error) {
		mss, err := strconv.Atoi(with["mss"])
		if err != nil {
			return Change{}, err
		}
		return MSSClamp(ctx, m, mss)
	}},
	{remedy.PassICMP, false, func(ctx context.Context, m host.Host, _ Request, with map[string]string) (Change, error) {
		return PassICMP(ctx, m, with["family"])
	}},
	{remedy.Ban, false, onAddress(Unban)},
	{remedy.HostsDeny, false, onAddress(HostsAllow)},
	{remedy.SocketLimits, true, func(ctx context.Context, m host.Host, _ Request, with map[string]string) (Change, error) {
		return SocketLimits(ctx, m, with)
	}},
	{remedy.PrivsepDir, false, alone(PrivsepDir)},
	{remedy.HostKeys, false, alone(HostKeys)},
	{remedy.StartSSHD, false, alone(StartSSHD)}, // last: it needs what the others mend
}

type kindFunc = func(context.Context, host.Host, Request, map[string]string) (Change, error)

func onAddress(kind func(context.Context, host.Host, netip.Addr) (Change, error)) kindFunc {
	return func(ctx context.Context, m host.Host, _ Request, with map[string]string) (Change, error) {
		address, err := netip.ParseAddr(with["address"])
		if err != nil {
			return Change{}, err
		}
		return kind(ctx, m, address)
	}
}

func alone(kind func(context.Context, host.Host) (Change, error)) kindFunc {
	return func(ctx context.Context, m host.Host, _ Request, _ map[string]string) (Change, error) {
		return kind(ctx, m)
	}
}

func kindOf(k remedy.Kind) int {
	for i := range kinds {
		if kinds[i].kind == k {
			return i
		}
	}
	return -1
}

// assignments are options as a configuration is given them.
func assignments(with map[string]string) []sshconf.Assignment {
	var all []sshconf.Assignment
	for _, name := range slices.Sorted(maps.Keys(with)) {
		all = append(all, sshconf.Assignment{Keyword: name, Value: with[name]})
	}
	return all
}

const exemptList = "PerSourcePenaltyExemptList"

// keepExempt adds to the list of those whom sshd never punishes, where a remedy
// wants somebody on it: nobody is taken off.
func keepExempt(ctx context.Context, m host.Host, with map[string]string) (map[string]string, error) {
	who, is := with[exemptList]
	if !is {
		return with, nil
	}
	server, err := serverConfig(ctx, m)
	if err != nil {
		return nil, err
	}
	list := server.Text(exemptList)
	if list == "" || list == "none" {
		return with, nil
	}
	with = maps.Clone(with)
	if with[exemptList] = list; !slices.Contains(strings.Split(list, ","), who) {
		with[exemptList] = list + "," + who
	}
	return with, nil
}

// serverConfig is the configuration of the sshd that serves, or would.
func serverConfig(ctx context.Context, m host.Host) (*sshconf.Server, error) {
	s, err := findSSHD(ctx, m, "")
	if err != nil {
		return nil, err
	}
	env := &sshconf.Env{ReadFile: reader(ctx, m), Glob: sshconf.GlobOf(lister(ctx, m)), Groups: groups(ctx, m), Dir: "/"}
	server, err := sshconf.ResolveServer(env, sshconf.ServerRequest{Config: s.config, Options: s.options, Release: s.release})
	if err != nil {
		return nil, unreadable(s, "sshd's configuration has to be mended first: %w", err)
	}
	return server, nil
}
