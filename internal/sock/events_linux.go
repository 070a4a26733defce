package sock

import (
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// eventPages of memory are shared with the kernel for each processor: a power
// of two, and one more for what is said of them.
const eventPages = 8

// Events are the records of one tracepoint of the kernel, of all processors.
// Nothing on the machine is changed by watching them, nobody else's tracing is
// touched, and they end with the process, however it ends.
type Events struct {
	polled []unix.PollFd
	rings  [][]byte
}

// WatchEvents begins to watch the tracepoint of that number. It needs root, or
// CAP_PERFMON. The caller calls Close.
func WatchEvents(id int) (*Events, error) {
	cpus, err := online()
	if err != nil {
		return nil, err
	}
	e := &Events{}
	for _, cpu := range cpus {
		if err := e.watch(id, cpu); err != nil {
			e.Close()
			return nil, fmt.Errorf("watching the kernel's tracepoint: %w", err)
		}
	}
	return e, nil
}

func (e *Events) watch(id, cpu int) error {
	a := unix.PerfEventAttr{Type: unix.PERF_TYPE_TRACEPOINT, Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{})), Config: uint64(id), Sample_type: unix.PERF_SAMPLE_RAW, Sample: 1, Wakeup: 1}
	fd, err := unix.PerfEventOpen(&a, -1, cpu, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		return err
	}
	e.polled = append(e.polled, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	ring, err := unix.Mmap(fd, 0, (1+eventPages)*os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	e.rings = append(e.rings, ring)
	return nil
}

// online are the numbers of the processors that run.
func online() (cpus []int, err error) {
	const file, most = "/sys/devices/system/cpu/online", 4096
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for part := range strings.SplitSeq(strings.TrimSpace(string(text)), ",") {
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		from, err1 := strconv.Atoi(low)
		to, err2 := strconv.Atoi(high)
		if err1 != nil || err2 != nil || to >= most {
			return nil, fmt.Errorf("%s says %q", file, text)
		}
		for n := from; n <= to; n++ {
			cpus = append(cpus, n)
		}
	}
	return cpus, nil
}

// Wait waits until there is a record, or the time is over.
func (e *Events) Wait(d time.Duration) { unix.Poll(e.polled, int(d.Milliseconds())) }

// Take hands over what there is and has not been taken before. A record may be
// followed by a few bytes that are none of it.
func (e *Events) Take(took func(raw []byte)) {
	for _, ring := range e.rings {
		page := (*unix.PerfEventMmapPage)(unsafe.Pointer(&ring[0]))
		head, tail := atomic.LoadUint64(&page.Data_head), page.Data_tail
		data := ring[os.Getpagesize():]
		for tail < head {
			header := at(data, tail, 8)
			size := uint64(binary.NativeEndian.Uint16(header[6:]))
			if size < 8 || size > head-tail {
				break
			}
			if kind := binary.NativeEndian.Uint32(header); kind == unix.PERF_RECORD_SAMPLE && size >= 12 {
				record := at(data, tail+8, size-8)
				if n := binary.NativeEndian.Uint32(record); uint64(n) <= size-12 {
					took(record[4 : 4+n])
				}
			}
			tail += size
		}
		atomic.StoreUint64(&page.Data_tail, head)
	}
}

// at copies from a ring.
func at(data []byte, from, size uint64) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = data[(from+uint64(i))%uint64(len(data))]
	}
	return b
}

// Close ends the watching.
func (e *Events) Close() {
	for _, ring := range e.rings {
		unix.Munmap(ring)
	}
	for _, p := range e.polled {
		unix.Close(int(p.Fd))
	}
}
