package mongodb_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/fhirgate/fhirgate/storage/mongodb/mongotest"
)

// relay passes messages on to a server. One that it holds reaches the server when it is released, though its client may be gone: as it is with what a
// busy server has yet to read.
type relay struct {
	to string
	l  net.Listener

	mu   sync.Mutex
	text []byte // what the message to be held contains; nil for none
	held chan func()
}

// newRelay returns a relay to the first member of a set, and the connection string of a database through it.
func newRelay(t *testing.T, c *mongotest.Cluster, db string) (*relay, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	r := &relay{to: c.Address(0), l: l}
	go r.serve()
	return r, "mongodb://" + l.Addr().String() + "/" + db + "?directConnection=true"
}

// hold makes the relay hold the next message that contains a text. The channel has what releases it, which returns when the server has answered.
func (r *relay) hold(text string) <-chan func() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text, r.held = []byte(text), make(chan func(), 1)
	return r.held
}

// takes reports whether a message is the one to be held, and to whom that is told.
func (r *relay) takes(message []byte) (chan<- func(), bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.text == nil || !bytes.Contains(message, r.text) {
		return nil, false
	}
	r.text = nil
	return r.held, true
}

func (r *relay) serve() {
	for {
		client, err := r.l.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", r.to)
		if err != nil {
			client.Close()
			continue
		}
		go r.pass(client, server)
	}
}

// pass passes on what a client sends and what the server answers. Both ends of a connection end together, but for one whose message is held: the server
// sees that end when it has answered.
func (r *relay) pass(client, server net.Conn) {
	defer server.Close()
	defer client.Close()
	answers := make(chan struct{})
	answered := make(chan struct{}, 1)
	go func() {
		defer close(answers)
		for {
			message, err := readMessage(server)
			if err != nil {
				client.Close()
				return
			}
			select {
			case answered <- struct{}{}:
			default:
			}
			_, _ = client.Write(message) // it may be gone
		}
	}()
	for {
		message, err := readMessage(client)
		if err != nil {
			break
		}
		select {
		case <-answered: // of the message before
		default:
		}
		if held, ok := r.takes(message); ok {
			release, done := make(chan struct{}), make(chan struct{})
			held <- func() { close(release); <-done }
			<-release
			if _, err = server.Write(message); err == nil {
				select {
				case <-answered:
				case <-answers:
				}
			}
			close(done)
			continue
		}
		if _, err := server.Write(message); err != nil {
			break
		}
	}
	server.Close()
	<-answers
}

// readMessage reads one message of the protocol, which begins with its length.
func readMessage(from io.Reader) ([]byte, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(from, head); err != nil {
		return nil, err
	}
	message := make([]byte, binary.LittleEndian.Uint32(head))
	copy(message, head)
	_, err := io.ReadFull(from, message[4:])
	return message, err
}
