// Command fhirgate serves HL7 FHIR R4 and loads files into FHIR servers.
//
//	fhirgate                     serve from ./fhirgate-data at http://127.0.0.1:8080/fhir
//	fhirgate serve [flags]       the same, with flags
//	fhirgate load FILE...        send bundles, resources and NDJSON to a server
//	fhirgate fhirpath EXPR FILE  evaluate a FHIRPath expression on a file
//	fhirgate reindex             make the search index of a folder or database again
//	fhirgate copy                move a database between a folder and MongoDB
//	fhirgate version             say which release this is
//
// # Design
//
// This package is commands, configuration and wiring; everything else is in the packages it puts together (gateway.go). A command's flags
// are its settings; configuration.go gives the flags that were not on the command line their values from the environment and from a file.
// A fault of the user is one line on standard error that says what to do, and exit status 1.
//
// # Decisions
//
// 1. Flags are the one list of settings (2026-11-23). Context: a setting that exists as a flag but not as a variable is found out in
// production. Choice: environment variables and keys of the file are derived from the flags of all commands; a name that belongs to none is
// an error that names the nearest one. A name of another command's flag is passed over, so that one environment and one file serve all
// commands. The variables that Kubernetes makes for a service called fhirgate (FHIRGATE_PORT, FHIRGATE_SERVICE_HOST and so on) are no
// settings and are passed over.
//
// 2. Loopback unless told otherwise (2026-11-23). Context: health records must not be open to a network by default, and there is no
// authorization to configure. Choice: an address that other machines can reach is refused unless --insecure-listen says that something
// else guards it. Consequence: a container needs that flag, and whoever sets it has read why.
//
// 3. Not every request is logged (2026-11-23). Context: a line a request costs more than a read does. Choice: --log-level is warn; failures
// of the server are logged, requests from level info on. /metrics counts them all.
//
// 4. The data keeps its time zone (2026-11-23). Context: a date without an offset is indexed by the moments it covers in --zone, so a server
// in another zone finds the wrong resources, in silence. Choice: the store holds the zone's name; serve takes it from there, and refuses
// another --zone with the command that indexes the data in it. Consequence: --zone is needed once, for an empty store.
//
// 5. The heap grows under work and shrinks at rest (2026-11-23). Context: loading the corpus with base validation, 28 collections of a heap of
// 100 MB took a tenth of the processor, and the 340 MB that the load took were kept for good. Choice: while there is work the heap may grow
// to 320 MB, or an eighth of the machine's memory, before it is collected; after five seconds without work memory goes back to the system;
// a heap that is larger by itself doubles, as Go's does. Measured side by side, GOGC=100 against this: 11.7 and 10.7 s of processor time,
// 357 and 448 MB at the peak, 337 and 195 MB ten seconds later, of which 61 MB are pages of the binary. GOGC=300 throughout took 11.5 s
// where 100 took 12.9, but 583 MB. GOGC in the environment goes before it.
package main
