package sshwire

import (
	"fmt"

	"golang.org/x/crypto/ssh"
)

// maxHostKey bounds a host key before arithmetic is done with it: a
// certificate over RSA keys of 16,384 bits, the largest that OpenSSH takes,
// fits with room to spare.
const maxHostKey = 16 << 10

// HostKey is the key with which the server signed the key exchange.
type HostKey struct {
	Algorithm   string // as negotiated: "rsa-sha2-512"
	Type        string // of the key itself: "ssh-rsa", "ssh-ed25519-cert-v01@openssh.com"
	Fingerprint string // SHA256:..., as OpenSSH shows it; empty when the key cannot be read
	Blob        []byte // the key as it came
	Verified    bool   // its signature over the exchange hash is right
	Unverified  string // why the signature was not checked, when it was not
}

// WrongSignature is a key exchange whose signature does not fit: the two
// sides did not see the same bytes, or the host key is not the server's.
type WrongSignature struct {
	HostKey HostKey
	Err     error
}

func (e *WrongSignature) Error() string {
	return fmt.Sprintf("the %.64q host key %s did not sign this key exchange: %v", e.HostKey.Type, e.HostKey.Fingerprint, e.Err)
}

func (e *WrongSignature) Unwrap() error { return e.Err }

// Reason is always [ReasonBadSignature].
func (e *WrongSignature) Reason() Reason { return ReasonBadSignature }

// checkHostKey looks at the server's key and checks its signature where Go
// can. Whether it is the right key for this host is for ssh to say.
func checkHostKey(algorithm string, r *reply) (HostKey, error) {
	key := HostKey{Algorithm: algorithm, Blob: r.hostKey}
	if len(r.hostKey) > maxHostKey {
		key.Blob = key.Blob[:maxHostKey]
		key.Unverified = fmt.Sprintf("the key has %d bytes", len(r.hostKey))
		return key, nil
	}
	blob := reader{rest: r.hostKey}
	key.Type = cut(blob.string(), 64)
	public, err := ssh.ParsePublicKey(r.hostKey)
	if err != nil {
		key.Unverified = "the key cannot be read: " + err.Error()
		return key, nil
	}
	key.Fingerprint = ssh.FingerprintSHA256(public)
	s := reader{rest: r.signature}
	signature := &ssh.Signature{Format: string(s.string()), Blob: s.string()}
	signature.Rest = s.rest
	if s.failed {
		return key, &ProtocolViolation{Message: msgKexReplyECDH, Why: "its signature is cut short", Payload: keep(r.signature)}
	}
	if err := public.Verify(r.hash, signature); err != nil {
		return key, &WrongSignature{key, err}
	}
	key.Verified = true
	return key, nil
}
