// Handshakes as Go makes them by default. PORT NAME..., one line each.
package main

import (
	"crypto/tls"
	"fmt"
	"os"
)

func main() {
	for at := 1; at+1 < len(os.Args); at += 2 {
		connection, err := tls.Dial("tcp", "127.0.0.1:"+os.Args[at], &tls.Config{ServerName: os.Args[at+1]})
		if err != nil {
			fmt.Println("refused:", err)
			continue
		}
		connection.Close()
		fmt.Println("accepted")
	}
}
