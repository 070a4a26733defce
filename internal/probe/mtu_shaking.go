package probe

import (
	"net"
	"sync"
	"time"

	"sshtay/internal/sock"
	"sshtay/internal/sshwire"
)

// Shaking is the connection of the handshake, shown to who looks on while it
// lasts, and what was seen of it at its end.
type Shaking struct {
	mu      sync.Mutex
	conn    *net.TCPConn
	begun   time.Time
	stage   sshwire.Stage
	ended   bool
	first   sock.Info // when it was made
	last    sock.Info // at its end
	done    time.Time // when everything was exchanged
	longest int       // bytes of the longest message that we sent
	through int64     // bytes that we had sent at its end
	reply   int64     // bytes of the server's part of the key exchange
}

// begin shows a connection.
func (s *Shaking) begin(c *net.TCPConn) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn, s.begun = c, time.Now()
	s.first, _ = sock.InfoOf(c)
}

// at notes the stage that begins.
func (s *Shaking) at(stage sshwire.Stage) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stage = stage
	if s.conn != nil && stage == sshwire.StageDone {
		s.last, _ = sock.InfoOf(s.conn)
		s.done = time.Now()
	}
}

// end takes the connection back, before it is closed.
func (s *Shaking) end(r *sshwire.Result) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return
	}
	if info, err := sock.InfoOf(s.conn); err == nil {
		s.last = info
	}
	sent := int64(0)
	for _, lap := range r.Laps {
		sent += lap.Sent
		switch lap.Stage {
		case sshwire.StageKexInit:
			s.longest, s.through = int(lap.Sent), sent
		case sshwire.StageKex:
			s.reply = lap.Received
		}
	}
	s.ended = true
}

// now is the connection that lasts, and when it began; nil when there is none.
// It may be closed at any moment, which asking the kernel survives.
func (s *Shaking) now() (*net.TCPConn, time.Time) {
	if s == nil {
		return nil, time.Time{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn, s.begun
}

// exchanging says that the server has greeted and has more to say.
func (s *Shaking) exchanging() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.ended && (s.stage == sshwire.StageKexInit || s.stage == sshwire.StageKex)
}

// over is when everything was exchanged, and what the kernel counted then.
func (s *Shaking) over() (time.Time, sock.Info) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done, s.last
}

// sentLong says whether the longest message that we sent was acknowledged.
func (s *Shaking) sentLong(i sock.Info) bool {
	return s.longest > 0 && int64(i.BytesAcked) > s.through // the SYN counts, too
}

// full says whether something reached the server that is as long as segments
// get, and how often anything was sent again. It is asked when the connection
// is over.
func (s *Shaking) full() (full bool, again int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sentLong(s.last) && s.longest >= s.last.SendMSS, s.last.TotalRetrans
}
