package fact

import "time"

// A Flow is a TCP connection to the server's SSH port, as the kernel of one
// side counted it. Counts are of segments that carry data, since the
// connection began. What was sent again and had already arrived the first time
// ("had", told by DSACK) was not lost: it was late, or its answer was.
type Flow struct {
	Whose   string  `json:"whose"`             // "check": one of this check's own; "user": a program of the user's that still runs
	Local   string  `json:"local"`             // address and port
	Remote  string  `json:"remote"`            //
	Program string  `json:"program,omitempty"` // that holds it, where it may be seen: "ssh"
	PID     int     `json:"pid,omitempty"`     //
	Age     float64 `json:"age,omitempty"`     // s, of that program

	Sent       int  `json:"sent"`              // with those sent again
	Again      int  `json:"again"`             // sent again
	Had        int  `json:"had"`               // of these the other side had already
	Received   int  `json:"received"`          //
	OutOfOrder int  `json:"out_of_order"`      // came while something before them was missing
	Watched    bool `json:"watched,omitempty"` // the connection was watched for gaps all along
	Gaps       int  `json:"gaps,omitempty"`    // times that something was missing for a round trip and longer

	Unanswered bool `json:"unanswered,omitempty"` // some of what was sent was never acknowledged
	Learned    int  `json:"learned,omitempty"`    // bytes of an IP packet: our kernel learned meanwhile that longer ones do not fit; 0 is none

	Connected bool    `json:"connected"`       // the three-way handshake was completed
	Unacked   int     `json:"unacked"`         // on the way, without an answer
	Backoff   int     `json:"backoff"`         // how many times the wait before sending again was doubled
	SinceAck  float64 `json:"since_ack"`       // s since the last acknowledgement came
	RTT       float64 `json:"rtt"`             // s, smoothed
	MinRTT    float64 `json:"min_rtt"`         // s, the shortest
	Variation float64 `json:"variation"`       // s, mean deviation of the round trip time
	Other     *Count  `json:"other,omitempty"` // what the server's kernel counted of the same connection
}

// A Count is what the other side's kernel counted: segments that it sent, sent
// again, and sent in vain as above, and the length that it learned of.
// Received is what arrived there, and 0 where that was not read at the end of
// the connection.
type Count struct {
	Sent     int `json:"sent"`
	Again    int `json:"again"`
	Had      int `json:"had"`
	Received int `json:"received,omitempty"`
	Learned  int `json:"learned,omitempty"`
}

// A ServerFlow is a connection from our address, as the server's kernel counts
// it.
type ServerFlow struct {
	Peer string `json:"peer"` // our address and port, as the server sees them
	Ours bool   `json:"ours"` // it is this check's own
	Count
}

// Facts about the packets of real connections, never of pings.
var (
	PathFlows          = define[[]Flow]("path.flows", "", "which TCP connections to the server's SSH port are there, and what did the kernel count of each?")
	ServerFlows        = define[[]ServerFlow]("server.flows", "", "what did the server's kernel count of the connections from our address?")
	PathLoss           = define[float64]("path.loss", "ratio", "which part of the packets of this check's own connections was lost, in the worse direction?")
	PathLossToServer   = define[float64]("path.loss_to_server", "ratio", "which part of the segments that this check sent was lost?")
	PathLossFromServer = define[float64]("path.loss_from_server", "ratio", "which part of the segments that the server sent to this check was lost?")
	PathMeasured       = define[string]("path.measured", "", "when were these packets counted, in UTC?")
	PathJitter         = define[time.Duration]("path.jitter", "s", "by how much do round trip times vary (mean deviation)?")
)
