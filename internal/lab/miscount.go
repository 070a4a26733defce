package lab

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
)

// miscount stands before a server and plays one whose program computes a
// cipher or MAC wrongly: when ssh will use that algorithm, the last bit of the
// server's first encrypted packet is another. ssh's first choice is what is
// used, for the server knows them all.
func miscount(client, server net.Conn, algorithm string) {
	used := make(chan bool, 1)
	go func() {
		r := bufio.NewReader(client)
		wrong := false
		if ident, err := r.ReadString('\n'); err == nil {
			io.WriteString(server, ident)
			packet, _ := clearPacket(r)
			wrong = slices.Contains(firstChoices(packet), algorithm)
			server.Write(packet)
		}
		used <- wrong
		io.Copy(server, r)
		closeWrite(server)
	}()
	r := bufio.NewReader(server)
	ident, _ := r.ReadString('\n')
	io.WriteString(client, ident)
	for {
		packet, err := clearPacket(r)
		client.Write(packet)
		if err != nil {
			break
		}
		const newKeys = 21
		if packet[5] == newKeys {
			buf := make([]byte, 64<<10)
			if n, _ := r.Read(buf); n > 0 {
				if <-used {
					buf[n-1] ^= 1
				}
				client.Write(buf[:n])
			}
			break
		}
	}
	io.Copy(client, r)
	closeWrite(client)
}

func closeWrite(c net.Conn) {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
}

// clearPacket reads a packet that is not encrypted, with its length.
func clearPacket(r io.Reader) ([]byte, error) {
	packet := make([]byte, 4, 2048)
	if _, err := io.ReadFull(r, packet); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(packet)
	if n < 2 || n > 35000 {
		return packet, errors.New("no packet")
	}
	packet = append(packet, make([]byte, n)...)
	_, err := io.ReadFull(r, packet[4:])
	return packet, err
}

// firstChoices are the first cipher of a KEXINIT from the client, and the
// first MAC where that cipher does not bring its own.
func firstChoices(kexinit []byte) []string {
	const head = 4 + 1 + 1 + 16 // length, padding, number, cookie
	var lists [][]string
	for rest := kexinit[min(len(kexinit), head):]; len(rest) >= 4 && len(lists) < 6; {
		n := int(binary.BigEndian.Uint32(rest))
		if n > len(rest)-4 {
			return nil
		}
		lists = append(lists, strings.Split(string(rest[4:4+n]), ","))
		rest = rest[4+n:]
	}
	if len(lists) < 6 {
		return nil
	}
	cipher, mac := lists[2][0], lists[4][0]
	if strings.Contains(cipher, "gcm") || strings.Contains(cipher, "poly1305") {
		return []string{cipher}
	}
	return []string{cipher, mac}
}
