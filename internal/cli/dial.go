package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sshtay/internal/host"
	"sshtay/internal/probe"
	"sshtay/internal/sock"
	"sshtay/internal/sshconf"
)

const dialHelp = `Dial is a ProxyCommand for ssh that makes the connection with settings which ssh
cannot give it, and hands it over: afterwards ssh speaks with the server itself,
at full speed, and no other process is left.

    Host web1
        ProxyCommand sshtay dial --mss 1200 %h %p
        ProxyUseFdpass yes

It tries the host's addresses in ssh's order. What ssh does with the connections
that it makes itself and not with one that it is given, is said here: -4, -6,
--bind for BindAddress, --timeout for ConnectTimeout, --no-tcp-keepalive for
TCPKeepAlive no. IPQoS still works: ssh marks what it is given, too.`

// dialPatience is how long one address may take to answer where nothing else is
// said, and who lends a connection.
const dialPatience = 10 * time.Second

// A dialing is what the flags of dial say.
type dialing struct {
	sock.Options
	from        string
	tos         string
	bind        string
	v4, v6      bool
	noKeepAlive bool
}

func (sh *shell) dialCommand() *cobra.Command {
	var d dialing
	cmd := &cobra.Command{
		Use:               "dial [--mss N] [--tos NAME] HOST PORT",
		Short:             "make ssh's connection with a smaller segment size or another marking (a ProxyCommand)",
		Long:              dialHelp,
		Example:           `  ssh -o 'ProxyCommand sshtay dial --mss 1200 %h %p' -o ProxyUseFdpass=yes web1`,
		ValidArgsFunction: cobra.NoFileCompletions,
		Args: func(_ *cobra.Command, args []string) error {
			if want := 2; d.from == "" && len(args) != want {
				return usage("sshtay dial --help", "want a host and a port, as in: ProxyCommand sshtay dial --mss 1200 %%h %%p")
			}
			return d.check()
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			const hint = "ProxyUseFdpass yes, beside the ProxyCommand in ssh_config"
			out, ok := sh.out.(*os.File)
			if !ok {
				return exitError{exitUsage, host.ErrNotSocket.Error(), hint}
			}
			if err := host.CanPass(out); err != nil {
				return exitError{exitUsage, err.Error(), hint}
			}
			var conn *net.TCPConn
			var err error
			if d.from != "" {
				conn, err = borrow(d.from)
			} else {
				conn, err = d.first(cmd.Context(), args[0], args[1])
			}
			if err != nil {
				return exitError{exitFindings, err.Error(), ""}
			}
			defer conn.Close()
			if err := host.Pass(out, conn); err != nil {
				return exitError{exitUsage, err.Error(), hint}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.IntVar(&d.MSS, "mss", 0, "segments of at most `N` bytes, in both directions: the longest packet that passes, less 40 (IPv6: 60)")
	f.StringVar(&d.tos, "tos", "", "mark packets: a `NAME` of IPQoS (af21, lowdelay, cs1, none) or a number")
	f.StringVar(&d.bind, "bind", "", "connect from this `ADDRESS`, as BindAddress")
	f.DurationVar(&d.Timeout, "timeout", dialPatience, "how long each address may take to answer")
	f.BoolVar(&d.noKeepAlive, "no-tcp-keepalive", false, "do not ask the kernel to look after a silent connection, as TCPKeepAlive no")
	f.BoolVarP(&d.v4, "ipv4", "4", false, "use IPv4 only")
	f.BoolVarP(&d.v6, "ipv6", "6", false, "use IPv6 only")
	f.StringVar(&d.from, "from", "", "take the connection from the `SOCKET` of a sshtay that lends it")
	f.MarkHidden("from")
	cmd.RegisterFlagCompletionFunc("mss", cobra.FixedCompletions([]string{
		"1360\tpackets of 1400 bytes", "1320\tWireGuard and most VPNs over IPv6", "1240\tpackets of 1280 bytes: nearly every path carries these", "536\tevery path carries these",
	}, cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveKeepOrder))
	cmd.RegisterFlagCompletionFunc("tos", cobra.FixedCompletions([]string{"none", "lowdelay", "throughput", "af21", "cs1", "ef"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// What the kernel takes for TCP_MAXSEG.
const (
	leastMSS = 88
	mostMSS  = 32767
)

// check refuses flags that could not work.
func (d *dialing) check() error {
	switch {
	case d.v4 && d.v6:
		return usage("", "-4 and -6 exclude each other")
	case d.MSS != 0 && (d.MSS < leastMSS || d.MSS > mostMSS):
		return usage("sshtay dial --mss 1200 HOST PORT", "--mss %d: a segment has %d to %d bytes", d.MSS, leastMSS, mostMSS)
	case d.Timeout <= 0:
		return usage("", "--timeout %s: want more than nothing", d.Timeout)
	}
	if d.tos == "" {
		return nil
	}
	value := sshconf.QoSByte(d.tos)
	if _, err := strconv.ParseUint(d.tos, 0, 8); err != nil && value == 0 && !strings.EqualFold(d.tos, "none") && !strings.EqualFold(d.tos, "cs0") {
		return usage("man ssh_config", "--tos %s: want a name of IPQoS, such as af21, or a number from 0 to 255", d.tos)
	}
	d.TOS = &value
	return nil
}

func borrow(path string) (*net.TCPConn, error) {
	conn, err := host.Borrow(path, dialPatience)
	if err != nil {
		return nil, err
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		conn.Close()
		return nil, fmt.Errorf("%s lends something that is no TCP connection", path)
	}
	return tcp, nil
}

// first connects to the first address of the host that accepts. The error says
// what each of them did.
func (d *dialing) first(ctx context.Context, name, port string) (*net.TCPConn, error) {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return nil, fmt.Errorf("%s: a port is a number from 1 to 65535", port)
	}
	all, _, err := probe.Addresses(ctx, host.Local{}, name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var from netip.Addr
	if d.bind != "" {
		if from, err = netip.ParseAddr(d.bind); err != nil {
			return nil, fmt.Errorf("--bind %s: want an address of this machine", d.bind)
		}
		d.Local = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
	}
	d.KeepAlive = !d.noKeepAlive
	var failed []error
	for _, addr := range all {
		if d.v4 && !addr.Is4() || d.v6 && addr.Is4() || from.IsValid() && from.Is4() != addr.Is4() {
			continue
		}
		conn, err := sock.Dial(ctx, netip.AddrPortFrom(addr, uint16(n)), d.Options)
		if err == nil {
			return conn, nil
		}
		failed = append(failed, fmt.Errorf("connect to %s (%s) port %d: %w", name, addr, n, plain(err)))
	}
	if failed == nil {
		return nil, fmt.Errorf("%s has no address of that family", name)
	}
	return nil, errors.Join(failed...)
}

// plain leaves out of an error what stands beside it already.
func plain(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	if sys, ok := errors.AsType[*os.SyscallError](err); ok {
		err = sys.Err
	}
	return err
}
