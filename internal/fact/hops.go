package fact

// A Hop is a router on the way to the server, or, as the last one, the server
// itself, as far as it shows itself. What a router says of packets that end at
// it tells little of how it treats those that it passes on: see [HopVerdicts].
type Hop struct {
	TTL       int      `json:"ttl"`                 // of packets that end there; the first router is 1; 0 where the server's is not known
	Host      bool     `json:"host,omitempty"`      // it is the server
	Addresses []string `json:"addresses,omitempty"` // several where there are several equal routes
	Names     []string `json:"names,omitempty"`     // of these, where they were asked for
	By        string   `json:"by,omitempty"`        // what it answers: tcp, udp or icmp
	Answers   int      `json:"answers"`             // it gave
	Of        int      `json:"of"`                  // times it was asked
	RTT       float64  `json:"rtt,omitempty"`       // s, the median
	Jitter    float64  `json:"jitter,omitempty"`    // s, by which one differs from the next, on average
	Says      string   `json:"says,omitempty"`      // of packets that it does not pass on: "knows no way", "prohibits udp"
	Verdict   string   `json:"verdict"`             // one of [HopVerdicts]
}

// HopVerdicts are what can be said of a hop from its answers and from those
// behind it.
var HopVerdicts = []string{
	"answers",     // every time
	"silent",      // never, and that alone means nothing
	"shy",         // not always, but everything passes it: it limits what it says
	"loss-begins", // what is lost up to the server is lost here, or just before
	"loses",       // it is behind that
	"unclear",     // not always, and nothing shows whether packets are lost there
}

// Facts about the way to the server.
var (
	PathHops         = define[[]Hop]("path.hops", "", "which routers are on the way to the server, and what do they answer?")
	PathDistance     = define[int]("path.distance", "", "at which hop do packets arrive at the server, the first router being 1?")
	PathDistanceBack = define[int]("path.distance_back", "", "how many hops is it back from the server, by the hop limit of its packets?")
)
