// crypto/tls behind one small HTTP answer, for handshake_vs_peers: go_server ADDRESS CERT KEY CA
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"log"
	"net"
	"os"
	"time"
)

const answer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"

func serve(connection net.Conn) {
	defer connection.Close()
	connection.SetDeadline(time.Now().Add(10 * time.Second))
	reader := bufio.NewReader(connection)
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			return
		}
		if line == "\r\n" {
			break
		}
	}
	connection.Write([]byte(answer))
}

func main() {
	identity, err := tls.LoadX509KeyPair(os.Args[2], os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	pem, err := os.ReadFile(os.Args[4])
	if err != nil {
		log.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(pem)
	listener, err := tls.Listen("tcp", os.Args[1], &tls.Config{
		Certificates:           []tls.Certificate{identity},
		ClientAuth:             tls.RequireAndVerifyClientCert,
		ClientCAs:              clients,
		MinVersion:             tls.VersionTLS13,
		SessionTicketsDisabled: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go serve(connection)
	}
}
