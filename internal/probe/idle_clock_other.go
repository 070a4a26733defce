//go:build !linux

package probe

import "time"

var clockBegin = time.Now()

// asleepFor is how long this machine has slept, give or take what somebody set
// its clock: the wall clock went on meanwhile, and the other one stood still.
func asleepFor() time.Duration {
	now := time.Now()
	return now.Round(0).Sub(clockBegin.Round(0)) - now.Sub(clockBegin)
}
