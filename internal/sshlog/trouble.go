package sshlog

// A Kind is a way in which a server's connections go wrong, as an
// administrator counts them.
type Kind uint8

// The kinds.
const (
	NoKind   Kind = iota
	Throttle      // dropped because too many were logging in
	Penalised
	Banned
	RefusedByRule
	GraceEnded // the login took too long
	IdleEnded  // sshd ended what was silent
	TimedOut   // nothing came back from the client
	WasReset
	WasClosed
	LoginRefused
	OverLimit
	NoAgreement // on algorithms
	Damaged
	Short // of memory, processes, files, room
	Broke // sshd itself
	kinds
)

var kindNames = [kinds]string{"", "throttle", "penalty", "ban", "refusal", "grace", "idle", "timeout", "reset", "close", "login", "limit", "algorithms", "damage", "shortage", "crash"}

// String is the kind's fixed name.
func (k Kind) String() string { return kindNames[k] }

// A trouble is how a server's symptom is counted, and the cause that the words
// themselves name; "" where they tell how a connection ended and not why.
type trouble struct {
	kind  Kind
	cause string
}

// troubles are the symptoms that count as one. What strangers fill every log
// with, and what ends well, is none.
var troubles = [symptoms]trouble{
	StartupDrop:      {Throttle, "startup-throttle"},
	Penalty:          {Penalised, "source-refused"},
	AddressBanned:    {Banned, "source-refused"},
	TCPWrapped:       {RefusedByRule, "source-refused"},
	ConnectionDenied: {RefusedByRule, "source-refused"},

	GraceTimeout:   {GraceEnded, "login-grace"},
	Inactive:       {IdleEnded, "server-idle-policy"},
	ChannelIdle:    {IdleEnded, "server-idle-policy"},
	ClientSilent:   {TimedOut, ""},
	ClientTimedOut: {TimedOut, ""},

	ClientResetEarly:   {WasReset, ""},
	ClientReset:        {WasReset, ""},
	ClientClosedEarly:  {WasClosed, ""},
	ClientLeft:         {WasClosed, ""},
	ClientDisconnected: {WasClosed, ""},

	MaxAuthTries:   {LoginRefused, "auth"},
	UserRefused:    {LoginRefused, "auth"},
	NoLogin:        {LoginRefused, "auth"},
	AccountRefused: {LoginRefused, "session-refused"},
	SessionBroken:  {LoginRefused, "session-refused"},
	NoMoreSessions: {OverLimit, "max-sessions"},

	ClientNoCommon: {NoAgreement, "version"},
	ClientWrongMAC: {Damaged, "corruption"},

	ForkFailure:      {Short, "server-resources"},
	OutOfMemory:      {Short, "server-resources"},
	DiskFull:         {Short, "server-resources"},
	ConntrackFull:    {Short, "conntrack-full"},
	DuplicateAddress: {Damaged, "duplicate-address"},
	ChildCrash:       {Broke, "sshd-broken"},
	DaemonBroken:     {Broke, "sshd-broken"},
	SELinuxDenied:    {Broke, "sshd-broken"},
}

// Kind is how a server's log counts the symptom; [NoKind] when it is no
// trouble of its connections.
func (s Symptom) Kind() Kind { return troubles[s].kind }

// Cause is the cause that the server's own words name, or "".
func (s Symptom) Cause() string { return troubles[s].cause }
