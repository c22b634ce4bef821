package rest

import (
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
)

// The history of an instance, a type and the system (R4 http, 3.1.0.12 history, http://hl7.org/fhir/R4/http.html#history).

// historyInstance serves GET [type]/[id]/_history.
func (h *Handler) historyInstance(x *exchange) error {
	key, err := x.keyOf()
	if err != nil {
		return err
	}
	return x.history(interaction.HistoryRequest{Key: key})
}

// historyType serves GET [type]/_history.
func (h *Handler) historyType(x *exchange) error {
	typ, err := x.typeOf()
	if err != nil {
		return err
	}
	return x.history(interaction.HistoryRequest{Type: typ})
}

// historySystem serves GET [base]/_history.
func (h *Handler) historySystem(x *exchange) error { return x.history(interaction.HistoryRequest{}) }

func (x *exchange) history(q interaction.HistoryRequest) error {
	g, err := readGeneral(x.r.URL.RawQuery)
	if err != nil {
		return err
	}
	if err := x.accept(g); err != nil {
		return err
	}
	q.Query = x.r.URL.RawQuery
	if q.Base, err = x.h.base(x.r); err != nil {
		return err
	}
	ctx, cancel := x.limited()
	defer cancel()
	b, err := x.h.cfg.Service.History(ctx, q)
	if err != nil {
		return err
	}
	head := x.w.Header()
	head["Cache-Control"] = noStore
	x.validators(0, b.Updated)
	x.bundle(b)
	return nil
}
