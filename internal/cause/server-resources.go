package cause

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sshtay/internal/fact"
	"sshtay/internal/remedy"
)

var _ = register(Cause{
	ID:    "server-resources",
	Title: "the server is short of something that connections need",
	Doc: Doc{
		Observed: "Load, processors, memory, swap and the kernel's measure of pressure; processes, tasks, open files, pseudo-terminals, the listen queue and disks beside their limits; lines of the log about killed processes, failed starts and writes that found no room; " +
			"what the session itself said; and how long each stage of our connection took beside the round trip.",
		Judged: "Confirmed when a limit is reached or all but reached, when memory and swap are used up and tasks wait for them, when a process of sshd was killed for lack of memory, when sshd or the session said that something could not be started or written. " +
			"Likely when load, memory or storage are short and our own connection was slow as well. A high load alone is work that gets done; old kills of other programs, and a disk that was full and has room again, are possible at most. Ruled out when there is room.",
		Explained: "Every connection needs a few processes, files, some memory and a processor in time. When one of them runs out sshd closes new connections without a word, they time out, or the kernel kills a session. " +
			"Limits of systemd units and of users are met long before the machine's own, and nothing in sshd's log tells of some of them.",
		Fixed: "Find what uses the resource; free it, bound it or add to it; raise the limit where it is too low for what the server is for.",
	},
	Needs: []fact.Any{
		fact.Load1, fact.CPUs, fact.MemTotal, fact.MemAvailable, fact.SwapTotal, fact.SwapFree, fact.PressureCPU, fact.PressureMemory, fact.PressureIO,
		fact.Processes, fact.ProcessesMax, fact.UserProcesses, fact.UserProcessesMax, fact.SSHDTasks, fact.SSHDTasksMax, fact.Files, fact.FilesMax, fact.SSHDFiles, fact.SSHDFilesMax,
		fact.PTYs, fact.PTYsMax, fact.ListenQueue, fact.ListenQueueMax, fact.Disks, fact.ServerUser,
		fact.LogOOM, fact.LogForkFailures, fact.LogDiskFull, fact.SessionEnd, fact.SessionNoise,
		fact.RTT, fact.BannerTime, fact.KexInitTime, fact.KexTime, fact.LoginAuthTime, fact.SessionShellTime, fact.HandshakeStage, fact.HandshakeReason,
	},
	Judge: judgeServerResources,
	Fix:   fixServerResources,
})

// shortages are all that were found, the worst and surest first.
func shortages(v *fact.View) ([]shortage, []Evidence) {
	slow := slowStages(v)
	var found []shortage
	for _, look := range []func(*fact.View, []Evidence) (shortage, bool){itself, forkFailed, outOfMemory, memoryShort, cpuShort, ioShort, disksFull, wroteInVain} {
		if s, short := look(v, slowAtWork(slow)); short {
			found = append(found, s)
		}
	}
	for _, q := range quotas {
		if s, short := q.short(v); short {
			found = append(found, s)
		}
	}
	slices.SortStableFunc(found, func(a, b shortage) int {
		if (a.status >= Likely) != (b.status >= Likely) {
			return cmp.Compare(b.status, a.status)
		}
		return cmp.Or(cmp.Compare(b.impact, a.impact), cmp.Compare(b.status, a.status))
	})
	return found, slow
}

func judgeServerResources(v *fact.View) Verdict {
	found, slow := shortages(v)
	if len(found) == 0 {
		return roomEnough(v, slow)
	}
	worst := found[0]
	verdict := Verdict{Status: worst.status, Impact: worst.impact, Reason: worst.what, Why: worst.why}
	var told []string
	for _, s := range found {
		if s.status < Likely && worst.status >= Likely {
			break
		}
		told = append(told, s.what)
		verdict.Evidence = append(verdict.Evidence, s.evidence...)
	}
	verdict.Evidence = append(verdict.Evidence, slow...)
	verdict.Summary = upper(strings.Join(told, "; ")) + "."
	if worst.status < Likely {
		verdict.Reason = strings.Join(told, "; ") + "; nothing of ours was slow or failed for it"
		if len(slow) > 0 {
			verdict.Reason = strings.Join(told, "; ") + "; " + slow[0].Says
		}
	}
	return verdict
}

// roomEnough judges a server on which nothing was found short.
func roomEnough(v *fact.View, slow []Evidence) Verdict {
	load, loadSeen := fact.Load1.In(v)
	cpus, _ := fact.CPUs.In(v)
	free, freeSeen := fact.MemAvailable.In(v)
	total, _ := fact.MemTotal.In(v)
	stage, _ := fact.HandshakeStage.In(v)
	reason, _ := fact.HandshakeReason.In(v)
	switch {
	case !loadSeen && !freeSeen && stage == "connect" && reason == "timed-out":
		return Verdict{Status: Possible, Impact: Breaks, Reason: "the connection was made and nobody greeted, as when a server is out of memory; its console would settle it"}
	case !loadSeen && !freeSeen && len(slow) > 0:
		return Verdict{Status: Possible, Impact: Risk, Evidence: slow, Reason: slow[0].Says + "; whether the server is short of something could not be seen: " + v.Why(fact.Load1)}
	case !loadSeen:
		return unknown(v, fact.Load1)
	case !freeSeen:
		return unknown(v, fact.MemAvailable)
	}
	text := fmt.Sprintf("load %.1f on %s, %s of %s of memory available, and no limit is near", load, count(cpus, "processor"), size(free), size(total))
	switch {
	case len(slow) > 0:
		text += "; " + slow[0].Says + " all the same, so look for what it waited for: name servers, directories, disks"
	case cpus > 0 && load > float64(cpus):
		text += "; the load gets done: nothing of ours was slow"
	}
	return Verdict{Status: RuledOut, Reason: text}
}

func fixServerResources(v *fact.View) []remedy.Remedy {
	found, _ := shortages(v)
	var plans []remedy.Remedy
	for _, s := range found {
		if s.status < Likely && found[0].status >= Likely {
			break
		}
		plans = append(plans, s.plan)
	}
	return plans
}
