package rst

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// A Tracepoint is how a kernel lays out what it tells when its TCP sends a
// reset (tcp:tcp_send_reset). A firewall that resets does not go through TCP,
// and tells nothing here.
type Tracepoint struct {
	ID            int
	from, to      int // where the addresses are, as struct sockaddr
	state, reason int // where these numbers are
	states        map[int]string
	reasons       map[int]string
}

// A Sent is one reset that a kernel's TCP sent.
type Sent struct {
	From, To netip.AddrPort
	State    string // of the connection: TCP_ESTABLISHED; "UNKNOWN" where there is none
	Reason   string // as the kernel calls it: TCP_ABORT_ON_CLOSE
}

// sockaddrSize is what the kernel keeps of an address: struct sockaddr_in6.
const sockaddrSize = 28

var (
	traceID    = regexp.MustCompile(`(?m)^ID: (\d{1,9})$`)
	traceField = regexp.MustCompile(`(?m)^\tfield:[^;]*?(\w+)(?:\[\d+\])?;\toffset:(\d{1,4});\tsize:(\d{1,4});`)
	traceName  = regexp.MustCompile(`\{ (\w+), "(\w{1,60})" \}`)
)

// errOldKernel is the error for a kernel that does not say why.
var errOldKernel = errors.New("this kernel does not tell why it sends resets: Linux does since 6.10")

// ParseTracepoint reads the tracepoint's file "format".
func ParseTracepoint(format string) (Tracepoint, error) {
	t := Tracepoint{states: states(), reasons: map[int]string{}}
	if m := traceID.FindStringSubmatch(format); m != nil {
		t.ID, _ = strconv.Atoi(m[1])
	}
	places := map[string]*int{"saddr": &t.from, "daddr": &t.to, "state": &t.state, "reason": &t.reason}
	sizes := map[string]string{"saddr": fmt.Sprint(sockaddrSize), "daddr": fmt.Sprint(sockaddrSize), "state": "4", "reason": "4"}
	found := 0
	for _, m := range traceField.FindAllStringSubmatch(format, 100) {
		if place := places[m[1]]; place != nil && *place == 0 && m[3] == sizes[m[1]] {
			*place, _ = strconv.Atoi(m[2])
			found++
		}
	}
	_, names, _ := strings.Cut(format, "(REC->reason, ")
	for _, m := range traceName.FindAllStringSubmatch(names, 200) {
		if n, err := strconv.Atoi(m[1]); err == nil {
			t.reasons[n] = m[2]
		}
	}
	if t.ID == 0 || found < len(places) || len(t.reasons) == 0 {
		return Tracepoint{}, errOldKernel
	}
	return t, nil
}

// states are those of a connection, as Linux numbers them.
func states() map[int]string {
	all := map[int]string{}
	for i, name := range strings.Fields("ESTABLISHED SYN_SENT SYN_RECV FIN_WAIT1 FIN_WAIT2 TIME_WAIT CLOSE CLOSE_WAIT LAST_ACK LISTEN CLOSING NEW_SYN_RECV") {
		all[i+1] = "TCP_" + name
	}
	return all
}

// Read reads one record; false when it is none of TCP.
func (t Tracepoint) Read(raw []byte) (s Sent, ok bool) {
	if len(raw) < max(t.from, t.to)+sockaddrSize || len(raw) < max(t.state, t.reason)+4 {
		return s, false
	}
	s.From, s.To = sockaddr(raw[t.from:]), sockaddr(raw[t.to:])
	s.State, s.Reason = t.states[number(raw[t.state:])], t.reasons[number(raw[t.reason:])]
	if s.State == "" {
		s.State = "UNKNOWN"
	}
	if s.Reason == "" {
		s.Reason = strconv.Itoa(number(raw[t.reason:]))
	}
	return s, s.From.IsValid() && s.To.IsValid()
}

func number(b []byte) int { return int(int32(binary.NativeEndian.Uint32(b))) }

// sockaddr reads a struct sockaddr_in or sockaddr_in6 of Linux.
func sockaddr(b []byte) netip.AddrPort {
	const inet, inet6 = 2, 10
	port := binary.BigEndian.Uint16(b[2:])
	switch binary.NativeEndian.Uint16(b) {
	case inet:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:])), port)
	case inet6:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[8:])).Unmap(), port)
	}
	return netip.AddrPort{}
}
