package sshconf

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// listen is one ListenAddress, to be completed when all ports are known.
type listen struct {
	host, rdomain string
	port          int // 0 is every Port
	from          Origin
}

// listenAddress takes HOST, HOST:PORT or an IPv6 address, and perhaps
// "rdomain NAME".
func listenAddress(r *run, l *line) error {
	arg, ok := l.next()
	if !ok {
		return errors.New("missing address")
	}
	a := listen{host: arg, from: r.at}
	if strings.Contains(arg, "[") || strings.Count(arg, ":") < 2 {
		host, port, more, ok := hostPort(arg)
		if !ok {
			return errors.New("bad address:port usage")
		}
		if a.host = bare(host); more {
			if a.port, ok = r.port(port); !ok || a.port == 0 {
				return errors.New("bad port number")
			}
		}
	}
	if word, ok := l.any(); ok {
		name, has := l.any()
		if word != "rdomain" || !has {
			return errors.New("bad ListenAddress syntax")
		}
		a.rdomain = name
	}
	r.listens = append(r.listens, a)
	return nil
}

// listenValues completes the addresses. Those of a routing domain stand
// together; the addresses of a name are printed last first.
func (r *run) listenValues() ([]Value, error) {
	ports := []string{"22"}
	if s := r.slots["port"]; s != nil {
		ports = nil
		for _, v := range s.values {
			ports = append(ports, v.Text)
		}
	}
	listens := r.listens
	if len(listens) == 0 {
		listens = []listen{{}}
	}
	byDomain := map[string][]Value{}
	var domains []string
	for _, a := range listens {
		addrs, err := r.listenAddrs(a)
		if err != nil {
			r.at = a.from
			return nil, err
		}
		if _, seen := byDomain[a.rdomain]; !seen {
			domains = append(domains, a.rdomain)
		}
		own := ports
		if a.port != 0 {
			own = []string{strconv.Itoa(a.port)}
		}
		for _, port := range own {
			for i := len(addrs) - 1; i >= 0; i-- {
				byDomain[a.rdomain] = append(byDomain[a.rdomain], Value{a.text(addrs[i], port), a.from})
			}
		}
	}
	var values []Value
	for _, d := range domains {
		values = append(values, byDomain[d]...)
	}
	return values, nil
}

func (a listen) text(addr, port string) string {
	s := addr + ":" + port
	if strings.Contains(addr, ":") {
		s = "[" + addr + "]:" + port
	}
	if a.rdomain != "" {
		s += " rdomain " + a.rdomain
	}
	return s
}

// listenAddrs are the addresses of one ListenAddress: itself, what its name
// leads to, or for none every address of the families wanted.
func (r *run) listenAddrs(a listen) ([]string, error) {
	family, set := r.text("addressfamily")
	if !set {
		family = "any"
	}
	if a.from.Default() {
		switch family {
		case "inet":
			return []string{"0.0.0.0"}, nil
		case "inet6":
			return []string{"::"}, nil
		}
		return []string{"0.0.0.0", "::"}, nil
	}
	fits := func(ip netip.Addr) bool { return family == "any" || ip.Is4() == (family == "inet") }
	if ip, ok := parseAddr(a.host); ok {
		if !fits(ip) {
			return nil, fmt.Errorf("bad addr or host: %s", printable(a.host))
		}
		return []string{addrText(ip)}, nil
	}
	if r.env.LookupHost == nil {
		r.at = a.from
		r.warn("ListenAddress %s was not looked up", printable(a.host))
		return []string{a.host}, nil
	}
	answer, err := r.env.LookupHost(a.host, family)
	if err != nil {
		return nil, fmt.Errorf("bad addr or host: %s (%w)", printable(a.host), err)
	}
	var addrs []string
	for _, ip := range answer.Addrs {
		if fits(ip) {
			addrs = append(addrs, addrText(ip))
		}
	}
	return addrs, nil
}
