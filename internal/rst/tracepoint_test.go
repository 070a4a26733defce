package rst

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
)

// sendReset is the format of Linux 6.18, with fewer names.
const sendReset = `name: tcp_send_reset
ID: 2280
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:const void * skbaddr;	offset:8;	size:8;	signed:0;
	field:int state;	offset:24;	size:4;	signed:1;
	field:enum sk_rst_reason reason;	offset:28;	size:4;	signed:0;
	field:__u8 saddr[28];	offset:32;	size:28;	signed:0;
	field:__u8 daddr[28];	offset:60;	size:28;	signed:0;

print fmt: "state=%s reason=%s", REC->state ? __print_symbolic(REC->state, { TCP_ESTABLISHED, "TCP_ESTABLISHED" }) : "UNKNOWN", __print_symbolic(REC->reason, { 0, "NOT_SPECIFIED" }, { 1, "NO_SOCKET" }, { 11, "TCP_ABORT_ON_CLOSE" })
`

func record(state, reason uint32) []byte {
	raw := make([]byte, 88)
	binary.NativeEndian.PutUint32(raw[24:], state)
	binary.NativeEndian.PutUint32(raw[28:], reason)
	binary.NativeEndian.PutUint16(raw[32:], 2)
	copy(raw[34:], []byte{0, 22, 203, 0, 113, 10})
	binary.NativeEndian.PutUint16(raw[60:], 10)
	copy(raw[62:], []byte{0xc3, 0x50})
	copy(raw[68:], []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1})
	return raw
}

func TestTracepoint(t *testing.T) {
	p, err := ParseTracepoint(sendReset)
	if err != nil || p.ID != 2280 {
		t.Fatal(p, err)
	}
	from, to := netip.MustParseAddrPort("203.0.113.10:22"), netip.MustParseAddrPort("192.0.2.1:50000")
	for _, c := range []struct {
		state, reason uint32
		want          Sent
	}{
		{1, 11, Sent{from, to, "TCP_ESTABLISHED", "TCP_ABORT_ON_CLOSE"}},
		{0, 1, Sent{from, to, "UNKNOWN", "NO_SOCKET"}},
		{99, 99, Sent{from, to, "UNKNOWN", "99"}},
	} {
		if got, ok := p.Read(record(c.state, c.reason)); !ok || got != c.want {
			t.Errorf("got %v, %t, want %v", got, ok, c.want)
		}
	}
	if got, ok := p.Read(make([]byte, 88)); ok {
		t.Errorf("an address of no family: %v", got)
	}
}

func TestOldTracepoint(t *testing.T) {
	for _, old := range []string{"", strings.ReplaceAll(sendReset, "reason", "other"), strings.ReplaceAll(sendReset, "[28];	offset:32;	size:28", "[4];	offset:32;	size:4")} {
		if p, err := ParseTracepoint(old); err == nil {
			t.Errorf("took it for %+v", p)
		}
	}
}

func FuzzTracepoint(f *testing.F) {
	f.Add(sendReset, record(1, 11))
	f.Fuzz(func(t *testing.T, format string, raw []byte) {
		p, err := ParseTracepoint(format)
		if err != nil {
			return
		}
		if s, ok := p.Read(raw); ok && (s.Reason == "" || s.State == "" || !s.From.IsValid()) {
			t.Fatalf("%+v", s)
		}
	})
}
