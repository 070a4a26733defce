package probe

import (
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"slices"
	"strings"

	"sshtay/internal/fact"
	"sshtay/internal/sshlog"
)

// collector is the script that brings the server's side: one file of POSIX sh
// that reads, and changes nothing.
//
//go:embed collect.sh
var collector string

// A nonce makes the marks of one run unlike anything that a log, a file or a
// login message may hold.
func newNonce() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// serverFacts is everything that the script may answer.
var serverFacts = slices.Concat([]fact.Any{
	fact.ServerVia, fact.ServerOS, fact.ServerKernel, fact.ServerInit, fact.ServerUser, fact.ServerClientAddress,
	fact.SSHDVersion, fact.SSHDPackage, fact.SSHDImplementation, fact.SSHDConfigError, fact.SSHDRunning, fact.SSHDActivation,
	fact.SSHDStale, fact.SSHDNoPrivsepDir, fact.SSHDHostKeys, fact.SSHDUnitState, fact.SSHDEnabled, fact.SocketConnections, fact.SocketConnectionsMax,
	fact.ServerTCPKeepaliveTime, fact.ServerTCPKeepaliveIntv, fact.ServerTCPKeepaliveNum, fact.ShellTMOUT, fact.LogindIdle,
	fact.Uptime, fact.Load1, fact.Load5, fact.CPUs, fact.MemTotal, fact.MemAvailable, fact.SwapTotal, fact.SwapFree,
	fact.PressureCPU, fact.PressureMemory, fact.PressureIO, fact.Processes, fact.ProcessesMax, fact.UserProcesses, fact.UserProcessesMax,
	fact.SSHDTasks, fact.SSHDTasksMax, fact.Files, fact.FilesMax, fact.SSHDFiles, fact.SSHDFilesMax, fact.PTYs, fact.PTYsMax, fact.Disks,
	fact.ListenQueue, fact.ListenQueueMax, fact.ListenOverflows, fact.ServerChecksumErrors, fact.ServerSegments, fact.Connections, fact.Unauthenticated, fact.SourceConnections, fact.UserSessions,
	fact.ServerFlows, fact.BannedBy, fact.BannedUsers, fact.FirewallLimits, fact.HostsDeny, fact.ServerConntrack, fact.DuplicateFound,
}, serverOptionFacts(), sshdLogFacts, logSampleFacts, kernelLogFacts)

// script is the collector as it is sent: without comments and indentation,
// which the server has no use for.
func script(nonce string) string {
	var b strings.Builder
	b.WriteString("N=" + nonce + " K='" + sshlog.Filter + "'\n")
	for line := range strings.Lines(collector) {
		line = strings.TrimLeft(line, "\t")
		if line != "\n" && !strings.HasPrefix(line, "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// text is what runs in the login.
func (env *Env) text(nonce string) string {
	if env.Knock {
		return "printf '\\n=%s begin\\n\\n=%s end\\n' " + nonce + " " + nonce + "\n"
	}
	return script(nonce)
}

// beginMark and endMark enclose everything that the script prints.
func beginMark(nonce string) string { return "\n=" + nonce + " begin\n" }
func endMark(nonce string) string   { return "\n=" + nonce + " end\n" }
