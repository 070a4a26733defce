package sshwire

import (
	"context"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sshtay/internal/testenv"
)

// wantDone fails unless a handshake went all the way with a right signature.
func wantDone(t *testing.T, r Result) {
	t.Helper()
	if r.Stage != StageDone || r.Err != nil || r.Reason != "" {
		t.Fatalf("stopped at %s: %s: %v", r.Stage, r.Reason, r.Err)
	}
	if r.HostKey == nil || !r.HostKey.Verified {
		t.Fatalf("host key not verified: %+v", r.HostKey)
	}
	if !r.ClosedAfter {
		t.Error("the server did not close in order after the goodbye")
	}
}

// Every key exchange that Handshake knows is carried out with sshd, and its
// signature is right: then every byte of the exchange hash is.
func TestEveryKeyExchangeAgainstSSHD(t *testing.T) {
	addr, log := startSSHD(t, "127.0.0.1", "HostKey "+hostKey(t, "ed25519"), "MaxStartups 100", "KexAlgorithms "+strings.Join(sshdKex(t), ","))
	for kex := range methods {
		if !slices.Contains(sshdKex(t), kex) {
			// OpenSSH 9.9 brought it, and Go's server, in another test, has it.
			if kex != "mlkem768x25519-sha256" {
				t.Errorf("this sshd does not know %s", kex)
			}
			continue
		}
		t.Run(kex, func(t *testing.T) {
			r := handshakeWith(t, addr, Options{Offer: Offer{Kex: []string{kex}}})
			wantDone(t, r)
			if r.Used.Kex != kex || r.WouldUse.Kex != kex {
				t.Errorf("used %q, ssh would use %q", r.Used.Kex, r.WouldUse.Kex)
			}
		})
	}
	for _, alarm := range []string{"error:", "fatal:", "reset by", "Unable to negotiate", "Connection closed by"} {
		if strings.Contains(log.String(), alarm) {
			t.Errorf("sshd's log has %q:\n%s", alarm, log)
		}
	}
	log.waitFor(t, ":11: sshtay has seen what it came for [preauth]")
	log.waitFor(t, "Disconnected from 127.0.0.1 port ")
}

// sshdKex lists what the installed OpenSSH can do.
func sshdKex(t *testing.T) []string {
	out, err := exec.Command(testenv.Need(t, "ssh")[0], "-Q", "kex").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}

func TestHostKeysAndFamiliesAgainstSSHD(t *testing.T) {
	for _, ip := range []string{"127.0.0.1", "::1"} {
		var keys []string
		for _, kind := range []string{"ed25519", "ecdsa", "rsa"} {
			keys = append(keys, "HostKey "+hostKey(t, kind))
		}
		addr, _ := startSSHD(t, ip, append(keys, "MaxStartups 100")...)
		for algorithm, kind := range map[string]string{"ssh-ed25519": "ssh-ed25519", "ecdsa-sha2-nistp256": "ecdsa-sha2-nistp256",
			"rsa-sha2-512": "ssh-rsa", "rsa-sha2-256": "ssh-rsa"} {
			t.Run(ip+"/"+algorithm, func(t *testing.T) {
				r := handshakeWith(t, addr, Options{Offer: Offer{HostKeys: []string{algorithm}}})
				wantDone(t, r)
				if r.HostKey.Algorithm != algorithm || r.HostKey.Type != kind || !strings.HasPrefix(r.HostKey.Fingerprint, "SHA256:") {
					t.Errorf("host key %+v", r.HostKey)
				}
				if !strings.HasPrefix(r.Server.Software, "OpenSSH_") || r.Looks != ProtocolSSH {
					t.Errorf("server %+v looks like %s", r.Server, r.Looks)
				}
			})
		}
	}
}

// A host certificate signs with the key inside it.
func TestHostCertificateAgainstSSHD(t *testing.T) {
	key, ca := hostKey(t, "ed25519"), hostKey(t, "rsa")
	if out, err := exec.Command("ssh-keygen", "-q", "-s", ca, "-h", "-I", "id", key+".pub").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	addr, _ := startSSHD(t, "127.0.0.1", "HostKey "+key, "HostCertificate "+key+"-cert.pub")
	r := handshakeWith(t, addr, Options{})
	wantDone(t, r)
	if r.HostKey.Type != "ssh-ed25519-cert-v01@openssh.com" {
		t.Errorf("host key %+v", r.HostKey)
	}
}

