package probe

import (
	"strconv"
	"strings"
	"time"

	"sshtay/internal/fact"
)

// A clientOption carries one effective option of ssh into its fact.
type clientOption struct {
	name string // as ssh -G prints it
	fact fact.Any
	put  func(s *fact.Set, value, source string) bool // false when the value is not one of its kind
}

// clientOptions are the options that bear on the life of a connection.
var clientOptions = []clientOption{
	{"serveraliveinterval", fact.ServerAliveInterval, seconds(fact.ServerAliveInterval)},
	{"serveralivecountmax", fact.ServerAliveCountMax, number(fact.ServerAliveCountMax)},
	{"tcpkeepalive", fact.ClientTCPKeepAlive, yesNo(fact.ClientTCPKeepAlive)},
	{"connecttimeout", fact.ConnectTimeout, orNone(seconds(fact.ConnectTimeout))},
	{"ipqos", fact.ClientIPQoS, text(fact.ClientIPQoS)},
	{"rekeylimit", fact.ClientRekeyLimit, text(fact.ClientRekeyLimit)},
	{"channeltimeout", fact.ClientChannelTimeout, orNone(text(fact.ClientChannelTimeout))},
	{"proxycommand", fact.ProxyCommand, orNone(text(fact.ProxyCommand))},
	{"proxyjump", fact.ProxyJump, orNone(list(fact.ProxyJump))},
	{"controlpath", fact.ControlPath, orNone(text(fact.ControlPath))},
	{"exitonforwardfailure", fact.ExitOnForwardFailure, yesNo(fact.ExitOnForwardFailure)},
	{"kexalgorithms", fact.ClientKex, list(fact.ClientKex)},
	{"hostkeyalgorithms", fact.ClientHostKey, list(fact.ClientHostKey)},
	{"ciphers", fact.ClientCiphers, list(fact.ClientCiphers)},
	{"macs", fact.ClientMACs, list(fact.ClientMACs)},
	{"identitiesonly", fact.IdentitiesOnly, yesNo(fact.IdentitiesOnly)},
}

func clientOptionFacts() []fact.Any {
	var keys []fact.Any
	for _, o := range clientOptions {
		keys = append(keys, o.fact)
	}
	return keys
}

// putClientOptions turns env.Config into facts. Source says where the value of
// an option was read.
func putClientOptions(env *Env, facts *fact.Set, source func(option string) string) {
	for _, o := range clientOptions {
		value := env.value(o.name)
		if value == "" {
			continue // ssh -G leaves out what is not set
		}
		if !o.put(facts, value, source(o.name)) {
			fact.Miss(facts, "ssh -G says "+o.name+" "+strconv.Quote(value)+", which is not understood", o.fact)
		}
	}
}

// A setter reads the text of an option into a fact, and says whether it could.
type setter func(s *fact.Set, value, source string) bool

func text(k fact.Key[string]) setter {
	return func(s *fact.Set, value, source string) bool {
		k.Put(s, value, source)
		return true
	}
}

func list(k fact.Key[[]string]) setter {
	return func(s *fact.Set, value, source string) bool {
		k.Put(s, strings.Split(value, ","), source)
		return true
	}
}

func number(k fact.Key[int]) setter {
	return func(s *fact.Set, value, source string) bool {
		n, err := strconv.Atoi(value)
		if err == nil {
			k.Put(s, n, source)
		}
		return err == nil
	}
}

// seconds reads a time as the dumps of OpenSSH print it: a number of seconds.
func seconds(k fact.Key[time.Duration]) setter {
	return func(s *fact.Set, value, source string) bool {
		n, err := strconv.ParseFloat(value, 64)
		ok := err == nil && n >= 0 && n < 1e9
		if ok {
			k.Put(s, time.Duration(n*float64(time.Second)), source)
		}
		return ok
	}
}

func yesNo(k fact.Key[bool]) setter {
	return func(s *fact.Set, value, source string) bool {
		switch value {
		case "yes", "true":
			k.Put(s, true, source)
		case "no", "false":
			k.Put(s, false, source)
		default:
			return false
		}
		return true
	}
}

// orNone leaves the fact absent, without a reason, when the option is "none".
func orNone(put setter) setter {
	return func(s *fact.Set, value, source string) bool {
		return value == "none" || put(s, value, source)
	}
}
