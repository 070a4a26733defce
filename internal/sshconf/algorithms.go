package sshconf

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// algorithm is a name a release knows.
type algorithm struct {
	name        string
	from, until since // until is the first release without it; 0 is still there
}

// A kind of algorithm list.
type algorithmKind int

const (
	kexAlgorithms algorithmKind = iota
	cipherAlgorithms
	macAlgorithms
	keyAlgorithms // signatures of hosts and users, with certificates
	caAlgorithms  // signatures of certificate authorities
	gssAlgorithms
)

// known are the algorithms of OpenSSH since 7.4, in the order in which it
// lists them; patterns expand in this order.
var known = map[algorithmKind][]algorithm{
	kexAlgorithms: plain("diffie-hellman-group1-sha1", "diffie-hellman-group14-sha1", "diffie-hellman-group14-sha256",
		"diffie-hellman-group16-sha512", "diffie-hellman-group18-sha512", "diffie-hellman-group-exchange-sha1",
		"diffie-hellman-group-exchange-sha256", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384", "ecdh-sha2-nistp521",
		"mlkem768nistp256-sha256 1005", "curve25519-sha256", "curve25519-sha256@libssh.org",
		"sntrup4591761x25519-sha512@tinyssh.org 800-805", "sntrup761x25519-sha512 902",
		"sntrup761x25519-sha512@openssh.com 805", "mlkem768x25519-sha256 909"),
	cipherAlgorithms: plain("3des-cbc", "blowfish-cbc 0-706", "cast128-cbc 0-706", "arcfour 0-706", "arcfour128 0-706",
		"arcfour256 0-706", "aes128-cbc", "aes192-cbc", "aes256-cbc", "rijndael-cbc@lysator.liu.se 0-805",
		"aes128-ctr", "aes192-ctr", "aes256-ctr", "aes128-gcm@openssh.com", "aes256-gcm@openssh.com",
		"chacha20-poly1305@openssh.com"),
	macAlgorithms: plain("hmac-sha1", "hmac-sha1-96", "hmac-sha2-256", "hmac-sha2-512", "hmac-md5", "hmac-md5-96",
		"hmac-ripemd160 0-706", "hmac-ripemd160@openssh.com 0-706", "umac-64@openssh.com", "umac-128@openssh.com",
		"hmac-sha1-etm@openssh.com", "hmac-sha1-96-etm@openssh.com", "hmac-sha2-256-etm@openssh.com",
		"hmac-sha2-512-etm@openssh.com", "hmac-md5-etm@openssh.com", "hmac-md5-96-etm@openssh.com",
		"hmac-ripemd160-etm@openssh.com 0-706", "umac-64-etm@openssh.com", "umac-128-etm@openssh.com"),
	keyAlgorithms: plain("ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com", "sk-ssh-ed25519@openssh.com 802",
		"sk-ssh-ed25519-cert-v01@openssh.com 802", "ssh-mldsa44-ed25519 1006", "ssh-mldsa44-ed25519-cert 1006",
		"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256-cert-v01@openssh.com", "ecdsa-sha2-nistp384",
		"ecdsa-sha2-nistp384-cert-v01@openssh.com", "ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521-cert-v01@openssh.com",
		"sk-ecdsa-sha2-nistp256@openssh.com 802", "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com 802",
		"webauthn-sk-ecdsa-sha2-nistp256@openssh.com 804", "webauthn-sk-ecdsa-sha2-nistp256-cert-v01@openssh.com 1003",
		"ssh-dss 0-1000", "ssh-dss-cert-v01@openssh.com 0-1000", "ssh-rsa", "ssh-rsa-cert-v01@openssh.com",
		"rsa-sha2-256", "rsa-sha2-256-cert-v01@openssh.com 708", "rsa-sha2-512", "rsa-sha2-512-cert-v01@openssh.com 708"),
	gssAlgorithms: plain("gss-gex-sha1-", "gss-group1-sha1-", "gss-group14-sha1-", "gss-group14-sha256-",
		"gss-group16-sha512-", "gss-nistp256-sha256-", "gss-curve25519-sha256-"),
}

