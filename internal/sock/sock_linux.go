package sock

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

func setMSS(fd, n int, _ bool) error {
	return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_MAXSEG, n)
}

func setTOS(fd, n int, v4 bool) error {
	return setIP(fd, n, v4, unix.IP_TOS, unix.IPV6_TCLASS)
}

func setTTL(fd, n int, v4 bool) error {
	return setIP(fd, n, v4, unix.IP_TTL, unix.IPV6_UNICAST_HOPS)
}

func setMinTTL(fd, n int, v4 bool) error {
	return setIP(fd, n, v4, unix.IP_MINTTL, unix.IPV6_MINHOPCOUNT)
}

func setError(fd, n int, v4 bool) error {
	return setIP(fd, n, v4, unix.IP_RECVERR, unix.IPV6_RECVERR)
}

func setIP(fd, n int, v4 bool, name4, name6 int) error {
	if v4 {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IP, name4, n)
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, name6, n)
}

// InfoOf asks the kernel about a connection. It answers after a reset, too.
func InfoOf(c *net.TCPConn) (Info, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return Info{}, err
	}
	var t *unix.TCPInfo
	err = control(raw, func(fd int) (err error) {
		t, err = unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		return err
	})
	if err != nil {
		return Info{}, err
	}
	return infoFrom(t), nil
}

// infoFrom takes what we use from the kernel's structure. What an older
// kernel does not know stays 0.
func infoFrom(t *unix.TCPInfo) Info {
	micro := func(n uint32) time.Duration { return time.Duration(n) * time.Microsecond }
	milli := func(n uint32) time.Duration { return time.Duration(n) * time.Millisecond }
	i := Info{
		RTT: micro(t.Rtt), RTTVar: micro(t.Rttvar), MinRTT: micro(t.Min_rtt), RTO: micro(t.Rto),
		SendMSS: int(t.Snd_mss), ReceiveMSS: int(t.Rcv_mss), AdvertisedMSS: int(t.Advmss), PathMTU: int(t.Pmtu),
		Unacked: int(t.Unacked), Sacked: int(t.Sacked), Lost: int(t.Lost),
		Backoff: int(t.Backoff), Retransmits: int(t.Retransmits), TotalRetrans: int(t.Total_retrans),
		SegmentsOut: int(t.Segs_out), SegmentsIn: int(t.Segs_in), DataSegmentsOut: int(t.Data_segs_out), DataSegmentsIn: int(t.Data_segs_in),
		BytesSent: t.Bytes_sent, BytesAcked: t.Bytes_acked, BytesReceived: t.Bytes_received, BytesRetrans: t.Bytes_retrans,
		OutOfOrder: int(t.Rcv_ooopack), Duplicates: int(t.Dsack_dups), NotSent: int(t.Notsent_bytes),
		SinceSent: milli(t.Last_data_sent), SinceReceived: milli(t.Last_data_recv), SinceAck: milli(t.Last_ack_recv),
		State: int(t.State), Timestamps: t.Options&1 != 0, SACK: t.Options&2 != 0,
	}
	if t.Min_rtt == ^uint32(0) { // not measured yet
		i.MinRTT = 0
	}
	return i
}
