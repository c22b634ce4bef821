package rest_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
	"github.com/fhirgate/fhirgate/fhir/server/rest"
)

// streaming adds an operation $stream that writes with f.
func streaming(f func(ctx context.Context, w io.Writer) error) func(*rest.Config) {
	return func(c *rest.Config) {
		c.Operations = append(c.Operations, interaction.Operation{Name: "stream", Definition: "urn:x", System: true, Get: true, Post: true,
			Run: func(context.Context, *interaction.Request) (interaction.OperationResponse, error) {
				return interaction.OperationResponse{Stream: f}, nil
			}})
	}
}

// TestAStreamThatIsCutDoesNotLookWhole closes the client's side of the connection, which still reads: what it reads must not end as a response ends.
func TestAStreamThatIsCutDoesNotLookWhole(t *testing.T) {
	s := newServer(t, streaming(func(ctx context.Context, w io.Writer) error {
		if _, err := io.WriteString(w, `{"resourceType":"Parameters"`+strings.Repeat(" ", 64<<10)); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	}))
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "GET /fhir/$stream HTTP/1.1\r\nHost: x\r\nAccept: %s\r\n\r\n", jsonType); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("%v %v", err, res)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("%d bytes look like all", len(b))
	}
}

// TestAStreamThatNobodyReadsEnds writes more than the buffers on the way hold.
func TestAStreamThatNobodyReadsEnds(t *testing.T) {
	ended := make(chan error, 1)
	s := newServer(t, func(c *rest.Config) { rest.SetStallTimes(c, 50*time.Millisecond, patience) }, streaming(func(_ context.Context, w io.Writer) error {
		piece := []byte(strings.Repeat(" ", 64<<10))
		for range 1 << 14 {
			if _, err := w.Write(piece); err != nil {
				ended <- err
				return err
			}
		}
		ended <- nil
		return nil
	}))
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "GET /fhir/$stream HTTP/1.1\r\nHost: x\r\nAccept: %s\r\n\r\n", jsonType); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err == nil {
			t.Error("a gigabyte is written to nobody")
		}
	case <-time.After(patience):
		t.Error("the stream goes on")
	}
}

// TestAPanicGivesTheBodysShareBack fails behind a large body, when a part of the response is on its way.
func TestAPanicGivesTheBodysShareBack(t *testing.T) {
	s := newServer(t, streaming(func(_ context.Context, w io.Writer) error {
		if _, err := io.WriteString(w, strings.Repeat(" ", 64<<10)); err != nil {
			return err
		}
		panic("it fails")
	}))
	body := `{"resourceType":"Parameters"` + strings.Repeat(" ", 6<<20) + `}`
	res, err := s.client.Post(s.url+"/fhir/$stream", jsonType, strings.NewReader(body))
	if err == nil {
		_, err = io.Copy(io.Discard, res.Body)
		res.Body.Close()
	}
	if err == nil {
		t.Error("the response looks whole")
	}
	for end := time.Now().Add(patience); rest.Held(s.handler) != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d bytes are held by nobody", rest.Held(s.handler))
		}
	}
}

// TestASearchIsAuthorizedBeforeItsFormIsRead sends no byte of the form that it announces.
func TestASearchIsAuthorizedBeforeItsFormIsRead(t *testing.T) {
	s := newServer(t, func(c *rest.Config) {
		rest.SetDrainTime(c, time.Millisecond)
		c.Authorize = func(context.Context, *interaction.Request) error {
			return fhir.NewError(fhir.KindForbidden, fhir.IssueForbidden, "no-right", "this is not for you")
		}
	})
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := fmt.Fprintf(conn, "POST /fhir/Patient/_search HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 50000000\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if res, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || res.StatusCode != http.StatusForbidden {
		t.Errorf("%v %v", err, res)
	}
}

func TestAFormChoosesTheFormat(t *testing.T) {
	run(t, []call{
		{"xml", "POST", "/fhir/Patient/_search", []string{"Content-Type", "application/x-www-form-urlencoded", "Accept", jsonType}, "_format=xml&_id=a", 200, []string{"Content-Type", "/.*xml.*/"}, []string{"<Bundle"}},
		{"json beside an Accept that is not served", "POST", "/fhir/Patient/_search", []string{"Content-Type", "application/x-www-form-urlencoded", "Accept", "text/csv"}, "_format=json&_id=a", 200, nil, []string{`"Bundle"`}},
		{"none", "POST", "/fhir/Patient/_search", []string{"Content-Type", "application/x-www-form-urlencoded", "Accept", "text/csv"}, "_id=a", 406, nil, nil},
	})
}
