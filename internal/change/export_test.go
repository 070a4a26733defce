package change

// What the tests of machines use of the inside: they are outside, because they
// carry changes out by package commit.
var (
	Listener    = listener
	ClampScript = clampScript
)