// plain reads "NAME", "NAME FROM" and "NAME FROM-UNTIL".
func plain(entries ...string) (all []algorithm) {
	for _, e := range entries {
		var a algorithm
		var span string
		a.name, span, _ = strings.Cut(e, " ")
		fmt.Sscanf(span, "%d-%d", &a.from, &a.until)
		all = append(all, a)
	}
	return all
}

// algorithms are the names of a kind that a release supports.
func (r Release) algorithms(kind algorithmKind) (names []string) {
	of := kind
	if kind == caAlgorithms {
		of = keyAlgorithms
	}
	for _, a := range known[of] {
		certificate := strings.Contains(a.name, "-cert")
		if r.has(a.from) && (a.until == 0 || !r.has(a.until)) && !(kind == caAlgorithms && certificate) {
			names = append(names, a.name)
		}
	}
	return names
}

// keyNicknames are accepted as key types too until 9.9, though they select
// nothing.
var keyNicknames = strings.Fields("ed25519 ed25519-sk ecdsa ecdsa-sk dsa rsa xmss")

// validAlgorithms tells whether OpenSSH takes a list. As there, an empty name
// ends the look, and only key types may be patterns.
func (r Release) validAlgorithms(kind algorithmKind, list string) bool {
	if list == "" {
		return false
	}
	names := r.algorithms(kind)
	if kind == caAlgorithms {
		names = r.algorithms(keyAlgorithms)
	}
	for _, name := range strings.Split(list, ",") {
		switch {
		case name == "":
			return true
		case kind == caAlgorithms && r.has(904) && slices.Contains(names, name) && strings.Contains(name, "-cert"):
			return false
		case slices.Contains(names, name):
		case kind != keyAlgorithms && kind != caAlgorithms:
			if kind != kexAlgorithms || !slices.Contains(r.algorithms(gssAlgorithms), gssName(name)) {
				return false
			}
		case !r.has(909) && slices.Contains(keyNicknames, strings.ToLower(name)):
		case !slices.ContainsFunc(names, func(n string) bool { return matchList(n, name, false) != unmatched }):
			return false
		}
	}
	return true
}

// gssName cuts the mechanism off the name of a GSSAPI key exchange.
func gssName(name string) string {
	return name[:strings.LastIndex(name, "-")+1]
}

// errNoAlgorithm is a list that selects nothing.
var errNoAlgorithm = errors.New("the list of algorithms selects none that OpenSSH has")

// assemble applies a list with its +, - or ^ to the default.
func (r Release) assemble(kind algorithmKind, list, unset string) (string, error) {
	if list == "" {
		return unset, nil
	}
	switch list[0] {
	case '+':
		list = join(unset, list[1:])
	case '^':
		list = join(list[1:], unset)
	case '-':
		var kept []string
		for _, name := range strings.Split(unset, ",") {
			if matchList(name, list[1:], false) != matched {
				kept = append(kept, name)
			}
		}
		return strings.Join(kept, ","), nil
	}
	var out []string
	all := r.algorithms(kind)
	for _, pattern := range strings.Split(list, ",") {
		if strings.HasPrefix(pattern, "!") {
			return "", errNoAlgorithm
		}
		for _, name := range all {
			if matchList(name, pattern, false) == matched && !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	if len(out) == 0 {
		return "", errNoAlgorithm
	}
	return strings.Join(out, ","), nil
}

// join puts two lists together, a name once.
func join(a, b string) string {
	var out []string
	for _, name := range append(strings.Split(a, ","), strings.Split(b, ",")...) {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return strings.Join(out, ",")
}

// algorithmList takes a list, with +, - or ^ before it.
func algorithmList(kind algorithmKind) directive {
	return func(r *run, l *line) error {
		arg, ok := l.next()
		if !ok {
			return errMissing
		}
		list := strings.TrimLeft(arg[:1], "+^") + arg[1:]
		if arg[0] != '-' && !r.release.validAlgorithms(kind, list) {
			return fmt.Errorf("bad algorithms '%s'", printable(arg))
		}
		r.first(l.key, arg)
		return nil
	}
}
