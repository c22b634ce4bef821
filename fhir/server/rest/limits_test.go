package rest_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

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

// TestWhatXMLHoldsIsBounded sends documents that the reader must hold beside the body that it makes of them: a tag is read as a whole, and what a primitive
// has beside its value is written behind it.
func TestWhatXMLHoldsIsBounded(t *testing.T) {
	s := newServer(t, func(c *rest.Config) { c.Limits.Bodies = 3 << 20 })
	document := func(content string) string { return `<Patient xmlns="http://hl7.org/fhir">` + content + `</Patient>` }
	extensions := strings.Repeat(`<extension url="a"><valueString value="b"/></extension>`, 120_000)
	for name, content := range map[string]string{
		"a large tag":                      `<name><text value="` + strings.Repeat("x", 6<<20) + `"/></name>`,
		"a large comment":                  `<!--` + strings.Repeat("x", 6<<20) + `-->`,
		"a primitive with many extensions": `<birthDate value="2000">` + extensions + `</birthDate>`,
		"primitives with many extensions":  `<name><given value="a">` + extensions + `</given><given value="a">` + extensions + `</given></name>`,
	} {
		a := s.do(t, "POST", "/fhir/Patient", ct(xmlType, "Accept", jsonType, "Content-Encoding", "gzip"), zipped(document(content)))
		if _, id := a.issue(t); a.status != http.StatusServiceUnavailable || id != "busy" {
			t.Errorf("%s: %d %.300s", name, a.status, a.body)
		}
	}
	for range 5 {
		body := document(`<name><text value="` + strings.Repeat("x", 900_000) + `"/></name>`)
		if a := s.do(t, "POST", "/fhir/Patient", ct(xmlType, "Accept", jsonType, "Prefer", "return=minimal"), body); a.status != 201 {
			t.Fatalf("%d %.300s", a.status, a.body)
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

// stalling begins an upload of n bytes and stops before the last. It returns the connection.
func stalling(t *testing.T, s *server, n int) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := fmt.Fprintf(conn, "POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", jsonType, n, strings.Repeat(" ", n-1)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestAStalledBodyGivesItsShareToOthers fills what there is for large bodies with uploads that stop before their last byte. A whole one is served all the
// same, and one of those that stopped is told.
func TestAStalledBodyGivesItsShareToOthers(t *testing.T) {
	s := newServer(t, func(c *rest.Config) {
		c.Limits.Bodies = 12 << 20
		rest.SetStallTimes(c, patience, time.Nanosecond)
	})
	var stalled []net.Conn
	for range 3 {
		stalled = append(stalled, stalling(t, s, 4<<20))
	}
	for deadline := time.Now().Add(patience); rest.Held(s.handler) < 9<<20; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the uploads take %d bytes", rest.Held(s.handler))
		}
	}
	whole := `{"resourceType":"Patient"` + strings.Repeat(" ", 6<<20) + `}`
	for i := range 3 {
		if a := s.do(t, "POST", "/fhir/Patient", ct(jsonType, "Prefer", "return=minimal"), whole); a.status != 201 {
			t.Fatalf("body %d: %d %.200s", i, a.status, a.body)
		}
	}
	told := 0
	for _, conn := range stalled {
		if _, err := io.WriteString(conn, " "); err != nil {
			told++ // the server has closed the connection on it
			continue
		}
		if res, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || res.StatusCode == http.StatusServiceUnavailable {
			told++
		}
	}
	if told == 0 {
		t.Error("nobody gave up a share")
	}
}

// TestAStalledBodyEndsByItself waits for the end of uploads, a large and a small one, that nobody else hurries.
func TestAStalledBodyEndsByItself(t *testing.T) {
	s := newServer(t, func(c *rest.Config) {
		rest.SetStallTimes(c, 50*time.Millisecond, patience)
		rest.SetDrainTime(c, time.Millisecond)
	})
	for _, n := range []int{4 << 20, 100} {
		conn := stalling(t, s, n)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode != http.StatusBadRequest {
			t.Errorf("%d bytes: %v, %v", n, res, err)
		}
	}
}

// deadlines is a response whose connection notes the deadlines that its reader is given.
type deadlines struct {
	*httptest.ResponseRecorder
	all []time.Time
}

// SetReadDeadline is called by way of http.ResponseController.
func (d *deadlines) SetReadDeadline(t time.Time) error {
	d.all = append(d.all, t)
	return nil
}

// TestASlowBodyIsReadOn sends a body byte by byte: each moves the deadline on, and when all is there what is left of the request's time is given.
func TestASlowBodyIsReadOn(t *testing.T) {
	s := newServer(t, func(c *rest.Config) { rest.SetStallTimes(c, time.Nanosecond, patience) })
	body := `{"resourceType":"Patient"}`
	r := httptest.NewRequest("POST", s.url+"/fhir/Patient", iotest.OneByteReader(strings.NewReader(body)))
	r.Header.Set("Content-Type", jsonType)
	w, before := &deadlines{ResponseRecorder: httptest.NewRecorder()}, time.Now()
	s.handler.ServeHTTP(w, r)
	if w.Code != http.StatusCreated {
		t.Fatalf("status %d", w.Code)
	}
	if len(w.all) < len(body) || !slices.IsSortedFunc(w.all, time.Time.Compare) {
		t.Errorf("%d deadlines: %v", len(w.all), w.all)
	}
	if last := w.all[len(w.all)-1]; last.Before(before.Add(rest.RequestTime)) {
		t.Errorf("the last deadline is %s after the start", last.Sub(before))
	}
}

// TestAClientThatReadsNothingIsLetGo asks for more than the buffers on the way hold, and reads nothing of it.
func TestAClientThatReadsNothingIsLetGo(t *testing.T) {
	cfg := newConfig(t)
	newServerOf(t, cfg).put(t, "Binary/b", `{"resourceType":"Binary","id":"b","contentType":"a/b","data":"`+strings.Repeat("A", 12<<20)+`"}`) // an upload may take its time
	s := newServerOf(t, cfg, func(c *rest.Config) { rest.SetStallTimes(c, 50*time.Millisecond, patience) })
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "GET /fhir/Binary/b HTTP/1.1\r\nHost: x\r\nAccept: %s\r\nAccept-Encoding: identity\r\n\r\n", jsonType); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if a := s.do(t, "GET", "/metrics", nil, ""); strings.Contains(string(a.body), `fhirgate_requests_total{interaction="read",status="200"} 1`) {
			break // the request has ended, though nobody has read it
		}
		if time.Now().After(deadline) {
			t.Fatal("the request goes on")
		}
	}
}

// TestATreeCountsAsItsBodyDoes sends bodies of one size: of one of them the tree does not fit into what all bodies may take.
func TestATreeCountsAsItsBodyDoes(t *testing.T) {
	s := newServer(t, func(c *rest.Config) { c.Limits.Bodies = 12 << 20 })
	const size = 4 << 20
	text := `{"resourceType":"Patient","photo":[{"data":"` + strings.Repeat("A", size) + `"}]}`
	many := `{"resourceType":"Patient","extension":[{"url":"u:","valueCode":"x"}` + strings.Repeat(`,{"url":"u:","valueCode":"x"}`, size/29) + `]}`
	if a := s.do(t, "POST", "/fhir/Patient", ct(jsonType, "Prefer", "return=minimal"), text); a.status != http.StatusCreated {
		t.Errorf("a long text: %d %.200s", a.status, a.body)
	}
	if a := s.do(t, "POST", "/fhir/Patient", ct(jsonType), many); a.status != http.StatusServiceUnavailable || !strings.Contains(string(a.body), `"busy"`) {
		t.Errorf("many values: %d %.200s", a.status, a.body)
	}
	if n := rest.Held(s.handler); n != 0 {
		t.Errorf("%d bytes are still held", n)
	}
}
