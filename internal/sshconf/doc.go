// Package sshconf reads ssh_config and sshd_config as OpenSSH reads them, and
// says for every value which line of which file set it and what that line
// hides.
//
// [Parse] turns one file into lines without losing a byte. [ResolveClient] does
// what `ssh -G` does, on a machine described by an [Env]: [OS] is this one,
// [Files] one of which only some files are known. The rules depend on the
// [Release] of OpenSSH; they are exact for 8.7 and later and close before.
//
// Where ssh is installed its own dump is the authority: read it with
// [ParseDump] and join it with the origins by [Explain].
//
// Nothing here writes, runs or connects. Commands of Match exec and lookups go
// through functions of the Env; without them what depends on them is warned
// of.
package sshconf
