package pcap

import (
	"bufio"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// gigabyte writes a capture of so many bytes: sessions that move data in full
// packets, a hundred at a time, as the server's network card sees them.
func gigabyte(b *testing.B, size int) string {
	name := filepath.Join(b.TempDir(), "big.pcap")
	f, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	defer w.Flush()
	w.Write([]byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0})
	written, at := 24, int64(1_700_000_000_000_000)
	packet := make([]byte, 16+14+20+20+1448)
	send := func(port int, fromClient bool, flags byte, seq, ack uint32, payload []byte) {
		at += 5
		n := 14 + 40 + len(payload)
		binary.LittleEndian.PutUint32(packet, uint32(at/1e6))
		binary.LittleEndian.PutUint32(packet[4:], uint32(at%1e6))
		binary.LittleEndian.PutUint32(packet[8:], uint32(n))
		binary.LittleEndian.PutUint32(packet[12:], uint32(n))
		ip := packet[30:]
		binary.BigEndian.PutUint16(packet[28:], 0x0800)
		clear(ip[:40])
		ip[0], ip[8], ip[9] = 0x45, 60, 6
		binary.BigEndian.PutUint16(ip[2:], uint16(40+len(payload)))
		client, server := []byte{198, 51, 100, byte(port)}, []byte{203, 0, 113, 10}
		tcp := ip[20:]
		if fromClient {
			copy(ip[12:], client)
			copy(ip[16:], server)
			binary.BigEndian.PutUint16(tcp, uint16(port))
			binary.BigEndian.PutUint16(tcp[2:], 22)
		} else {
			copy(ip[12:], server)
			copy(ip[16:], client)
			binary.BigEndian.PutUint16(tcp, 22)
			binary.BigEndian.PutUint16(tcp[2:], uint16(port))
		}
		binary.BigEndian.PutUint32(tcp[4:], seq)
		binary.BigEndian.PutUint32(tcp[8:], ack)
		tcp[12], tcp[13], tcp[14] = 0x50, flags, 0xff
		copy(tcp[20:], payload)
		w.Write(packet[:16+n])
		written += 16 + n
	}
	data := make([]byte, 1448)
	for i := range data {
		data[i] = byte(i * 7)
	}
	ident := []byte("SSH-2.0-OpenSSH_9.2\r\n")
	for round := 0; written < size; round++ {
		base := 10000 + round%200*100
		for p := base; p < base+100; p++ {
			send(p, true, 2, 0, 0, nil)
			send(p, false, 18, 0, 1, nil)
			send(p, true, 16, 1, 1, ident)
			send(p, false, 16, 1, 22, ident)
		}
		seq := uint32(22)
		for range 100 {
			for p := base; p < base+100; p++ {
				send(p, false, 16, seq, 22, data)
				send(p, true, 16, 22, seq+1448, nil)
			}
			seq += 1448
		}
		for p := base; p < base+100; p++ {
			send(p, false, 17, seq, 22, nil)
			send(p, true, 17, 22, seq+1, nil)
			send(p, false, 16, seq+1, 23, nil)
		}
	}
	return name
}

// BenchmarkGigabyte reads a capture of 1 GB, and has tshark count its
// connections beside it.
func BenchmarkGigabyte(b *testing.B) {
	name := gigabyte(b, 1_000_000_000)
	info, err := os.Stat(name)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("sshtay", func(b *testing.B) {
		b.SetBytes(info.Size())
		for b.Loop() {
			f, err := os.Open(name)
			if err != nil {
				b.Fatal(err)
			}
			all, _, err := Stories(f, 22)
			f.Close()
			if err != nil || len(all) < 1000 {
				b.Fatal(len(all), err)
			}
		}
	})
	b.Run("tshark", func(b *testing.B) {
		tshark, err := exec.LookPath("tshark")
		if err != nil {
			b.Skip("tshark is not installed: nothing to compare with")
		}
		b.SetBytes(info.Size())
		for b.Loop() {
			if err := exec.Command(tshark, "-r", name, "-q", "-z", "conv,tcp").Run(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
