package fact

import "time"

// Facts about silence, measured by connections that said nothing for a while
// and were then spoken on again, beside one that talked all along.
//
// idle.came is how a silence that was too long ended: "silent" when what was
// sent afterwards vanished, "reset" when it was answered with a reset,
// "reset-early" when the reset came by itself, "closed" when the connection was
// closed in order, and "closed-said" when the server said something on it
// before. idle.at_server is what the server's kernel still knew of such a
// connection: "there", "closing" or "gone".
var (
	IdleTimeout  = define[time.Duration]("path.idle_timeout", "s", "after how much silence is a connection lost? absent when none was lost")
	IdleSurvived = define[time.Duration]("idle.survived", "s", "what was the longest silence that connections survived?")
	IdleFatal    = define[time.Duration]("idle.fatal", "s", "what was the shortest silence beyond that which they did not? absent when there was none")
	IdleSure     = define[bool]("idle.sure", "", "are the two within 2 %, and did at least two connections die?")
	IdleKnown    = define[bool]("idle.known", "", "is that the time that a common device comes with?")
	IdleDeaths   = define[int]("idle.deaths", "", "how many connections were lost to silence?")
	IdleEarly    = define[time.Duration]("idle.early", "s", "what was the shortest silence that was not survived, where a longer one was? absent when none")
	IdleCame     = define[string]("idle.came", "", "what came of a connection that was silent for too long?")
	IdleAtServer = define[string]("idle.at_server", "", "what did the server's kernel know of it then: there, closing or gone?")
	IdleSaid     = define[string]("idle.said", "", "what did ssh print about it?")
	IdleHop      = define[int]("idle.hop", "", "at which hop is the device that forgets? 1 is the first router")
	IdleDistance = define[int]("idle.distance", "", "at which hop is the server, by the hop limit of its packets?")
	IdleSpeaks   = define[time.Duration]("idle.server_speaks", "s", "after how much silence does the server speak by itself? absent when it did not")
	IdleLost     = define[int]("idle.talking_lost", "", "how often was the connection lost that talked all along?")
	IdleLived    = define[time.Duration]("idle.talking_lived", "s", "how old was it then?")
	IdleSlept    = define[int]("idle.slept", "", "how often did this machine sleep meanwhile?")
	IdleSlowed   = define[string]("idle.slowed", "", "why were logins made more slowly than at first?")
	IdleRefused  = define[string]("idle.refused", "", "why could no more connections be opened?")
	IdleTried    = define[time.Duration]("idle.tried", "s", "up to which silence was tried?")
	IdleAge      = define[time.Duration]("idle.age", "s", "how long ago was this measured, on this network?")
	IdleBefore   = define[string]("idle.before_login", "", "why could nobody log in, so that connections were silent before the login? absent when they were logged in")
	IdlePatience = define[time.Duration]("idle.patience", "s", "how old was the connection that talked when it was closed because nobody logged in? absent when it was not")
	IdlePath     = define[string]("idle.path", "", "which way was measured: direct, or the leg behind which jump host?")

	ClientConntrackIdle = define[time.Duration]("client.conntrack_established", "s", "after how much silence does this machine's own connection tracking forget a TCP connection? absent when there is none")
)
