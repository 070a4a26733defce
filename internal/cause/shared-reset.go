package cause

import "sshtay/internal/fact"

// injected says that something in the path, and not the server, ended our
// connections by a reset: what would explain them by the server has no say.
func injected(v *fact.View) bool {
	sender, _ := fact.ResetSender.In(v)
	return sender == "middlebox"
}

// notTheServer is the verdict of causes on the server then.
func notTheServer() Verdict {
	return Verdict{Status: RuledOut, Reason: "it was not the server that reset the connection: see reset-injected"}
}
