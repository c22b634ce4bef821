module github.com/fhirgate/fhirgate/fhir/fhirpath/compare

go 1.26.0

require (
	github.com/gofhir/fhirpath v1.0.0
)

require (
	github.com/antlr4-go/antlr/v4 v4.13.1 // indirect
	github.com/buger/jsonparser v1.1.1 // indirect
	github.com/klauspost/compress v1.20.3 // indirect
	github.com/shopspring/decimal v1.4.0 // indirect
	golang.org/x/exp v0.0.0-20240506185415-9bf2ced13842 // indirect
)

