// Package corpustest gives tests the repository's own files and the corpus: real data that lies beside the repository, in ../shared/corpus,
// and is no part of it.
//
// # Design
//
// A test that needs what is not there is skipped and says what is missing, so that the tests run everywhere.
//
// The package knows folders and bytes only, not FHIR, so that the tests inside package fhir can use it.
package corpustest
