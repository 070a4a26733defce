package probe

import (
	"maps"
	"slices"
	"strings"
	"time"

	"sshtay/internal/fact"
	"sshtay/internal/sshlog"
	"sshtay/internal/visible"
)

var (
	sshdLogFacts = []fact.Any{
		fact.LogSource, fact.LogClientLines, fact.LogStartupDrops, fact.LogStartupsOurs, fact.LogPenalties, fact.LogPenaltiesOurs,
		fact.LogRefusedOurs, fact.LogGraceTimeouts, fact.LogGraceOurs, fact.LogNoMoreSessions, fact.LogTooManyAuth, fact.LogClientTimeouts,
		fact.LogInactive, fact.LogForkFailures, fact.LogDiskFull, fact.LogCrashes, fact.LogBroken, fact.LogPAM, fact.LogChroot, fact.LogResets, fact.LogNegotiation, fact.LogCorrupt,
	}
	kernelLogFacts = []fact.Any{fact.LogOOM, fact.LogConntrackFull, fact.LogDuplicates}
	logSampleFacts = []fact.Any{fact.LogStartupSample, fact.LogPenaltySample, fact.LogPenaltyUntil}
)

// logs counts what the logs of sshd and of the kernel tell. Lines of the
// kernel count among sshd's where they tell of a process of sshd.
func (r *reading) logs() {
	now := r.now()
	kernelLog, kernelText, kernelOK := r.named("kernel")
	sshdLog, sshdText, sshdOK := r.named("log")
	seen := sshlog.Server{Client: r.client(), User: r.env["user"], Now: now, Boot: r.boot(now), Network: r.namespace()}
	for l := range strings.Lines(kernelText + "\n" + sshdText) {
		seen.Add(l)
	}
	if kernelOK {
		source := r.source("kernel log (" + kernelLog + ")")
		fact.LogOOM.Put(r.facts, lastLines(seen.OOM), source)
		fact.LogConntrackFull.Put(r.facts, lastLines(seen.ConntrackFull), source)
		fact.LogDuplicates.Put(r.facts, r.ofOwnAddresses(lastLines(seen.Duplicates)), source)
	}
	r.missDeep(kernelLogFacts...)
	if !sshdOK {
		r.miss(r.noLog(), sshdLogFacts...)
		return
	}
	source := r.source(sshdLog)
	fact.LogSource.Put(r.facts, sshdLog, source)
	r.putLog(&seen, source)
}

// noLog says why no log of sshd was read.
func (r *reading) noLog() string {
	var unreadable []string
	for _, name := range slices.Sorted(maps.Keys(r.sections)) {
		if log, ok := strings.CutPrefix(name, "log-unreadable "); ok {
			if log == "journal" {
				log = "the journal"
			}
			unreadable = append(unreadable, visible.Line(log, 100))
		}
	}
	if len(unreadable) > 0 {
		return "the account may not read " + strings.Join(unreadable, ", ") + ": it " + r.needsRoot()
	}
	return "no log of sshd was found there"
}

func (r *reading) putLog(seen *sshlog.Server, source string) {
	for _, c := range []struct {
		fact  fact.Key[int]
		count sshlog.Count
		ours  bool
	}{
		{fact.LogStartupDrops, seen.StartupDrops, false}, {fact.LogStartupsOurs, seen.StartupDropsOurs, true},
		{fact.LogPenalties, seen.Penalties, false}, {fact.LogPenaltiesOurs, seen.PenaltiesOurs, true},
		{fact.LogRefusedOurs, seen.RefusedOurs, true},
		{fact.LogGraceTimeouts, seen.GraceTimeouts, false}, {fact.LogGraceOurs, seen.GraceTimeoutsOurs, true},
		{fact.LogNoMoreSessions, seen.NoMoreSessions, false}, {fact.LogTooManyAuth, seen.TooManyAuthOurs, true},
		{fact.LogClientTimeouts, seen.ClientTimeoutsOurs, true}, {fact.LogInactive, seen.InactiveOurs, true},
		{fact.LogResets, seen.ResetsOurs, true},
	} {
		if c.ours && !r.client().IsValid() {
			r.miss(noClient, c.fact)
			continue
		}
		c.fact.Put(r.facts, c.count.N, source)
	}
	for _, l := range []struct {
		fact  fact.Key[[]string]
		count sshlog.Count
		ours  bool
	}{
		{fact.LogForkFailures, seen.ForkFailures, false}, {fact.LogDiskFull, seen.DiskFull, false}, {fact.LogCrashes, seen.Crashes, false}, {fact.LogBroken, seen.Broken, false},
		{fact.LogPAM, seen.PAMOurs, false}, {fact.LogChroot, seen.SessionFailuresOurs, false},
		{fact.LogNegotiation, seen.NegotiationOurs, true}, {fact.LogCorrupt, seen.CorruptOurs, true}, {fact.LogClientLines, seen.ClientLines, true},
	} {
		if l.ours && !r.client().IsValid() {
			r.miss(noClient, l.fact)
			continue
		}
		l.fact.Put(r.facts, lastLines(l.count), source)
	}
	sample := func(k fact.Key[string], all, ours sshlog.Count) {
		if last := append(lastLines(all), lastLines(ours)...); len(last) > 0 {
			k.Put(r.facts, last[len(last)-1], source)
		}
	}
	sample(fact.LogStartupSample, seen.StartupDrops, seen.StartupDropsOurs)
	if !seen.PenaltyUntil.IsZero() {
		fact.LogPenaltyUntil.Put(r.facts, seen.PenaltyUntil.Format(time.DateTime), source)
	}
	sample(fact.LogPenaltySample, seen.Penalties, seen.PenaltiesOurs)
}

// lastLines are the last lines of a count, fit to print; never nil.
func lastLines(c sshlog.Count) []string {
	lines := []string{}
	for _, l := range c.Last {
		lines = append(lines, visible.Line(l, 500))
	}
	return lines
}

// now is the server's own time, in its own zone: its log is in that.
func (r *reading) now() time.Time {
	epoch, zone, _ := strings.Cut(r.env["date"], " ")
	n, ok := atoi(epoch)
	if !ok {
		return time.Time{}
	}
	now := time.Unix(int64(n), 0).UTC()
	if z, err := time.Parse("-0700", zone); err == nil {
		_, offset := z.Zone()
		now = now.In(time.FixedZone("", offset))
	}
	return now
}

// boot is when the server was started, or zero.
func (r *reading) boot(now time.Time) time.Time {
	up, ok := r.float("/proc/uptime", 0)
	if !ok || now.IsZero() || up > 1e10 {
		return time.Time{}
	}
	return now.Add(-time.Duration(up) * time.Second)
}