// sshd -i has no socket of its own making: the way through a ProxyCommand.
func TestInetdSSHDOverSocketPair(t *testing.T) {
	sshd, config := sshdConfig(t, "HostKey "+hostKey(t, "ed25519"))
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	conn, err := net.FileConn(ours)
	if err != nil {
		t.Fatal(err)
	}
	ours.Close()
	defer conn.Close()
	cmd, log := exec.Command(sshd, "-i", "-e", "-f", config), &logBuffer{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, theirs, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	r := Handshake(context.Background(), conn, Options{Timeout: time.Minute, StageTimeout: 30 * time.Second})
	wantDone(t, r)
	cmd.Wait()
	log.waitFor(t, "Received disconnect from UNKNOWN port 65535:11: sshtay")
}

func TestDropbear(t *testing.T) {
	addr, log := startDropbear(t)
	for _, kex := range []string{"curve25519-sha256", "ecdh-sha2-nistp521", "diffie-hellman-group14-sha256"} {
		r := handshakeWith(t, addr, Options{Offer: Offer{Kex: []string{kex}}})
		wantDone(t, r)
		if !strings.HasPrefix(r.Server.Software, "dropbear_") {
			t.Errorf("server %+v", r.Server)
		}
	}
	log.waitFor(t, "Disconnect received")
	if strings.Contains(log.String(), "error") {
		t.Errorf("dropbear is not content:\n%s", log)
	}
}

func TestTinySSHD(t *testing.T) {
	addr, log := startTinySSHD(t)
	for _, kex := range []string{"sntrup761x25519-sha512@openssh.com", "curve25519-sha256"} {
		r := handshakeWith(t, addr, Options{Offer: Offer{Kex: []string{kex}}})
		if r.Stage != StageDone || !r.HostKey.Verified || r.Used.Kex != kex {
			t.Fatalf("stopped at %s: %s: %v", r.Stage, r.Reason, r.Err)
		}
	}
	log.waitFor(t, "tinysshd")
}

// sshd says which lists do not meet, and so do we, for each purpose.
func TestNoCommonAlgorithmAgainstSSHD(t *testing.T) {
	addr, _ := startSSHD(t, "127.0.0.1", "HostKey "+hostKey(t, "ed25519"), "Ciphers aes128-ctr", "MACs hmac-sha2-256", "KexAlgorithms curve25519-sha256", "MaxStartups 100")
	tests := map[Purpose]Offer{
		PurposeKex:            {Kex: []string{"diffie-hellman-group1-sha1"}},
		PurposeHostKey:        {HostKeys: []string{"ssh-dss"}},
		PurposeCipherToServer: {Ciphers: []string{"aes256-gcm@openssh.com"}},
		PurposeMACToServer:    {Ciphers: []string{"aes128-ctr"}, MACs: []string{"hmac-md5"}},
	}
	for what, offer := range tests {
		r := handshakeWith(t, addr, Options{Offer: offer})
		missing, ok := r.Err.(*NoCommonAlgorithm)
		if !ok || missing.What != what || r.Reason != ReasonNoCommonAlgorithm || r.Stage != StageKexInit {
			t.Errorf("%s: stopped at %s: %s: %v", what, r.Stage, r.Reason, r.Err)
			continue
		}
		if len(missing.Client) == 0 || len(missing.Server) == 0 || r.Answered == nil || r.HostKey != nil {
			t.Errorf("%s: %+v", what, r)
		}
	}
	// Both directions and everything else at once.
	r := handshakeWith(t, addr, Options{Offer: Offer{Kex: []string{"none"}, HostKeys: []string{"none"}, Ciphers: []string{"none"}}})
	if len(r.Missing) != 4 {
		t.Errorf("missing %v", r.Missing)
	}
}

// The server refuses before its banner: sshd's own words are kept.
func TestThrottledBySSHD(t *testing.T) {
	addr, log := startSSHD(t, "127.0.0.1", "HostKey "+hostKey(t, "ed25519"), "MaxStartups 1")
	first, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	log.waitFor(t, "Connection from 127.0.0.1")
	r := handshakeWith(t, addr, Options{})
	if r.Stage != StageBanner || r.Reason != ReasonThrottled || r.Refusal == "" || r.Err == nil {
		t.Errorf("stopped at %s: %s: %v, refusal %q", r.Stage, r.Reason, r.Err, r.Refusal)
	}
}

// The packets are as long as those of the ssh that is stood in for, even
// where a method of its list has to be left out.
func TestKexInitIsAsLongAsTheUsers(t *testing.T) {
	full := DefaultOffer()
	full.Kex = append(full.Kex, "gss-group14-sha256-toWM5Slw5Ew8Mqkay+al2g==")
	addr, _ := startSSHD(t, "127.0.0.1", "HostKey "+hostKey(t, "ed25519"))
	r := handshakeWith(t, addr, Options{Offer: full})
	wantDone(t, r)
	want := len(Packet(NewKexInit(full.announced()).Payload(), 0))
	if got := int(r.Laps[1].Sent); got < want || got > want+blockSize || slices.Contains(r.Offered.Kex, full.Kex[len(full.Kex)-1]) {
		t.Errorf("our KEXINIT packet has %d bytes, the user's would have %d; offered %v", got, want, r.Offered.Kex)
	}
}
