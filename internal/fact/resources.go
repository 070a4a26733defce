package fact

import "time"

// A Disk is one file system that logins need.
type Disk struct {
	Mount  string  `json:"mount"`
	Used   float64 `json:"used"`   // ratio of blocks, 0 to 1
	Inodes float64 `json:"inodes"` // ratio of inodes, 0 to 1; 0 when the file system has no such limit
	RO     bool    `json:"read_only"`
}

// Facts about the server's resources at the time of the check.
var (
	Uptime            = define[time.Duration]("server.uptime", "s", "how long has the server been up?")
	Load1             = define[float64]("server.load1", "", "what is the load over one minute?")
	Load5             = define[float64]("server.load5", "", "what is the load over five minutes?")
	CPUs              = define[int]("server.cpus", "", "how many processors has the server?")
	MemTotal          = define[int]("server.mem_total", "B", "how much memory has the server?")
	MemAvailable      = define[int]("server.mem_available", "B", "how much memory is available?")
	SwapTotal         = define[int]("server.swap_total", "B", "how much swap has the server?")
	SwapFree          = define[int]("server.swap_free", "B", "how much swap is free?")
	PressureCPU       = define[float64]("server.pressure_cpu", "ratio", "which part of the last minute did some task wait for a processor?")
	PressureMemory    = define[float64]("server.pressure_memory", "ratio", "which part of the last minute did every task wait for memory?")
	PressureIO        = define[float64]("server.pressure_io", "ratio", "which part of the last minute did every task wait for storage?")
	Processes         = define[int]("server.processes", "", "how many processes and threads are there?")
	ProcessesMax      = define[int]("server.processes_max", "", "how many can there be?")
	UserProcesses     = define[int]("server.user_processes", "", "how many has the user?")
	UserProcessesMax  = define[int]("server.user_processes_max", "", "how many may the user have?")
	SSHDTasks         = define[int]("server.sshd_tasks", "", "how many tasks has sshd's unit?")
	SSHDTasksMax      = define[int]("server.sshd_tasks_max", "", "how many may it have?")
	Files             = define[int]("server.files", "", "how many files are open on the server?")
	FilesMax          = define[int]("server.files_max", "", "how many can be?")
	SSHDFiles         = define[int]("server.sshd_files", "", "how many files has the sshd listener open?")
	SSHDFilesMax      = define[int]("server.sshd_files_max", "", "how many may it have?")
	PTYs              = define[int]("server.ptys", "", "how many pseudo-terminals are in use?")
	PTYsMax           = define[int]("server.ptys_max", "", "how many can be?")
	Disks             = define[[]Disk]("server.disks", "", "how full are the file systems that logins need?")
	ListenQueue       = define[int]("server.listen_queue", "", "how many connections wait for sshd to accept them?")
	ListenQueueMax    = define[int]("server.listen_queue_max", "", "how many can wait?")
	ListenOverflows   = define[int]("server.listen_overflows", "", "how often was any listen queue full since the server was started?")
	Connections       = define[int]("server.ssh_connections", "", "how many SSH connections are open?")
	Unauthenticated   = define[int]("server.ssh_unauthenticated", "", "how many of them have not logged in yet?")
	SourceConnections = define[int]("server.ssh_connections_of_source", "", "how many of them come from our address?")
	UserSessions      = define[int]("server.user_sessions", "", "how many sessions has the user?")
)
