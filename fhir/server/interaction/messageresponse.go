package interaction

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// messageHeader is the type of what a message begins with.
const messageHeader = "MessageHeader"

// response returns a response message: it names the message by its id, and says what is wrong where something is. It has the event of the message. The
// Bundle's identifier is that of the Bundle it responds to, by which a second message in a Bundle of the same id is known.
func (m *message) response(code string, issues []fhir.Issue) []byte {
	w := &fhir.JSONWriter{}
	id := strings.TrimPrefix(m.key.ID, responsePrefix)
	w.Open('{')
	w.String("resourceType", "Bundle")
	if m.envelope != "" {
		w.Name("identifier")
		w.Open('{')
		w.String("system", m.endpoint)
		w.String("value", m.envelope)
		w.Close('}')
	}
	w.String("type", "message")
	w.String("timestamp", fhir.FormatInstant(m.moment))
	w.Name("entry")
	w.Open('[')
	w.Open('{')
	w.String("fullUrl", m.q.Base+"/"+messageHeader+"/"+id)
	w.Name("resource")
	w.Open('{')
	w.String("resourceType", messageHeader)
	w.String("id", id)
	for _, name := range []string{"eventCoding", "eventUri"} {
		if event := m.header.Get(name); event.Valid() {
			w.Name(name)
			w.Bytes = event.AppendJSON(w.Bytes)
		}
	}
	w.Name("destination")
	w.Open('[')
	w.Open('{')
	w.String("endpoint", m.endpoint)
	w.Close('}')
	w.Close(']')
	w.Name("source")
	w.Open('{')
	w.String("name", "fhirgate")
	w.String("endpoint", m.q.Base)
	w.Close('}')
	w.Name("response")
	w.Open('{')
	w.String("identifier", m.id)
	w.String("code", code)
	details := m.q.Base + "/OperationOutcome/" + id
	if len(issues) > 0 {
		w.Name("details")
		w.Open('{')
		w.String("reference", details)
		w.Close('}')
	}
	w.Close('}')
	w.Close('}')
	w.Close('}')
	if len(issues) > 0 {
		w.Open('{')
		w.String("fullUrl", details)
		w.Name("resource")
		outcome := fhir.AppendOutcome(nil, issues)
		w.Bytes = append(w.Bytes, `{"resourceType":"OperationOutcome","id":"`+id+`",`...)
		w.Bytes = append(w.Bytes, strings.TrimPrefix(string(outcome), `{"resourceType":"OperationOutcome",`)...)
		w.Close('}')
	}
	w.Close(']')
	w.Close('}')
	return w.Bytes
}

// codeOfResponse returns the code of a response message.
func codeOfResponse(body []byte) string {
	b, err := fhir.ParseResource(body, fhir.Limits{})
	if err != nil {
		return ""
	}
	return b.Get("entry").First().Get("resource").Get("response").Get("code").Text()
}

// codeOfFailure returns the code of the response to a message that failed; "" where there is none, and the client is told the error itself.
func codeOfFailure(err error) string {
	if errors.Is(err, storage.ErrConflict) {
		return MessageTransient
	}
	var e *fhir.Error
	if !errors.As(err, &e) {
		return ""
	}
	switch e.Kind {
	case fhir.KindUnavailable, fhir.KindFull, fhir.KindThrottled:
		return MessageTransient
	case fhir.KindInternal, fhir.KindUnauthorized, fhir.KindForbidden:
		return ""
	}
	for _, is := range e.Issues {
		switch is.ID {
		case fhir.IDConflict, fhir.IDStorageLocked, fhir.IDStorageBusy:
			return MessageTransient
		case fhir.IDMessageReused:
			return ""
		}
	}
	return MessageFatal
}

// issuesOf returns the issues of an error; where it is an engine's, those that failure gives it.
func issuesOf(err error) []fhir.Issue {
	var e *fhir.Error
	if errors.As(failure("message", fhir.Key{}, err), &e) {
		return e.Issues
	}
	return nil
}

// shifted tells the issues of a transaction that was made of a message from the message, which has its header in front.
func shifted(err error) error {
	var e *fhir.Error
	if !errors.As(err, &e) {
		return err
	}
	const prefix = "Bundle.entry["
	c := *e
	c.Issues = nil
	for _, is := range e.Issues {
		if rest, ok := strings.CutPrefix(is.Expression, prefix); ok {
			number, rest, _ := strings.Cut(rest, "]")
			if n, err := strconv.Atoi(number); err == nil {
				is.Expression = fmt.Sprintf("%s%d]%s", prefix, n+1, rest)
			}
		}
		c.Issues = append(c.Issues, is)
	}
	return &c
}
