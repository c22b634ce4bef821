package interaction

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// Messages (R4 messaging, http://hl7.org/fhir/R4/messaging.html): what a message carries is stored as a transaction would store it, and in the same Update
// the response, by which the message is known when it comes again.

// MessageRequest asks to process a message.
type MessageRequest struct {
	// Base is the server's base URL without a trailing slash, as the client sees it.
	Base    string
	Message fhir.Resource
	// OnKept, where not nil, runs in the Update that keeps the response, and in one of its own where the message has come before. It may run more than
	// once.
	OnKept func(ctx context.Context, tx storage.Tx, response []byte) error
}

// The codes of responses (http://hl7.org/fhir/R4/valueset-response-code.html).
const (
	MessageOK        = "ok"
	MessageTransient = "transient-error"
	MessageFatal     = "fatal-error"
)

// MessageResponse is the response to a message.
type MessageResponse struct {
	// Body is the response message; Code says how the message was processed.
	Body []byte
	Code string
}

// message is a message that is being processed.
type message struct {
	*Service
	q        MessageRequest
	header   fhir.Resource
	endpoint string // of its source
	id       string // of its header
	envelope string // the Bundle's id; "" where it has none
	// key is that of the Bundle which the response is kept as. It follows from endpoint and id, so that two gateways that are given one message at the
	// same time want to create the same resource.
	key fhir.Key
	// moment is the time of the response.
	moment time.Time
	// sent is the response as it is kept.
	sent []byte
}

// ProcessMessage processes a message once. The response of one that has come before, in the same Bundle, is the first response (R4 messaging, 3.4.1.5
// Reliable messaging). A message that cannot be processed has a response with the code fatal-error, which is kept too, or transient-error, which is not:
// then the same message may be retried. The error is of a message that no response can be made for, of a client that may not do what the message
// asks for, and of a failure of the server.
func (s *Service) ProcessMessage(ctx context.Context, q MessageRequest) (MessageResponse, error) {
	m, err := s.readMessage(q)
	if err != nil {
		return MessageResponse{}, failure("message", fhir.Key{}, err)
	}
	ctx = s.withBase(ctx, q.Base)
	err = s.clients.View(ctx, func(r storage.Reader) error { return m.first(ctx, r) })
	if err == nil {
		err = m.process(ctx)
	}
	code := MessageOK
	if err != nil && !errors.Is(err, errProcessed) {
		if code = codeOfFailure(err); code == MessageFatal {
			err = m.refuse(ctx, issuesOf(err))
		}
		if code == MessageTransient {
			return MessageResponse{Body: m.response(code, issuesOf(err)), Code: code}, nil
		}
	}
	if errors.Is(err, errProcessed) {
		err = nil
		code = codeOfResponse(m.sent)
		if q.OnKept != nil {
			err = s.update(ctx, func(tx storage.Tx) error { return q.OnKept(ctx, tx, m.sent) })
		}
	}
	if err != nil {
		return MessageResponse{}, failure("message", fhir.Key{}, err)
	}
	return MessageResponse{Body: m.sent, Code: code}, nil
}

// errProcessed says that the message has come before, and that message.sent is its response.
var errProcessed = errors.New("interaction: the message has been processed")

// errMessage refuses what no response can be made for.
func errMessage(text, expression string) error {
	e := fhir.NewError(fhir.KindInvalid, fhir.IssueInvalid, fhir.IDMessageHeader, text)
	e.Issues[0].Expression = expression
	return e
}

// responsePrefix begins the ids of the Bundles that responses are kept as.
const responsePrefix = "response-"

// readMessage reads who sent a message and how it is known.
func (s *Service) readMessage(q MessageRequest) (*message, error) {
	m := &message{Service: s, q: q, moment: time.Now()}
	if !isBundle(q.Message.Node) || q.Message.Get("type").Text() != "message" {
		return nil, errMessage("a message is a Bundle of type message", "Bundle.type")
	}
	entries := q.Message.Get("entry")
	if entries.Len() > s.opt.MaxBundleEntries {
		return nil, errEntries(entries.Len(), s.opt.MaxBundleEntries)
	}
	const where = "Bundle.entry[0].resource"
	header := entries.First().Get("resource")
	if header.Get("resourceType").Text() != messageHeader {
		return nil, errMessage("the first entry of a message is its MessageHeader", where)
	}
	m.header = fhir.Resource{Node: header}
	if m.id = m.header.ID(); !fhir.ValidID(m.id) {
		return nil, errMessage("the MessageHeader has an id, by which the response names it", where+".id")
	}
	if m.endpoint = header.Get("source").Get("endpoint").Text(); m.endpoint == "" {
		return nil, errMessage("the MessageHeader has a source with an endpoint", where+".source.endpoint")
	}
	if header.Get("response").Valid() {
		return nil, errMessage("this is a response, and this server has sent no message that waits for one", where+".response")
	}
	if id := q.Message.Get("id"); id.Valid() {
		if m.envelope = id.Text(); !fhir.ValidID(m.envelope) {
			return nil, errMessage("the id of the Bundle is 1 to 64 letters, digits, dashes and dots", "Bundle.id")
		}
	}
	sum := sha256.Sum256([]byte(m.endpoint + "\x00" + m.id))
	m.key = fhir.Key{Type: q.Message.Type(), ID: responsePrefix + hex.EncodeToString(sum[:24])}
	return m, nil
}

