package pcap

import (
	"net/netip"
	"time"
)

// A Story is what happened in one SSH connection. Times count from its first
// packet in the capture. Text of either side is as it was sent.
type Story struct {
	Client, Server netip.AddrPort
	Began          time.Time
	Took           time.Duration
	Whole          bool          // the capture has its first packet
	RTT            time.Duration // of the TCP handshake, as far as the capture shows it; 0 is not seen
	ClientIdent    string
	ServerIdent    string
	Stages         []Stage // in order
	Unread         string  // why the stages after the last one are not known; empty when they are
	FromClient     Count
	FromServer     Count
	Stalls         []Stall
	Hole           *Hole
	Idle           time.Duration // how long nothing was said before what ended the connection began; 0 when it was busy
	End            End
}

// A Stage was completed: "connect", "banner", "kexinit", "kex" (both sides
// encrypt from here on).
type Stage struct {
	Name string
	At   time.Duration
}

// A Count is what one side sent.
type Count struct {
	Packets int
	Bytes   int // of data
	Resent  int // packets with data that had been sent before
	Late    int // packets that others had overtaken
}

// A Stall is a time in which one side waited for the other.
type Stall struct {
	At, Length time.Duration
	// For is what was waited for: "acknowledgement" of what was sent, which the
	// network or the other kernel owes, or "answer", which the other program
	// owes.
	For string
	Of  string // "client" or "server": who owed it
}

// A Hole swallows packets of one direction that are longer than it lets
// through.
type Hole struct {
	Towards string // "server" or "client"
	Passed  int    // bytes of the longest IP packet that came through
	Lost    int    // bytes of the one that never did
	Times   int    // how often that was sent; 0 where the capture is behind the hole
}

// How a connection ended.
const (
	Open    = "open"    // it had not, when the capture ended
	Closed  = "closed"  // by a FIN
	Reset   = "reset"   // by a RST
	Silence = "silence" // one side sent again and again, and the other said nothing more
)

// An End is how a connection ended, and who began it.
type End struct {
	Kind    string
	By      string // "client" or "server": in whose name; empty for Open and Silence
	Sender  string // of a reset, as package rst says: "server", "middlebox", "unknown"; "client"
	Hops    int    // how far the sender of a reset was from the capture; 0 is not known
	Reasons []string
	Said    string // the last DISCONNECT that could be read
}
