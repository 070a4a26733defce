package sshlog

// An attempt is one run of a client, from its first line to its end.
type attempt struct {
	begun    bool
	progress Symptom // the last that was seen
	line     Event   // its line
	renewing bool    // the keys are being renewed in the session
	in       bool    // a session, or at least a login, was reached
	spoke    bool    // text came in the place of the server's identification
	failed   Symptom // the first failure whose stage is known
	ended    bool
}

// client follows one run of a client after the other.
func (s *Story) client(e *Event) {
	tells := e.Message.tells
	if tells.IsProgressOfClient() {
		s.progress(tells, e)
		return
	}
	if !s.attempt.begun {
		s.attempt = attempt{begun: true}
		s.Attempts++
	}
	s.target(e)
	a := &s.attempt
	known := placed(tells, a.where())
	if a.spoke && (known == ClosedAtBanner || known == ResetAtBanner) {
		known = NotSSH
	}
	if a.failed != NoSymptom && known.follows() || isDamage(a.failed) && isDamage(known) {
		return // says again what has been said
	}
	if a.renewing && !a.ended {
		s.see(RekeyBroken, e)
	}
	if !a.ended && known != ResetInKex { // who resets did not keep it waiting
		s.waiting()
	}
	a.ended = true
	if known.Stage() != atAny && !known.follows() || a.failed == NoSymptom {
		a.failed = known
	}
	s.Ended = known.Stage()
	s.see(known, e)
}

// progress notes how far a client came.
func (s *Story) progress(tells Symptom, e *Event) {
	a := &s.attempt
	if tells == SawNote {
		return
	}
	if !a.begun || tells == SawStart || tells == SawConnecting && (a.ended || a.progress != SawStart && a.progress != SawConnecting && a.progress != NoSymptom) {
		s.endAttempt()
		s.attempt = attempt{begun: true}
		s.Attempts++
	}
	switch tells {
	case SawConnecting:
		s.target(e)
	case SawBanner:
		if e.Detail != "" {
			s.Software = keep(e.Detail)
		}
	case SawPreBanner:
		a.spoke = true
	case SawKexInit:
		a.renewing = a.in
	case SawKex:
		if a.renewing {
			a.renewing = false
			return
		}
	case SawAuth, SawSession:
		a.in = true
	}
	if a.renewing {
		return
	}
	a.progress, a.line = tells, *e
	a.line.Line = keep(e.Line)
}

// endAttempt tells where a client's run stopped that said nothing of an end.
func (s *Story) endAttempt() {
	a := &s.attempt
	if a.begun && !a.ended {
		s.waiting()
		switch a.progress {
		case SawConnected:
			s.see(BannerTimeout, &a.line)
			s.Ended = atBanner
		case SawConnecting:
			s.see(ConnectTimeout, &a.line)
			s.Ended = atConnect
		case SawEnd:
			s.Ended = ""
		default:
			s.Ended = a.where()
		}
	}
	s.attempt = attempt{}
}

// waiting tells what an attempt waited for in the key exchange when it ended:
// it is the size of what did not come that counts.
func (s *Story) waiting() {
	switch s.attempt.progress {
	case SawKexInit:
		s.see(WaitingForKexInit, &s.attempt.line)
	case SawKexRequest:
		s.see(WaitingForKexReply, &s.attempt.line)
	}
}

// where is the stage at which an attempt is, or "" when no line told.
func (a *attempt) where() string {
	if a.in {
		return atSession
	}
	return a.progress.Stage()
}

// target notes the server that a client's line names.
func (s *Story) target(e *Event) {
	if s.Host == "" && e.Addr != "" && isTarget(e.Addr) {
		s.Host = keep(e.Addr)
		if _, ok := digits(e.Port); ok {
			s.Port = keep(e.Port)
		}
	}
}

// isTarget says whether a name could be typed: not the X of who hides it.
func isTarget(addr string) bool {
	for i := range len(addr) {
		switch c := addr[i]; {
		case c == '<', c == '>', c == '*', c == '?', c == '/':
			return false
		case c != 'X' && c != 'x' && c != '.':
			return addr[0] != '-'
		}
	}
	return false
}

// placed is a symptom at a stage: what a line alone does not tell, the lines
// before it do.
func placed(tells Symptom, stage string) Symptom {
	row, at := -1, -1
	switch tells {
	case ClosedSomewhere, HandshakeClosed:
		row = 0
	case ResetSomewhere, HandshakeReset:
		row = 1
	case TimeoutSomewhere, HandshakeTimeout:
		row = 2
	}
	switch stage {
	case atBanner:
		at = 0
	case atKex:
		at = 1
	case atAuth:
		at = 2
	case atSession:
		at = 3
	}
	if row < 0 || at < 0 {
		return tells
	}
	return [3][4]Symptom{
		{ClosedAtBanner, ClosedInKex, ClosedInAuth, ClosedInSession},
		{ResetAtBanner, ResetInKex, ResetInAuth, ResetInSession},
		{BannerTimeout, TimeoutInKex, TimeoutInAuth, TimeoutInSession},
	}[row][at]
}

// isDamage says that a packet was found damaged: ssh tells it in two lines,
// the first of which says more.
func isDamage(s Symptom) bool {
	return s == CorruptMAC || s == WrongMAC || s == BadPacket || s == PlainInCipher
}

// follows says that a symptom, after another of the same attempt, says
// nothing new: programs tell one end in several lines.
func (s Symptom) follows() bool {
	switch s {
	case ClosedSomewhere, ResetSomewhere, TimeoutSomewhere, HandshakeClosed, HandshakeReset, HandshakeTimeout, LostConnection,
		ClosedInKex, ResetInKex, ClosedInAuth, ResetInAuth, ProxyDied, Disconnected, SessionAborted:
		return true
	}
	return false
}
