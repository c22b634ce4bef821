package rest

import (
	"net/http"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/server/operation"
)

// runOperation makes the function that serves a named operation at all its levels (R4 operations, 3.2.0.2 Executing an Operation
// Synchronously, http://hl7.org/fhir/R4/operations.html#executing). The path tells the level.
func (h *Handler) runOperation(o *operation.Operation) func(*exchange) error {
	return func(x *exchange) error {
		q := operation.Request{Query: x.r.URL.RawQuery}
		var err error
		switch {
		case x.c.Param("id") != "":
			q.Key, err = x.keyOf()
		case x.c.Param("type") != "":
			q.Key.Type, err = x.typeOf()
		}
		if err != nil {
			return err
		}
		if q.Key.Type != "" && !o.On(q.Key.Type) {
			return x.unknownOperation(o.Name, false)
		}
		g, err := readGeneral(x.r.URL.RawQuery)
		if err != nil {
			return err
		}
		if err := x.accept(g); err != nil {
			return err
		}
		q.Query = g.rest
		if q.Base, err = h.base(x.r); err != nil {
			return err
		}
		q.Lenient = parsePrefer(x.r.Header["Prefer"]).lenient
		if x.r.Method == http.MethodPost && x.r.ContentLength != 0 {
			if q.Parameters, err = x.resource(); err != nil {
				return err
			}
			if q.Parameters.Type() != "Parameters" {
				return fhir.NewError(fhir.KindInvalid, fhir.IssueInvalid, fhir.IDParametersExpected, "an operation takes a Parameters resource")
			}
		}
		ctx, cancel := x.limited()
		defer cancel()
		res, err := o.Run(ctx, q)
		if err != nil {
			return err
		}
		x.w.Header()["Cache-Control"] = noStore
		x.json(http.StatusOK, res.Body)
		return nil
	}
}
