package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// response is a server's response to a job, or to one entry of it.
type response struct {
	status int
	issues []issue
	// entries are the responses to the entries of a batch or transaction, in its order.
	entries []response
	// text is the beginning of a body that is not FHIR JSON.
	text string
}

// ok reports whether the server carried the request out.
func (a *response) ok() bool { return a.status >= 200 && a.status < 300 }

// transactionLimit is the issue of a transaction that is too large for the server's database. Sending it again is of no use.
const transactionLimit = "transaction-limit"

// storageUnknown is the issue of a server whose database did not say whether it stored the request.
const storageUnknown = "storage-unknown"

// is reports whether an issue of the response has the code in its details.
func (a *response) is(code string) bool {
	for i := range a.issues {
		for _, c := range a.issues[i].Details.Coding {
			if c.Code == code {
				return true
			}
		}
	}
	return false
}

// unknown reports whether the response leaves open whether the request was carried out: a proxy, or the server itself, gave up on what may have
// gone on. An entry without a status says nothing either.
func (a *response) unknown() bool {
	if !a.ok() && a.is(storageUnknown) {
		return true
	}
	switch a.status {
	case http.StatusRequestTimeout:
		return true
	case http.StatusNotImplemented, http.StatusServiceUnavailable, http.StatusHTTPVersionNotSupported, http.StatusInsufficientStorage:
		return false
	}
	return a.status < 200 || a.status >= 500
}

// refusal reports whether the server refused the content of the request, so that a part of it may be taken.
func (a *response) refusal() bool {
	switch a.status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed, http.StatusUnprocessableEntity:
		return !a.is(transactionLimit)
	}
	return false
}

// issue is an OperationOutcome.issue.
type issue struct {
	Severity    string `json:"severity"`
	Code        string `json:"code"`
	Diagnostics string `json:"diagnostics"`
	Details     struct {
		Text   string `json:"text"`
		Coding []struct {
			Code string `json:"code"`
		} `json:"coding"`
	} `json:"details"`
	Expression []string `json:"expression"`
	Location   []string `json:"location"`
}

// String returns the issue on one line.
func (i *issue) String() string {
	text := i.Diagnostics
	if text == "" {
		text = i.Details.Text
	}
	if text == "" {
		text = i.Code
	}
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > 300 {
		text = string(r[:300]) + "..."
	}
	where := i.Expression
	if len(where) == 0 {
		where = i.Location
	}
	if len(where) > 0 && !strings.Contains(text, where[0]) {
		text += " (" + where[0] + ")"
	}
	return text
}

// maxIssue bounds an issue or an outcome that is taken from a response; larger ones are ignored.
const maxIssue = 256 << 10

// readResponse reads a response's body as a stream: the issues of an OperationOutcome and the entries of a Bundle. A body that is neither is
// a response too; the error is only of a connection that broke.
func readResponse(status int, r io.Reader) (*response, error) {
	a := &response{status: status}
	s := newScanner(r)
	c, err := s.peek()
	if err == io.EOF {
		return a, nil
	}
	if err != nil {
		return nil, err
	}
	if c != '{' {
		b := make([]byte, 200)
		n, _ := io.ReadFull(io.MultiReader(bytes.NewReader(s.buf[s.pos:s.end]), r), b)
		a.text = strings.Join(strings.Fields(string(b[:n])), " ")
		return a, nil
	}
	err = s.object(func(name string) error {
		switch c, err := s.next(); {
		case err != nil:
			return err
		case name == "issue" && c == '[':
			return s.array(func() error { return a.issue(s) })
		case name == "entry" && c == '[':
			return s.array(func() error { return a.entry(s) })
		}
		return s.skip()
	})
	if err != nil {
		return nil, fmt.Errorf("the response broke off: %w", err)
	}
	return a, nil
}

// issue skips one issue and keeps it.
func (a *response) issue(s *scanner) error {
	raw, err := s.raw(nil, maxIssue)
	if err == errTooLong {
		return nil
	}
	if err != nil {
		return err
	}
	var i issue
	if json.Unmarshal(raw, &i) == nil && len(a.issues) < 20 {
		a.issues = append(a.issues, i)
	}
	return nil
}

// entry skips one entry of a Bundle and keeps its status and its outcome.
func (a *response) entry(s *scanner) error {
	var e response
	err := members(s, func(name string) error {
		if name != "response" {
			return s.skip()
		}
		return members(s, func(name string) error {
			switch name {
			case "status":
				text, err := s.text(maxText)
				e.status = leadingNumber(text)
				return err
			case "outcome":
				return members(s, func(name string) error {
					if c, err := s.next(); err != nil || name != "issue" || c != '[' {
						return s.skip()
					}
					return s.array(func() error { return e.issue(s) })
				})
			}
			return s.skip()
		})
	})
	a.entries = append(a.entries, e)
	return err
}

// leadingNumber returns the status at the beginning of "201 Created"; 0 where there is none.
func leadingNumber(s string) int {
	s, _, _ = strings.Cut(s, " ")
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

// reason says on one line why the request was refused: the status, and the first error of the OperationOutcome.
func (a *response) reason() string {
	status := strconv.Itoa(a.status)
	if a.status == 0 {
		status = "no status"
	}
	for _, severity := range []string{"fatal", "error", ""} {
		for i := range a.issues {
			if is := &a.issues[i]; is.Severity == severity || severity == "" {
				return status + " " + is.String()
			}
		}
	}
	if a.text != "" {
		return status + " " + a.text
	}
	return status + " without an OperationOutcome"
}

var indexes = regexp.MustCompile(`\[\d+\]|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|line \d+ column \d+`)

// sameReason is reason with what differs between resources of the same fault left out: the key of the summary by error.
func sameReason(reason string) string { return indexes.ReplaceAllString(reason, "[..]") }
