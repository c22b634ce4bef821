// Package rest is the HTTP edge: it turns requests into interactions and their results into responses. It is the only package that knows Gin.
//
// # Design
//
// A request passes Handler.ServeHTTP (request id, CORS), Gin's router, and handle, which every route is wrapped in: it makes an exchange, measures, logs,
// turns panics into 500 and errors into OperationOutcomes (outcome.go, the one place). For all of FHIR the handler is serve: it reads the request
// (request.go, over prefer.go, forwarded.go, negotiate.go, body.go and binary.go), has it performed by Service.Do, and writes the response (respond.go).
// Nothing here decides what an interaction means, and no handler decides the status of an error: fhir.Kind has it.
package rest
