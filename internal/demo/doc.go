// Package demo is a small museum of broken SSH servers: an embedded server
// behind an embedded faulty network, on loopback and a port the system picks,
// without root, on any system.
//
// A [Fault] is one exhibit; [Fault.Start] opens it and returns a [World] that
// says how to reach it. The server never executes what a client sends; it
// plays a small imaginary Debian server and answers a handful of commands
// itself. The package writes no file and knows nothing of who looks at it.
package demo
