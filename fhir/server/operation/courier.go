package operation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/server/job"
	"github.com/fhirgate/fhirgate/storage"
)

// courierKind is the kind of the jobs that send response messages.
const courierKind = "message-response"

// The bounds of sending a response.
const (
	courierTimeout = 30 * time.Second
	courierFor     = 72 * time.Hour // after which it is given up
	courierWorkers = 4
)

// courier sends responses to the endpoints that the site has named, and to no others.
type courier struct {
	jobs      *job.Jobs
	endpoints []*url.URL
	client    *http.Client
}

// letter is the payload of a job.
type letter struct {
	To      string          `json:"to"`
	Message json.RawMessage `json:"message"`
}

// newCourier returns the courier for endpoints that ParseEndpoint has accepted.
func newCourier(jobs *job.Jobs, endpoints []string) *courier {
	c := &courier{jobs: jobs, client: &http.Client{Timeout: courierTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	for _, e := range endpoints {
		if u, err := ParseEndpoint(e); err == nil {
			c.endpoints = append(c.endpoints, u)
		}
	}
	if len(c.endpoints) > 0 {
		jobs.Handle(job.Kind{Name: courierKind, Run: c.run, Workers: courierWorkers, Forget: true, Keep: courierFor})
	}
	return c
}

// ParseEndpoint reads the base of the URLs that responses may be sent to: http or https, a host, and a path below which they lie.
func ParseEndpoint(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("an endpoint is http or https, a host and a path, such as https://example.org/fhir")
	}
	u.Path = strings.TrimRight(u.Path, "/")
	return u, nil
}

// allows reports whether responses may be sent to a URL.
func (c *courier) allows(u *url.URL) bool {
	if u.User != nil || u.Fragment != "" || u.Opaque != "" || u.Path != "" && path.Clean(u.Path) != strings.TrimRight(u.Path, "/") || strings.ContainsAny(u.Path, `\%`) {
		return false
	}
	return slices.ContainsFunc(c.endpoints, func(e *url.URL) bool {
		return u.Scheme == e.Scheme && strings.EqualFold(u.Host, e.Host) && (u.Path == e.Path || strings.HasPrefix(u.Path, e.Path+"/"))
	})
}

// destination returns where the response to a message is sent: to response-url, or to the operation at the endpoint of the message's source.
func (c *courier) destination(message fhir.Resource, responseURL string) (string, error) {
	if len(c.endpoints) == 0 {
		return "", fhir.NewError(fhir.KindNotSupported, fhir.IssueNotSupported, fhir.IDMessageEndpoint, "async=true is not served: the site has named no endpoints that responses may be sent to")
	}
	text, where := responseURL, ""
	if text == "" {
		source := message.Get("entry").First().Get("resource").Get("source").Get("endpoint")
		text, where = strings.TrimRight(source.Text(), "/")+"/$process-message", source.Path()
	}
	u, err := url.Parse(text)
	if err != nil || !c.allows(u) {
		e := fhir.NewError(fhir.KindUnprocessable, fhir.IssueBusinessRule, fhir.IDMessageEndpoint, "the response would be sent to a URL that is below none of the endpoints which the site has named")
		e.Issues[0].Expression = where
		return "", e
	}
	q := u.Query()
	q.Set("async", "true")
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// send has a response sent once tx is stored.
func (c *courier) send(ctx context.Context, tx storage.Tx, to string, response []byte) error {
	_, err := c.jobs.Add(ctx, tx, job.Job{Kind: courierKind, Payload: job.Payload(letter{To: to, Message: response})})
	return err
}

// run sends one response. What the receiver refuses for good, or cannot take for three days, is given up.
func (c *courier) run(ctx context.Context, run *job.Run) error {
	j := run.Job()
	var l letter
	if err := json.Unmarshal(j.Payload, &l); err != nil {
		return job.Permanent(err)
	}
	u, err := url.Parse(l.To)
	if err != nil || !c.allows(u) {
		return job.Permanent(errors.New("the endpoint is no longer one that the site names"))
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, l.To, bytes.NewReader(l.Message))
	if err != nil {
		return job.Permanent(withoutURL(err))
	}
	r.Header.Set("Content-Type", "application/fhir+json")
	r.Header.Set("Accept", "application/fhir+json")
	late := time.Since(j.Created) > courierFor
	res, err := c.client.Do(r)
	err = withoutURL(err)
	if err == nil {
		io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
		res.Body.Close()
		switch status := res.StatusCode; {
		case status < 300:
			return nil
		case status >= 400 && status < 500 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests:
			return job.Permanent(fmt.Errorf("the receiver responded %d", status))
		default:
			err = fmt.Errorf("the receiver responded %d", status)
		}
	}
	if late {
		return job.Permanent(err)
	}
	return err
}

// withoutURL returns what went wrong with a URL, without the URL: it may name a patient or hold a secret, and errors of jobs are logged and kept.
func withoutURL(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}
