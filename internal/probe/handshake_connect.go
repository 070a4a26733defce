package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"syscall"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/sshwire"
)

// direct connects as ssh does: to each address in order until one accepts,
// and no other one after that, whatever becomes of the handshake.
func (a *attempt) direct(ctx context.Context, env *Env) {
	l := lookupHost(ctx, env)
	a.lookup = &l
	for _, addr := range l.all {
		a.addresses = append(a.addresses, fact.Address{Address: addr.String(), Family: family(addr)})
	}
	if l.reason != "" {
		a.end(l.reason, l.detail)
		return
	}
	a.stage = stageResolve
	conn := a.first(ctx, env, l.usable)
	if conn == nil {
		return
	}
	defer conn.Close()
	if tcp, ok := conn.(*net.TCPConn); ok {
		a.shown = env.Shaking
		a.shown.begin(tcp)
	}
	a.shake(ctx, env, conn, stageTime)
	reached := netip.MustParseAddrPort(conn.RemoteAddr().String()).Addr().Unmap()
	if a.stage == stageBanner && a.reason == sshwire.ReasonTimedOut && !a.stuck {
		if mark, early := earlyMark(a.shook.Server.Raw); early {
			a.marks = hearServer(ctx, env, reached, mark)
		}
	}
	at := a.at(reached)
	at.Stage, at.Reason, at.Detail = a.stage, string(a.reason), a.detail
	if a.reason != "" && a.reason != sshwire.ReasonThrottled && !a.stuck && ctx.Err() == nil {
		a.otherFamily(ctx, env, l.usable, at.Family)
	}
}

// first returns a connection to the first address that accepts one, or nil
// with the reason in a.
func (a *attempt) first(ctx context.Context, env *Env, usable []netip.Addr) net.Conn {
	for i, addr := range usable {
		if i == mostAddresses || ctx.Err() != nil {
			break
		}
		if !env.Budget.Take() {
			if i == 0 {
				a.unseen = noBudget
			}
			break
		}
		conn, took, err := dial(ctx, env, addr)
		at := a.at(addr)
		note(at, took, err)
		if at.Stage == stageConnect {
			a.stage, a.connect = stageConnect, &took
			a.given = fmt.Sprintf("%s port %d", addr, env.Resolved.Port)
		}
		if err == nil {
			return conn
		}
		a.end(sshwire.ReasonOf(err), err.Error())
		if at.Stage == stageConnect {
			break
		}
	}
	return nil
}

// note writes down how an attempt to connect ended. A reset ends a connection
// that was made, even when that is heard too late to use it: before, it would
// have been refused.
func note(at *fact.Address, took time.Duration, err error) {
	at.Stage, at.Seconds = stageResolve, took.Seconds()
	if err == nil || sshwire.ReasonOf(err) == sshwire.ReasonReset {
		at.Stage = stageConnect
	}
	if err != nil {
		at.Reason, at.Detail = string(sshwire.ReasonOf(err)), err.Error()
	}
}

// otherFamily tries the other address family where the first failed, so that
// a fault of one of them shows as such. It is what ssh would not do, and so
// only the list of addresses tells of it.
func (a *attempt) otherFamily(ctx context.Context, env *Env, usable []netip.Addr, failed string) {
	i := slices.IndexFunc(usable, func(addr netip.Addr) bool { return family(addr) != failed && a.at(addr).Stage == "" })
	if i < 0 || env.Budget.Spent() >= mostSpent || !env.Budget.Take() {
		return
	}
	env.Progress("trying the other address family")
	other, at := &attempt{stage: stageConnect}, a.at(usable[i])
	conn, took, err := dial(ctx, env, usable[i])
	if note(at, took, err); err != nil {
		return
	}
	defer conn.Close()
	other.shake(ctx, env, conn, stageTime/2)
	at.Stage, at.Reason, at.Detail = other.stage, string(other.reason), other.detail
}

// at is the entry for an address.
func (a *attempt) at(addr netip.Addr) *fact.Address {
	for i := range a.addresses {
		if a.addresses[i].Address == addr.String() {
			return &a.addresses[i]
		}
	}
	a.addresses = append(a.addresses, fact.Address{Address: addr.String(), Family: family(addr)})
	return &a.addresses[len(a.addresses)-1]
}

// dial connects within ConnectTimeout, from where BindAddress or
// BindInterface say.
func dial(ctx context.Context, env *Env, addr netip.Addr) (net.Conn, time.Duration, error) {
	limit := connectTime
	if s, err := strconv.ParseFloat(env.value("connecttimeout"), 64); err == nil && s > 0 {
		limit = min(limit, time.Duration(s*float64(time.Second)))
	}
	local, err := source(ctx, env, addr)
	if err != nil {
		return nil, 0, err
	}
	d := net.Dialer{Timeout: limit, LocalAddr: local, FallbackDelay: -1, KeepAlive: -1}
	start := time.Now()
	conn, err := d.DialContext(ctx, "tcp", netip.AddrPortFrom(addr, uint16(env.Resolved.Port)).String())
	took := time.Since(start)
	if err != nil {
		err = plainly(err, took)
	}
	return conn, took, err
}

// plainly leaves out of an error what everybody knows: where to, and by which
// call.
func plainly(err error, took time.Duration) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	if sshwire.ReasonOf(err) == sshwire.ReasonTimedOut {
		return fmt.Errorf("nobody answered within %v (%w)", took.Round(100*time.Millisecond), err)
	}
	return err
}

// source is the address to connect from, or nil where the kernel chooses.
func source(ctx context.Context, env *Env, to netip.Addr) (net.Addr, error) {
	if name := env.value("bindaddress"); name != "" && name != "none" {
		all, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
		for _, a := range all {
			if a.Unmap().Is4() == to.Is4() {
				return net.TCPAddrFromAddrPort(netip.AddrPortFrom(a.Unmap(), 0)), nil
			}
		}
		if err != nil {
			return nil, fmt.Errorf("BindAddress %s: %v", name, err) // not %w: it is this machine's fault, not the host's
		}
		return nil, fmt.Errorf("BindAddress %s has no %s address", name, family(to))
	}
	if name := env.value("bindinterface"); name != "" && name != "none" {
		return ofInterface(name, to)
	}
	return nil, nil
}

// ofInterface is an address of a network interface, as ssh chooses it: one
// that reaches beyond the link, where there is one.
func ofInterface(name string, to netip.Addr) (net.Addr, error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("BindInterface %s: %w", name, err)
	}
	all, err := i.Addrs()
	if err != nil {
		return nil, fmt.Errorf("BindInterface %s: %w", name, err)
	}
	var narrow net.Addr
	for _, a := range all {
		p, err := netip.ParsePrefix(a.String())
		if err != nil || p.Addr().Is4() != to.Is4() {
			continue
		}
		from := net.TCPAddrFromAddrPort(netip.AddrPortFrom(p.Addr(), 0))
		if !p.Addr().IsLinkLocalUnicast() && !p.Addr().IsLoopback() {
			return from, nil
		}
		if p.Addr().Is6() {
			from.Zone = name
		}
		narrow = from
	}
	if narrow == nil {
		return nil, fmt.Errorf("BindInterface %s has no %s address", name, family(to))
	}
	return narrow, nil
}
