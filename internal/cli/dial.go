package cli

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"sshtay/internal/host"
	"sshtay/internal/sock"
)

const dialHelp = `Dial is a ProxyCommand for ssh that makes the connection with settings which ssh
cannot give it, and hands it over: afterwards ssh speaks with the server itself,
at full speed, and no other process is left.

    Host web1
        ProxyCommand sshtay dial --mss 1200 %h %p
        ProxyUseFdpass yes`

// dialPatience is how long one address may take to answer, and who lends a
// connection.
const dialPatience = 10 * time.Second

func (sh *shell) dialCommand() *cobra.Command {
	var o sock.Options
	var from string
	var tos int
	cmd := &cobra.Command{
		Use:     "dial [--mss N] [--tos N] HOST PORT",
		Short:   "make ssh's connection with a smaller segment size or another marking (a ProxyCommand)",
		Long:    dialHelp,
		Example: `  ssh -o 'ProxyCommand sshtay dial --mss 1200 %h %p' -o ProxyUseFdpass=yes web1`,
		Args: func(_ *cobra.Command, args []string) error {
			if want := 2; from == "" && len(args) != want {
				return usage("sshtay dial --help", "want a host and a port, as in: ProxyCommand sshtay dial --mss 1200 %%h %%p")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			out, ok := sh.out.(*os.File)
			if !ok {
				return exitError{exitUsage, host.ErrNotSocket.Error(), ""}
			}
			if cmd.Flags().Changed("tos") {
				o.TOS = &tos
			}
			var conn *net.TCPConn
			var err error
			if from != "" {
				conn, err = borrow(from)
			} else {
				conn, err = dialFirst(cmd.Context(), args[0], args[1], o)
			}
			if err != nil {
				return exitError{exitFindings, err.Error(), ""}
			}
			defer conn.Close()
			if err := host.Pass(out, conn); err != nil {
				return exitError{exitUsage, err.Error(), "ssh -o ProxyUseFdpass=yes, beside the ProxyCommand"}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.MSS, "mss", 0, "segments of at most `N` bytes, in both directions")
	f.IntVar(&tos, "tos", 0, "mark packets with the traffic class byte `N`")
	f.StringVar(&from, "from", "", "take the connection from the `SOCKET` of a sshtay that lends it")
	f.MarkHidden("from")
	return cmd
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

// dialFirst connects to the first address of the host that accepts.
func dialFirst(ctx context.Context, name, port string, o sock.Options) (*net.TCPConn, error) {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("%s: a port is a number from 1 to 65535", port)
	}
	all, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	if err != nil {
		return nil, err
	}
	o.KeepAlive, o.Timeout = true, dialPatience
	for _, addr := range all {
		var conn *net.TCPConn
		if conn, err = sock.Dial(ctx, netip.AddrPortFrom(addr.Unmap(), uint16(n)), o); err == nil {
			return conn, nil
		}
	}
	return nil, err
}
