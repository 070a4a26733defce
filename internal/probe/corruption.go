package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/sock"
	"sshtay/internal/sshlog"
	"sshtay/internal/visible"
)

// Corruption moves data both ways in sessions that differ in their cipher and
// MAC, where something was altered on the way or may have been. It runs after
// the handshake and the login.
var Corruption = Probe{Name: "corruption", Yields: []fact.Any{fact.DataTrials, fact.ClientChecksumErrors}, Run: runCorruption}

// A suite is a cipher and a MAC to use alone. The zero suite is the user's own
// choice.
type suite struct{ cipher, mac string }

// suites are tried in this order: first one with a MAC of its own, then one
// whose cipher brings it.
var suites = []suite{
	{"aes128-ctr", "hmac-sha2-256"}, {"aes128-ctr", "hmac-sha2-512"}, {"aes256-ctr", "hmac-sha2-256-etm@openssh.com"}, {"aes128-ctr", "hmac-sha1"},
	{"aes256-gcm@openssh.com", ""}, {"aes128-gcm@openssh.com", ""},
	{"chacha20-poly1305@openssh.com", ""},
}

const (
	dataBytes = 4 << 20                 // that a session moves each way
	slowBytes = 128 << 10               // to the server where all has to be sent again and again
	dataTime  = 2500 * time.Millisecond // for each way
)

func runCorruption(ctx context.Context, env *Env, facts *fact.Set) {
	putChecksumErrors(ctx, env, facts)
	hint := hintOf(facts)
	if hint == noHint {
		fact.Miss(facts, fact.NotNeeded+"nothing pointed to altered data", fact.DataTrials)
		return
	}
	to, why := serverAddr(env, facts)
	if why != "" {
		fact.Miss(facts, why, fact.DataTrials)
		return
	}
	env.Progress("moving data under several ciphers")
	var all []fact.DataTrial
	upload := dataBytes
	if hint == checksums {
		upload = slowBytes
	}
	for _, s := range suitesFor(facts, hint) {
		t := dataTrial(ctx, env, to, s, upload)
		all = append(all, t)
		if t.Unstarted != "" || hint == hungUp && !altered(t.Reason, t.Says) && (t.Whole || t.Received < slowBytes) {
			break
		}
	}
	fact.DataTrials.Put(facts, all, fmt.Sprintf("sessions of ssh to %s port %d", to.Addr(), to.Port()))
}

// alteredWords are the words of login.reason and handshake.reason by which
// altered data shows on our side.
var alteredWords = []string{"bad-packet", "bad-signature"}

// altered says that ssh or the server complained of altered data.
func altered(reason, says string) bool {
	return slices.Contains(alteredWords, reason) || strings.Contains(says, "Packet corrupt")
}

// A hint is what points to altered data.
type hint int

const (
	noHint    hint = iota
	hungUp         // the server hung up where one does that receives altered data, and others do too
	checksums      // TCP caught it
	complaint      // a program did
)

// rareErrors is the share of segments with a wrong checksum that any machine
// may see.
const rareErrors = 0.001

func hintOf(facts *fact.Set) hint {
	login, _ := fact.LoginReason.Get(facts)
	stage, _ := fact.LoginStage.Get(facts)
	said, _ := fact.LoginError.Get(facts)
	handshake, _ := fact.HandshakeReason.Get(facts)
	lines, _ := fact.LogCorrupt.Get(facts)
	here, _ := fact.ClientChecksumErrors.Get(facts)
	there, _ := fact.ServerChecksumErrors.Get(facts)
	segments, _ := fact.ServerSegments.Get(facts)
	methods, _ := fact.LoginMethods.Get(facts)
	accepted, _ := fact.LoginKeyAccepted.Get(facts)
	sender, _ := fact.ResetSender.Get(facts)
	switch _, complains := fact.Complaint.Get(facts); {
	case altered(login, said), altered(handshake, ""), complains, len(lines) > 0:
		return complaint
	case here > 0, there > 0 && float64(there) > rareErrors*float64(segments):
		return checksums
	case login != "closed" && login != "reset", sender == "middlebox":
		return noHint
	case stage == sshlog.Kex && (len(methods) == 0 || accepted), stage == sshlog.Auth, stage == sshlog.Session:
		return hungUp
	}
	return noHint
}

