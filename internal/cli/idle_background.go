package cli

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sshtay/internal/host"
	"sshtay/internal/idle"
	"sshtay/internal/visible"
)

// An idleJob is a run in the background as it leaves its state in a file. A
// job that has not written for a while is gone: nothing starts it again.
type idleJob struct {
	Schema   string        `json:"schema"`
	Host     string        `json:"host"`
	Args     []string      `json:"args"` // to start it again by hand
	Begun    time.Time     `json:"begun"`
	Seen     time.Time     `json:"seen"`
	Headline string        `json:"headline"`
	Left     time.Duration `json:"left_ns"`
	Result   *idleResult   `json:"result,omitempty"`

	path string
}

const (
	jobSchema = "sshtay.idle-job/1"
	jobBeat   = 5 * time.Second  // how often a job writes
	jobGone   = 60 * time.Second // and how long it may be late, on a busy machine
	jobLimit  = 1 << 20
	jobStart  = 5 * time.Second // until its first sign of life
)

// newIdleJob is the job of this process; without a path it writes nothing.
func newIdleJob(path string, o checkOptions) *idleJob {
	j := &idleJob{Schema: jobSchema, Host: o.target.Given, Begun: time.Now(), path: path}
	if old, err := readJob(path); err == nil {
		j.Args = old.Args
	}
	j.write()
	return j
}

func (j *idleJob) write() {
	if j.path == "" {
		return
	}
	j.Seen = time.Now()
	if data, err := json.Marshal(j); err == nil {
		(host.Local{}).KeepState(j.path, data)
	}
}

func (j *idleJob) update(v idle.View) {
	if time.Since(j.Seen) < jobBeat {
		return
	}
	j.Headline, j.Left = headline(j.Host, v), v.Left
	j.write()
}

func (j *idleJob) end(r idleResult) {
	j.Result, j.Left = &r, 0
	j.write()
}

// jobPath is where the job for a host leaves its state.
func jobPath(name string) (string, error) {
	sum := sha256.Sum256([]byte(name))
	return host.StatePath("idle", fmt.Sprintf("job-%x.json", sum[:8]))
}

func readJob(path string) (j idleJob, err error) {
	f, err := os.Open(path)
	if err != nil {
		return j, err
	}
	defer f.Close()
	err = json.NewDecoder(io.LimitReader(f, jobLimit)).Decode(&j)
	if err == nil && j.Schema != jobSchema {
		err = fmt.Errorf("%s is of the schema %q", path, visible.Line(j.Schema, 40))
	}
	return j, err
}

// running says that the job writes, and has no result yet.
func (j idleJob) running() bool { return j.Result == nil && time.Since(j.Seen) < jobGone }

// idleBackground starts this program again, without the terminal.
func (sh *shell) idleBackground(cmd *cobra.Command, o checkOptions) error {
	path, err := jobPath(o.target.Given)
	if err != nil {
		return usage("", "cannot tell where to keep the result: %v", err)
	}
	if old, err := readJob(path); err == nil && old.running() {
		return usage("sshtay idle --status", "%s is being measured since %s already", o.target.Given, old.Begun.Format(time.TimeOnly))
	}
	args := slices.DeleteFunc(slices.Clone(os.Args[1:]), func(a string) bool { return a == "--background" || a == "--background=true" })
	j := idleJob{Schema: jobSchema, Host: o.target.Given, Args: os.Args[1:], Begun: time.Now(), path: path}
	j.write()
	written := j.Seen
	if err := (host.Local{}).Detach(append([]string{self()}, append(args, "--job", path)...)...); err != nil {
		os.Stdout.Sync()
		return usage("sshtay idle "+o.target.Given, "cannot go to the background: %v", err)
	}
	for end := time.Now().Add(jobStart); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if now, err := readJob(path); err == nil && now.Seen.After(written) {
			fmt.Fprintf(sh.out, "measuring in the background, for up to %s and what follows; see how far it is with:\n    sshtay idle --status\n", o.idle.UpTo)
			return nil
		}
	}
	return exitError{exitUnknown, "the run in the background gave no sign of life", "sshtay idle " + o.target.Given}
}

// idleStatus tells of the runs in the background, or of the one for a host.
func (sh *shell) idleStatus(args []string) error {
	pattern, err := host.StatePath("idle", "job-*.json")
	if len(args) > 0 {
		pattern, err = jobPath(args[0])
	}
	if err != nil {
		return usage("", "cannot tell where results are kept: %v", err)
	}
	files, _ := filepath.Glob(pattern)
	for _, f := range files {
		j, err := readJob(f)
		if err != nil {
			fmt.Fprintf(sh.out, "%s cannot be read: %v\n", f, err)
			continue
		}
		fmt.Fprintln(sh.out, j.inWords(time.Now()))
	}
	if len(files) == 0 {
		fmt.Fprintln(sh.out, "nothing was measured in the background; to do so:\n    sshtay idle --background HOST")
		return exitError{code: exitUnknown}
	}
	return nil
}

// inWords says how far a job is.
func (j idleJob) inWords(now time.Time) string {
	name := visible.Line(j.Host, 200)
	switch {
	case j.Result != nil:
		return fmt.Sprintf("%s: done at %s: idle-timeout is %s: %s", name, j.Seen.Format("2006-01-02 15:04"), visible.Line(j.Result.Status, 20), visible.Line(j.Result.Reason, 1000))
	case now.Sub(j.Seen) < jobGone:
		text := fmt.Sprintf("%s: running since %s", name, j.Begun.Format("2006-01-02 15:04"))
		if j.Headline != "" {
			text += "\n    " + visible.Line(j.Headline, 200)
		}
		if j.Left > 0 {
			text += "\n    at most " + clock(j.Left) + " until the last connection is woken"
		}
		return text
	}
	return fmt.Sprintf("%s: the run that began at %s ended without a result at %s (killed, or the machine was restarted); to begin anew:\n    sshtay %s",
		name, j.Begun.Format("2006-01-02 15:04"), j.Seen.Format("15:04"), visible.Line(strings.Join(j.Args, " "), 1000))
}
