// Package sshconf reads ssh_config and sshd_config as OpenSSH reads them, and
// says for every value which line of which file set it and what that line
// hides.
//
// [Parse] turns one file into lines without losing a byte. [ResolveClient] does
// what `ssh -G` does and [ResolveServer] what `sshd -T -C` does, on a machine
// described by an [Env]: [OS] is this one, [Files] one of which only some files
// are known. Both give a [Resolved]: a [Setting] for every keyword, with the
// values as the programs print them, the [Origin] of each, and the values it
// hides; [Setting.Describe] says it in a sentence.
//
// The rules depend on the [Release] of OpenSSH. As Debian builds them, 9.2, 10.0
// and 10.6 have been held against the programs; from 8.7 on what differs between
// releases follows their sources; before, the rules are close. `ssh -V` tells
// Debian's patches, `sshd -V` does not.
//
// Where the programs are installed their own dump is the authority: read it
// with [ParseDump] and join it with the origins by [Explain], which also lists
// where the two disagree.
//
// [EditClient] and [EditServer] put options where they are effective, and give
// the new text of files once resolving it again has shown that they are, and
// that nothing else changed.
//
// Nothing here writes, runs or connects. Commands of Match exec and lookups go
// through functions of the Env; without them what depends on them is warned
// of. Reading is bounded: 4 MiB and 100,000 directives a file, 32 MiB
// together, includes 16 deep, and in all what takes a second or two.
package sshconf
