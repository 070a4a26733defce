package sock

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Counter is one of the kernel's counters of this network namespace, such as
// TCPMinTTLDrop of TcpExt. All programs share it.
func Counter(group, name string) (int, error) {
	file := "/proc/net/netstat"
	if group == "Tcp" {
		file = "/proc/net/snmp"
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return counterIn(string(text), group, name)
}

// counterIn finds a counter in lines that come in pairs: names, and values.
func counterIn(text, group, name string) (int, error) {
	var names []string
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != group+":" {
			continue
		}
		if names == nil {
			names = fields
			continue
		}
		for i := range min(len(names), len(fields)) {
			if names[i] == name {
				return strconv.Atoi(fields[i])
			}
		}
	}
	return 0, fmt.Errorf("this kernel does not count %s", name)
}
