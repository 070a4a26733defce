package probe

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/host"
)

// An idleRecord is what is kept of a measurement: the way to a host from
// another network is another one.
type idleRecord struct {
	Schema  string                     `json:"schema"`
	At      time.Time                  `json:"at"`
	Network string                     `json:"network"`
	Host    string                     `json:"host"`
	Port    int                        `json:"port"`
	Facts   map[string]json.RawMessage `json:"facts"`
}

const (
	recordSchema = "sshtay.idle-record/1"
	recordLimit  = 64 << 10
	recordAge    = 30 * 24 * time.Hour // older ones say too little
)

// notMeasured is why there is no answer when nobody asked for one.
const notMeasured = "it takes as long as the silence itself, so it is measured only when asked for: sshtay idle HOST"

// recordPath is where the record of a host and a network is.
func recordPath(network, name string, port int) (string, error) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%d", network, name, port))
	return host.StatePath("idle", fmt.Sprintf("%x.json", sum[:12]))
}

// firstAddress is the address of the host that was reached, or tried.
func firstAddress(facts *fact.Set) netip.Addr {
	addresses, _ := fact.HandshakeAddresses.Get(facts)
	for _, reached := range []bool{true, false} {
		for _, a := range addresses {
			if addr, err := netip.ParseAddr(a.Address); err == nil && (!reached || a.Stage != "" && a.Stage != stageResolve) {
				return addr
			}
		}
	}
	return netip.Addr{}
}

// wayTo names the network by which the host is reached; the leg behind a jump
// host is the same from everywhere.
func wayTo(ctx context.Context, env *Env, facts *fact.Set) string {
	if via, _ := fact.ProxyJump.Get(facts); len(via) > 0 {
		return "behind " + via[len(via)-1]
	}
	return network(ctx, env, firstAddress(facts))
}

// keep stores what was measured, for checks to come.
func keep(ctx context.Context, env *Env, facts *fact.Set) error {
	keeper, ok := env.Local.(interface{ KeepState(string, []byte) error })
	if !ok {
		return errors.ErrUnsupported
	}
	r := idleRecord{Schema: recordSchema, At: time.Now().UTC(), Network: wayTo(ctx, env, facts), Host: env.Resolved.Host, Port: env.Resolved.Port, Facts: map[string]json.RawMessage{}}
	for _, k := range idleFacts {
		if e, seen := facts.Entry(k.Name()); seen && k.Name() != fact.IdleAge.Name() {
			data, err := json.Marshal(fact.Seconds(e.Value))
			if err != nil {
				return err
			}
			r.Facts[k.Name()] = data
		}
	}
	path, err := recordPath(r.Network, r.Host, r.Port)
	if err != nil {
		return err
	}
	if old, err := env.Local.ReadFile(ctx, path, recordLimit); err == nil && saysMore(old, facts) {
		return nil
	}
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return keeper.KeepState(path, append(data, '\n'))
}

// saysMore says that an old record tells more than what was measured now, as
// after a run that was cut short, or one without logins.
func saysMore(old []byte, now *fact.Set) bool {
	before := &fact.Set{}
	if putRecord(before, old, time.Now()) != nil {
		return false
	}
	_, rough := fact.IdleBefore.Get(now)
	if sure, _ := fact.IdleSure.Get(before); sure && rough {
		return true
	}
	if _, found := fact.IdleTimeout.Get(now); found {
		return false
	}
	was, _ := fact.IdleSurvived.Get(before)
	fatal, _ := fact.IdleFatal.Get(before)
	is, _ := fact.IdleSurvived.Get(now)
	return is < was || is < fatal
}

// remember puts what was measured on this network before.
func remember(ctx context.Context, env *Env, facts *fact.Set) {
	path, err := recordPath(wayTo(ctx, env, facts), env.Resolved.Host, env.Resolved.Port)
	if err != nil {
		fact.Miss(facts, notMeasured, idleFacts...)
		return
	}
	data, err := env.Local.ReadFile(ctx, path, recordLimit)
	if errors.Is(err, fs.ErrNotExist) {
		fact.Miss(facts, notMeasured, idleFacts...)
		return
	}
	if err == nil {
		err = putRecord(facts, data, time.Now())
	}
	if err != nil {
		fact.Miss(facts, "what was measured before cannot be read: "+err.Error(), idleFacts...)
	}
}

// putRecord puts the facts of a record.
func putRecord(facts *fact.Set, data []byte, now time.Time) error {
	var r idleRecord
	if err := json.Unmarshal(data, &r); err != nil {
		return err
	}
	age := now.Sub(r.At)
	switch {
	case r.Schema != recordSchema:
		return fmt.Errorf("it is of the schema %q", r.Schema)
	case age < 0 || age > recordAge:
		return fmt.Errorf("it is of %s, which is too long ago", r.At.Format(time.DateOnly))
	}
	source := "measured on " + r.At.Format("2006-01-02 15:04 MST") + " on this network"
	for _, into := range []*fact.Set{{}, facts} { // all of it, or nothing
		for _, k := range idleFacts {
			if raw, has := r.Facts[k.Name()]; has {
				if err := into.Decode(k.Name(), raw, source, now); err != nil {
					return err
				}
			}
		}
	}
	fact.IdleAge.Put(facts, age.Round(time.Second), source)
	fact.Miss(facts, "the measurement of "+r.At.Format(time.DateOnly)+" has no answer", idleFacts...)
	return nil
}
