// Command fhirgate serves HL7 FHIR R4 and loads files into FHIR servers.
//
//	fhirgate                     serve from ./fhirgate-data at http://127.0.0.1:8080/fhir
//	fhirgate serve [flags]       the same, with flags
//	fhirgate load FILE...        send bundles, resources and NDJSON to a server
//	fhirgate fhirpath EXPR FILE  evaluate a FHIRPath expression on a file
//	fhirgate reindex             rebuild the search index of a folder or database
//	fhirgate backup TARGET       back up a data folder, also of a running server
//	fhirgate restore SOURCE      make a data folder from a backup
//	fhirgate check               read everything in a data folder and say what is wrong
//	fhirgate copy                copy a database between a folder and MongoDB
//	fhirgate version             print the release
//
// # Design
//
// This package is commands, configuration and wiring; everything else is in the packages it puts together (gateway.go). A command's flags
// are its settings; configuration.go gives the flags that were not on the command line their values from the environment and from a file.
// A user's fault is one line on standard error that says what to do, and exit status 1.
package main
