// Package pcap reads captures and tells the story of each SSH connection in
// them: its stages by time, where it stalled, what was sent again, how it
// ended and by whom. Captures are hostile input: what cannot be read is
// counted, and memory is bounded whatever a file says of itself.
package pcap

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// A Frame is one packet of a capture, from its IP header on. Data is valid
// until the next frame is read, and may be cut by the capture; Length is how
// long it was on the wire.
type Frame struct {
	At     time.Time
	Data   []byte
	Length int
}

// A Tally says what became of the packets of a capture.
type Tally struct {
	Packets int    // in all
	Other   int    // neither IPv4 nor IPv6, or too short to tell
	Cut     int    // shorter in the file than they were on the wire
	Broken  string // why the file could not be read to its end; empty when it could
}

// Is says whether a file that begins so is a capture.
func Is(begin []byte) bool {
	if len(begin) < 4 {
		return false
	}
	switch binary.BigEndian.Uint32(begin) {
	case 0xa1b2c3d4, 0xd4c3b2a1, 0xa1b23c4d, 0x4d3cb2a1, 0x0a0d0d0a:
		return true
	}
	return false
}

// ErrNotCapture is the error for a file of another kind.
var ErrNotCapture = errors.New("not a capture: want pcap or pcapng")

// Read calls each with every IP packet of a capture. What is behind the first
// damage is lost: the tally says so.
func Read(r io.Reader, each func(Frame)) (Tally, error) {
	b := bufio.NewReaderSize(r, 1<<20)
	begin, _ := b.Peek(4)
	if !Is(begin) {
		return Tally{}, ErrNotCapture
	}
	next, err := open(b, begin)
	if err != nil {
		return Tally{}, fmt.Errorf("%w: %v", ErrNotCapture, err)
	}
	var t Tally
	for {
		data, info, link, err := next()
		if err != nil {
			if !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				t.Broken = fmt.Sprintf("after packet %d: %v", t.Packets, err)
			}
			return t, nil
		}
		t.Packets++
		if info.CaptureLength < info.Length {
			t.Cut++
		}
		ip, ok := payload(link, data)
		if !ok {
			t.Other++
			continue
		}
		each(Frame{At: info.Timestamp, Data: ip, Length: info.Length - (len(data) - len(ip))})
	}
}

// packets gives the next packet and the kind of its link layer.
type packets func() ([]byte, gopacket.CaptureInfo, layers.LinkType, error)

func open(b *bufio.Reader, begin []byte) (packets, error) {
	if bytes.Equal(begin, []byte{0x0a, 0x0d, 0x0d, 0x0a}) {
		ng, err := pcapgo.NewNgReader(b, pcapgo.NgReaderOptions{WantMixedLinkType: true, SkipUnknownVersion: true})
		if err != nil {
			return nil, err
		}
		return func() ([]byte, gopacket.CaptureInfo, layers.LinkType, error) {
			data, info, err := ng.ZeroCopyReadPacketData()
			link := ng.LinkType()
			if len(info.AncillaryData) > 0 {
				if l, ok := info.AncillaryData[0].(layers.LinkType); ok {
					link = l
				}
			}
			return data, info, link, err
		}, nil
	}
	classic, err := pcapgo.NewReader(b)
	if err != nil {
		return nil, err
	}
	return func() ([]byte, gopacket.CaptureInfo, layers.LinkType, error) {
		data, info, err := classic.ZeroCopyReadPacketData()
		return data, info, classic.LinkType(), err
	}, nil
}

// payload is the packet from its IP header on.
func payload(link layers.LinkType, b []byte) ([]byte, bool) {
	skip := 0
	switch link {
	case layers.LinkTypeEthernet:
		return behindType(b, 12)
	case layers.LinkTypeLinuxSLL:
		return behindType(b, 14)
	case layers.LinkTypeLinuxSLL2:
		if len(b) < 20 {
			return nil, false
		}
		skip = 20
	case layers.LinkTypeNull, layers.LinkTypeLoop:
		skip = 4
	case layers.LinkTypeRaw, layers.LinkTypeIPv4, layers.LinkTypeIPv6, 12, 14: // DLT_RAW as some systems number it
	default:
		return nil, false
	}
	if len(b) <= skip {
		return nil, false
	}
	return isIP(b[skip:])
}

// behindType skips a link header that ends with the type of what follows, and
// the VLAN tags behind it.
func behindType(b []byte, at int) ([]byte, bool) {
	for range 4 {
		if len(b) < at+2 {
			return nil, false
		}
		switch binary.BigEndian.Uint16(b[at:]) {
		case 0x8100, 0x88a8, 0x9100:
			at += 4
		case 0x8864: // PPPoE session: 6 bytes and the protocol
			if len(b) < at+10 {
				return nil, false
			}
			return isIP(b[at+10:])
		default:
			return isIP(b[at+2:])
		}
	}
	return nil, false
}

func isIP(b []byte) ([]byte, bool) {
	return b, len(b) > 0 && (b[0]>>4 == 4 || b[0]>>4 == 6)
}
