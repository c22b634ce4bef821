// Package corpustest gives tests the repository's own files and the corpus: real data that lies beside the repository, in ../shared/corpus,
// and is no part of it.
//
// # Design
//
// A test that needs what is not there is skipped and says what is missing, so that the tests run everywhere. Where nothing may be skipped is
// for whoever runs them to say.
//
// # Decisions
//
//  1. The package knows folders and bytes only, not FHIR: the tests inside of package fhir use it, too. 2026-11-23.
package corpustest
