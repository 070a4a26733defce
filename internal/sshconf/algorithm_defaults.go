package sshconf

import "strings"

// defaults of algorithm lists are told for 8.5 and later; what older releases
// propose depends more on who built them than on their number.

// defaultAlgorithms is what a release proposes, "" if that is not known.
func (r Release) defaultAlgorithms(kind algorithmKind, server bool) string {
	if !r.has(805) {
		return ""
	}
	switch kind {
	case kexAlgorithms:
		return strings.Join(r.defaultKex(server), ",")
	case cipherAlgorithms:
		ctr, gcm := "aes128-ctr,aes192-ctr,aes256-ctr", "aes128-gcm@openssh.com,aes256-gcm@openssh.com"
		if r.has(1000) {
			ctr, gcm = gcm, ctr
		}
		return "chacha20-poly1305@openssh.com," + ctr + "," + gcm
	case macAlgorithms:
		return "umac-64-etm@openssh.com,umac-128-etm@openssh.com,hmac-sha2-256-etm@openssh.com," +
			"hmac-sha2-512-etm@openssh.com,hmac-sha1-etm@openssh.com,umac-64@openssh.com,umac-128@openssh.com," +
			"hmac-sha2-256,hmac-sha2-512,hmac-sha1"
	case caAlgorithms:
		return strings.TrimSuffix(strings.Join(r.defaultKeys(false), ","), ",ssh-rsa")
	case keyAlgorithms:
		names := append(r.defaultKeys(true), r.defaultKeys(false)...)
		if r.has(1006) {
			names = append(names, "ssh-mldsa44-ed25519")
		}
		return strings.Join(names, ",")
	}
	return "gss-group14-sha256-,gss-group16-sha512-,gss-nistp256-sha256-,gss-curve25519-sha256-,gss-group14-sha1-,gss-gex-sha1-"
}

func (r Release) defaultKex(server bool) (names []string) {
	curves := strings.Fields("curve25519-sha256 curve25519-sha256@libssh.org ecdh-sha2-nistp256 ecdh-sha2-nistp384 ecdh-sha2-nistp521")
	groups := strings.Fields("diffie-hellman-group-exchange-sha256 diffie-hellman-group16-sha512 diffie-hellman-group18-sha512 diffie-hellman-group14-sha256")
	var sntrup []string
	if r.has(909) || r.Debian && r.has(902) && !r.has(903) { // Debian 12 has it from 9.9
		sntrup = append(sntrup, "sntrup761x25519-sha512")
	}
	if r.has(809) {
		sntrup = append(sntrup, "sntrup761x25519-sha512@openssh.com")
	}
	switch {
	case r.has(1000):
		names = append(append(append(names, "mlkem768x25519-sha256"), sntrup...), curves...)
	case r.has(909):
		names = append(append(append(names, sntrup...), "mlkem768x25519-sha256"), curves...)
	case r.has(900):
		names = append(append(names, sntrup...), curves...)
	default:
		names = append(append(names, curves...), sntrup...)
	}
	if server && r.has(1000) {
		return names
	}
	return append(names, groups...)
}

// defaultKeys are the signatures accepted, of keys or of certificates.
func (r Release) defaultKeys(certificates bool) []string {
	names := strings.Fields("ssh-ed25519 ecdsa-sha2-nistp256 ecdsa-sha2-nistp384 ecdsa-sha2-nistp521 sk-ssh-ed25519 sk-ecdsa-sha2-nistp256")
	if r.has(1003) {
		names = append(names, "webauthn-sk-ecdsa-sha2-nistp256")
	}
	names = append(names, "rsa-sha2-512", "rsa-sha2-256")
	if !r.has(808) {
		names = append(names, "ssh-rsa")
	}
	for i, n := range names {
		switch {
		case certificates:
			names[i] = n + "-cert-v01@openssh.com"
		case strings.Contains(n, "sk-"):
			names[i] = n + "@openssh.com"
		}
	}
	if certificates && r.has(1006) {
		names = append(names, "ssh-mldsa44-ed25519-cert")
	}
	return names
}
