// Package lab builds small networks with a fault in them, proves with plain
// ssh that the fault is there, and puts sshtay's diagnosis to the test.
//
// A [Scenario] is a short text file: the world, what ssh must be seen to do in
// it, and what `sshtay check` must find. [Run] builds its world, three times:
// one to see the fault, one to see that without it all is well, one for the
// check. Every world is made of namespaces that the kernel takes down when
// nobody holds them any more, so that nothing is left behind whatever happens.
//
// Scenarios know nothing of the code they judge: the program is run as a user
// would run it.
package lab
