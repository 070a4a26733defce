package sshwire

import (
	"slices"
	"strings"
)

// DefaultOffer is what OpenSSH 10 offers without any configuration. It stands
// in where the user's own ssh cannot be asked.
func DefaultOffer() Offer {
	return Offer{
		Kex: strings.Fields(`mlkem768x25519-sha256 sntrup761x25519-sha512 sntrup761x25519-sha512@openssh.com
			curve25519-sha256 curve25519-sha256@libssh.org ecdh-sha2-nistp256 ecdh-sha2-nistp384 ecdh-sha2-nistp521`),
		HostKeys: strings.Fields(`ssh-ed25519-cert-v01@openssh.com ecdsa-sha2-nistp256-cert-v01@openssh.com
			ecdsa-sha2-nistp384-cert-v01@openssh.com ecdsa-sha2-nistp521-cert-v01@openssh.com
			sk-ssh-ed25519-cert-v01@openssh.com sk-ecdsa-sha2-nistp256-cert-v01@openssh.com
			rsa-sha2-512-cert-v01@openssh.com rsa-sha2-256-cert-v01@openssh.com
			ssh-ed25519 ecdsa-sha2-nistp256 ecdsa-sha2-nistp384 ecdsa-sha2-nistp521
			sk-ssh-ed25519@openssh.com sk-ecdsa-sha2-nistp256@openssh.com rsa-sha2-512 rsa-sha2-256`),
		Ciphers: strings.Fields(`chacha20-poly1305@openssh.com aes128-gcm@openssh.com aes256-gcm@openssh.com
			aes128-ctr aes192-ctr aes256-ctr`),
		MACs: strings.Fields(`umac-64-etm@openssh.com umac-128-etm@openssh.com hmac-sha2-256-etm@openssh.com
			hmac-sha2-512-etm@openssh.com hmac-sha1-etm@openssh.com umac-64@openssh.com umac-128@openssh.com
			hmac-sha2-256 hmac-sha2-512 hmac-sha1`),
		Compression: strings.Fields(`none zlib@openssh.com`),
	}
}

// filled replaces lists that are not known by the default.
func (o Offer) filled() Offer {
	d := DefaultOffer()
	for _, p := range []struct{ ours, def *[]string }{
		{&o.Kex, &d.Kex}, {&o.HostKeys, &d.HostKeys}, {&o.Ciphers, &d.Ciphers}, {&o.MACs, &d.MACs}, {&o.Compression, &d.Compression},
	} {
		if len(*p.ours) == 0 {
			*p.ours = *p.def
		}
	}
	return o
}

// announced adds the signals that every current ssh sends with its list.
func (o Offer) announced() Offer {
	o.Kex = append(slices.Clone(o.Kex), "ext-info-c", strictClient)
	return o
}