// first looks for the response to the message; errProcessed where there is one. The first version of what is kept counts, whatever became of it, and is
// the server's own: clients cannot create by POST what has an id of their choice.
func (m *message) first(ctx context.Context, r storage.Reader) error {
	reused := func(text string) error {
		return fhir.NewError(fhir.KindConflict, fhir.IssueDuplicate, fhir.IDMessageReused, text)
	}
	rec, err := r.GetVersion(ctx, m.key, 1)
	if err == nil {
		b, err := fhir.ParseResource(rec.Body, fhir.Limits{})
		if err != nil {
			return err
		}
		switch {
		case rec.Method != http.MethodPost, b.Get("entry").First().Get("resource").Get("response").Get("identifier").Text() != m.id:
			return reused("what is stored at " + m.key.String() + " is not the response to this message, and belongs there")
		case b.Get("identifier").Get("value").Text() != m.envelope:
			return reused("a message of this sender with this MessageHeader.id has come in another Bundle; it is not processed again")
		}
		m.sent = rec.Body
		return errProcessed
	}
	if !isNotFound(err) || m.envelope == "" {
		if isNotFound(err) {
			return nil
		}
		return err
	}
	rows, err := r.Find(ctx, search.Query{Types: []string{m.key.Type}, Limit: 100, Where: search.Some{Param: identifierParam, Where: []search.Comparison{
		{Field: search.System, Op: search.Eq, Value: m.endpoint}, {Field: search.Code, Op: search.Eq, Value: strings.ToLower(m.envelope)}}}})
	if err != nil {
		return err
	}
	for _, row := range rows {
		if !strings.HasPrefix(row.Key.ID, responsePrefix) {
			continue
		}
		rec, err := r.GetVersion(ctx, row.Key, 1)
		if err != nil {
			return err
		}
		b, err := fhir.ParseResource(rec.Body, fhir.Limits{})
		if err != nil {
			return err
		}
		if rec.Method == http.MethodPost && b.Get("identifier").Get("value").Text() == m.envelope {
			return reused("another message of this sender has come in a Bundle with this id; each Bundle has an id of its own")
		}
	}
	return nil
}

// guardOnce makes tx conflict with others that process the same message, or one in a Bundle of the same id, and looks for the response again.
func (m *message) guardOnce(ctx context.Context, tx storage.Tx) error {
	names := []string{"message " + m.key.ID}
	if m.envelope != "" {
		sum := sha256.Sum256([]byte(m.endpoint + "\x00" + m.envelope))
		names = append(names, "message in "+hex.EncodeToString(sum[:24]))
	}
	if err := guardConditions(ctx, tx, names); err != nil {
		return err
	}
	return m.first(ctx, tx)
}

// process stores what the message carries, and the response.
func (m *message) process(ctx context.Context) error {
	if issues := m.validate(m.header); fhir.HasErrors(issues) {
		return errInvalidResource(atEntry(0, issues))
	}
	if err := m.route(ctx); err != nil {
		return err
	}
	b, err := m.carried()
	if err != nil {
		return err
	}
	q := BundleRequest{Base: m.q.Base, Bundle: b, Return: "minimal"}
	entries, err := m.readEntries(ctx, q)
	if err != nil {
		return err
	}
	t := &transaction{Service: m.Service, request: q, entries: entries, before: m.guardOnce,
		after: func(ctx context.Context, tx storage.Tx) (Result, error) {
			return m.keep(ctx, tx, m.response(MessageOK, nil))
		}}
	_, err = t.run(ctx)
	return shifted(err)
}

// refuse keeps the response to a message that cannot be processed.
func (m *message) refuse(ctx context.Context, issues []fhir.Issue) error {
	var res Result
	err := m.update(ctx, func(tx storage.Tx) (err error) {
		if err = m.guardOnce(ctx, tx); err == nil {
			res, err = m.keep(ctx, tx, m.response(MessageFatal, issues))
		}
		return err
	})
	if err == nil {
		m.wrote(ctx, res)
	}
	return err
}

// keep stores a response.
func (m *message) keep(ctx context.Context, tx storage.Tx, response []byte) (Result, error) {
	r, err := fhir.ParseResource(response, fhir.Limits{})
	if err != nil {
		return Result{}, err
	}
	d, err := m.extract(r, nil)
	if err != nil {
		return Result{}, err
	}
	rec, err := m.write(ctx, tx, d, storage.Record{}, m.key, http.MethodPost)
	if err != nil {
		return Result{}, err
	}
	m.sent = rec.Body
	if m.q.OnKept != nil {
		err = m.q.OnKept(ctx, tx, rec.Body)
	}
	return Result{Action: Created, Record: rec, generation: d.generation}, err
}
