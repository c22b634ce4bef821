package interaction

import (
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
)

// messageOf returns a message that carries resources.
func messageOf(entries string) string {
	return `{"resourceType":"Bundle","id":"b","type":"message","entry":[{"fullUrl":"urn:uuid:1","resource":{"resourceType":"MessageHeader","id":"h","eventCoding":{"system":"` + eventSystem +
		`","code":"admin-notify"},"source":{"endpoint":"http://a.example.org"}}}` + entries + `]}`
}

// FuzzMessage processes whatever comes: each message has one response, which is a message whatever it carries, and the same when it comes again.
func FuzzMessage(f *testing.F) {
	for _, entries := range []string{
		``, `,{"fullUrl":"urn:uuid:2","resource":{"resourceType":"Patient","identifier":[{"system":"a|b","value":"c,d\\"}]}}`, `,{}`, `,1`, `,{"resource":{"resourceType":"Nothing"}}`, `,{"fullUrl":7,"resource":{"resourceType":"Patient"}}`,
		`,{"fullUrl":"` + base + `/Patient/p","resource":{"resourceType":"Patient","id":"p"}}`, `,{"fullUrl":"http://x.example.org/Patient/p","resource":{"resourceType":"Patient","id":"p","link":[{"other":{"reference":"Patient/q"}},{"other":{"reference":"?"}}]}}`,
		`,{"fullUrl":"urn:uuid:2","resource":{"resourceType":"Bundle","type":"message","entry":[{"resource":{"resourceType":"MessageHeader","id":"h"}}]}}`, `,{"resource":{"resourceType":"MessageHeader","id":"i"}},{"resource":{"resourceType":"Parameters"}}`,
	} {
		f.Add(messageOf(entries))
	}
	f.Add(`{"resourceType":"Bundle","type":"message","entry":[{"resource":{"resourceType":"MessageHeader","id":"h","eventUri":"x","source":{"endpoint":"\n"}}}]}`)
	s := open(f, Options{})
	f.Fuzz(func(t *testing.T, text string) {
		r, err := fhir.ParseResource([]byte(text), fhir.Limits{})
		if err != nil || len(text) > 10_000 {
			return
		}
		first, err := s.ProcessMessage(t.Context(), MessageRequest{Base: base, Message: r})
		if err != nil {
			if k := fhir.KindOf(err); k != fhir.KindInvalid && k != fhir.KindConflict && k != fhir.KindTooLarge {
				t.Fatalf("%v", err)
			}
			return
		}
		if _, err := fhir.ParseResource(first.Body, fhir.Limits{}); err != nil || codeOfResponse(first.Body) != first.Code || first.Code == MessageTransient {
			t.Fatalf("%v %s: %s", err, first.Code, first.Body)
		}
		again, err := s.ProcessMessage(t.Context(), MessageRequest{Base: base, Message: r})
		if err != nil || string(again.Body) != string(first.Body) {
			t.Fatalf("%v\n%s\n%s", err, first.Body, again.Body)
		}
	})
}

func TestMessageWhoseIdentifierBelongsToSeveralIsFatal(t *testing.T) {
	s := open(t, Options{})
	for _, id := range []string{"a", "b"} {
		put(t, s, `{"resourceType":"Patient","id":"%s","identifier":[{"system":"http://a.example.org","value":"1"}]}`, id)
	}
	r, err := fhir.ParseResource([]byte(messageOf(`,{"fullUrl":"urn:uuid:2","resource":{"resourceType":"Patient","identifier":[{"use":"old","system":"x","value":"y"},{"system":"http://a.example.org","value":"1"}]}}`)), fhir.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.ProcessMessage(t.Context(), MessageRequest{Base: base, Message: r})
	if err != nil || res.Code != MessageFatal || !strings.Contains(string(res.Body), `"multiple-matches"`) || !strings.Contains(string(res.Body), "Bundle.entry[1]") {
		t.Errorf("%v %s", err, res.Body)
	}
}

func TestMessageCreatesWhatNoParameterFindsByItsIdentifier(t *testing.T) {
	s := open(t, Options{})
	r, err := fhir.ParseResource([]byte(messageOf(`,{"fullUrl":"urn:uuid:2","resource":{"resourceType":"BiologicallyDerivedProduct","identifier":[{"system":"http://a.example.org","value":"1"}]}}`+
		`,{"fullUrl":"urn:uuid:3","resource":{"resourceType":"QuestionnaireResponse","status":"completed","identifier":{"value":"1"}}}`)), fhir.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.ProcessMessage(t.Context(), MessageRequest{Base: base, Message: r})
	if err != nil || res.Code != MessageOK {
		t.Fatalf("%v %s", err, res.Body)
	}
	for _, typ := range []string{"BiologicallyDerivedProduct", "QuestionnaireResponse"} {
		if found, _, err := s.Find(t.Context(), base, typ, nil, 10); err != nil || len(found) != 1 {
			t.Errorf("%s: %v %d", typ, err, len(found))
		}
	}
}

func TestMessageOfAnUnknownEventSaysHowItMayComeAgain(t *testing.T) {
	s := open(t, Options{})
	process := func(message string) MessageResponse {
		t.Helper()
		r, err := fhir.ParseResource([]byte(message), fhir.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		res, err := s.ProcessMessage(t.Context(), MessageRequest{Base: base, Message: r})
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	first := strings.Replace(messageOf(""), eventSystem, "http://example.org/events", 1)
	if res := process(first); res.Code != MessageFatal || !strings.Contains(string(res.Body), "once the event is served, send the message again in a Bundle and with a MessageHeader that have ids of their own") {
		t.Errorf("%s", res.Body)
	}
	put(t, s, `{"resourceType":"MessageDefinition","id":"%s","status":"active","date":"2024","eventCoding":{"system":"http://example.org/events","code":"admin-notify"}}`, "d")
	if res := process(first); res.Code != MessageFatal {
		t.Errorf("the same message: %s", res.Body)
	}
	if res := process(strings.NewReplacer(`"id":"b"`, `"id":"b2"`, `"id":"h"`, `"id":"h2"`).Replace(first)); res.Code != MessageOK {
		t.Errorf("with ids of its own: %s", res.Body)
	}
}
