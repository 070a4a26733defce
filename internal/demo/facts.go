package demo

// factsFor returns what the imaginary server says of itself to the command
// that collects the facts of a server.
func (s *server) factsFor(command string) (string, bool) { return "", false }
