package sock

import "testing"

func TestCounterIn(t *testing.T) {
	const text = "TcpExt: SyncookiesSent TCPMinTTLDrop\nTcpExt: 3 17\nIpExt: InNoRoutes TCPMinTTLDrop\nIpExt: 1 2\n"
	if n, err := counterIn(text, "TcpExt", "TCPMinTTLDrop"); n != 17 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	for _, bad := range []string{"", "TcpExt:", "TcpExt: TCPMinTTLDrop\nTcpExt:", "TcpExt: A\nTcpExt: 1", "TcpExt: TCPMinTTLDrop\nTcpExt: x"} {
		if n, err := counterIn(bad, "TcpExt", "TCPMinTTLDrop"); err == nil {
			t.Errorf("%q: %d", bad, n)
		}
	}
}