// suitesFor picks the suites that both sides have, one of each family, and the
// user's own choice in their midst: what holds under one cipher and breaks
// under the user's own is no fault of the path. Where TCP itself catches what
// is altered, ciphers do not matter.
func suitesFor(facts *fact.Set, why hint) []suite {
	if why == checksums {
		return []suite{{}}
	}
	ciphers, _ := fact.ServerCiphers.Get(facts)
	macs, _ := fact.ServerMACs.Get(facts)
	var picked []suite
	for _, s := range suites {
		has := (ciphers == nil || slices.Contains(ciphers, s.cipher)) && (s.mac == "" || macs == nil || slices.Contains(macs, s.mac))
		if family := func(o suite) bool { return (o.mac == "") == (s.mac == "") }; has && !slices.ContainsFunc(picked, family) {
			picked = append(picked, s)
		}
	}
	return slices.Insert(picked, min(1, len(picked)), suite{})
}

func (s suite) options() []string {
	o := []string{"Compression=no"}
	if s.cipher != "" {
		o = append(o, "Ciphers="+s.cipher)
	}
	if s.mac != "" {
		o = append(o, "MACs="+s.mac)
	}
	return o
}

// moving is a command for any login shell. Its counters frame what it sends,
// which is nothing but zeros.
const moving = "cat /proc/net/snmp; head -c 4194304 /dev/zero; cat /proc/net/snmp; cat >/dev/null; cat /proc/net/snmp"

func dataTrial(ctx context.Context, env *Env, to netip.AddrPort, with suite, upload int) fact.DataTrial {
	r := fact.DataTrial{Cipher: with.cipher, MAC: with.mac, BadHere: -1, BadThere: -1}
	before := checksumErrors(ctx, env)
	s, err := openSession(ctx, env, to, trial{Socket: sock.Options{Timeout: markConnect}, SSH: with.options(), Command: moving})
	if err != nil {
		r.Unstarted = visible.Line(err.Error(), 300)
		return r
	}
	defer s.Close()
	ready, cancel := context.WithTimeoutCause(ctx, markLogin, errNoLogin)
	defer cancel()
	var text []byte
	if s.Await(ready, sshlog.Session) == nil {
		text, r.Whole = s.move(ctx, upload)
	}
	r.BadHere = between(before, checksumErrors(ctx, env))
	r.BadThere = grown(string(text))
	if info, err := s.Info(); err == nil {
		r.Received, r.Sent = int(info.BytesReceived), int(info.BytesAcked)
	}
	r.Stage = s.Stage()
	if !r.Whole {
		s.awaitEnd(ctx)
		r.Reason = s.Reason()
		s.mu.Lock()
		r.Says = visible.Line(s.trace.Error(), 300)
		s.mu.Unlock()
	}
	return r
}

// move reads what the command sends and sends some back, each for its time
// at most. It returns what was not zeros, and whether nothing was cut short
// but by the time.
func (s *session) move(ctx context.Context, upload int) (text []byte, whole bool) {
	buf := make([]byte, 64<<10)
	read := func(until time.Time, zeros int) error {
		s.IO.SetReadDeadline(until)
		for zeros > 0 && ctx.Err() == nil {
			n, err := s.IO.Read(buf)
			if err != nil {
				return err
			}
			z := bytes.Count(buf[:n], []byte{0})
			if zeros -= z; z < n && len(text) < maxText {
				text = append(text, bytes.ReplaceAll(buf[:n], []byte{0}, nil)...)
			}
		}
		return nil
	}
	if err := read(time.Now().Add(dataTime), dataBytes); err != nil {
		return text, isTimeout(err)
	}
	s.IO.SetWriteDeadline(time.Now().Add(dataTime))
	zeros := make([]byte, 16<<10)
	for range upload / len(zeros) {
		if _, err := s.IO.Write(zeros); err != nil {
			if !isTimeout(err) || !s.alive() {
				return text, false
			}
			break // the way is slow, and what was sent is enough
		}
	}
	if half, ok := s.IO.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
	err := read(time.Now().Add(3*dataTime), dataBytes)
	return text, errors.Is(err, io.EOF) && s.Reason() == "" || isTimeout(err)
}

// maxText bounds what a command may print beside zeros: three tables of the
// kernel, each about 2 KiB.
const maxText = 64 << 10

func (s *session) alive() bool {
	select {
	case <-s.Ended():
		return false
	default:
		return true
	}
}

// awaitEnd gives ssh a moment to say why it ends.
func (s *session) awaitEnd(ctx context.Context) {
	select {
	case <-s.Ended():
	case <-ctx.Done():
	case <-time.After(sessionPatience):
	}
}

// grown is how many segments with a wrong checksum the server's kernel counted
// between its first table and its last, or -1.
func grown(text string) int {
	first, seen := kernelCount(text, "InCsumErrors")
	i := strings.LastIndex(text, "\nTcp: RtoAlgorithm")
	if !seen || i < 0 {
		return -1
	}
	last, seen := kernelCount(text[i:], "InCsumErrors")
	if !seen {
		return -1
	}
	return between(first, last)
}
