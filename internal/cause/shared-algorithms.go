package cause

import (
	"slices"
	"strings"

	"sshtay/internal/fact"
	"sshtay/internal/pattern"
)

// A purpose is something for which the two sides need an algorithm in common.
type purpose struct {
	id     string // as handshake.no_common calls it
	name   string // as people call it
	error  string // as ssh calls it in "no matching ... found"
	option string // of ssh_config and sshd_config
	ours   fact.Key[[]string]
	theirs fact.Key[[]string]
	today  []string // what OpenSSH offers by default today, the oldest and so most widely known first
	old    []string // what OpenSSH still has but no longer offers, the best first
}

var purposes = []purpose{
	{
		id: "kex", name: "key exchange method", error: "key exchange method", option: "KexAlgorithms", ours: fact.ClientKex, theirs: fact.ServerKex,
		today: strings.Fields("curve25519-sha256 curve25519-sha256@libssh.org ecdh-sha2-nistp256 ecdh-sha2-nistp384 ecdh-sha2-nistp521 diffie-hellman-group16-sha512 diffie-hellman-group18-sha512 " +
			"diffie-hellman-group14-sha256 diffie-hellman-group-exchange-sha256 sntrup761x25519-sha512@openssh.com sntrup761x25519-sha512 mlkem768x25519-sha256"),
		old: strings.Fields("diffie-hellman-group14-sha1 diffie-hellman-group-exchange-sha1 diffie-hellman-group1-sha1"),
	},
	{
		id: "host-key", name: "host key type", error: "host key type", option: "HostKeyAlgorithms", ours: fact.ClientHostKey, theirs: fact.ServerHostKey,
		today: strings.Fields("ssh-ed25519 rsa-sha2-512 rsa-sha2-256 ecdsa-sha2-nistp256 ecdsa-sha2-nistp384 ecdsa-sha2-nistp521"),
		old:   strings.Fields("ssh-rsa ssh-dss"),
	},
	{
		id: "cipher", name: "cipher", error: "cipher", option: "Ciphers", ours: fact.ClientCiphers, theirs: fact.ServerCiphers,
		today: strings.Fields("aes256-ctr aes192-ctr aes128-ctr aes256-gcm@openssh.com aes128-gcm@openssh.com chacha20-poly1305@openssh.com"),
		old:   strings.Fields("aes256-cbc aes192-cbc aes128-cbc 3des-cbc"),
	},
	{
		id: "mac", name: "MAC", error: "MAC", option: "MACs", ours: fact.ClientMACs, theirs: fact.ServerMACs,
		today: strings.Fields("hmac-sha2-256 hmac-sha2-512 hmac-sha1 hmac-sha2-256-etm@openssh.com hmac-sha2-512-etm@openssh.com umac-128-etm@openssh.com umac-128@openssh.com umac-64-etm@openssh.com umac-64@openssh.com hmac-sha1-etm@openssh.com"),
		old:   strings.Fields("hmac-sha1-96 hmac-md5 hmac-md5-96"),
	},
}

// A gap is a purpose without an algorithm in common, and what each side
// offers; ours is empty where ssh could not be asked.
type gap struct {
	purpose
	offersOurs, offersTheirs []string
	seenIn                   fact.Any // where what the server offers was read
}

// remedy is the algorithm that ssh would have to offer in addition, and
// whether it is one of today's, which a configuration or an old ssh leaves
// out. DSA is gone from OpenSSH since 10.0.
func (g gap) remedy(client release) (name string, current, found bool) {
	for _, name := range g.today {
		if slices.Contains(g.offersTheirs, name) {
			return name, true, true
		}
	}
	for _, name := range g.old {
		if slices.Contains(g.offersTheirs, name) && !(name == "ssh-dss" && client.since(10, 0)) {
			return name, false, true
		}
	}
	return "", false, false
}

// serverRemedy is the algorithm that an OpenSSH server would have to offer in
// addition.
func (g gap) serverRemedy() (string, bool) {
	for _, name := range slices.Concat(g.today, g.old) {
		if slices.Contains(g.offersOurs, name) {
			return name, true
		}
	}
	return "", false
}

// negotiation compares what both sides offer, for each purpose for which both
// lists were seen, and says for how many that was. The user's own ssh has the
// last word: what it printed is a gap too.
func negotiation(v *fact.View) (gaps []gap, compared int) {
	printed, _ := fact.LoginError.In(v)
	aead := false
	for _, p := range purposes {
		ours, oursSeen := p.ours.In(v)
		theirs, theirsSeen := p.theirs.In(v)
		g := gap{p, ours, theirs, p.theirs}
		if offer, found := p.unmatched(printed); found {
			g.offersTheirs, g.seenIn = offer, fact.LoginError
			gaps = append(gaps, g)
			continue
		}
		if !oursSeen || !theirsSeen {
			continue
		}
		compared++
		common, found := agreed(ours, theirs)
		if p.id == "cipher" {
			aead = found && (strings.Contains(common, "gcm") || strings.Contains(common, "poly1305"))
		}
		if !found && !(p.id == "mac" && aead) {
			gaps = append(gaps, g)
		}
	}
	return gaps, compared
}

// agreed is the client's first choice that the server has too. Names that are
// signals and no algorithms do not count.
func agreed(ours, theirs []string) (string, bool) {
	for _, name := range ours {
		if !signal(name) && slices.Contains(theirs, name) {
			return name, true
		}
	}
	return "", false
}

func signal(name string) bool {
	return strings.HasPrefix(name, "ext-info-") || strings.HasPrefix(name, "kex-strict-")
}

var unmatchedText = pattern.New(`no matching ([A-Za-z ]{1,40}) found\. Their offer: (\S{1,1000})`)

// unmatched finds the purpose in what ssh prints when it cannot negotiate.
func (p purpose) unmatched(printed string) (offer []string, found bool) {
	m := unmatchedText.FindStringSubmatch(printed)
	if m == nil || m[1] != p.error {
		return nil, false
	}
	return strings.Split(m[2], ","), true
}

// some writes a list of algorithms, cut where it gets long.
func some(names []string) string {
	const most = 8
	names = slices.DeleteFunc(slices.Clone(names), signal)
	if len(names) > most {
		return strings.Join(names[:most], ", ") + ", ..."
	}
	return strings.Join(names, ", ")
}
