package sshwire

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// maxNoise is how many messages that say nothing (IGNORE, DEBUG,
// UNIMPLEMENTED) a server may send in a handshake.
const maxNoise = 64

// exchangeIdents sends our identification first, as ssh does, and reads the
// server's.
func (h *handshake) exchangeIdents() error {
	h.wire.write([]byte(h.res.Ours + "\r\n"))
	at := h.wire.offset()
	id, before, err := ReadIdent(h.wire.buffer, func(Protocol) {
		h.foreign = true
		h.setLimit(foreignPatience)
	})
	h.res.Before = before
	if errors.As(err, new(*BadIdent)) {
		if strings.HasPrefix(id.Raw, "SSH-") {
			h.res.Server = &id
		}
		return err
	}
	if err != nil {
		return &BrokenOff{Waiting: "the identification line", Offset: at, Got: int(h.wire.offset() - at), Err: plainEOF(err), Write: h.wire.writeErr}
	}
	h.foreign, h.res.Server = false, &id
	return nil
}

// exchangeKexInits sends what the user's ssh would offer, less what cannot be
// carried out here, and as long on the wire: a path may lose long packets
// only.
func (h *handshake) exchangeKexInits() error {
	full := NewKexInit(h.plan.announced())
	ours := *full
	ours.Kex = slices.DeleteFunc(slices.Clone(full.Kex), func(name string) bool {
		return !CanExchange(name) && len(Algorithms([]string{name})) > 0
	})
	if len(Algorithms(ours.Kex)) == 0 {
		ours.Kex = full.Kex
	}
	h.res.Offered, h.magicOurs = &ours, ours.Payload()
	h.wire.write(Packet(h.magicOurs, len(full.Payload())-len(h.magicOurs)))

	payload, err := h.receive(msgKexInit)
	if err != nil {
		return err
	}
	server, err := ParseKexInit(payload)
	if err != nil {
		return err
	}
	h.res.Answered, h.magicPeer = server, payload
	h.strict = Strict(&ours, server)
	if h.strict && h.noise > 0 {
		return &ProtocolViolation{Message: msgKexInit, Why: "strict key exchange was announced, and KEXINIT was not the first packet"}
	}
	h.discard = guessedWrong(&ours, server)
	h.res.WouldUse, h.res.Missing = Negotiate(full, server)
	if len(h.res.Missing) > 0 {
		return h.res.Missing[0]
	}
	h.res.Used, _ = Negotiate(&ours, server)
	return nil
}

// exchangeKeys ends with the server's NEWKEYS: after our own, everything
// would be encrypted, and so ours is never sent.
func (h *handshake) exchangeKeys() error {
	if !CanExchange(h.res.Used.Kex) {
		h.res.KexSkipped = fmt.Sprintf("%.64q is the only key exchange in common, and sshtay does not have it", h.res.WouldUse.Kex)
		h.res.Used = Agreed{}
		return nil
	}
	magic := appendString(appendString(nil, h.res.Ours), h.res.Server.Raw)
	magic = appendString(appendString(magic, h.magicOurs), h.magicPeer)
	r, err := exchange(h, h.res.Used.Kex, magic, groupBits(h.res.Used, *h.res.Server))
	if err != nil {
		return err
	}
	key, err := checkHostKey(h.res.Used.HostKey, r)
	h.res.HostKey = &key
	if err != nil {
		return err
	}
	_, err = h.receive(msgNewKeys)
	return err
}

// sayGoodbye disconnects in the clear, as RFC 4253 allows at any time, and
// waits for the server to close.
func (h *handshake) sayGoodbye() error {
	h.setLimit(min(leavePatience, h.opt.StageTimeout))
	if h.opt.Part != nil {
		packet := Goodbye()
		h.res.ClosedAfter = h.opt.Part(h.res, packet)
		h.wire.sent += int64(len(packet))
		return nil
	}
	h.wire.write(Goodbye())
	h.res.ClosedAfter = errors.Is(h.wire.leave(h.limit), io.EOF)
	return nil
}

// Goodbye is the DISCONNECT by which we leave before any key is used, as bytes
// for the wire.
func Goodbye() []byte {
	d := Disconnect{Code: DisconnectByApplication, Text: "sshtay has seen what it came for"}
	return Packet(d.Payload(), 0)
}

// send and receive make a handshake the transport of a key exchange.
func (h *handshake) send(payload []byte) { h.wire.write(Packet(payload, 0)) }

// receive returns the payload of the next message with that number, and
// deals with those that may come at any time (RFC 4253, 11).
func (h *handshake) receive(number byte) ([]byte, error) {
	for {
		h.at = h.wire.offset()
		payload, err := ReadPacket(h.wire.buffer, h.at)
		if err != nil {
			if broken, ok := errors.AsType[*BrokenOff](err); ok {
				broken.Waiting, broken.Write = MessageName(number), h.wire.writeErr
			}
			return nil, err
		}
		bad := func(why string) error {
			return &ProtocolViolation{Message: payload[0], Why: why, Payload: keep(payload)}
		}
		switch got := payload[0]; {
		case got == msgDisconnect:
			if h.res.Disconnect, err = ParseDisconnect(payload); err != nil {
				return nil, err
			}
			return nil, h.res.Disconnect
		case got == msgIgnore, got == msgDebug, got == msgUnimplemented:
			if h.noise++; h.noise > maxNoise {
				return nil, bad(fmt.Sprintf("more than %d messages that say nothing", maxNoise))
			}
			if h.strict {
				return nil, bad("strict key exchange was announced, and forbids it here")
			}
		case h.discard && got >= msgKexFirst && got <= msgKexLast:
			h.discard = false
		case got == number:
			return payload, nil
		default:
			return nil, bad("unexpected; " + MessageName(number) + " should come here")
		}
	}
}
