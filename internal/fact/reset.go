package fact

// Facts about a reset that ended a connection of this run, and who sent it.
// The sender is the server (its sshd, its kernel or a firewall on it), a
// middlebox (something between, or beside the way, in the server's name) or
// unknown; it is absent when no connection was reset.
var (
	ResetCapture = define[bool]("reset.capture", "", "were the packets of this run's connections watched?")
	ResetStage   = define[string]("reset.stage", "", "up to which stage had the connection come that was reset first: resolve, connect, banner, kex, auth or session?")
	ResetSender  = define[string]("reset.sender", "", "who sent the reset: server, middlebox or unknown?")
	ResetSure    = define[bool]("reset.sure", "", "is that proven, so that no accident of routing looks the same?")
	ResetHops    = define[int]("reset.hops_away", "", "how many hops away is its sender, the first router being 1?")
	ResetWithin  = define[[]int]("reset.hops_between", "", "where that is not known exactly: at which hop is it at least, and at most?")
	ResetReasons = define[[]string]("reset.reasons", "", "what shows who sent it?")
	ResetSettle  = define[string]("reset.settle", "", "what would show who sent it, where that is unknown?")
	ResetAgain   = define[int]("reset.again", "", "how many connections of ours were reset once more, between two readings of the server's counters?")

	ServerResetsSent  = define[int]("server.resets_sent", "", "how many resets did the TCP of the server's kernel send in that time, to anybody?")
	ServerResetsUsual = define[float64]("server.resets_usual", "", "how many does it send in such a time on average, since it was started?")
	ServerResetsSeen  = define[[]KernelReset]("server.resets_seen", "", "which connections of the SSH port did the server's kernel reset while we looked, and why?")
)

// A KernelReset is what the kernel says of resets that its TCP sent.
type KernelReset struct {
	Client string `json:"client"` // address
	State  string `json:"state"`  // of the connection: TCP_ESTABLISHED, UNKNOWN
	Reason string `json:"reason"` // as the kernel calls it: TCP_ABORT_ON_CLOSE, NO_SOCKET
	N      int    `json:"n"`      // how many
}
