package rest_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir/server/rest"
)

func TestLargeBodiesTogetherAreBounded(t *testing.T) {
	s := newServer(t, func(c *rest.Config) { c.Limits.Bodies = 3 << 20 })
	large := `{"resourceType":"Patient","name":[{"text":"` + strings.Repeat("x", 900_000) + `"}]}`
	body := `{"resourceType":"Bundle","type":"batch","entry":[` + strings.TrimSuffix(strings.Repeat(`{"resource":`+large+`,"request":{"method":"POST","url":"Patient"}},`, 6), ",") + `]}`
	a := s.do(t, "POST", "/fhir", ct(jsonType), body)
	if _, id := a.issue(t); a.status != http.StatusServiceUnavailable || id != "busy" || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", a.status, id)
	}
	// What a refused body took is given back: bodies that fit are served, one after the other.
	for range 5 {
		if a := s.do(t, "POST", "/fhir/Patient", ct(jsonType, "Prefer", "return=minimal"), large); a.status != 201 {
			t.Fatalf("%d %.200s", a.status, a.body)
		}
	}
}

func TestBodiesOfEverySizeArriveWhole(t *testing.T) {
	s := newServer(t, func(c *rest.Config) { c.Validation = "off" })
	for _, n := range []int{100, 511, 512, 513, 1<<20 - 1, 1 << 20, 1<<20 + 1, 3 << 20} {
		head, tail := `{"resourceType":"Binary","id":"b","contentType":"a/b","data":"`, `"}`
		data := strings.Repeat("A", (n-len(head)-len(tail))/4*4)
		body := head + data + tail
		body += strings.Repeat(" ", n-len(body))
		if a := s.do(t, "PUT", "/fhir/Binary/b", ct(jsonType, "Prefer", "return=minimal"), body); a.status > 201 {
			t.Fatalf("%d bytes: %d %.200s", n, a.status, a.body)
		}
		a := s.do(t, "GET", "/fhir/Binary/b", []string{"Accept", jsonType}, "")
		if !strings.Contains(string(a.body), `"data":"`+data+`"`) {
			t.Errorf("%d bytes came back as %d", n, len(a.body))
		}
	}
}

// TestTooLargeBodyIsAnsweredToClientsWhoReadLast sends a body past the limit to its end and only then reads: nothing breaks off before.
func TestTooLargeBodyIsAnsweredToClientsWhoReadLast(t *testing.T) {
	s := newServer(t, func(c *rest.Config) { c.Limits.Body = 4 << 20 })
	for _, length := range []string{"Content-Length: 12582912", "Transfer-Encoding: chunked"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		chunk := strings.Repeat(" ", 1<<20)
		if strings.HasPrefix(length, "Transfer") {
			chunk = "100000\r\n" + chunk + "\r\n"
		}
		if _, err := io.WriteString(conn, "POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Type: "+jsonType+"\r\n"+length+"\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		for range 12 {
			if _, err := io.WriteString(conn, chunk); err != nil {
				t.Fatalf("%s: %v", length, err)
			}
		}
		if strings.HasPrefix(length, "Transfer") {
			if _, err := io.WriteString(conn, "0\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %v, %v", length, res, err)
		}
	}
}
