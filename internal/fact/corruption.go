package fact

// A DataTrial is one session of the user's own ssh that moved data both ways,
// first to us and then to the server.
type DataTrial struct {
	Cipher   string `json:"cipher"`
	MAC      string `json:"mac"`              // "" where the cipher brings its own
	Stage    string `json:"stage"`            // how far the login got
	Received int    `json:"received"`         // bytes that came until the end
	Sent     int    `json:"sent"`             // bytes that the server's kernel acknowledged until then
	Whole    bool   `json:"whole"`            // everything came, both ways
	Reason   string `json:"reason,omitempty"` // the word of login.reason for the end
	Says     string `json:"says,omitempty"`   // what ssh printed about it

	BadHere   int    `json:"bad_here"`            // segments with a wrong checksum that this machine dropped meanwhile, or -1
	BadThere  int    `json:"bad_there"`           // and the server, or -1
	Unstarted string `json:"not_tried,omitempty"` // why nothing was tried
}

// Facts about data that is altered on the way. Checksum errors are the
// kernel's InCsumErrors, of all its TCP connections.
var (
	DataTrials           = define[[]DataTrial]("path.data_trials", "", "what became of sessions that moved data under several ciphers?")
	ClientChecksumErrors = define[int]("client.checksum_errors", "", "how many TCP segments with a wrong checksum came to this machine during the check, until the login ended?")
	ServerChecksumErrors = define[int]("server.checksum_errors", "", "how many TCP segments with a wrong checksum has the server seen since it was started?")
	ServerSegments       = define[int]("server.tcp_segments", "", "how many TCP segments has the server received since it was started?")
	LogCorrupt           = define[[]string]("log.corrupt_ours", "", "which lines tell that sshd received altered data from our address?")
)
