package probe

import (
	"time"

	"golang.org/x/sys/unix"
)

// asleepFor is how long this machine has slept since it was started.
func asleepFor() time.Duration {
	var with, without unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &with) != nil || unix.ClockGettime(unix.CLOCK_MONOTONIC, &without) != nil {
		return 0
	}
	return time.Duration(with.Nano() - without.Nano())
}
