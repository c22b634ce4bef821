// Package openapi describes what a server serves in the language of OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.1.html), made from the tables that serve
// it: the routes, the operations, the search parameters and R4's JSON Schema. A document may be of some resource types only: that of all 146 has some
// megabytes.
package openapi
